//! Cloud Storage by Google's own client, for what is large or must be of one generation: files, with their checksum; ranges of an
//! object as it was looked at; and objects that are replaced.

mod patience;
mod said;
mod source;

pub(crate) use said::Said;

use crate::open::{choose_tls, emulator};
use crate::upload::UploadError;
use bytes::Bytes;
use google_cloud_auth::credentials::anonymous;
use google_cloud_gax::exponential_backoff::{ExponentialBackoff, ExponentialBackoffBuilder};
use google_cloud_gax::retry_policy::{NeverRetry, RetryPolicyExt};
use google_cloud_storage::client::Storage;
use google_cloud_storage::model_ext::ReadRange;
use google_cloud_storage::read_resume_policy::NeverResume;
use google_cloud_storage::retry_policy::RetryableErrors;
use patience::Patience;
use source::Source;
use std::fs::File;
use std::time::Duration;
use tokio::sync::OnceCell;
use tokio::time::timeout;

/// How often something is tried that gets no further.
const TRIES: u32 = 4;
/// How long after the first failure it is tried again, and after those behind it at most.
const PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
/// How long it may take until one small answer is there.
const ANSWER: Duration = Duration::from_secs(30);
/// Bytes of a file that have to be on their way in as long as that: whoever is slower gives up.
const PER_ANSWER: u64 = 4 << 20;

/// A bucket of Cloud Storage, and the folder in it that is the root.
pub(crate) struct Bucket {
    /// `projects/_/buckets/NAME`.
    name: String,
    /// Empty, or ends with a `/`.
    root: String,
    /// Made when it is first needed, on the runtime of whoever needs it.
    client: OnceCell<Storage>,
}

impl Bucket {
    pub(crate) fn new(bucket: &str, root: &str) -> Self {
        let root = root.trim_matches('/');
        let root = if root.is_empty() { String::new() } else { format!("{root}/") };
        Self { name: format!("projects/_/buckets/{bucket}"), root, client: OnceCell::new() }
    }

    /// Creates an object with the bytes of a file, if none is there. Where the way there breaks, it goes on behind what has arrived. The
    /// service is told the checksum of what was hashed here before it gets anything, and takes nothing else. Nothing is there when this
    /// fails; an upload that was begun and not ended ends by itself.
    pub(crate) async fn create(&self, at: &str, file: File, blake3: &str) -> Result<(), UploadError> {
        let (source, crc32c) = Source::of(file, blake3)?;
        let (patience, watch) = (Patience::with(source.watch()), source.watch());
        let longest = ANSWER.saturating_mul(u32::try_from(source.size() / PER_ANSWER).unwrap_or(u32::MAX).max(TRIES));
        let client = self.client().await?;
        let sent = client
            .write_object(&self.name, self.object(at), source)
            .set_if_generation_match(0)
            .with_known_crc32c(crc32c)
            .with_resumable_upload_threshold(0_usize)
            .with_retry_policy(patience)
            .with_backoff_policy(pauses())
            .send_unbuffered();
        match timeout(longest, sent).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(watch.trouble().unwrap_or_else(|| Said::from(error).into())),
            Err(_) => Err(Said::Nothing.into()),
        }
    }

    /// Writes an object in the place of this generation of it.
    pub(crate) async fn replace(&self, at: &str, generation: i64, bytes: Vec<u8>) -> Result<(), Said> {
        let client = self.client().await?;
        let sent = client
            .write_object(&self.name, self.object(at), Bytes::from(bytes))
            .set_if_generation_match(generation)
            .with_retry_policy(RetryableErrors.with_attempt_limit(TRIES))
            .with_backoff_policy(pauses())
            .send_unbuffered();
        timeout(ANSWER, sent).await.map_err(|_| Said::Nothing)?.map(drop).map_err(Said::from)
    }

    /// Adds the bytes of a range of this generation of an object. Those that came before a failure are good.
    pub(crate) async fn read(
        &self,
        (at, generation): (&str, i64),
        (begin, count): (u64, usize),
        silence: Duration,
        into: &mut Vec<u8>,
    ) -> Result<(), Said> {
        let client = self.client().await?;
        let asked = client
            .read_object(&self.name, self.object(at))
            .set_if_generation_match(generation)
            .set_read_range(ReadRange::segment(begin, count as u64))
            .with_retry_policy(NeverRetry)
            .with_read_resume_policy(NeverResume)
            .send();
        let mut answer = timeout(silence, asked).await.map_err(|_| Said::Nothing)??;
        while let Some(bytes) = timeout(silence, answer.next()).await.map_err(|_| Said::Nothing)? {
            into.extend_from_slice(&bytes?);
        }
        Ok(())
    }

    fn object(&self, at: &str) -> String {
        format!("{}{at}", self.root)
    }

    async fn client(&self) -> Result<&Storage, Said> {
        self.client.get_or_try_init(client).await
    }
}

async fn client() -> Result<Storage, Said> {
    choose_tls();
    let builder = match emulator() {
        Some(address) => Storage::builder().with_endpoint(address).with_credentials(anonymous::Builder::new().build()),
        None => Storage::builder(),
    };
    builder.build().await.map_err(Said::NoClient)
}

fn pauses() -> ExponentialBackoff {
    ExponentialBackoffBuilder::new().with_initial_delay(PAUSE).with_maximum_delay(LONGEST_PAUSE).clamp()
}
