//! A revision that somebody names -> its files on the disk, each laid out when it is first asked for and found there
//! by whoever asks again: `<state>/at/<commit>/<path>`.

use super::standing::{names, top_folder};
use super::tree::{Found, Lost, Tree, write};
use super::{git, parts};
use crate::exit::{Exit, Refusal};
use pipe_engine::revision::{Changes, Revision};
use pipe_engine::spec::{Disk, Texts};
use pipe_engine::text::closest;
use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// So many names of revisions are offered when none is near.
const OFFERED: usize = 5;

/// The files of one commit.
pub(crate) struct Snapshot {
    /// What was asked for, such as `v1.2`.
    asked: String,
    commit: String,
    /// The spec's folder as it was typed.
    typed: PathBuf,
    /// The same, from the repository's top folder.
    inside: PathBuf,
    top: PathBuf,
    tree: Tree,
    /// Where files are laid out.
    place: PathBuf,
    /// Paths that were asked for: a thousand tasks name the same script.
    known: Mutex<HashMap<PathBuf, Result<PathBuf, String>>>,
}

impl Snapshot {
    /// The revision `asked` of the repository that `folder` lies in. The folder itself may be gone by now.
    ///
    /// # Errors
    /// When there is no repository, or no such revision in it; the help names those that are near.
    pub(crate) fn open(folder: &Path, asked: &str, state: &Path) -> Result<Self, Refusal> {
        let (real, missing) = nearest(folder)?;
        let top = top_folder(&real).ok_or_else(|| {
            let message = format!("`--at {asked}` needs a git repository, and {} is in none", real.display());
            Refusal::new(Exit::Wrong, message).help("leave `--at` out to use the files as they are")
        })?;
        let commit = resolve(&top, asked)?;
        let inside = real.strip_prefix(&top).unwrap_or(&real).join(missing);
        let place = std::path::absolute(state)?.join("at").join(&commit);
        Ok(Self {
            tree: Tree::of(&top, &commit, &place),
            place,
            asked: asked.to_owned(),
            typed: folder.to_owned(),
            inside,
            top,
            commit,
            known: Mutex::default(),
        })
    }

    /// Where a file lies as it was then: `path` begins with the spec's folder as it was typed, or is absolute. What lies
    /// outside the repository no commit knows, so it is that of now.
    fn look(&self, path: &Path) -> Result<PathBuf, String> {
        let Some(inside) = self.inside(path) else { return Ok(path.to_owned()) };
        match self.tree.find(&inside).and_then(|found| self.lay_out(&found)) {
            Ok(place) => Ok(place),
            Err(Lost::Outside) => Ok(path.to_owned()),
            Err(Lost::Absent(beside)) => {
                let wanted = plain(&inside);
                let near = closest(&wanted, beside.iter().map(String::as_str));
                let near = near.map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
                Err(format!("is not in {}{near}", self.name()))
            }
            Err(Lost::Other(why)) => Err(format!("{why} (in {})", self.name())),
        }
    }

    /// What a run records of it.
    pub(crate) fn revision(&self, standing: Option<Revision>) -> Revision {
        let standing = standing.unwrap_or_else(|| Revision {
            folder: self.top.file_name().unwrap_or_default().to_string_lossy().into_owned(),
            ..Revision::default()
        });
        let decorations =
            git(&self.top, &["log", "-1", "--no-show-signature", "--decorate=full", "--format=%D", &self.commit]);
        let decorations = super::standing::output(decorations).unwrap_or_default();
        let (_, tags) = names(String::from_utf8_lossy(&decorations).trim());
        Revision {
            commit: self.commit.clone(),
            branch: None,
            tags,
            at: Some(self.asked.clone()),
            changes: Some(Changes::default()),
            ..standing
        }
    }

    /// `v1.2 (1a2b3c4d5e6f)`.
    pub(crate) fn name(&self) -> String {
        let short = self.commit.get(..12).unwrap_or(&self.commit);
        if self.commit.starts_with(&self.asked) { short.to_owned() } else { format!("{} ({short})", self.asked) }
    }

