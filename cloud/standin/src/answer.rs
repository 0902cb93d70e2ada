//! What becomes of a request -> an HTTP answer. Refusals have the form of Google's errors: Cloud Storage lists reasons, the
//! other services name a status.

use crate::definitions::Problem;
use futures::stream::{self, StreamExt};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Bytes, Frame};
use hyper::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderName, HeaderValue};
use hyper::{Response, StatusCode};
use serde_json::{Value as Json, json};
use std::io::{self, SeekFrom};
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::fs::File;
use tokio::io::{AsyncReadExt, AsyncSeekExt};

/// The body of an answer.
pub(crate) type Body = UnsyncBoxBody<Bytes, io::Error>;

/// Bytes of an object that are read from its file at a time.
const PIECE: u64 = 256 << 10;

/// A request that is not granted, and why.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Refusal {
    pub(crate) code: u16,
    pub(crate) message: String,
    /// Where the code has more than one.
    status: Option<&'static str>,
    problems: Vec<Problem>,
    /// Headers that belong to it.
    headers: Vec<(HeaderName, String)>,
}

/// How a service writes its errors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Manner {
    /// With a list of reasons, as Cloud Storage.
    Reasons,
    /// With a status, as the others.
    Status,
}

impl Refusal {
    pub(crate) fn new(code: u16, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), status: None, problems: Vec::new(), headers: Vec::new() }
    }

    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::new(400, message)
    }

    /// What is asked is right, and what it is asked of is not in the state for it.
    pub(crate) fn precondition(message: impl Into<String>) -> Self {
        Self { status: Some("FAILED_PRECONDITION"), ..Self::invalid(message) }
    }

    /// What the definitions know and the stand-in does not do. Google does it, so this is not one of Google's answers.
    pub(crate) fn not_done(what: &str) -> Self {
        Self::new(501, format!("the stand-in does not do this yet: {what}"))
    }

    /// Everything that is wrong with a request.
    pub(crate) fn of(problems: Vec<Problem>) -> Self {
        let sentences: Vec<&str> = problems.iter().map(|problem| problem.says.as_str()).collect();
        Self { problems: problems.clone(), ..Self::invalid(sentences.join("\n")) }
    }

    pub(crate) fn header(mut self, name: HeaderName, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    pub(crate) fn answer(&self, manner: Manner) -> Response<Body> {
        let bare = self.code == 304;
        let body = if bare { Body::default() } else { full(self.json(manner).to_string()) };
        let mut answer = Response::new(body);
        *answer.status_mut() = StatusCode::from_u16(self.code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        if !bare {
            answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json; charset=UTF-8"));
        }
        for (name, value) in &self.headers {
            set(&mut answer, name.clone(), value);
        }
        answer
    }

    fn json(&self, manner: Manner) -> Json {
        let mut error = json!({ "code": self.code, "message": self.message });
        match manner {
            Manner::Reasons => {
                error["errors"] = json!([{ "message": self.message, "domain": "global", "reason": self.reason() }]);
                if self.code == 412 {
                    error["errors"][0]["locationType"] = "header".into();
                    error["errors"][0]["location"] = "If-Match".into();
                }
            }
            Manner::Status => {
                error["status"] = self.status.unwrap_or_else(|| self.status_of_code()).into();
                if !self.problems.is_empty() {
                    let violations = self.problems.iter().map(|p| json!({ "field": p.field, "description": p.says }));
                    error["details"] = json!([{
                        "@type": "type.googleapis.com/google.rpc.BadRequest",
                        "fieldViolations": violations.collect::<Vec<_>>(),
                    }]);
                }
            }
        }
        json!({ "error": error })
    }

    /// Source: Cloud Storage's page on the status and error codes of its JSON API.
    fn reason(&self) -> &'static str {
        match self.code {
            400 => "invalid",
            401 => "required",
            403 => "forbidden",
            404 => "notFound",
            408 => "uploadBrokenConnection",
            409 => "conflict",
            410 => "gone",
            411 => "required",
            412 => "conditionNotMet",
            416 => "requestedRangeNotSatisfiable",
            429 => "rateLimitExceeded",
            501 => "notImplemented",
            503 => "backendError",
            _ => "internalError",
        }
    }

    /// Source: google.rpc.Code, which gives the HTTP status of each.
    fn status_of_code(&self) -> &'static str {
        match self.code {
            400 => "INVALID_ARGUMENT",
            401 => "UNAUTHENTICATED",
            403 => "PERMISSION_DENIED",
            404 => "NOT_FOUND",
            409 => "ALREADY_EXISTS",
            412 => "FAILED_PRECONDITION",
            429 => "RESOURCE_EXHAUSTED",
            499 => "CANCELLED",
            501 => "UNIMPLEMENTED",
            503 => "UNAVAILABLE",
            504 => "DEADLINE_EXCEEDED",
            _ => "INTERNAL",
        }
    }
}

/// What went wrong with the files of the stand-in.
impl From<io::Error> for Refusal {
    fn from(error: io::Error) -> Self {
        Self::new(500, format!("the stand-in cannot use its folder: {error}"))
    }
}

pub(crate) fn full(text: impl Into<Bytes>) -> Body {
    Full::new(text.into()).map_err(|never| match never {}).boxed_unsync()
}

pub(crate) fn set(answer: &mut Response<Body>, name: HeaderName, value: &str) {
    match HeaderValue::from_str(value) {
        Ok(value) => drop(answer.headers_mut().insert(name, value)),
        Err(_) => drop(answer.headers_mut().remove(name)),
    }
}

/// An answer of JSON.
pub(crate) fn told(json: &Json) -> Response<Body> {
    let mut answer = Response::new(full(json.to_string()));
    set(&mut answer, CONTENT_TYPE, "application/json; charset=UTF-8");
    answer
}

/// An answer without a body.
pub(crate) fn nothing(code: StatusCode) -> Response<Body> {
    let mut answer = Response::new(Body::default());
    *answer.status_mut() = code;
    answer
}

/// An answer of a part of a file, which is read as it is wanted. What is read is counted.
///
/// # Errors
/// When the file cannot be opened.
pub(crate) async fn part(file: &Path, range: Range<u64>, counter: Arc<AtomicU64>) -> io::Result<Response<Body>> {
    let length = range.end - range.start;
    let mut file = File::open(file).await?;
    file.seek(SeekFrom::Start(range.start)).await?;
    let pieces = stream::unfold((file, length, counter), |(mut file, left, counter)| async move {
        if left == 0 {
            return None;
        }
        let mut piece = vec![0; usize::try_from(left.min(PIECE)).unwrap_or_default()];
        let read = file.read_exact(&mut piece).await;
        let left = left - piece.len() as u64;
        counter.fetch_add(piece.len() as u64, Ordering::Relaxed);
        Some((read.map(|_| Frame::data(Bytes::from(piece))), (file, left, counter)))
    });
    let mut answer = Response::new(StreamBody::new(pieces.boxed()).boxed_unsync());
    set(&mut answer, CONTENT_LENGTH, &length.to_string());
    Ok(answer)
}
