//! An `opendal` operator -> a store. Promises only what the service below can keep, and says at the opening when that
//! is too little.

use crate::google::Bucket;
use crate::refused::{EXPIRED, NO_CREDENTIALS, refused};
use crate::upload::{Upload, UploadError};
use futures::future::BoxFuture;
use opendal::{Capability, Error, ErrorKind, Metadata, Operator};
use pipe_engine::failure::{Class, Failure};
use pipe_engine::store::{Right, Stat, Store, StoreError, changed, check_path, check_prefix};
use pipe_engine::world::Timestamp;
use std::io;
use std::path::Path;
use std::sync::Arc;
use tokio::runtime::{Handle, Runtime};
use tokio::sync::Semaphore;

/// How many large files are on their way to a service at a time.
const LARGE: usize = 3;

/// A bucket, or anything else that `opendal` speaks to and that can create an object only if it is not there yet.
pub struct ObjectStore {
    operator: Operator,
    /// Services need tokio beneath them, and whoever waits for a store may have none: stage code blocks on it.
    runtime: Handle,
    /// The runtime itself, when it is nobody else's.
    own: Option<Runtime>,
    /// Turns of those who hold several parts of a file in memory.
    large: Arc<Semaphore>,
    /// Google's own client, of a bucket in Cloud Storage.
    google: Option<Arc<Bucket>>,
}

impl ObjectStore {
    /// Takes the operator as a store. Its calls run on `runtime`, which must live as long as the store is used.
    ///
    /// # Errors
    /// [`StoreError::Failed`] when the service cannot keep what a store promises: its source says what is missing.
    /// Nothing is read or written to find out.
    pub fn open(operator: Operator, runtime: Handle) -> Result<Self, StoreError> {
        let info = operator.info();
        let reason = match missing(&info.capability()) {
            // It writes in place, so a reader sees half an object; with its temporary folder, two writers both win.
            _ if info.scheme() == "fs" => Some("a folder is not opened as a bucket: give its path instead".to_owned()),
            Some(what) => Some(format!("the service cannot {what}: use one that can, such as `gs` or `s3`")),
            None => None,
        };
        match reason {
            None => Ok(Self { operator, runtime, own: None, large: Arc::new(Semaphore::new(LARGE)), google: None }),
            Some(reason) => {
                let at = format!("{}://{}{}", info.scheme(), info.name(), info.root());
                Err(StoreError::Failed { doing: "keep results in", at, source: unsupported(reason) })
            }
        }
    }

    /// As [`ObjectStore::open`], on a runtime that ends with the store.
    ///
    /// # Errors
    /// As [`ObjectStore::open`].
    pub fn on(operator: Operator, runtime: Runtime) -> Result<Self, StoreError> {
        let mut store = Self::open(operator, runtime.handle().clone())?;
        store.own = Some(runtime);
        Ok(store)
    }

    /// With Google's own client for what is large and what is replaced.
    pub(crate) fn by_google(mut self, bucket: Bucket) -> Self {
        self.google = Some(Arc::new(bucket));
        self
    }

    /// Runs `act` on the runtime and puts its error into the store's words.
    fn call<'a, T, F>(
        &'a self,
        doing: &'static str,
        at: &'a str,
        act: impl FnOnce(Operator, String) -> F + Send + 'a,
    ) -> BoxFuture<'a, Result<T, StoreError>>
    where
        T: Send + 'static,
        F: Future<Output = opendal::Result<T>> + Send + 'static,
    {
        Box::pin(async move {
            let result = self.runtime.spawn(act(self.operator.clone(), at.to_owned())).await;
            match result {
                Ok(result) => result.map_err(|error| explain(doing, at, error)),
                // The runtime is going down, or opendal panicked.
                Err(lost) => Err(StoreError::Failed { doing, at: at.to_owned(), source: io::Error::other(lost) }),
            }
        })
    }

    fn meta<'a>(&'a self, at: &'a str) -> BoxFuture<'a, Result<Metadata, StoreError>> {
        self.call("look at", at, |operator, at| async move { operator.stat(&at).await })
    }
}

impl Drop for ObjectStore {
    /// Whoever drops the store may stand on a runtime of its own, where nobody may wait for another to end.
    fn drop(&mut self) {
        if let Some(runtime) = self.own.take() {
            runtime.shutdown_background();
        }
    }
}

