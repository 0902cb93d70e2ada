//! The lines of a request -> what of it matters here.

use crate::Manner;
use std::io::{self, BufRead};
use std::ops::Range;

/// A request.
#[derive(Default)]
pub(crate) struct Request {
    pub(crate) range: Option<Range<u64>>,
    tag: Option<String>,
    modified: Option<String>,
}

impl Request {
    /// The next one of a connection. `None`: there are no more.
    pub(crate) fn read(from: &mut impl BufRead) -> io::Result<Option<Self>> {
        let mut line = String::new();
        if from.read_line(&mut line)? == 0 {
            return Ok(None);
        }
        let mut request = Self::default();
        loop {
            line.clear();
            from.read_line(&mut line)?;
            let Some((name, value)) = line.trim().split_once(':') else { return Ok(Some(request)) };
            let value = value.trim().to_owned();
            match name.to_ascii_lowercase().as_str() {
                "range" => request.range = range(&value),
                "if-match" => request.tag = Some(value),
                "if-unmodified-since" => request.modified = Some(value),
                _ => {}
            }
        }
    }

    /// Whether its conditions hold. A weak tag never matches.
    pub(crate) fn holds(&self, manner: &Manner) -> bool {
        let strong = manner.tag.as_ref().filter(|tag| !tag.starts_with("W/"));
        let tag = self.tag.as_ref().is_none_or(|wanted| strong == Some(wanted));
        tag && self.modified.as_ref().is_none_or(|wanted| manner.modified.as_ref() == Some(wanted))
    }
}

fn range(text: &str) -> Option<Range<u64>> {
    let (from, to) = text.strip_prefix("bytes=")?.split_once('-')?;
    Some(from.parse().ok()?..to.parse::<u64>().ok()? + 1)
}
