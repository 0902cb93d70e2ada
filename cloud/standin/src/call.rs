//! An HTTP request that the definitions know -> what a service is asked, and the bytes that come with it.

use crate::answer::Refusal;
use crate::definitions::{Document, Method};
use http_body_util::BodyExt;
use hyper::HeaderMap;
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_TYPE, HeaderName};
use serde_json::{Map, Value as Json};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Bytes of a body of JSON, and of an upload in one piece with its settings.
const MOST: usize = 64 << 20;

/// What a service is asked.
pub(crate) struct Call {
    pub(crate) document: Arc<Document>,
    pub(crate) method: Arc<Method>,
    /// Whether it came to the address for uploads.
    pub(crate) is_upload: bool,
    /// Whether it ends an upload.
    pub(crate) is_end: bool,
    /// What varies in the address.
    pub(crate) names: BTreeMap<String, String>,
    pub(crate) query: Vec<(String, String)>,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Arriving,
    /// Where this server is reached. Clients' words for it may lack the port.
    pub(crate) address: String,
    /// The account that asks, where it is one that a job acts as.
    pub(crate) by: Option<Arc<str>>,
}

/// A body that is on its way.
pub(crate) struct Arriving {
    body: Incoming,
    /// After so many bytes the connection breaks.
    left: Option<u64>,
}

impl Arriving {
    pub(crate) fn new(body: Incoming, left: Option<u64>) -> Self {
        Self { body, left }
    }

    /// The next bytes. `None`: that was all.
    ///
    /// # Errors
    /// When the connection broke.
    pub(crate) async fn next(&mut self) -> Result<Option<Bytes>, Refusal> {
        loop {
            if self.left == Some(0) {
                return Err(broken());
            }
            let Some(frame) = self.body.frame().await else { return Ok(None) };
            let Ok(mut bytes) = frame.map_err(|_| broken())?.into_data() else { continue };
            if let Some(left) = &mut self.left {
                bytes.truncate(usize::try_from(*left).unwrap_or(usize::MAX));
                *left -= bytes.len() as u64;
            }
            return Ok(Some(bytes));
        }
    }

    pub(crate) async fn all(&mut self) -> Result<Vec<u8>, Refusal> {
        let mut all = Vec::new();
        while let Some(bytes) = self.next().await? {
            all.extend_from_slice(&bytes);
            if all.len() > MOST {
                return Err(Refusal::new(413, "Request entity is too large."));
            }
        }
        Ok(all)
    }
}

/// Who sent it is gone, so nobody hears this.
fn broken() -> Refusal {
    Refusal::new(408, "The connection broke.")
}

impl Call {
    pub(crate) fn name(&self, name: &str) -> &str {
        self.names.get(name).map_or("", String::as_str)
    }

    pub(crate) fn asks(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// A number of the query; the definitions have seen to it that it is one.
    pub(crate) fn number(&self, name: &str) -> Option<i64> {
        self.asks(name)?.parse().ok()
    }

    pub(crate) fn header(&self, name: &HeaderName) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    pub(crate) fn header_named(&self, name: &'static str) -> Option<&str> {
        self.header(&HeaderName::from_static(name))
    }

    /// The JSON of the body, once the definitions have nothing against it. No body is an empty object.
    pub(crate) async fn json(&mut self) -> Result<Map<String, Json>, Refusal> {
        let text = self.body.all().await?;
        let kind = self.header(&CONTENT_TYPE).unwrap_or_default();
        if !text.is_empty() && !kind.starts_with("application/json") {
            return Err(Refusal::invalid(format!("Unsupported content with type: {kind}")));
        }
        self.read(&text)
    }

    /// The same of a text that came with other things.
    pub(crate) fn read(&self, text: &[u8]) -> Result<Map<String, Json>, Refusal> {
        let is_empty = text.iter().all(u8::is_ascii_whitespace);
        let json = if is_empty { Ok(Map::new().into()) } else { serde_json::from_slice::<Json>(text) };
        let mut json = json.map_err(|error| Refusal::invalid(format!("Invalid JSON payload received. {error}")))?;
        let takes_none = is_empty && !self.method.takes_body();
        let problems = if takes_none { Vec::new() } else { self.document.check_body(&self.method, &json) };
        if !problems.is_empty() {
            return Err(Refusal::of(problems));
        }
        self.document.name_enums(&self.method, &mut json);
        match json {
            Json::Object(fields) => Ok(fields),
            _ => Err(Refusal::invalid("Invalid JSON payload received. It is no object.")),
        }
    }
}
