//! The later requests of an upload that goes part by part: bytes are added in order, what has arrived is told, and the last
//! part makes the object. Source: Cloud Storage's page on resumable uploads.

use super::Answer;
use super::content::Spool;
use super::insert::Announced;
use super::state::Storage;
use crate::answer::{Refusal, nothing, set, told};
use crate::call::Call;
use hyper::StatusCode;
use hyper::header::{CONTENT_LENGTH, CONTENT_RANGE, RANGE};
use serde_json::Value as Json;
use std::sync::Mutex as Plain;
use std::sync::PoisonError;
use tokio::sync::Mutex;

/// Parts but the last are whole numbers of so many bytes, and only so many are kept of one that breaks off.
const STEP: u64 = 256 << 10;

/// An upload that was begun.
pub(super) struct Upload {
    announced: Announced,
    /// What has arrived, until it is an object. Whoever sends holds it.
    spool: Mutex<Option<Spool>>,
    ended: Plain<Option<Ended>>,
}

/// How an upload ended.
#[derive(Clone)]
enum Ended {
    /// It is this object.
    Made(Json),
    /// Its sender gave it up.
    GivenUp,
    /// It was refused.
    Refused(Refusal),
}

/// What a request says of the bytes that it brings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Said {
    /// Where they begin; none come with a request that only asks.
    from: Option<u64>,
    /// The last one, if that is known.
    to: Option<u64>,
    /// How many the whole has, if that is known.
    of: Option<u64>,
}

impl Upload {
    pub(super) fn new(announced: Announced, spool: Spool) -> Self {
        Self { announced, spool: Mutex::new(Some(spool)), ended: Plain::default() }
    }

    pub(super) fn is_open(&self) -> bool {
        self.ended().is_none()
    }

    fn ended(&self) -> Option<Ended> {
        self.ended.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn end(&self, ended: Ended) {
        *self.ended.lock().unwrap_or_else(PoisonError::into_inner) = Some(ended);
    }
}

pub(super) async fn go_on(storage: Storage, id: &str, mut call: Call) -> Answer {
    let upload = storage.state().uploads.get(id).cloned();
    let upload = upload.ok_or_else(|| Refusal::new(404, "There is no upload of this id."))?;
    // One request of an upload after the other.
    let mut spool = upload.spool.lock().await;
    match upload.ended() {
        Some(Ended::Made(object)) => return Ok(told(&object)),
        Some(Ended::GivenUp) => return Err(Refusal::new(499, "Client Closed Request")),
        Some(Ended::Refused(refusal)) => return Err(refusal),
        None => {}
    }
    if call.is_end {
        upload.end(Ended::GivenUp);
        *spool = None;
        return Ok(nothing(StatusCode::from_u16(499).unwrap_or(StatusCode::OK)));
    }
    let said = Said::of(&call)?;
    let Some(arrived) = spool.as_mut() else { return Err(Refusal::new(410, "The upload is gone.")) };
    add(arrived, said, &mut call).await?;
    if !said.is_open_end() && said.of != Some(arrived.size) {
        return Ok(so_far(arrived.size));
    }
    let Some(whole) = spool.take() else { return Err(Refusal::new(410, "The upload is gone.")) };
    let mut announced = upload.announced.clone();
    announced.checksums.add_header(&call);
    match announced.made(&storage, whole.content().await?, &call) {
        Ok(object) => {
            upload.end(Ended::Made(object.clone()));
            Ok(told(&object))
        }
        Err(refusal) => {
            upload.end(Ended::Refused(refusal.clone()));
            Err(refusal)
        }
    }
}

fn so_far(size: u64) -> hyper::Response<crate::answer::Body> {
    let mut answer = nothing(StatusCode::PERMANENT_REDIRECT);
    if size > 0 {
        set(&mut answer, RANGE, &format!("bytes=0-{}", size - 1));
    }
    answer
}

/// Adds what a request brings behind what has arrived.
async fn add(arrived: &mut Spool, said: Said, call: &mut Call) -> Result<(), Refusal> {
    let Some(from) = said.from else {
        return if call.body.all().await?.is_empty() {
            Ok(())
        } else {
            Err(Refusal::invalid("A request that asks how far an upload is brings no bytes."))
        };
    };
    if from > arrived.size {
        return Err(Refusal::invalid(format!(
            "Invalid request. According to the Content-Range header, the upload offset is {from} byte(s), which exceeds \
             already uploaded size of {} byte(s).",
            arrived.size
        )));
    }
    let begun = arrived.size;
    let mut place = from;
    loop {
        let bytes = match call.body.next().await {
            Ok(Some(bytes)) => bytes,
            Ok(None) => break,
            Err(broken) => {
                // As much as makes whole steps is kept; never less than before.
                arrived.cut((arrived.size / STEP * STEP).max(begun)).await?;
                return Err(broken);
            }
        };
        // What has arrived before is not written again.
        let known = usize::try_from(arrived.size - place).unwrap_or(usize::MAX).min(bytes.len());
        arrived.add(&bytes[known..]).await?;
        place += bytes.len() as u64;
    }
    match said.problem(from, place, arrived.size) {
        Some(why) => {
            arrived.cut(begun).await?;
            Err(Refusal::invalid(why))
        }
        None => Ok(()),
    }
}

impl Said {
    fn of(call: &Call) -> Result<Self, Refusal> {
        let Some(text) = call.header(&CONTENT_RANGE) else {
            // All of it in one request, or a question.
            let asks = call.header(&CONTENT_LENGTH) == Some("0");
            return Ok(Self { from: (!asks).then_some(0), to: None, of: None });
        };
        Self::read(text).ok_or_else(|| Refusal::invalid(format!("Failed to parse Content-Range header: {text}")))
    }

