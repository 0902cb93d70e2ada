//! What lies in a bucket, by requests for ranges.

use super::Opened;
use super::trouble::{Trouble, cause};
use crate::google::Said;
use futures::StreamExt;
use opendal::{Error, ErrorKind, Metadata, Operator};
use pipe_engine::remote::RemoteStat;

/// What an identity by entity tag begins with.
const TAG: &str = "etag ";
/// What one by generation begins with: of Cloud Storage, where the tag changes with the description of an object as well.
const GENERATION: &str = "generation ";

pub(super) async fn look(operator: &Operator, path: &str) -> Result<RemoteStat, Trouble> {
    let meta = operator.stat(path).await.map_err(trouble)?;
    let identity = identity(operator, &meta).ok_or_else(Trouble::without_identity)?;
    Ok(RemoteStat { size: meta.content_length(), identity })
}

/// Adds bytes from `at` on, `most` at most. Those that came before a failure are good.
pub(super) async fn read(
    opened: &Opened,
    path: &str,
    stat: &RemoteStat,
    at: u64,
    most: usize,
    into: &mut Vec<u8>,
) -> Result<(), Trouble> {
    let generation = stat.identity.strip_prefix(GENERATION).and_then(|number| number.parse().ok());
    match (&opened.google, generation) {
        (Some(google), Some(generation)) => {
            google.read((path, generation), (at, most), opened.silence, into).await.map_err(Said::trouble)?;
        }
        _ => read_tagged((&opened.operator, path), stat, (at, most), into).await?,
    }
    into.truncate(most);
    if into.is_empty() { Err(Trouble::Broken("the service gave nothing".into())) } else { Ok(()) }
}

async fn read_tagged(
    (operator, path): (&Operator, &str),
    stat: &RemoteStat,
    (at, most): (u64, usize),
    into: &mut Vec<u8>,
) -> Result<(), Trouble> {
    let reader = match stat.identity.strip_prefix(TAG) {
        Some(tag) => operator.reader_with(path).if_match(tag).await,
        None => operator.reader(path).await,
    };
    let reader = reader.map_err(trouble)?;
    let mut stream = reader.into_stream(at..at + most as u64).await.map_err(trouble)?;
    // Not every service that speaks S3 keeps to the condition.
    let meta = stream.metadata().await.map_err(trouble)?;
    if identity(operator, &meta).is_some_and(|found| found != stat.identity) {
        return Err(Trouble::Changed);
    }
    while let Some(chunk) = stream.next().await {
        into.extend_from_slice(&chunk.map_err(trouble)?.to_vec());
    }
    Ok(())
}

/// What tells whether it is still the same.
fn identity(operator: &Operator, meta: &Metadata) -> Option<String> {
    let keeps_generations = operator.info().capability().read_with_if_version_match;
    let generation = meta.version().filter(|_| keeps_generations).map(|number| format!("{GENERATION}{number}"));
    let tag = meta.etag().map(|tag| format!("{TAG}{tag}"));
    generation.or(tag).or_else(|| meta.last_modified().map(|time| format!("modified {time}")))
}

fn trouble(error: Error) -> Trouble {
    tracing::debug!(?error, "the service failed");
    match error.kind() {
        ErrorKind::NotFound => Trouble::missing(),
        ErrorKind::ConditionNotMatch | ErrorKind::RangeNotSatisfied => Trouble::Changed,
        ErrorKind::PermissionDenied => Trouble::refused("the service refuses it"),
        ErrorKind::ConfigInvalid | ErrorKind::Unsupported => Trouble::odd(error.message().to_owned()),
        _ if error.is_temporary() || std::error::Error::source(&error).is_some() => Trouble::Broken(cause(&error)),
        _ => Trouble::odd(error.message().to_owned()),
    }
}
