//! Uploads to Cloud Storage, as they leave -> the same with the checksum of all that was sent. The service makes no object of bytes
//! that have another one, so what was spoilt on its way is refused there, and not found years later by whoever reads it.
//!
//! Source: https://cloud.google.com/storage/docs/data-validation, and the last request of a resumable upload as Google's clients
//! send it; read 2026-11.

use base64::prelude::{BASE64_STANDARD, Engine};
use http::header::{CONTENT_RANGE, HeaderName, HeaderValue};
use http::{Method, Request, Response};
use opendal::{Buffer, HttpBody, HttpTransport};
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// What the path of uploads has in it.
const UPLOADS: &str = "/upload/storage/v1/";
const HASH: HeaderName = HeaderName::from_static("x-goog-hash");

/// A way to Cloud Storage that adds checksums.
pub(crate) struct Checksums<T> {
    way: T,
    /// Uploads that go part by part, by their addresses.
    sessions: Mutex<HashMap<String, Sent>>,
}

/// What was sent of an upload: up to where its newest part begins, and up to where it ends. A part whose answer was lost is sent again.
#[derive(Clone, Copy, Debug, Default)]
struct Sent {
    before: Point,
    after: Point,
}

/// So many bytes, and their checksum.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Point {
    at: u64,
    sum: u32,
}

/// What a request brings.
#[derive(Debug, PartialEq, Eq)]
enum Brings {
    /// All bytes of an object.
    All,
    /// Some, from here on; whether they are the last ones.
    Part { from: u64, is_last: bool },
    /// Nothing that is an object's: another question, or the end of an upload that is given up.
    Nothing,
}

impl<T> Checksums<T> {
    pub(crate) fn on(way: T) -> Self {
        Self { way, sessions: Mutex::default() }
    }

    fn sessions(&self) -> MutexGuard<'_, HashMap<String, Sent>> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The checksum that belongs to a request.
    fn sum(&self, request: &Request<Buffer>) -> Option<u32> {
        match brings(request) {
            Brings::Nothing => None,
            Brings::All => Some(added(0, request.body())),
            Brings::Part { from, is_last } => {
                let after = self.part(&request.uri().to_string(), from, request.body())?;
                is_last.then_some(after.sum)
            }
        }
    }

    /// All that was sent of an upload, with this part. `None` for one that does not go on from there.
    fn part(&self, session: &str, from: u64, body: &Buffer) -> Option<Point> {
        let mut sessions = self.sessions();
        let sent = sessions.entry(session.to_owned()).or_default();
        let before = [sent.after, sent.before].into_iter().find(|point| point.at == from)?;
        let after = Point { at: from + body.len() as u64, sum: added(before.sum, body) };
        *sent = Sent { before, after };
        Some(after)
    }
}

impl<T: HttpTransport> HttpTransport for Checksums<T> {
    async fn fetch(&self, mut request: Request<Buffer>) -> opendal::Result<Response<HttpBody>> {
        let sum = self.sum(&request);
        if let Some(value) = sum.and_then(|sum| HeaderValue::from_str(&written(sum)).ok()) {
            request.headers_mut().insert(HASH, value);
        }
        let is_over = request.method() == Method::DELETE || (sum.is_some() && request.method() == Method::PUT);
        let session = is_over.then(|| request.uri().to_string());
        let answer = self.way.fetch(request).await;
        if let (Some(session), Ok(answer)) = (session, &answer)
            && !answer.status().is_server_error()
        {
            self.sessions().remove(&session);
        }
        answer
    }
}

fn brings(request: &Request<Buffer>) -> Brings {
    let (path, query) = (request.uri().path(), request.uri().query().unwrap_or_default());
    let asks = |pair: &str| query.split('&').any(|part| part.starts_with(pair));
    match *request.method() {
        _ if !path.contains(UPLOADS) => Brings::Nothing,
        Method::POST if asks("uploadType=media") => Brings::All,
        Method::PUT if asks("upload_id=") => part(request).unwrap_or(Brings::Nothing),
        _ => Brings::Nothing,
    }
}

