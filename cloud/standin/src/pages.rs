//! Everything that a list has -> the page of it that was asked for. A page is told by how many come before it.

use crate::answer::{Body, Refusal, told};
use crate::call::Call;
use hyper::Response;
use serde_json::{Map, Value as Json};

/// How many there are on a page, if nothing else is asked for.
const PAGE: usize = 100;

/// The page that `pageToken` and `pageSize` ask for, under the name of the field that holds it.
pub(crate) fn page(call: &Call, field: &str, all: &[Json]) -> Result<Response<Body>, Refusal> {
    let from: usize = match call.asks("pageToken") {
        None | Some("") => 0,
        Some(token) => token.parse().map_err(|_| Refusal::invalid("Invalid page token."))?,
    };
    let size = call.number("pageSize").and_then(|size| usize::try_from(size).ok()).filter(|size| *size > 0);
    let page: Vec<Json> = all.iter().skip(from).take(size.unwrap_or(PAGE)).cloned().collect();
    let end = from + page.len();
    let mut answer = Map::new();
    if end < all.len() {
        answer.insert("nextPageToken".to_owned(), end.to_string().into());
    }
    if !page.is_empty() {
        answer.insert(field.to_owned(), page.into());
    }
    Ok(told(&answer.into()))
}
