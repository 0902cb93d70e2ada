//! The files of one commit, by path: what stands at a path, with links followed as a checkout would follow them, and
//! the bytes a checkout would hold.

use super::{git, parts};
use std::collections::{BTreeMap, HashMap};
use std::ffi::OsStr;
use std::fs::{self, File, Permissions};
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Component, Path, PathBuf};
use std::process::{Command, Output};
use std::sync::{Arc, Mutex, PoisonError};

/// A path that leads through more links than this leads nowhere.
const MOST_LINKS: usize = 40;
/// What a pointer begins with that Git LFS keeps in the place of a file.
const LFS_POINTER: &[u8] = b"version https://git-lfs.github.com/spec/";

/// The file in which git keeps what holds for the paths of a folder.
const ATTRIBUTES: &str = ".gitattributes";

/// The files of one commit.
pub(super) struct Tree {
    top: PathBuf,
    commit: String,
    /// Where the commit's attributes are laid out, for git to go by.
    place: PathBuf,
    folders: Mutex<HashMap<String, Arc<Folder>>>,
}

type Folder = BTreeMap<String, Entry>;

/// What stands under a name.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Entry {
    mode: String,
    object: String,
}

/// A file of the commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Found {
    /// Its path from the top folder, without links.
    pub(super) path: PathBuf,
    /// Whether it can be run.
    pub(super) is_program: bool,
    object: String,
}

/// Why a path has no bytes. Each reads on after "`PATH` ".
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Lost {
    /// Nothing stands there; these names stand beside it.
    Absent(Vec<String>),
    /// It lies outside the repository, so no commit has it.
    Outside,
    /// Something else is in the way, in words.
    Other(String),
}

impl Tree {
    pub(super) fn of(top: &Path, commit: &str, place: &Path) -> Self {
        Self { top: top.to_owned(), commit: commit.to_owned(), place: place.to_owned(), folders: Mutex::default() }
    }

    /// The file at a path from the top folder. The path may climb, and lead through links.
    pub(super) fn find(&self, path: &Path) -> Result<Found, Lost> {
        // What is still to walk, the next part last.
        let mut ahead: Vec<PathBuf> = steps(path);
        let (mut behind, mut links) = (PathBuf::new(), 0);
        while let Some(step) = ahead.pop() {
            if step == Path::new("..") {
                if !behind.pop() {
                    return Err(Lost::Outside);
                }
                continue;
            }
            let folder = self.folder(&behind)?;
            let name = step.to_string_lossy().into_owned();
            let Some(entry) = folder.get(&name) else { return Err(Lost::Absent(beside(&behind, &folder))) };
            let here = behind.join(&step);
            match entry.mode.as_str() {
                "040000" => behind = here,
                "120000" => {
                    links += 1;
                    let target = self.bytes(git(&self.top, &["cat-file", "blob", &entry.object]))?;
                    let target = Path::new(OsStr::from_bytes(&target)).to_owned();
                    if links > MOST_LINKS || target.is_absolute() {
                        return Err(Lost::Other(format!("leads through a link to {}", target.display())));
                    }
                    ahead.extend(steps(&target));
                }
                "160000" => {
                    return Err(Lost::Other(format!(
                        "lies in the submodule `{}`, whose files are in a repository of its own",
                        here.display()
                    )));
                }
                mode if ahead.is_empty() => {
                    return Ok(Found { path: here, is_program: mode == "100755", object: entry.object.clone() });
                }
                _ => return Err(Lost::Absent(beside(&behind, &folder))),
            }
        }
        Err(Lost::Other("is a folder".to_owned()))
    }

