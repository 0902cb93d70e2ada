//! One generation of an object -> the resource that Cloud Storage tells of it.

use super::content::Content;
use crate::answer::Refusal;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use jiff::Timestamp;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value as Json, json};
use std::sync::Arc;

/// What a client may say of an object that it uploads, and is kept with it.
const KEPT: [&str; 8] = [
    "contentType",
    "contentEncoding",
    "contentDisposition",
    "contentLanguage",
    "cacheControl",
    "metadata",
    "storageClass",
    "customTime",
];

/// What a client may say that is compared and not kept.
const COMPARED: [&str; 4] = ["name", "bucket", "crc32c", "md5Hash"];

/// An object as it was from one write to the next.
#[derive(Clone, Debug)]
pub(crate) struct Version {
    pub(crate) generation: u64,
    pub(crate) metageneration: u64,
    pub(crate) content: Arc<Content>,
    /// What its writer said of it.
    pub(crate) settings: Map<String, Json>,
    pub(super) created: Timestamp,
    pub(super) updated: Timestamp,
    /// When another one took its place, if one did.
    pub(super) deleted: Option<Timestamp>,
    /// How many lists of its bucket there must have been before it is in one.
    pub(super) listed_after: u64,
}

impl Version {
    /// The opaque tag. It is no secret: two numbers of a protobuf message, generation and metageneration.
    pub(crate) fn etag(&self) -> String {
        let mut bytes = vec![0x08];
        varint(self.generation, &mut bytes);
        bytes.push(0x10);
        varint(self.metageneration, &mut bytes);
        BASE64_STANDARD.encode(bytes)
    }

    pub(crate) fn kind(&self) -> &str {
        self.settings.get("contentType").and_then(Json::as_str).unwrap_or("application/octet-stream")
    }

    pub(crate) fn setting(&self, name: &str) -> Option<&str> {
        self.settings.get(name).and_then(Json::as_str)
    }

    pub(crate) fn last_modified(&self) -> String {
        self.updated.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
    }

    /// What `x-goog-hash` holds.
    pub(crate) fn hashes(&self) -> String {
        let md5 = self.content.md5().map_or_else(String::new, |md5| format!(",md5={md5}"));
        format!("crc32c={}{md5}", self.content.crc32c())
    }

    pub(crate) fn resource(&self, bucket: &str, name: &str, address: &str) -> Json {
        let generation = self.generation.to_string();
        let link = format!("{address}/storage/v1/b/{bucket}/o/{}", utf8_percent_encode(name, NON_ALPHANUMERIC));
        let mut resource = json!({
            "kind": "storage#object",
            "id": format!("{bucket}/{name}/{generation}"),
            "selfLink": link,
            "mediaLink": format!("{link}?generation={generation}&alt=media"),
            "name": name,
            "bucket": bucket,
            "generation": generation,
            "metageneration": self.metageneration.to_string(),
            "storageClass": "STANDARD",
            "size": self.content.size.to_string(),
            "crc32c": self.content.crc32c(),
            "etag": self.etag(),
            "timeCreated": time(self.created),
            "updated": time(self.updated),
            "timeStorageClassUpdated": time(self.created),
            "timeFinalized": time(self.created),
        });
        if let Some(md5) = self.content.md5() {
            resource["md5Hash"] = md5.into();
        }
        for (name, value) in &self.settings {
            resource[name] = value.clone();
        }
        if let Some(deleted) = self.deleted {
            resource["timeDeleted"] = time(deleted).into();
        }
        resource
    }
}

pub(super) fn time(time: Timestamp) -> String {
    format!("{time:.3}")
}

fn varint(mut number: u64, into: &mut Vec<u8>) {
    while number > 0x7f {
        into.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    into.push(number as u8);
}

/// What is kept of what a client says of an object.
///
/// # Errors
/// When it says something that the stand-in would have to act upon and does not.
pub(super) fn settings(said: &Map<String, Json>) -> Result<Map<String, Json>, Refusal> {
    let unknown = said.keys().find(|name| !KEPT.contains(&name.as_str()) && !COMPARED.contains(&name.as_str()));
    match unknown {
        Some(name) => Err(Refusal::not_done(&format!("the field `{name}` of an object"))),
        None => Ok(said
            .iter()
            .filter(|(name, value)| KEPT.contains(&name.as_str()) && !value.is_null())
            .map(cloned)
            .collect()),
    }
}

fn cloned((name, value): (&String, &Json)) -> (String, Json) {
    (name.clone(), value.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Source: the example of an object in Cloud Storage's documentation, which opendal's tests show as well.
    #[test]
    fn a_tag_is_made_as_google_makes_it() {
        let content = Content::empty();
        let now = Timestamp::UNIX_EPOCH;
        let version = Version {
            generation: 1_660_563_214_863_653,
            metageneration: 1,
            content: Arc::new(content),
            settings: Map::new(),
            created: now,
            updated: now,
            deleted: None,
            listed_after: 0,
        };
        assert_eq!(version.etag(), "CKWasoTgyPkCEAE=");
    }
}
