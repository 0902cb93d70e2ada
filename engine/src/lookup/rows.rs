//! The file of a result that holds rows -> the rows: a JSON list of objects, or an object on each line. A pure function of
//! the file's bytes.

use super::shelf::Shelf;
use crate::failure::Failure;
use crate::manifest::{Artifact, FileEntry};
use crate::plan::Row;
use serde_json::Value as Json;

/// The largest file of rows that is read: 100,000 rows of half a kilobyte.
const LARGEST: u64 = 64 << 20;

/// The rows of an artifact: those in the first of the files `names` that it has.
pub(super) fn read(shelf: &dyn Shelf, names: &[&str], artifact: &Artifact) -> Result<Vec<Row>, Failure> {
    let Some(file) = names.iter().find_map(|name| artifact.files.iter().find(|file| file.path == *name)) else {
        let held: Vec<&str> = artifact.files.iter().take(8).map(|file| file.path.as_str()).collect();
        return Err(Failure::failed("no_rows", "the result has no file with rows")
            .on(held.join(", "))
            .help(format!("write {}: a JSON list of objects, or one object a line", names.join(" or "))));
    };
    if file.size > LARGEST {
        return Err(wrong(file, format!("it has {} bytes, and at most {LARGEST} are read", file.size)));
    }
    let text = shelf.bytes(file)?;
    if blake3::hash(&text).to_hex().as_str() != file.blake3 {
        return Err(Failure::failed("result_damaged", "the file with the rows is not what was filed")
            .on(file.at.clone())
            .help("`pipe cache verify SPEC --deep` puts the result in quarantine, and the next run makes it again"));
    }
    parse(&text, file.path.ends_with(".json")).map_err(|problem| wrong(file, problem))
}

fn wrong(file: &FileEntry, problem: String) -> Failure {
    Failure::failed("bad_rows", "the file does not hold rows")
        .on(file.at.clone())
        .source(problem)
        .help("rows are JSON objects: a list of them in a .json file, or one a line in a .jsonl file")
}

fn parse(text: &[u8], is_list: bool) -> Result<Vec<Row>, String> {
    let row = |nth: usize, value: Json| match value {
        Json::Object(row) => Ok(row),
        other => Err(format!("row {nth} is {}, and not an object", kind_of(&other))),
    };
    if is_list {
        return match serde_json::from_slice(text).map_err(|error| format!("it is not JSON: {error}"))? {
            Json::Array(values) => values.into_iter().enumerate().map(|(i, value)| row(i + 1, value)).collect(),
            other => Err(format!("it is {}, and not a list", kind_of(&other))),
        };
    }
    let lines = text.split(|byte| *byte == b'\n').enumerate().filter(|(_, line)| !line.trim_ascii().is_empty());
    let read = |(i, line): (usize, &[u8])| {
        let value = serde_json::from_slice(line).map_err(|error| in_line(i + 1, &error))?;
        row(i + 1, value)
    };
    lines.map(read).collect()
}

/// What is wrong with one of many lines. The parser saw that line alone, and would call it the first.
fn in_line(line: usize, error: &serde_json::Error) -> String {
    let (whole, place) = (error.to_string(), format!(" at line {} column {}", error.line(), error.column()));
    let problem = whole.strip_suffix(&place).unwrap_or(&whole);
    format!("line {line} is not JSON: {problem} at column {}", error.column())
}

fn kind_of(value: &Json) -> &'static str {
    match value {
        Json::Null => "null",
        Json::Bool(_) => "true or false",
        Json::Number(_) => "a number",
        Json::String(_) => "a text",
        Json::Array(_) => "a list",
        Json::Object(_) => "an object",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(text: &str, is_list: bool) -> Result<Vec<String>, String> {
        Ok(parse(text.as_bytes(), is_list)?.iter().map(|row| row["id"].to_string()).collect())
    }

    #[test]
    fn a_list_and_lines_hold_the_same_rows_in_their_order() {
        let rows = Ok(vec!["2".to_owned(), "\"a\"".to_owned()]);
        assert_eq!(ids(r#"[{"id": 2}, {"id": "a"}]"#, true), rows);
        assert_eq!(ids("{\"id\": 2}\n\n  {\"id\": \"a\"}\r\n", false), rows);
        assert_eq!(ids("[]", true), Ok(vec![]));
        assert_eq!(ids("", false), Ok(vec![]));
    }

    #[test]
    fn what_is_no_row_is_named_with_its_place() {
        assert_eq!(ids(r#"[{"id": 2}, 3]"#, true).unwrap_err(), "row 2 is a number, and not an object");
        assert_eq!(ids(r#"{"id": 2}"#, true).unwrap_err(), "it is an object, and not a list");
        assert_eq!(ids("{\"id\": 2}\n[1]", false).unwrap_err(), "row 2 is a list, and not an object");
        let told = ids("{\"id\": 2}\n{\"id\" 3}", false).unwrap_err();
        assert_eq!(told, "line 2 is not JSON: expected `:` at column 7");
        assert!(ids("", true).unwrap_err().starts_with("it is not JSON: "));
    }
}
