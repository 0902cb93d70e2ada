//! Makes all files of a recipe in a folder, several at a time, each under its name only once it is whole.

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::{fs, io, thread};

use pipe_video::VideoError;

use crate::film::film;
use crate::plays::needed_ms;
use crate::zones::Angle;
use crate::{database, stamp};

/// What is to be made. The default is the whole set; tests make tiny ones.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recipe {
    /// How many games, `g1` and on.
    pub games: u32,
    /// The angles each game is filmed from.
    pub angles: Vec<Angle>,
    /// Plays a game.
    pub plays: u32,
    /// Length of each video.
    pub seconds: u32,
    /// Width in pixels; even.
    pub width: u32,
    /// Height in pixels; even.
    pub height: u32,
    /// Frames a second.
    pub fps: u32,
    /// Another seed gives other games.
    pub seed: u64,
}

impl Default for Recipe {
    fn default() -> Self {
        Recipe {
            games: 8,
            angles: Angle::ALL.to_vec(),
            plays: 20,
            seconds: 44,
            width: 192,
            height: 108,
            fps: 15,
            seed: 2026,
        }
    }
}

/// What is in the folder now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    /// How many videos.
    pub videos: usize,
    /// How many plays, over all games.
    pub plays: u32,
    /// Bytes of all files together.
    pub bytes: u64,
    /// Whether everything was there before, and nothing was made.
    pub already_there: bool,
}

/// Why the sample data could not be made.
#[derive(Debug, thiserror::Error)]
pub enum TestdataError {
    /// The recipe cannot be made.
    #[error("the recipe cannot be made: {0}")]
    Recipe(String),
    /// A video could not be written.
    #[error(transparent)]
    Video(#[from] VideoError),
    /// The database could not be written.
    #[error("{}: writing the plays failed: {source}", path.display())]
    Database {
        /// The database's file.
        path: PathBuf,
        /// What SQLite says.
        source: rusqlite::Error,
    },
    /// A file or folder could not be made or read.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}

const DATABASE: &str = "plays.db";

/// Makes `videos/<game>/<ANGLE>.mp4` and `plays.db` in `out`, unless they are all there, whole and from this recipe.
///
/// # Errors
/// When the recipe contradicts itself, or a file cannot be written; half-made files are removed.
pub fn generate(out: &Path, recipe: &Recipe) -> Result<Summary, TestdataError> {
    check(recipe)?;
    let files = files_of(recipe);
    let already_there = stamp::holds(recipe, out, &files);
    if !already_there {
        make_all(out, recipe)?;
        let text = stamp::of_folder(recipe, out, &files).map_err(|e| io_error(out, e))?;
        publish(&out.join(stamp::NAME), |part| fs::write(part, &text).map_err(|e| io_error(part, e)))?;
    }
    let sizes = files.iter().map(|file| fs::metadata(out.join(file)).map(|meta| meta.len()));
    let bytes = sizes.sum::<io::Result<u64>>().map_err(|e| io_error(out, e))?;
    Ok(Summary { videos: files.len() - 1, plays: recipe.games * recipe.plays, bytes, already_there })
}

fn check(recipe: &Recipe) -> Result<(), TestdataError> {
    let needed = needed_ms(recipe.plays);
    if recipe.seconds * 1000 < needed {
        let message = format!("{} plays need {} s of video, not {}", recipe.plays, needed / 1000, recipe.seconds);
        return Err(TestdataError::Recipe(message));
    }
    if recipe.games == 0 || recipe.plays == 0 || recipe.angles.is_empty() || recipe.fps == 0 {
        return Err(TestdataError::Recipe("it needs a game, a play, an angle and a frame a second".into()));
    }
    if recipe.width < 48 || recipe.height < 36 {
        let message = format!("{}x{} is too small for six zones", recipe.width, recipe.height);
        return Err(TestdataError::Recipe(message));
    }
    Ok(())
}

fn video_name(game: u32, angle: Angle) -> String {
    format!("videos/g{game}/{}.mp4", angle.name())
}

fn films_of(recipe: &Recipe) -> Vec<(u32, Angle)> {
    (1..=recipe.games).flat_map(|game| recipe.angles.iter().map(move |&angle| (game, angle))).collect()
}

fn files_of(recipe: &Recipe) -> Vec<String> {
    let videos = films_of(recipe).into_iter().map(|(game, angle)| video_name(game, angle));
    videos.chain([DATABASE.to_owned()]).collect()
}

fn make_all(out: &Path, recipe: &Recipe) -> Result<(), TestdataError> {
    for game in 1..=recipe.games {
        let folder = out.join(format!("videos/g{game}"));
        fs::create_dir_all(&folder).map_err(|e| io_error(&folder, e))?;
    }
    let path = out.join(DATABASE);
    publish(&path, |part| {
        // A file that a killed run left would be extended by SQLite and not replaced.
        let _ = fs::remove_file(part);
        database::write(recipe, part).map_err(|source| TestdataError::Database { path: path.clone(), source })
    })?;
    film_all(out, recipe)
}

/// Films side by side: each worker takes the next film that nobody has taken, until one fails or none is left.
fn film_all(out: &Path, recipe: &Recipe) -> Result<(), TestdataError> {
    let films = films_of(recipe);
    let next = AtomicUsize::new(0);
    let failure = Mutex::new(None);
    let work = || {
        while let Some(&(game, angle)) = films.get(next.fetch_add(1, Ordering::Relaxed)) {
            let path = out.join(video_name(game, angle));
            let done = publish(&path, |part| film(recipe, game, angle, part).map_err(TestdataError::from));
            if let Err(error) = done {
                next.store(films.len(), Ordering::Relaxed);
                failure.lock().expect("no worker panics while it holds the lock").get_or_insert(error);
            }
        }
    };
    let workers = thread::available_parallelism().map_or(2, usize::from).min(films.len());
    thread::scope(|scope| (0..workers).for_each(|_| drop(scope.spawn(work))));
    failure.into_inner().expect("no worker panics while it holds the lock").map_or(Ok(()), Err)
}

/// Makes a file beside its place and gives it its name once it is whole.
fn publish(path: &Path, make: impl FnOnce(&Path) -> Result<(), TestdataError>) -> Result<(), TestdataError> {
    let mut part = path.as_os_str().to_owned();
    part.push(".part");
    let part = PathBuf::from(part);
    make(&part)?;
    fs::rename(&part, path).map_err(|e| io_error(path, e))
}

fn io_error(path: &Path, source: io::Error) -> TestdataError {
    TestdataError::Io { path: path.to_owned(), source }
}
