//! A file -> an object that was not there before. Holds a few parts in memory at a time, however large the file is.

use crate::google::{Bucket, Said};
use opendal::{Error, ErrorKind, Operator, Writer};
use std::fs::File;
use std::io::{self, Read};
use std::path::PathBuf;
use std::sync::Arc;
use tokio::sync::Semaphore;

/// Bytes of a part, and how many of them are under way.
const PART: usize = 8 << 20;
const PARTS: usize = 2;

/// A file that is to become an object.
pub(crate) struct Upload {
    pub(crate) file: PathBuf,
    /// What its bytes must be.
    pub(crate) blake3: String,
    /// Whose turn it is, of files that do not fit into one part.
    pub(crate) large: Arc<Semaphore>,
    /// Takes those of Cloud Storage.
    pub(crate) google: Option<Arc<Bucket>>,
}

/// Why a file did not become an object.
#[derive(Debug)]
pub(crate) enum UploadError {
    /// The service did not take it.
    Service(Error),
    Google(Said),
    /// It cannot be read.
    File(io::Error),
    /// It is not what it was when it was hashed.
    Changed,
}

impl From<Said> for UploadError {
    fn from(said: Said) -> Self {
        Self::Google(said)
    }
}

impl From<Error> for UploadError {
    fn from(error: Error) -> Self {
        Self::Service(error)
    }
}

impl Upload {
    /// Creates the object. Nothing is there when this fails.
    pub(crate) async fn to(&self, operator: &Operator, at: &str) -> Result<(), UploadError> {
        let mut file = File::open(&self.file).map_err(UploadError::File)?;
        let is_large = file.metadata().map_err(UploadError::File)?.len() >= PART as u64;
        if let Some(google) = self.google.as_ref().filter(|_| is_large) {
            let _turn = self.large.acquire().await;
            if operator.exists(at).await? {
                return Err(there_already().into());
            }
            return google.create(at, file, &self.blake3).await;
        }
        let mut hasher = blake3::Hasher::new();
        let first = part(&mut file, &mut hasher)?;
        if first.len() < PART {
            self.check(&hasher)?;
            return Ok(operator.write_with(at, first).if_not_exists(true).await.map(drop)?);
        }
        let _turn = self.large.acquire().await;
        // The condition is asked last, when all the bytes have gone.
        if operator.exists(at).await? {
            return Err(there_already().into());
        }
        let mut writer = operator.writer_with(at).if_not_exists(true).chunk(PART).concurrent(PARTS).await?;
        let sent = self.send(&mut writer, first, (file, hasher)).await;
        if sent.is_err() {
            // Parts of which nothing comes cost money for as long as they lie there.
            let _ = writer.abort().await;
        }
        sent
    }

    async fn send(
        &self,
        writer: &mut Writer,
        first: Vec<u8>,
        (mut file, mut hasher): (File, blake3::Hasher),
    ) -> Result<(), UploadError> {
        writer.write(first).await?;
        loop {
            let next = part(&mut file, &mut hasher)?;
            let is_last = next.len() < PART;
            if !next.is_empty() {
                writer.write(next).await?;
            }
            if is_last {
                break;
            }
        }
        self.check(&hasher)?;
        writer.close().await?;
        Ok(())
    }

    fn check(&self, hasher: &blake3::Hasher) -> Result<(), UploadError> {
        if hasher.finalize().to_hex().as_str() == self.blake3 { Ok(()) } else { Err(UploadError::Changed) }
    }
}

fn there_already() -> Error {
    Error::new(ErrorKind::ConditionNotMatch, "it is there already")
}

/// The next part of a file; less than a whole one at its end.
fn part(file: &mut File, hasher: &mut blake3::Hasher) -> Result<Vec<u8>, UploadError> {
    let mut bytes = Vec::new();
    file.take(PART as u64).read_to_end(&mut bytes).map_err(UploadError::File)?;
    hasher.update(&bytes);
    Ok(bytes)
}
