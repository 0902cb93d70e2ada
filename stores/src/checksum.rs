//! Uploads to Cloud Storage, as they leave opendal -> the same with the checksum of what they bring. The service makes no object of bytes
//! that have another one, so what was spoilt on its way is refused there, and not found years later by whoever reads it.
//!
//! Source: https://cloud.google.com/storage/docs/data-validation, and the last request of a resumable upload as Google's clients
//! send it; read 2026-11.

use base64::prelude::{BASE64_STANDARD, Engine};
use http::header::{CONTENT_RANGE, HeaderName, HeaderValue};
use http::{Method, Request, Response};
use opendal::{Buffer, HttpBody, HttpTransport};

/// What the path of uploads has in it.
const UPLOADS: &str = "/upload/storage/v1/";
const HASH: HeaderName = HeaderName::from_static("x-goog-hash");

/// A way to Cloud Storage that adds checksums.
pub(crate) struct Checksums<T> {
    way: T,
}

impl<T> Checksums<T> {
    pub(crate) fn on(way: T) -> Self {
        Self { way }
    }
}

impl<T: HttpTransport> HttpTransport for Checksums<T> {
    async fn fetch(&self, mut request: Request<Buffer>) -> opendal::Result<Response<HttpBody>> {
        let sum = brings_all(&request).then(|| written(sum_of(request.body())));
        if let Some(value) = sum.and_then(|sum| HeaderValue::from_str(&sum).ok()) {
            request.headers_mut().insert(HASH, value);
        }
        self.way.fetch(request).await
    }
}

/// Whether a request brings all bytes of an object. What is large goes by Google's own client, so what comes here has one part.
fn brings_all(request: &Request<Buffer>) -> bool {
    let (path, query) = (request.uri().path(), request.uri().query().unwrap_or_default());
    let asks = |pair: &str| query.split('&').any(|part| part.starts_with(pair));
    match *request.method() {
        _ if !path.contains(UPLOADS) => false,
        Method::POST => asks("uploadType=media"),
        Method::PUT => asks("upload_id=") && is_whole(request),
        _ => false,
    }
}

/// `bytes 0-8388607/8388608`, and not `bytes 0-8388607/*`, behind which more comes, nor `bytes */9000001`, which only asks.
fn is_whole(request: &Request<Buffer>) -> bool {
    let range = request.headers().get(CONTENT_RANGE).and_then(|range| range.to_str().ok());
    range.is_some_and(|range| range.starts_with("bytes 0-") && !range.ends_with("/*"))
}

fn sum_of(body: &Buffer) -> u32 {
    body.clone().fold(0, |sum, bytes| crc32c::crc32c_append(sum, &bytes))
}

fn written(sum: u32) -> String {
    format!("crc32c={}", BASE64_STANDARD.encode(sum.to_be_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use opendal::{Error, ErrorKind};
    use std::sync::{Arc, Mutex};

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
    fn one_part_that_is_all_says_what_it_adds_up_to_however_often_it_is_sent() {
        let part = |range, body: &'static str| (Method::PUT, SESSION, Some(range), body);
        let told = sums(vec![
            part("bytes 0-8/9", "123456789"),
            part("bytes */9", ""),
            part("bytes 0-8/9", "123456789"),
            part("bytes 0-8/*", "123456789"),
        ]);
        let all = Some(NINE.to_owned());
        assert_eq!(told, [all.clone(), None, all, None]);
    }

    #[test]
    fn what_brings_no_bytes_says_nothing_of_them() {
        let begin = "https://storage.googleapis.com/upload/storage/v1/b/b/o?uploadType=resumable&name=a";
        let read = "https://storage.googleapis.com/storage/v1/b/b/o/a?alt=media";
        let told = sums(vec![
            (Method::POST, begin, None, "{}"),
            (Method::GET, read, None, ""),
            (Method::DELETE, SESSION, None, ""),
            // It goes on behind others.
            (Method::PUT, SESSION, Some("bytes 4-8/9"), "56789"),
        ]);
        assert_eq!(told, [None, None, None, None]);
    }
}