    /// A path from the top folder; it may still climb out of it.
    fn inside(&self, path: &Path) -> Option<PathBuf> {
        // Everything begins with the folder that was typed as nothing; what is absolute does not lie in it.
        if let Some(rest) = path.strip_prefix(&self.typed).ok().filter(|rest| rest.is_relative()) {
            return Some(self.inside.join(rest));
        }
        let (real, missing) = nearest(path).ok()?;
        Some(real.strip_prefix(&self.top).ok()?.join(missing))
    }

    /// Writes a file out, all at once, unless it is there.
    fn lay_out(&self, found: &Found) -> Result<PathBuf, Lost> {
        let place = self.place.join(&found.path);
        if place.is_file() {
            return Ok(place);
        }
        let bytes = self.tree.read(found)?;
        let failed = |error: io::Error| Lost::Other(format!("cannot be laid out at {}: {error}", place.display()));
        write(&place, &bytes, found.is_program).map_err(failed)?;
        Ok(place)
    }
}

impl Texts for Snapshot {
    fn read(&self, path: &Path, most: usize) -> io::Result<Vec<u8>> {
        // The environment is that of the machine, and nobody commits it.
        if path.file_name().is_some_and(|name| name == ".env") {
            return Disk.read(path, most);
        }
        let place = self.locate(path).map_err(|why| io::Error::other(format!("it {why}")))?;
        Disk.read(&place, most)
    }

    fn locate(&self, path: &Path) -> Result<PathBuf, String> {
        let known = || self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(place) = known().get(path) {
            return place.clone();
        }
        let place = self.look(path);
        known().insert(path.to_owned(), place.clone());
        place
    }
}

/// The nearest folder above a path that is there, in full, and the rest of the path.
fn nearest(path: &Path) -> Result<(PathBuf, PathBuf), Refusal> {
    let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
    let path = std::path::absolute(path)?;
    for above in path.ancestors() {
        if let Ok(real) = above.canonicalize() {
            return Ok((real, path.strip_prefix(above).unwrap_or(Path::new("")).to_owned()));
        }
    }
    Ok((PathBuf::from("/"), path))
}

fn plain(path: &Path) -> String {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            std::path::Component::ParentDir => drop(plain.pop()),
            part => plain.push(part),
        }
    }
    plain.display().to_string()
}

/// The commit a revision names.
fn resolve(top: &Path, asked: &str) -> Result<String, Refusal> {
    let missing = || Refusal::new(Exit::Wrong, format!("there is no revision `{asked}` in {}", top.display()));
    // To git that would be an option.
    if asked.starts_with('-') {
        return Err(missing().help("name a tag, a branch or a commit"));
    }
    let output = git(top, &["rev-parse", "--verify", &format!("{asked}^{{commit}}")]).output().map_err(|error| {
        Refusal::new(Exit::Unavailable, format!("`--at {asked}` needs git, which cannot be started: {error}"))
            .help("install git, or leave `--at` out to use the files as they are")
    })?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    // Git says there what makes a repository of another user safe.
    if said.contains("dubious ownership") {
        return Err(Refusal::new(Exit::Wrong, format!("git does not trust the repository {}", top.display()))
            .help(format!("git config --global --add safe.directory {}", top.display())));
    }
    Err(missing().help(near(top, asked)))
}

/// Tags and branches that could have been meant.
fn near(top: &Path, asked: &str) -> String {
    let refs = [
        "for-each-ref",
        "--sort=-creatordate",
        "--format=%(refname:short)%00",
        "refs/tags",
        "refs/heads",
        "refs/remotes",
    ];
    let listing = super::standing::output(git(top, &refs)).unwrap_or_default();
    let all: Vec<String> = parts(&listing).map(|name| name.trim().to_owned()).filter(|name| !name.is_empty()).collect();
    let offered: Vec<String> = all.iter().take(OFFERED).map(|name| format!("`{name}`")).collect();
    let names = || all.iter().map(String::as_str);
    match names().find(|name| name.starts_with(asked)).or_else(|| closest(asked, names())) {
        Some(near) => format!("did you mean `{near}`?"),
        None if offered.is_empty() => "it has neither tags nor branches".to_owned(),
        None => format!("name a tag, a branch or a commit, such as {}", offered.join(", ")),
    }
}
