//! The filters that are ours: those that could multiply text, because their result must be limited before it is made, and
//! those for paths, durations, sizes, JSON and the shell, which minijinja has not.

use super::functions::{TOO_MUCH, UNSAFE, from_json, to_json};
use super::{MAX_MADE, Use, budget};
use crate::units::{Bytes, Millis};
use minijinja::value::ValueKind;
use minijinja::{Environment, Error, ErrorKind, State, Value};
use std::path::Path;
use std::str::FromStr;

/// Their names, in the order of the alphabet.
#[cfg(test)]
pub(super) const OURS: [&str; 13] = [
    "basename",
    "bytes",
    "dirname",
    "duration",
    "from_json",
    "join",
    "json",
    "path",
    "quote",
    "replace",
    "seconds",
    "stem",
    "suffix",
];

/// Adds them.
pub(super) fn add(environment: &mut Environment<'static>) {
    environment.add_filter("basename", basename);
    environment.add_filter("bytes", bytes);
    environment.add_filter("dirname", dirname);
    environment.add_filter("duration", duration);
    environment.add_filter("from_json", |text: &str| parse_json(text));
    environment.add_filter("join", join);
    environment.add_filter("json", json);
    environment.add_filter("path", path);
    environment.add_filter("quote", quote);
    environment.add_filter("replace", replace);
    environment.add_filter("seconds", seconds);
    environment.add_filter("stem", stem);
    environment.add_filter("suffix", suffix);
}

fn refused(message: String) -> Error {
    Error::new(ErrorKind::InvalidOperation, message)
}

/// The text itself, marked as one that may lead elsewhere. minijinja's mark for "safe" text carries it: nothing is
/// escaped here, so the mark has no other meaning, and text joined from several parts loses it.
fn path(value: &Value) -> Result<Value, Error> {
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    if text.contains('\0') {
        return Err(refused(format!("{UNSAFE}NUL into a path")));
    }
    match value.kind() {
        ValueKind::String | ValueKind::Number => Ok(Value::from_safe_string(text)),
        kind => Err(refused(format!("`path` wants a text, and this is a {kind}"))),
    }
}

/// `a/b.mp4` -> `b.mp4`.
fn basename(text: &str) -> Result<String, Error> {
    part(text, Path::file_name)
}

/// `a/b.mp4` -> `a`, and `b.mp4` -> `.`, as the program of this name has it.
fn dirname(text: &str) -> Result<String, Error> {
    let folder = part(text, |path| path.parent().map(Path::as_os_str))?;
    Ok(if folder.is_empty() { ".".to_owned() } else { folder })
}

/// `a/b.mp4` -> `b`.
fn stem(text: &str) -> Result<String, Error> {
    part(text, Path::file_stem)
}

/// `a/b.mp4` -> `.mp4`; nothing where there is none.
fn suffix(text: &str) -> Result<String, Error> {
    part(text, Path::file_name)?;
    let suffix = Path::new(text).extension().map(|suffix| format!(".{}", suffix.to_string_lossy()));
    Ok(suffix.unwrap_or_default())
}

fn part(text: &str, of: impl for<'a> Fn(&'a Path) -> Option<&'a std::ffi::OsStr>) -> Result<String, Error> {
    let part = of(Path::new(text)).ok_or_else(|| refused(format!("`{text}` is not the path of a file")))?;
    Ok(part.to_string_lossy().into_owned())
}

/// `"1h30m"` -> 5400.
fn seconds(value: &Value) -> Result<Value, Error> {
    let Millis(millis) = read(value)?;
    Ok(if millis % 1000 == 0 { Value::from(millis / 1000) } else { Value::from(millis as f64 / 1000.0) })
}

/// 5400 seconds -> `"1h30m"`.
fn duration(value: &Value) -> Result<String, Error> {
    read::<Millis>(value).map(|millis| millis.to_string())
}

/// `"8 GiB"` -> 8589934592.
fn bytes(value: &Value) -> Result<Value, Error> {
    read::<Bytes>(value).map(|bytes| Value::from(bytes.0))
}

fn read<T: FromStr<Err: std::fmt::Display>>(value: &Value) -> Result<T, Error> {
    value.to_string().parse().map_err(|error: T::Err| refused(error.to_string()))
}

fn json(value: &Value) -> Result<String, Error> {
    Ok(to_json(value, Use::Anything)?.to_string())
}

fn parse_json(text: &str) -> Result<Value, Error> {
    let value = serde_json::from_str(text).map_err(|error| refused(format!("the text is not JSON: {error}")))?;
    Ok(from_json(&value))
}

/// One word of a shell, or one for each value of a list.
fn quote(state: &mut State<'_, '_>, value: &Value) -> Result<String, Error> {
    match value.kind() {
        ValueKind::Seq | ValueKind::Iterable => {
            let words: Result<Vec<Value>, Error> = value.try_iter()?.map(|v| quoted(&v).map(Value::from)).collect();
            join(state, &Value::from(words?), Some(" ".to_owned()))
        }
        _ => quoted(value),
    }
}

/// As Python's `shlex.quote`: plain words stay as they are, all else stands in single quotes.
fn quoted(value: &Value) -> Result<String, Error> {
    let text = value.to_string();
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "@%+=:,./-_".contains(letter);
    if text.contains('\0') {
        return Err(refused("a word of a shell cannot hold NUL".to_owned()));
    }
    if !text.is_empty() && text.chars().all(is_plain) {
        return Ok(text);
    }
    Ok(format!("'{}'", text.replace('\'', r#"'"'"'"#)))
}

fn replace(state: &mut State<'_, '_>, text: String, from: String, to: String) -> Result<String, Error> {
    let added = text.matches(from.as_str()).count().saturating_mul(to.len());
    let made = text.len().saturating_add(added);
    limited(made)?;
    budget::of(state).read_bytes(made)?;
    Ok(text.replace(&from, &to))
}

fn join(state: &mut State<'_, '_>, values: &Value, between: Option<String>) -> Result<String, Error> {
    let between = between.unwrap_or_default();
    let mut made = String::new();
    for (index, value) in values.try_iter()?.enumerate() {
        let part = value.to_string();
        limited(made.len() + between.len() + part.len())?;
        if index > 0 {
            made.push_str(&between);
        }
        made.push_str(&part);
    }
    budget::of(state).read_bytes(made.len())?;
    Ok(made)
}

fn limited(bytes: usize) -> Result<(), Error> {
    if bytes > MAX_MADE { Err(Error::new(ErrorKind::InvalidOperation, TOO_MUCH)) } else { Ok(()) }
}
