//! `result.json` of a program's output folder -> the facts its task tells: what `when` of other stages reads, and what
//! reports show.

use crate::failure::Failure;
use crate::secret::Redactor;
use serde_json::{Map, Value as Json};
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

/// The file a program writes them to.
pub(super) const FACTS: &str = "result.json";
/// A run holds the facts of all its tasks in memory and writes them into its journal.
const LONGEST: u64 = 16 * 1024;

/// The facts in `folder`, or nothing when the program told none. A secret in them is taken out of the file too, so that it
/// does not get into the store by this way.
///
/// # Errors
/// When the file is too long or holds no table.
pub fn of(folder: &Path, redactor: &Redactor) -> Result<Json, Failure> {
    let path = folder.join(FACTS);
    // What is no file of its own is told with the other outputs.
    if !fs::symlink_metadata(&path).is_ok_and(|meta| meta.is_file()) {
        return Ok(Json::Null);
    }
    let wrong = |message: &str| {
        let help = "write a JSON object of at most 16 KiB, such as {\"rows\": 3}, or use another name for the file";
        Failure::failed("bad_result", format!("`{FACTS}` {message}")).on(path.display().to_string()).help(help)
    };
    let bytes = read(&path).map_err(|e| Failure::io("read", &path, &e))?;
    if bytes.len() as u64 > LONGEST {
        return Err(wrong("is longer than 16 KiB"));
    }
    let facts: Map<String, Json> =
        serde_json::from_slice(&bytes).map_err(|e| wrong("is not a JSON object").source(e))?;
    let facts = Json::Object(facts);
    let told = redactor.json(&facts);
    if told != facts {
        fs::write(&path, format!("{told:#}\n")).map_err(|e| Failure::io("write", &path, &e))?;
    }
    Ok(told)
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(LONGEST + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}