    /// The bytes a checkout would put there: line ends and filters as the commit's own attributes say.
    pub(super) fn read(&self, found: &Found) -> Result<Vec<u8>, Lost> {
        self.lay_out_attributes(&found.path)?;
        let path = format!("--path={}", found.path.display());
        // In a work tree that holds the commit's attributes and nothing else, and with an index that holds none: git
        // would go by those of whatever is checked out. Whose repository it is was looked at when it was opened.
        let mut command = git(&self.place, &["cat-file", "--filters", &path, &found.object]);
        command.env("GIT_DIR", self.top.join(".git")).env("GIT_WORK_TREE", &self.place);
        command.env("GIT_INDEX_FILE", self.place.join(".no-index"));
        let bytes = self.bytes(command)?;
        if bytes.starts_with(LFS_POINTER) && bytes.len() < 1024 {
            return Err(Lost::Other(
                "is a Git LFS pointer, and the file it points to was not fetched: try `git lfs fetch --all`".to_owned(),
            ));
        }
        Ok(bytes)
    }

    /// Puts the attributes that hold for a path where git looks for them.
    fn lay_out_attributes(&self, path: &Path) -> Result<(), Lost> {
        let failed = |error: io::Error| Lost::Other(format!("cannot be laid out in {}: {error}", self.place.display()));
        fs::create_dir_all(&self.place).map_err(failed)?;
        for folder in path.ancestors().skip(1) {
            let place = self.place.join(folder).join(ATTRIBUTES);
            let entries = self.folder(folder)?;
            let Some(entry) = entries.get(ATTRIBUTES).filter(|entry| entry.mode.starts_with("100")) else { continue };
            if !place.exists() {
                write(&place, &self.bytes(git(&self.top, &["cat-file", "blob", &entry.object]))?, false)
                    .map_err(failed)?;
            }
        }
        Ok(())
    }

    fn folder(&self, path: &Path) -> Result<Arc<Folder>, Lost> {
        let key = format!("{}:{}", self.commit, path.display());
        let known = || self.folders.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(folder) = known().get(&key) {
            return Ok(folder.clone());
        }
        let folder = Arc::new(entries(&self.bytes(git(&self.top, &["ls-tree", "-z", &key]))?));
        known().insert(key, folder.clone());
        Ok(folder)
    }

    fn bytes(&self, mut command: Command) -> Result<Vec<u8>, Lost> {
        match command.output() {
            Ok(Output { status, stdout, .. }) if status.success() => Ok(stdout),
            Ok(output) => {
                let said = String::from_utf8_lossy(&output.stderr);
                Err(Lost::Other(format!("cannot be read by git: {}", said.trim())))
            }
            Err(error) => Err(Lost::Other(format!("cannot be read: git cannot be started: {error}"))),
        }
    }
}

/// Writes a file all at once: two of us may lay out the same one, and each puts its own in place whole.
pub(super) fn write(place: &Path, bytes: &[u8], is_program: bool) -> io::Result<()> {
    let folder = place.parent().unwrap_or(place);
    fs::create_dir_all(folder)?;
    let name = place.file_name().unwrap_or_default();
    let staged = folder.join(format!(".new-{}-{}", std::process::id(), name.display()));
    let mut file = File::create(&staged)?;
    file.write_all(bytes)?;
    file.set_permissions(Permissions::from_mode(if is_program { 0o755 } else { 0o644 }))?;
    fs::rename(&staged, place)
}

/// The parts of a path, the last first.
fn steps(path: &Path) -> Vec<PathBuf> {
    let parts = path.components().filter(|part| !matches!(part, Component::CurDir));
    parts.rev().map(|part| PathBuf::from(part.as_os_str())).collect()
}

fn beside(folder: &Path, entries: &Folder) -> Vec<String> {
    entries.keys().map(|name| folder.join(name).display().to_string()).collect()
}

/// `MODE TYPE OBJECT\tNAME` and NUL, for each.
fn entries(listing: &[u8]) -> Folder {
    let entry = |line: String| {
        let (meta, name) = line.split_once('\t')?;
        let mut meta = meta.split(' ');
        let (mode, object) = (meta.next()?.to_owned(), meta.nth(1)?.to_owned());
        Some((name.to_owned(), Entry { mode, object }))
    };
    parts(listing).filter_map(entry).collect()
}
