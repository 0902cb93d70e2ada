//! Films one game from one angle: puts the pitch, the players, the disc and the sound together, frame by frame.

use std::path::Path;

use pipe_video::{EncodeOptions, Matrix, Preset, Ratio, VideoError, Writer, WriterOptions};

use crate::dice::Dice;
use crate::generate::Recipe;
use crate::plays::{Play, plays_of};
use crate::scene::{Canvas, Light, ORANGE, PLAYERS};
use crate::sound::{self, Sound};
use crate::zones::{Angle, Zone, zone_of};

const PLAYER_COUNT: usize = 9;

/// Writes the video of a game from an angle.
pub(crate) fn film(recipe: &Recipe, game: u32, angle: Angle, path: &Path) -> Result<(), VideoError> {
    let plays = plays_of(recipe, game);
    let stream = |purpose| Dice::new(recipe.seed, [purpose, u64::from(game), angle as u64]);
    let light = Light::of_game(recipe.seed, game);
    let pitch = Canvas::pitch(recipe.width, recipe.height, light);
    let mut picture = pitch.clone();
    let mut players = Players::new(recipe, stream(3));
    let mut disc = Disc::new(recipe, angle, &plays, stream(4));
    let mut grain = (stream(5), vec![0; (recipe.width * recipe.height) as usize]);
    let mut sound = Sound::new(&plays, stream(6));
    let mut writer = Writer::create(path, options(recipe))?;
    for number in 0..recipe.seconds * recipe.fps {
        picture.copy_from(&pitch);
        players.draw(&mut picture, light);
        disc.draw(number, &mut picture, light);
        grain.0.fill(&mut grain.1);
        picture.grain(&grain.1);
        writer.push_yuv420(&picture.y, &picture.u, &picture.v)?;
        writer.push_audio(&sound.until((number + 1) * sound::RATE / recipe.fps))?;
    }
    writer.finish()
}

fn options(recipe: &Recipe) -> WriterOptions {
    WriterOptions {
        width: recipe.width,
        height: recipe.height,
        frame_rate: Ratio { num: recipe.fps, den: 1 },
        gop: 2 * recipe.fps,
        b_frames: 2,
        encode: EncodeOptions { crf: 26, preset: Preset::Superfast },
        audio_rate: Some(sound::RATE),
        matrix: Some(Matrix::Bt709),
        timecode: None,
    }
}

/// The orange disc: it stays where the play's label has its place, and jumps about elsewhere between plays.
struct Disc<'a> {
    recipe: &'a Recipe,
    angle: Angle,
    plays: &'a [Play],
    dice: Dice,
    zone: Zone,
    /// Pixels from the zone's middle.
    drift: (i32, i32),
    /// Frames until a decoy jumps on.
    patience: u32,
}

impl<'a> Disc<'a> {
    fn new(recipe: &'a Recipe, angle: Angle, plays: &'a [Play], dice: Dice) -> Self {
        Disc { recipe, angle, plays, dice, zone: Zone(0), drift: (0, 0), patience: 0 }
    }

    fn draw(&mut self, frame: u32, picture: &mut Canvas, light: Light) {
        match running(self.plays, frame, self.recipe.fps) {
            Some(play) => (self.zone, self.patience) = (zone_of(self.angle, play.label), 0),
            None => self.decoy(frame),
        }
        let radius = (self.recipe.height / 12) as i32;
        let (width, height) = (self.recipe.width as i32, self.recipe.height as i32);
        // The disc keeps clear of its zone's borders, so no pixel of it is ever in another zone.
        let room = ((width / 6 - radius - 2).max(0), (height / 4 - radius - 2).max(0));
        self.drift.0 = (self.drift.0 + self.dice.around(3)).clamp(-room.0, room.0);
        self.drift.1 = (self.drift.1 + self.dice.around(3)).clamp(-room.1, room.1);
        let (x, y) = self.zone.middle(self.recipe.width, self.recipe.height);
        picture.disc((x as i32 + self.drift.0, y as i32 + self.drift.1), radius, ORANGE, light);
    }

    /// Between plays the disc shows labels that neither the play before nor the play after has.
    fn decoy(&mut self, frame: u32) {
        if self.patience > 0 {
            self.patience -= 1;
            return;
        }
        let begun = self.plays.partition_point(|play| starts_by(play, frame, self.recipe.fps));
        let before = begun.checked_sub(1).and_then(|i| self.plays.get(i));
        let taken = [before, self.plays.get(begun)].map(|play| play.map(|p| zone_of(self.angle, p.label)));
        let free: Vec<Zone> =
            Zone::ALL.into_iter().filter(|zone| !taken.contains(&Some(*zone)) && *zone != self.zone).collect();
        self.zone = free[self.dice.between(0, free.len() as u32) as usize];
        self.patience = self.dice.between(1, 4);
    }
}

/// The play whose time the frame lies in: from its first moment up to, and without, its end.
fn running(plays: &[Play], frame: u32, fps: u32) -> Option<&Play> {
    plays.iter().find(|play| starts_by(play, frame, fps) && frame * 1000 < play.end_ms * fps)
}

fn starts_by(play: &Play, frame: u32, fps: u32) -> bool {
    play.start_ms * fps <= frame * 1000
}

/// Players in three colours, who run about all the time and mean nothing.
struct Players {
    size: (i32, i32),
    radius: i32,
    /// Place and step of each, in pixels.
    running: Vec<((i32, i32), (i32, i32))>,
    dice: Dice,
}

impl Players {
    fn new(recipe: &Recipe, mut dice: Dice) -> Self {
        let place = |dice: &mut Dice| (dice.between(0, recipe.width) as i32, dice.between(0, recipe.height) as i32);
        let running = (0..PLAYER_COUNT).map(|_| (place(&mut dice), (0, 0))).collect();
        let size = (recipe.width as i32, recipe.height as i32);
        Players { size, radius: (recipe.height / 27).max(1) as i32, running, dice }
    }

    fn draw(&mut self, picture: &mut Canvas, light: Light) {
        for (number, (place, step)) in self.running.iter_mut().enumerate() {
            // Every second or so a player turns; whoever leaves the pitch comes back on the other side.
            if self.dice.between(0, 15) == 0 || *step == (0, 0) {
                *step = (self.dice.around(3), self.dice.around(2));
            }
            *place = ((place.0 + step.0).rem_euclid(self.size.0), (place.1 + step.1).rem_euclid(self.size.1));
            picture.disc(*place, self.radius, PLAYERS[number % PLAYERS.len()], light);
        }
    }
}
