//! An upload in one request, with or without settings beside the bytes, and the first request of one that goes part by part.

use super::Answer;
use super::conditions::Conditions;
use super::content::Content;
use super::object::settings;
use super::parts::parts;
use super::session::Upload;
use super::state::{Draft, Storage};
use crate::answer::{Refusal, nothing, set, told};
use crate::call::Call;
use hyper::StatusCode;
use hyper::header::{CONTENT_TYPE, HeaderName, LOCATION};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value as Json};

/// What is known of an object before its bytes are.
#[derive(Clone)]
pub(super) struct Announced {
    pub(super) bucket: String,
    pub(super) name: String,
    pub(super) settings: Map<String, Json>,
    pub(super) conditions: Conditions,
    pub(super) checksums: Checksums,
}

/// What the bytes must be.
#[derive(Clone, Default)]
pub(super) struct Checksums {
    crc32c: Option<String>,
    md5: Option<String>,
}

pub(super) async fn insert(storage: Storage, call: Call) -> Answer {
    if !call.is_upload {
        return Err(Refusal::not_done("an object without an upload"));
    }
    match call.asks("uploadType") {
        Some("media") => whole(storage, call).await,
        Some("multipart") => described(storage, call).await,
        Some("resumable") => begun(storage, call).await,
        _ => Err(Refusal::invalid(
            "Upload requests must include an uploadType URL parameter: media, multipart or resumable.",
        )),
    }
}

/// Bytes and nothing else.
async fn whole(storage: Storage, mut call: Call) -> Answer {
    let mut announced = Announced::of(&call, &Map::new())?;
    announced.is_of_kind(call.header(&CONTENT_TYPE));
    announced.checksums.add_header(&call);
    storage.state().bucket(&announced.bucket)?;
    let mut spool = storage.spool().await?;
    while let Some(bytes) = call.body.next().await? {
        spool.add(&bytes).await?;
    }
    Ok(told(&announced.made(&storage, spool.content().await?, &call)?))
}

/// Settings, bytes, and perhaps checksums behind them.
async fn described(storage: Storage, mut call: Call) -> Answer {
    let body = call.body.all().await?;
    let kind = call.header(&CONTENT_TYPE).unwrap_or_default();
    if !kind.starts_with("multipart/related") {
        return Err(Refusal::invalid(format!("Unsupported content with type: {kind}")));
    }
    let parts = parts(kind, &body)?;
    let [first, media, rest @ ..] = parts.as_slice() else {
        return Err(Refusal::invalid("A multipart upload has a part of settings and a part of bytes."));
    };
    let mut announced = Announced::of(&call, &call.read(first.bytes)?)?;
    announced.is_of_kind(media.kind.as_deref());
    announced.checksums.add_header(&call);
    match rest {
        [] => {}
        [behind] => announced.checksums.add(&call.read(behind.bytes)?),
        _ => return Err(Refusal::invalid("A multipart upload has three parts at most.")),
    }
    storage.state().bucket(&announced.bucket)?;
    let mut spool = storage.spool().await?;
    spool.add(media.bytes).await?;
    Ok(told(&announced.made(&storage, spool.content().await?, &call)?))
}

/// Settings; the bytes go to an address that is told now.
async fn begun(storage: Storage, mut call: Call) -> Answer {
    let said = call.json().await?;
    let mut announced = Announced::of(&call, &said)?;
    announced.is_of_kind(call.header_named("x-upload-content-type"));
    announced.checksums.add_header(&call);
    let spool = storage.spool().await?;
    let mut state = storage.state();
    // Whoever is too late hears it before sending anything, and again at the end.
    announced.conditions.allow_write(state.bucket(&announced.bucket)?.live(&announced.name))?;
    let id = format!("standin-{}", state.uploads.len() + 1);
    let name = utf8_percent_encode(&announced.name, NON_ALPHANUMERIC);
    let bucket = &announced.bucket;
    let at = format!("{}/upload/storage/v1/b/{bucket}/o?uploadType=resumable&name={name}&upload_id={id}", call.address);
    state.uploads.insert(id.clone(), Upload::new(announced, spool).into());
    let mut answer = nothing(StatusCode::OK);
    set(&mut answer, LOCATION, &at);
    set(&mut answer, HeaderName::from_static("x-guploader-uploadid"), &id);
    Ok(answer)
}

impl Announced {
    fn of(call: &Call, said: &Map<String, Json>) -> Result<Self, Refusal> {
        let text = |name| said.get(name).and_then(Json::as_str).filter(|text: &&str| !text.is_empty());
        let name = call.asks("name").or_else(|| text("name")).unwrap_or_default().to_owned();
        if name.is_empty() {
            return Err(Refusal::invalid("Required parameter: name"));
        }
        if name.len() > 1024 || name.contains(['\r', '\n']) || matches!(name.as_str(), "." | "..") {
            return Err(Refusal::invalid(format!("Invalid object name: {name:?}")));
        }
        let bucket = call.name("bucket").to_owned();
        if text("bucket").is_some_and(|said| said != bucket) {
            return Err(Refusal::invalid("The bucket of the settings is another one than that of the address."));
        }
        let mut settings = settings(said)?;
        if let Some(encoding) = call.asks("contentEncoding") {
            settings.insert("contentEncoding".to_owned(), encoding.into());
        }
        let mut checksums = Checksums::default();
        checksums.add(said);
        Ok(Self { bucket, name, settings, conditions: Conditions::of(call), checksums })
    }

    /// What the bytes are, unless the settings say it.
    fn is_of_kind(&mut self, kind: Option<&str>) {
        if let Some(kind) = kind {
            self.settings.entry("contentType").or_insert_with(|| kind.into());
        }
    }

    /// Makes the object of these bytes.
    pub(super) fn made(self, storage: &Storage, content: Content, call: &Call) -> Result<Json, Refusal> {
        self.checksums.check(&content)?;
        let draft = Draft { content, settings: self.settings };
        let version = storage.put(&self.bucket, &self.name, draft, &self.conditions)?;
        Ok(version.resource(&self.bucket, &self.name, &call.address))
    }
}

impl Checksums {
    fn add(&mut self, said: &Map<String, Json>) {
        let text = |name: &str| said.get(name).and_then(Json::as_str).map(str::to_owned);
        self.crc32c = text("crc32c").or(self.crc32c.take());
        self.md5 = text("md5Hash").or(self.md5.take());
    }

    /// Adds what `x-goog-hash` holds.
    pub(super) fn add_header(&mut self, call: &Call) {
        let told = call.header_named("x-goog-hash").unwrap_or_default();
        for (name, value) in told.split(',').filter_map(|one| one.trim().split_once('=')) {
            match name {
                "crc32c" => self.crc32c = Some(value.to_owned()),
                "md5" => self.md5 = Some(value.to_owned()),
                _ => {}
            }
        }
    }

    fn check(&self, content: &Content) -> Result<(), Refusal> {
        let found = [("CRC32C", &self.crc32c, content.crc32c()), ("MD5", &self.md5, content.md5().unwrap_or_default())];
        for (name, said, is) in found {
            if let Some(said) = said.as_ref().filter(|said| **said != is) {
                let why = format!("Provided {name} hash \"{said}\" doesn't match calculated {name} hash \"{is}\".");
                return Err(Refusal::invalid(why));
            }
        }
        Ok(())
    }
}
