//! A value of a parameter or of a field, against its type -> what is wrong with it.

use super::document::NUMBERS;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use regex::Regex;
use serde_json::Value as Json;
use std::sync::LazyLock;

/// A duration in JSON, such as `3.5s`. Source: protobuf's page on its JSON form.
static DURATION: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"^-?[0-9]{1,12}(\.[0-9]{1,9})?s$").expect("a pattern of ours"));
/// A mask of fields in JSON: names in lower camel case with commas between.
static MASK: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"^[a-zA-Z0-9.]+(,[a-zA-Z0-9.]+)*$").expect("a pattern of ours"));

/// What is wrong with a simple value of a body, if anything.
pub(super) fn wrong(schema: &Json, value: &Json) -> Option<String> {
    let expected = schema["type"].as_str().unwrap_or_default();
    let format = schema["format"].as_str().unwrap_or_default();
    match (expected, value) {
        ("any", _) => None,
        ("boolean", Json::Bool(_)) | ("object", Json::Object(_)) | ("array", Json::Array(_)) => None,
        ("string", Json::String(text)) => wrong_text(schema, text),
        // Numbers of 64 bits are texts in JSON; both forms are read.
        ("string", Json::Number(number)) if matches!(format, "int64" | "uint64") => {
            wrong_text(schema, &number.to_string())
        }
        // Clients may send enums by number.
        ("string", Json::Number(number)) if schema["enum"].is_array() => wrong_number_of_enum(schema, number.as_i64()),
        ("integer", Json::Number(number)) => wrong_integer(format, number.as_i64()),
        ("number", Json::Number(_)) => None,
        ("number", Json::String(text)) if matches!(text.as_str(), "NaN" | "Infinity" | "-Infinity") => None,
        _ => Some(format!("Invalid value ({format}{}{expected}), {value}", if format.is_empty() { "" } else { " " })),
    }
}

/// What is wrong with a value of the query, where all are texts.
pub(super) fn wrong_parameter(schema: &Json, value: &str) -> Option<String> {
    let format = schema["format"].as_str().unwrap_or_default();
    match schema["type"].as_str().unwrap_or_default() {
        "boolean" if !matches!(value, "true" | "false") => Some(format!("Invalid value (boolean), {value:?}")),
        "integer" => match value.parse::<i64>() {
            Ok(number) => wrong_integer(format, Some(number)).or_else(|| below_minimum(schema, number)),
            Err(_) => Some(format!("Invalid value ({format}), {value:?}")),
        },
        "string" => wrong_text(schema, value).or_else(|| out_of_pattern(schema, value)),
        _ => None,
    }
}

fn wrong_text(schema: &Json, text: &str) -> Option<String> {
    let is_right = match schema["format"].as_str().unwrap_or_default() {
        "int64" => text.parse::<i64>().is_ok(),
        "uint64" => text.parse::<u64>().is_ok(),
        "google-datetime" | "date-time" => text.parse::<jiff::Timestamp>().is_ok(),
        "google-duration" => DURATION.is_match(text),
        "google-fieldmask" => MASK.is_match(text),
        "byte" => BASE64_STANDARD.decode(text).is_ok(),
        "date" => text.parse::<jiff::civil::Date>().is_ok(),
        _ => true,
    };
    let known = schema["enum"].as_array();
    if !is_right {
        return Some(format!("Invalid value ({}), {text:?}", schema["format"].as_str().unwrap_or_default()));
    }
    let is_known = known.is_none_or(|names| names.iter().any(|name| name == text));
    (!is_known).then(|| format!("Invalid value, {text:?}: it is none of {}", names(schema)))
}

/// Definitions name the values of an enum and do not number them; the numbers are those of Google's types.
fn wrong_number_of_enum(schema: &Json, number: Option<i64>) -> Option<String> {
    let is_numbered = schema[NUMBERS].is_object();
    match number {
        _ if !is_numbered => Some(format!("Invalid value, a number: only the names are known here: {}", names(schema))),
        Some(number) if name_of(schema, number).is_some() => None,
        _ => Some(format!("Invalid value, it is the number of none of {}", names(schema))),
    }
}

/// The name that a number stands for in an enum.
pub(super) fn name_of(schema: &Json, number: i64) -> Option<&str> {
    let numbers = schema[NUMBERS].as_object()?;
    numbers.iter().find(|(_, known)| **known == number).map(|(name, _)| name.as_str())
}

fn names(schema: &Json) -> String {
    let names = schema["enum"].as_array().into_iter().flatten().filter_map(Json::as_str);
    names.collect::<Vec<_>>().join(", ")
}

fn wrong_integer(format: &str, number: Option<i64>) -> Option<String> {
    let range = if format == "uint32" { 0..=i64::from(u32::MAX) } else { i64::from(i32::MIN)..=i64::from(i32::MAX) };
    number.is_none_or(|number| !range.contains(&number)).then(|| format!("Invalid value ({format}), it does not fit"))
}

fn below_minimum(schema: &Json, number: i64) -> Option<String> {
    let minimum = schema["minimum"].as_str().and_then(|text| text.parse::<i64>().ok())?;
    (number < minimum).then(|| format!("Invalid value, {number}: it must be {minimum} or more"))
}

fn out_of_pattern(schema: &Json, value: &str) -> Option<String> {
    let pattern = Regex::new(schema["pattern"].as_str()?).ok()?;
    (!pattern.is_match(value)).then(|| format!("Invalid value, {value:?}: it must match {pattern}"))
}
