//! JSON lines: one record a line, read with the line's number in every error.

use pipe_engine::failure::Failure;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fs;
use std::path::Path;

/// Reads every record of a file.
///
/// # Errors
/// Names the file and the line that does not fit.
pub(crate) fn read<T: DeserializeOwned>(path: &Path) -> Result<Vec<T>, Failure> {
    let text = fs::read_to_string(path).map_err(|e| Failure::io("read", path, &e))?;
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    let record = |(i, line): (usize, &str)| {
        serde_json::from_str(line).map_err(|e| {
            Failure::failed("bad_record", "a line is not the record it should be")
                .on(format!("{}:{}", path.display(), i + 1))
                .source(e)
        })
    };
    lines.map(record).collect()
}

/// Records as text, one a line.
pub(crate) fn write<'a, T: Serialize + 'a>(records: impl IntoIterator<Item = &'a T>) -> Vec<u8> {
    let mut text = Vec::new();
    for record in records {
        serde_json::to_writer(&mut text, record).expect("records have string keys and finite numbers");
        text.push(b'\n');
    }
    text
}