    /// `bytes 0-9/20`, `bytes 0-9/*`, `bytes 0-*/*`, `bytes */20`, `bytes */*`.
    fn read(text: &str) -> Option<Self> {
        let (range, of) = text.strip_prefix("bytes ")?.split_once('/')?;
        let number = |text: &str| if text == "*" { Some(None) } else { text.parse::<u64>().ok().map(Some) };
        let of = number(of)?;
        if range == "*" {
            return Some(Self { from: None, to: None, of });
        }
        let (from, to) = range.split_once('-')?;
        let (from, to) = (from.parse().ok()?, number(to)?);
        let fits = to.is_none_or(|to| to >= from && of.is_none_or(|of| to < of));
        fits.then_some(Self { from: Some(from), to, of })
    }

    /// Whether the whole ends where this request ends.
    fn is_open_end(self) -> bool {
        self.from.is_some() && self.to.is_none() && self.of.is_none()
    }

    /// What is wrong with bytes from here to there.
    fn problem(self, from: u64, place: u64, size: u64) -> Option<String> {
        let brought = place - from;
        if let Some(to) = self.to.filter(|to| to + 1 != place) {
            return Some(format!("Content-Range tells of {} bytes, and {brought} came.", to + 1 - from));
        }
        let is_last = self.is_open_end() || self.of == Some(size);
        if !is_last && !brought.is_multiple_of(STEP) {
            return Some(format!(
                "Invalid request. The number of bytes uploaded is required to be equal or greater than 262144, except for \
                 the final request (it's recommended to be the exact multiple of 262144). The received request contained \
                 {brought} bytes, which does not meet this requirement."
            ));
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Source: the forms that Cloud Storage's page on resumable uploads shows, and the two its clients send besides.
    #[test]
    fn ranges_of_content_are_read() {
        let said = |from, to, of| Some(Said { from, to, of });
        let cases = [
            ("bytes 0-524287/2000000", said(Some(0), Some(524_287), Some(2_000_000))),
            ("bytes 524288-1048575/*", said(Some(524_288), Some(1_048_575), None)),
            ("bytes */2000000", said(None, None, Some(2_000_000))),
            ("bytes */*", said(None, None, None)),
            ("bytes 0-*/*", said(Some(0), None, None)),
            ("bytes 5-4/10", None),
            ("bytes 0-10/10", None),
            ("0-10/10", None),
            ("bytes a-b/c", None),
        ];
        for (text, expected) in cases {
            assert_eq!(Said::read(text), expected, "{text}");
        }
    }
}