impl Store for ObjectStore {
    fn get<'a>(&'a self, at: &'a str) -> BoxFuture<'a, Result<Vec<u8>, StoreError>> {
        Box::pin(async move {
            check_path(at)?;
            self.call("read", at, |operator, at| async move { Ok(operator.read(&at).await?.to_vec()) }).await
        })
    }

    fn get_range<'a>(&'a self, at: &'a str, offset: u64, length: u64) -> BoxFuture<'a, Result<Vec<u8>, StoreError>> {
        Box::pin(async move {
            check_path(at)?;
            let end = offset.saturating_add(length);
            self.call("read", at, move |operator, at| async move { read_range(&operator, &at, offset, end).await })
                .await
        })
    }

    fn put_new<'a>(&'a self, at: &'a str, bytes: &'a [u8]) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async move {
            check_path(at)?;
            let bytes = bytes.to_vec();
            self.call("write", at, |operator, at| async move {
                operator.write_with(&at, bytes).if_not_exists(true).await.map(drop)
            })
            .await
        })
    }

    /// A file that fits into one part goes at once; another goes part by part, or by Google's own client, and appears when all of it is
    /// there.
    fn put_file<'a>(&'a self, at: &'a str, file: &'a Path, blake3: &'a str) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async move {
            check_path(at)?;
            let (large, google) = (self.large.clone(), self.google.clone());
            let upload = Upload { file: file.to_owned(), blake3: blake3.to_owned(), large, google };
            self.call("write", at, |operator, at| async move { Ok(upload.to(&operator, &at).await) }).await?.map_err(
                |error| match error {
                    UploadError::Service(error) => explain("write", at, error),
                    UploadError::Google(said) => said.store_error("write", at),
                    UploadError::File(source) => {
                        StoreError::Failed { doing: "read", at: file.display().to_string(), source }
                    }
                    UploadError::Changed => changed(file),
                },
            )
        })
    }

    /// What was read is compared here, and the service is asked to write only over the very object that was looked
    /// at before: whoever comes in between makes it a conflict.
    fn replace_if<'a>(&'a self, at: &'a str, old: &'a [u8], new: &'a [u8]) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async move {
            check_path(at)?;
            let can = self.operator.info().capability();
            if !can.write_with_if_match && !can.write_with_if_version_match {
                let source =
                    unsupported("the service cannot replace an object only if it is still the same".to_owned());
                return Err(StoreError::Failed { doing: "replace", at: at.to_owned(), source });
            }
            let seen = self.meta(at).await?;
            if self.get(at).await? != old {
                return Err(StoreError::Conflict { at: at.to_owned() });
            }
            let new = new.to_vec();
            if let Some(google) = self.google.clone() {
                let replaced = self.call("replace", at, |_, at| async move {
                    let generation = seen.version().and_then(|version| version.parse().ok());
                    let generation =
                        generation.ok_or_else(|| Error::new(ErrorKind::Unexpected, "it has no generation"))?;
                    Ok(google.replace(&at, generation, new).await)
                });
                return replaced.await?.map_err(|said| said.store_error("replace", at));
            }
            self.call("replace", at, |operator, at| async move {
                operator.write_with(&at, new).if_not_changed(&seen).await.map(drop)
            })
            .await
        })
    }

    fn list<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, Result<Vec<Stat>, StoreError>> {
        Box::pin(async move {
            check_prefix(prefix)?;
            let entries = self.call("list", prefix, |operator, prefix| async move {
                operator.list_with(&prefix).recursive(true).await
            });
            let files = entries.await?.into_iter().filter(|entry| entry.metadata().is_file());
            let mut found: Vec<Stat> = files.map(|entry| stat(entry.path(), entry.metadata())).collect();
            found.sort_by(|a, b| a.at.cmp(&b.at));
            Ok(found)
        })
    }

    fn stat<'a>(&'a self, at: &'a str) -> BoxFuture<'a, Result<Option<Stat>, StoreError>> {
        Box::pin(async move {
            check_path(at)?;
            match self.meta(at).await {
                Ok(meta) => Ok(Some(stat(at, &meta))),
                Err(StoreError::Missing { .. }) => Ok(None),
                Err(other) => Err(other),
            }
        })
    }

    fn delete<'a>(&'a self, at: &'a str) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async move {
            check_path(at)?;
            self.call("delete", at, |operator, at| async move { operator.delete(&at).await }).await
        })
    }

    fn refused(&self, right: Right, error: StoreError) -> Failure {
        let info = self.operator.info();
        refused((info.scheme(), &info.name()), right, error)
    }
}

