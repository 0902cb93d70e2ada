//! The objects of a bucket, page by page, in the order of their names.

use super::Answer;
use super::state::{Bucket, Storage};
use crate::answer::{Refusal, told};
use crate::call::Call;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value as Json, json};
use std::ops::Bound::{Excluded, Unbounded};

/// How many there are on a page unless less is asked for, and at most.
const PAGE: usize = 1000;

/// What is wanted.
struct Wanted<'a> {
    prefix: &'a str,
    delimiter: &'a str,
    start: &'a str,
    end: Option<&'a str>,
    /// The name, or the prefix, at which the last page ended.
    after: String,
    versions: bool,
    trailing: bool,
    most: usize,
}

/// A page in the making.
#[derive(Default)]
struct Page {
    items: Vec<Json>,
    prefixes: Vec<String>,
    entries: usize,
    last: String,
    goes_on: bool,
}

pub(super) async fn list(storage: Storage, call: Call) -> Answer {
    let wanted = Wanted::of(&call)?;
    let mut state = storage.state();
    let bucket = state.bucket(call.name("bucket"))?;
    if wanted.after.is_empty() {
        bucket.lists += 1;
    }
    let page = wanted.page(bucket, &call);
    let mut answer = json!({ "kind": "storage#objects" });
    if !page.items.is_empty() {
        answer["items"] = page.items.into();
    }
    if !page.prefixes.is_empty() {
        answer["prefixes"] = page.prefixes.into();
    }
    if page.goes_on {
        answer["nextPageToken"] = BASE64_STANDARD.encode(page.last).into();
    }
    Ok(told(&answer))
}

impl<'a> Wanted<'a> {
    fn of(call: &'a Call) -> Result<Self, Refusal> {
        let wrong = |_| Refusal::invalid("Invalid page token.");
        let after = BASE64_STANDARD.decode(call.asks("pageToken").unwrap_or_default()).map_err(wrong)?;
        let most = call.number("maxResults").and_then(|most| usize::try_from(most).ok()).unwrap_or(PAGE);
        Ok(Self {
            prefix: call.asks("prefix").unwrap_or_default(),
            delimiter: call.asks("delimiter").unwrap_or_default(),
            start: call.asks("startOffset").unwrap_or_default(),
            end: call.asks("endOffset").filter(|end| !end.is_empty()),
            after: String::from_utf8(after).map_err(|_| Refusal::invalid("Invalid page token."))?,
            versions: call.asks("versions") == Some("true"),
            trailing: call.asks("includeTrailingDelimiter") == Some("true"),
            most: most.clamp(1, PAGE),
        })
    }

    fn page(&self, bucket: &Bucket, call: &Call) -> Page {
        let mut page = Page::default();
        let from = if self.after.is_empty() { Unbounded } else { Excluded(self.after.clone()) };
        for (name, versions) in bucket.objects.range((from, Unbounded)).filter(|(name, _)| self.has(name)) {
            let shown = versions
                .iter()
                .filter(|version| (self.versions || version.deleted.is_none()) && version.listed_after < bucket.lists);
            let shown: Vec<Json> =
                shown.map(|version| version.resource(call.name("bucket"), name, &call.address)).collect();
            if shown.is_empty() {
                continue;
            }
            let group = self.group(name);
            // A group that was told of on this page, or on the one before, is not told of again.
            if group.is_some_and(|group| page.last == group || self.after == group) {
                continue;
            }
            if page.entries >= self.most {
                page.goes_on = true;
                break;
            }
            page.entries += 1;
            page.last = group.unwrap_or(name).to_owned();
            page.prefixes.extend(group.map(str::to_owned));
            if group.is_none() || (self.trailing && group == Some(name)) {
                page.items.extend(shown);
            }
        }
        page
    }

    fn has(&self, name: &str) -> bool {
        name.starts_with(self.prefix) && name >= self.start && self.end.is_none_or(|end| name < end)
    }

    /// The part of a name up to the first delimiter behind the prefix.
    fn group<'n>(&self, name: &'n str) -> Option<&'n str> {
        if self.delimiter.is_empty() {
            return None;
        }
        let at = name[self.prefix.len()..].find(self.delimiter)?;
        Some(&name[..self.prefix.len() + at + self.delimiter.len()])
    }
}
