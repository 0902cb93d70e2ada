//! Objects: looked at, read by ranges, described anew and removed.

use super::Answer;
use super::conditions::Conditions;
use super::object::{Version, settings};
use super::state::Storage;
use crate::answer::{Body, Refusal, nothing, part, set, told};
use crate::call::Call;
use hyper::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_ENCODING, CONTENT_LANGUAGE, CONTENT_RANGE, CONTENT_TYPE,
    ETAG, HeaderName, LAST_MODIFIED, RANGE,
};
use hyper::{Response, StatusCode};
use jiff::Timestamp;
use serde_json::{Map, Value as Json};
use std::ops::Range;

pub(super) async fn get(storage: Storage, call: Call) -> Answer {
    let version = found(&storage, &call)?;
    Conditions::of_read(&call).allow_read(&version)?;
    if call.asks("alt") == Some("media") {
        return media(&version, &call).await;
    }
    let mut answer = told(&version.resource(call.name("bucket"), call.name("object"), &call.address));
    set(&mut answer, ETAG, &version.etag());
    Ok(answer)
}

fn found(storage: &Storage, call: &Call) -> Result<Version, Refusal> {
    let (bucket, name) = (call.name("bucket"), call.name("object"));
    let mut state = storage.state();
    let version = state.bucket(bucket)?.version(name, call.number("generation")).cloned();
    version.ok_or_else(|| missing(bucket, name))
}

fn missing(bucket: &str, name: &str) -> Refusal {
    Refusal::new(404, format!("No such object: {bucket}/{name}"))
}

async fn media(version: &Version, call: &Call) -> Answer {
    let size = version.content.size;
    let wanted = call.header(&RANGE).and_then(|text| range(text, size));
    let range = match wanted {
        Some(range) if range.is_empty() => {
            let refusal = Refusal::new(416, "The requested range cannot be satisfied.");
            return Err(refusal.header(CONTENT_RANGE, format!("bytes */{size}")));
        }
        Some(ref range) => range.clone(),
        None => 0..size,
    };
    let mut answer = part(&version.content.path, range.clone(), version.content.counter()).await?;
    if wanted.is_some() {
        *answer.status_mut() = StatusCode::PARTIAL_CONTENT;
        set(&mut answer, CONTENT_RANGE, &format!("bytes {}-{}/{size}", range.start, range.end - 1));
    }
    describe(version, &mut answer);
    Ok(answer)
}

/// The headers that tell what an object is, whatever part of it is sent.
fn describe(version: &Version, answer: &mut Response<Body>) {
    let known = [
        ("cacheControl", CACHE_CONTROL),
        ("contentDisposition", CONTENT_DISPOSITION),
        ("contentEncoding", CONTENT_ENCODING),
        ("contentLanguage", CONTENT_LANGUAGE),
    ];
    for (setting, header) in known {
        if let Some(value) = version.setting(setting) {
            set(answer, header, value);
        }
    }
    set(answer, ACCEPT_RANGES, "bytes");
    set(answer, CONTENT_TYPE, version.kind());
    set(answer, ETAG, &version.etag());
    set(answer, LAST_MODIFIED, &version.last_modified());
    let ours = [
        ("x-goog-generation", version.generation.to_string()),
        ("x-goog-metageneration", version.metageneration.to_string()),
        ("x-goog-hash", version.hashes()),
        ("x-goog-storage-class", version.setting("storageClass").unwrap_or("STANDARD").to_owned()),
        ("x-goog-stored-content-encoding", version.setting("contentEncoding").unwrap_or("identity").to_owned()),
        ("x-goog-stored-content-length", version.content.size.to_string()),
    ];
    for (name, value) in ours {
        set(answer, HeaderName::from_static(name), &value);
    }
    for (name, value) in version.settings.get("metadata").and_then(Json::as_object).into_iter().flatten() {
        if let Ok(name) = HeaderName::try_from(format!("x-goog-meta-{name}")) {
            set(answer, name, value.as_str().unwrap_or_default());
        }
    }
}

/// The bytes that a header asks for: none when it asks for what lies behind the end. A header that cannot be understood is
/// taken for none, as HTTP has it.
fn range(text: &str, size: u64) -> Option<Range<u64>> {
    let (from, to) = text.strip_prefix("bytes=")?.split_once('-')?;
    if from.is_empty() {
        let last: u64 = to.parse().ok()?;
        return Some(size - last.min(size)..size);
    }
    let from: u64 = from.parse().ok()?;
    let end = if to.is_empty() { size } else { to.parse::<u64>().ok().filter(|to| *to >= from)?.saturating_add(1) };
    Some(from.min(size)..end.min(size))
}

/// Says something else of an object whose bytes stay.
pub(super) async fn patch(storage: Storage, mut call: Call) -> Answer {
    let mut said = call.json().await?;
    let removed: Vec<String> = said.iter().filter(|(_, value)| value.is_null()).map(|(name, _)| name.clone()).collect();
    let metadata = said.remove("metadata");
    let kept = settings(&said)?;
    let (bucket, name) = (call.name("bucket"), call.name("object"));
    let mut state = storage.state();
    let live = state.bucket(bucket)?.live_mut(name).ok_or_else(|| missing(bucket, name))?;
    if call.number("generation").is_some_and(|wanted| u64::try_from(wanted) != Ok(live.generation)) {
        return Err(Refusal::not_done("the description of a generation that is not live"));
    }
    Conditions::of(&call).allow_write(Some(live))?;
    removed.iter().for_each(|name| drop(live.settings.remove(name)));
    live.settings.extend(kept);
    if let Some(Json::Object(changes)) = metadata {
        merge(&mut live.settings, changes);
    }
    live.metageneration += 1;
    live.updated = Timestamp::now();
    Ok(told(&live.resource(bucket, name, &call.address)))
}

/// Lays entries over those that are there; null takes one away.
fn merge(settings: &mut Map<String, Json>, changes: Map<String, Json>) {
    let mut entries = settings.remove("metadata").and_then(|old| old.as_object().cloned()).unwrap_or_default();
    for (name, value) in changes {
        if value.is_null() { drop(entries.remove(&name)) } else { drop(entries.insert(name, value)) }
    }
    settings.insert("metadata".to_owned(), entries.into());
}

pub(super) async fn delete(storage: Storage, call: Call) -> Answer {
    let (bucket, name) = (call.name("bucket"), call.name("object"));
    let mut state = storage.state();
    let there = state.bucket(bucket)?;
    let version = there.version(name, call.number("generation")).ok_or_else(|| missing(bucket, name))?;
    Conditions::of(&call).allow_write(Some(version))?;
    let generation = version.generation;
    if call.number("generation").is_some() {
        there.forget(name, generation)
    } else {
        there.retire(name)
    }
    Ok(nothing(StatusCode::NO_CONTENT))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Source: RFC 9110, section 14.1.2, with its object of 10,000 bytes.
    #[test]
    fn ranges_are_those_of_http() {
        let cases = [
            ("bytes=0-499", Some(0..500)),
            ("bytes=500-999", Some(500..1000)),
            ("bytes=-500", Some(9500..10_000)),
            ("bytes=9500-", Some(9500..10_000)),
            ("bytes=9999-20000", Some(9999..10_000)),
            ("bytes=10000-", Some(10_000..10_000)),
            ("bytes=20000-30000", Some(10_000..10_000)),
            ("bytes=5-4", None),
            ("lines=1-2", None),
        ];
        for (text, expected) in cases {
            assert_eq!(range(text, 10_000), expected, "{text}");
        }
    }
}
