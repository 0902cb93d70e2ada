//! What lies at an HTTP address, by requests for ranges. Whatever comes back is held against what was asked for: servers
//! may ignore a range and a condition.

use super::guard::{self, Forbidden};
use super::trouble::{Trouble, cause};
use pipe_engine::remote::RemoteStat;
use reqwest::header::{
    ACCEPT_ENCODING, CONTENT_RANGE, ETAG, HeaderMap, HeaderName, IF_MATCH, IF_UNMODIFIED_SINCE, LAST_MODIFIED, RANGE,
};
use reqwest::{Client, RequestBuilder, Response, StatusCode};

/// What an identity by entity tag begins with.
const TAG: &str = "etag ";
/// What one by the time of the last change begins with.
const TIME: &str = "modified ";

/// A request for one byte tells everything, also whether there are ranges; and an address that is signed for reading is not
/// for anything else.
pub(super) async fn look(client: &Client, url: &str) -> Result<RemoteStat, Trouble> {
    let response = sent(request(client, url).header(RANGE, "bytes=0-0")).await?;
    let headers = response.headers();
    let size = match response.status() {
        StatusCode::PARTIAL_CONTENT => part(headers).and_then(|part| part.of),
        StatusCode::RANGE_NOT_SATISFIABLE => {
            text(headers, &CONTENT_RANGE).and_then(|t| t.strip_prefix("bytes */")?.parse().ok())
        }
        status => return Err(unexpected(status)),
    };
    let size = size.ok_or_else(|| Trouble::odd("the server does not tell how long it is"))?;
    let identity = identity(headers).ok_or_else(Trouble::without_identity)?;
    Ok(RemoteStat { size, identity })
}

/// Adds bytes from `at` on, `most` at most. Those that came before a failure are good.
pub(super) async fn read(
    client: &Client,
    url: &str,
    stat: &RemoteStat,
    at: u64,
    most: usize,
    into: &mut Vec<u8>,
) -> Result<(), Trouble> {
    let end = at + most as u64 - 1;
    let asked = request(client, url).header(RANGE, format!("bytes={at}-{end}"));
    let asked = match (stat.identity.strip_prefix(TAG), stat.identity.strip_prefix(TIME)) {
        // A weak tag never matches.
        (Some(tag), _) if !tag.starts_with("W/") => asked.header(IF_MATCH, tag),
        (_, Some(time)) => asked.header(IF_UNMODIFIED_SINCE, time),
        _ => asked,
    };
    let mut response = sent(asked).await?;
    match response.status() {
        StatusCode::PARTIAL_CONTENT => {}
        // It became shorter, or is another one.
        StatusCode::PRECONDITION_FAILED | StatusCode::RANGE_NOT_SATISFIABLE => return Err(Trouble::Changed),
        StatusCode::OK if identity(response.headers()).as_ref() != Some(&stat.identity) => {
            return Err(Trouble::Changed);
        }
        status => return Err(unexpected(status)),
    }
    let given = part(response.headers()).ok_or_else(|| Trouble::odd("the server does not tell which part it gives"))?;
    if identity(response.headers()).as_ref() != Some(&stat.identity) || given.of.is_some_and(|size| size != stat.size) {
        return Err(Trouble::Changed);
    }
    if given.from != at {
        return Err(Trouble::odd("the server gives another part than was asked for"));
    }
    while let Some(chunk) = response.chunk().await.map_err(broken)? {
        let room = most - into.len();
        into.extend_from_slice(&chunk[..chunk.len().min(room)]);
        if chunk.len() >= room {
            break;
        }
    }
    if into.is_empty() { Err(Trouble::Broken("the server gave nothing".into())) } else { Ok(()) }
}

fn request(client: &Client, url: &str) -> RequestBuilder {
    // Ranges of something that was packed on its way would be other ranges.
    client.get(url).header(ACCEPT_ENCODING, "identity")
}

async fn sent(request: RequestBuilder) -> Result<Response, Trouble> {
    let (client, request) = request.build_split();
    let unread =
        |error: reqwest::Error| Trouble::odd(format!("the address cannot be read: {}", cause(&error.without_url())));
    let request = request.map_err(unread)?;
    if guard::is_forbidden(request.url()) {
        return Err(Trouble::forbidden(&Forbidden));
    }
    client.execute(request).await.map_err(|error| match error {
        error if guard::was_forbidden(&error) => Trouble::forbidden(&Forbidden),
        error if error.is_redirect() => Trouble::odd(cause(&error.without_url())),
        error => broken(error),
    })
}

fn broken(error: reqwest::Error) -> Trouble {
    Trouble::Broken(if error.is_timeout() { "the server says nothing".into() } else { cause(&error.without_url()) })
}

fn unexpected(status: StatusCode) -> Trouble {
    match status {
        StatusCode::OK => Trouble::without_ranges(),
        StatusCode::NOT_FOUND | StatusCode::GONE => Trouble::missing(),
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Trouble::refused(format!("the server says {status}")),
        StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_EARLY | StatusCode::TOO_MANY_REQUESTS => said(status),
        status if status.is_server_error() => said(status),
        status => Trouble::odd(format!("the server says {status}")),
    }
}

fn said(status: StatusCode) -> Trouble {
    Trouble::Broken(format!("the server says {status}"))
}

/// What tells whether it is still the same.
fn identity(headers: &HeaderMap) -> Option<String> {
    let tag = text(headers, &ETAG).map(|tag| format!("{TAG}{tag}"));
    tag.or_else(|| text(headers, &LAST_MODIFIED).map(|time| format!("{TIME}{time}")))
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// The part that a server says it gives.
struct Part {
    from: u64,
    /// Of how many bytes, where it knows.
    of: Option<u64>,
}

fn part(headers: &HeaderMap) -> Option<Part> {
    let (range, of) = text(headers, &CONTENT_RANGE)?.strip_prefix("bytes ")?.split_once('/')?;
    let (from, _) = range.split_once('-')?;
    Some(Part { from: from.parse().ok()?, of: of.parse().ok() })
}
