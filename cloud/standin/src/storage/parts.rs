//! A body of several parts (`multipart/related`, RFC 2387) -> the parts.

use crate::answer::Refusal;
use regex::bytes::Regex;

/// One part.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Part<'a> {
    /// Its `Content-Type`, if it names one.
    pub(super) kind: Option<String>,
    pub(super) bytes: &'a [u8],
}

/// The parts of a body, by the `Content-Type` of the whole.
///
/// # Errors
/// When it names no boundary, or the body does not end at one.
pub(super) fn parts<'a>(kind: &str, body: &'a [u8]) -> Result<Vec<Part<'a>>, Refusal> {
    let boundary = boundary(kind).ok_or_else(|| Refusal::invalid("Multipart body without a boundary."))?;
    let (opening, delimiter) = (format!("--{boundary}"), format!("\r\n--{boundary}"));
    let cut = || Refusal::invalid("Multipart body ends before its last boundary.");
    let mut rest = body.strip_prefix(opening.as_bytes()).ok_or_else(cut)?;
    let mut parts = Vec::new();
    while !rest.starts_with(b"--") {
        let rest_of_line = find(rest, "\r\n").ok_or_else(cut)?;
        let part = &rest[rest_of_line..];
        let end = find(part, &delimiter).ok_or_else(cut)?;
        parts.push(read(&part[..end]).ok_or_else(cut)?);
        rest = &part[end + delimiter.len()..];
    }
    Ok(parts)
}

fn boundary(kind: &str) -> Option<&str> {
    let value = kind.split(';').find_map(|one| one.trim().strip_prefix("boundary="))?;
    Some(value.trim_matches('"')).filter(|value| !value.is_empty())
}

/// Headers, an empty line and bytes. The line break before the headers belongs to the boundary.
fn read(part: &[u8]) -> Option<Part<'_>> {
    let end = find(part, "\r\n\r\n")?;
    let headers = std::str::from_utf8(&part[..end]).ok()?;
    let named = headers.lines().filter_map(|line| line.split_once(':'));
    let mut kind =
        named.filter(|(name, _)| name.eq_ignore_ascii_case("content-type")).map(|(_, value)| value.trim().to_owned());
    Some(Part { kind: kind.next_back(), bytes: &part[end + 4..] })
}

/// Searched as a pattern: that is fast in large bodies.
fn find(bytes: &[u8], word: &str) -> Option<usize> {
    Some(Regex::new(&regex::escape(word)).ok()?.find(bytes)?.start())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part<'a>(kind: Option<&str>, bytes: &'a [u8]) -> Part<'a> {
        Part { kind: kind.map(str::to_owned), bytes }
    }

    #[test]
    fn a_body_comes_apart_at_its_boundary_whatever_its_bytes_are() {
        let body = b"--x\r\nContent-Type: application/json\r\n\r\n{}\r\n--x\r\n\r\na\r\n--y\r\n\r\n--x\r\n\
            content-type: text/plain\r\nContent-Disposition: form-data\r\n\r\n\r\n--x--\r\n";
        let found = parts("multipart/related; boundary=\"x\"", body).unwrap();
        let expected =
            [part(Some("application/json"), b"{}"), part(None, b"a\r\n--y\r\n"), part(Some("text/plain"), b"")];
        assert_eq!(found, expected);
    }

    #[test]
    fn a_body_that_was_cut_off_is_none() {
        let whole = b"--x\r\nContent-Type: application/json\r\n\r\n{}\r\n--x\r\n\r\nabc\r\n--x--";
        for length in 0..whole.len() - 2 {
            assert!(parts("multipart/related; boundary=x", &whole[..length]).is_err(), "{length}");
        }
        assert!(parts("multipart/related", whole).is_err());
    }
}
