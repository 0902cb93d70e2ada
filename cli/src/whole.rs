//! A file that somebody asked for beside the run -> tried before anything runs, and written all at once when it is over.

use crate::exit::{Exit, Refusal};
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

/// A file that can be written.
#[derive(Debug)]
pub(crate) struct Whole {
    path: PathBuf,
}

impl Whole {
    /// The file at `path`, which is tried: to learn after a night that it cannot be written helps nobody. `what` says what
    /// it is, such as `trace`.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(crate) fn at(path: &Path, what: &str) -> Result<Self, Refusal> {
        let staged = aside(path);
        let is_folder = path.is_dir().then(|| io::Error::from(io::ErrorKind::IsADirectory));
        let tried = is_folder.map_or(Ok(()), Err).and_then(|()| File::create(&staged));
        tried.and_then(|_| fs::remove_file(&staged)).map_err(|error| {
            Refusal::new(Exit::Unavailable, format!("the {what} cannot be written to {}: {error}", path.display()))
                .help("name a file in a folder that is there and can be written")
        })?;
        Ok(Self { path: path.to_owned() })
    }

    /// Writes it, in the place of what an earlier run has left there.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(crate) fn write(&self, write: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>) -> io::Result<()> {
        let staged = aside(&self.path);
        let mut file = BufWriter::new(File::create(&staged)?);
        write(&mut file)?;
        file.flush()?;
        fs::rename(&staged, &self.path)
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

fn aside(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    path.with_file_name(name)
}