/// `bytes 0-8388607/*`, `bytes 8388608-9000000/9000001`, and of a request that only asks how far it is `bytes */9000001`.
fn part(request: &Request<Buffer>) -> Option<Brings> {
    let range = request.headers().get(CONTENT_RANGE)?.to_str().ok()?.strip_prefix("bytes ")?;
    let (range, of) = range.split_once('/')?;
    let (from, _) = range.split_once('-')?;
    Some(Brings::Part { from: from.parse().ok()?, is_last: of != "*" })
}

fn added(sum: u32, body: &Buffer) -> u32 {
    body.clone().fold(sum, |sum, bytes| crc32c::crc32c_append(sum, &bytes))
}

fn written(sum: u32) -> String {
    format!("crc32c={}", BASE64_STANDARD.encode(sum.to_be_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use opendal::{Error, ErrorKind};
    use std::sync::Arc;

    const SESSION: &str =
        "https://storage.googleapis.com/upload/storage/v1/b/b/o?uploadType=resumable&name=a&upload_id=1";

    /// Writes down the checksums of requests, and loses every answer.
    #[derive(Clone, Default)]
    struct Lost(Arc<Mutex<Vec<Option<String>>>>);

    impl HttpTransport for Lost {
        async fn fetch(&self, request: Request<Buffer>) -> opendal::Result<Response<HttpBody>> {
            let hash = request.headers().get(HASH).map(|hash| hash.to_str().unwrap().to_owned());
            self.0.lock().unwrap().push(hash);
            Err(Error::new(ErrorKind::Unexpected, "lost"))
        }
    }

    fn sums(requests: Vec<(Method, &str, Option<&str>, &'static str)>) -> Vec<Option<String>> {
        let lost = Lost::default();
        let way = Checksums::on(lost.clone());
        for (method, uri, range, body) in requests {
            let mut request = Request::builder().method(method).uri(uri);
            if let Some(range) = range {
                request = request.header(CONTENT_RANGE, range);
            }
            let sent = way.fetch(request.body(Buffer::from(body)).unwrap());
            futures::executor::block_on(sent).err().unwrap();
        }
        lost.0.lock().unwrap().clone()
    }

    /// Source of the checksum of `123456789`: RFC 3720, as the catalogue of CRCs has it: 0xe3069283.
    const NINE: &str = "crc32c=4waSgw==";

    #[test]
    fn an_upload_in_one_piece_says_what_its_bytes_add_up_to() {
        let uri = "https://storage.googleapis.com/upload/storage/v1/b/b/o?uploadType=media&name=a&ifGenerationMatch=0";
        assert_eq!(sums(vec![(Method::POST, uri, None, "123456789")]), [Some(NINE.to_owned())]);
    }

    #[test]
    fn the_last_part_says_what_all_of_them_add_up_to_however_often_each_was_sent() {
        let part = |range, body: &'static str| (Method::PUT, SESSION, Some(range), body);
        let told = sums(vec![
            part("bytes 0-3/*", "1234"),
            part("bytes 0-3/*", "1234"),
            part("bytes 4-5/*", "56"),
            part("bytes 4-5/*", "56"),
            part("bytes 6-8/9", "789"),
            part("bytes */9", ""),
            part("bytes 6-8/9", "789"),
        ]);
        let all = Some(NINE.to_owned());
        assert_eq!(told, [None, None, None, None, all.clone(), None, all]);
    }

    #[test]
    fn what_brings_no_bytes_says_nothing_of_them() {
        let begin = "https://storage.googleapis.com/upload/storage/v1/b/b/o?uploadType=resumable&name=a";
        let read = "https://storage.googleapis.com/storage/v1/b/b/o/a?alt=media";
        let told = sums(vec![
            (Method::POST, begin, None, "{}"),
            (Method::GET, read, None, ""),
            (Method::DELETE, SESSION, None, ""),
            // It goes on from where nobody has been.
            (Method::PUT, SESSION, Some("bytes 4-8/9"), "56789"),
        ]);
        assert_eq!(told, [None, None, None, None]);
    }
}