fn stat(at: &str, meta: &Metadata) -> Stat {
    let changed = meta.last_modified().and_then(|time| u64::try_from(time.into_inner().as_millisecond()).ok());
    Stat {
        at: at.to_owned(),
        size: meta.content_length(),
        tag: meta.etag().map(str::to_owned),
        changed: changed.map(Timestamp),
    }
}

/// Asks for the range as it is, and for the object's size only when that fails: readers of video nearly always stay
/// inside, and a size costs a request. Each service has its own way to tell that a range leads beyond the end.
async fn read_range(operator: &Operator, at: &str, offset: u64, end: u64) -> opendal::Result<Vec<u8>> {
    let failed = match operator.read_with(at).range(offset..end).await {
        Err(error) if matches!(error.kind(), ErrorKind::RangeNotSatisfied | ErrorKind::Unexpected) => error,
        read => return Ok(read?.to_vec()),
    };
    let size = operator.stat(at).await?.content_length();
    if offset >= size {
        return Ok(Vec::new());
    }
    if end <= size {
        return Err(failed);
    }
    Ok(operator.read_with(at).range(offset..size).await?.to_vec())
}

/// What a store needs and the service lacks, as words that follow "cannot".
fn missing(can: &Capability) -> Option<&'static str> {
    let needs = [
        (can.read && can.write && can.stat && can.list && can.delete, "read, write, list and delete"),
        // Without it, the second of two runs would put its result in the place of the first one's.
        (can.write_with_if_not_exists, "create an object only if it is not there yet"),
    ];
    needs.into_iter().find(|(there, _)| !there).map(|(_, what)| what)
}

fn explain(doing: &'static str, at: &str, error: Error) -> StoreError {
    let at = at.to_owned();
    // What was tried again in vain no longer says that it could be: services that are busy, or that nobody reaches, have no
    // kind of their own.
    let away = |class| StoreError::Away { doing, at: at.clone(), class, source: io::Error::other(in_words(&error)) };
    let kind = match error.kind() {
        ErrorKind::NotFound => return StoreError::Missing { at },
        ErrorKind::ConditionNotMatch | ErrorKind::AlreadyExists => return StoreError::Conflict { at },
        ErrorKind::RateLimited => return away(Class::Throttled),
        // Services say no to who one is with a status that has no kind of its own.
        ErrorKind::Unexpected if is_nobody(&error) => io::ErrorKind::PermissionDenied,
        ErrorKind::Unexpected | ErrorKind::Conflict => return away(Class::Transient),
        ErrorKind::PermissionDenied => io::ErrorKind::PermissionDenied,
        ErrorKind::Unsupported => io::ErrorKind::Unsupported,
        _ => io::ErrorKind::Other,
    };
    StoreError::Failed { doing, at, source: io::Error::new(kind, in_words(&error)) }
}

/// What the service said and the cause at the bottom, such as a refused connection; what lies between is for those who
/// debug it.
fn in_words(error: &Error) -> String {
    tracing::debug!(?error, "the service failed");
    let mut cause = std::error::Error::source(error);
    while let Some(below) = cause.and_then(std::error::Error::source) {
        cause = Some(below);
    }
    let said = cause.map_or_else(|| error.message().to_owned(), |cause| format!("{}: {cause}", error.message()));
    // The words of the crate that signs requests, which finds none in any place where the service's own tools would.
    if said.contains("failed to load signing credential") {
        return NO_CREDENTIALS.to_owned();
    }
    if is_nobody(error) { format!("{EXPIRED}: {said}") } else { said }
}

/// Whether a service does not know who asks, or no longer: Cloud Storage by its status, S3 by its words.
fn is_nobody(error: &Error) -> bool {
    let words = ["code: 401", "ExpiredToken", "InvalidAccessKeyId", "InvalidToken", "TokenRefreshRequired"];
    words.iter().any(|word| error.message().contains(word))
}

fn unsupported(reason: String) -> io::Error {
    io::Error::new(io::ErrorKind::Unsupported, reason)
}
