//! A folder of Google's discovery documents -> the methods of a service, and what is wrong with a request to one.

mod body;
mod document;
mod names;
mod query;
mod value;

pub(crate) use document::{Document, Method, Place};

use serde_json::Value as Json;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{fs, io};

/// Google's published definitions, in a folder that `tools/google.sh` fills.
#[derive(Clone, Debug)]
pub struct Definitions {
    folder: PathBuf,
}

/// Why there are no definitions.
#[derive(Debug, thiserror::Error)]
pub enum DefinitionsError {
    /// The script that fetches them did not.
    #[error("`tools/google.sh`, which fetches Google's definitions, says: {0}")]
    NotFetched(String),
    /// A file cannot be read.
    #[error("cannot read {at}: {source}; run `tools/google.sh`, and give the folder that it names")]
    NotRead {
        /// The file.
        at: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// What is wrong with a request, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    /// A parameter, or a path of fields in the body.
    pub(crate) field: String,
    /// A sentence.
    pub(crate) says: String,
}

impl Definitions {
    /// Those in a folder.
    pub fn of(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into() }
    }

    /// Those that the project has fetched, or fetches now.
    ///
    /// # Errors
    /// When the script fails, as without a network.
    pub fn fetched() -> Result<Self, DefinitionsError> {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tools/google.sh");
        let failed = |why: String| DefinitionsError::NotFetched(why);
        let output = Command::new(&script).output().map_err(|e| failed(format!("{}: {e}", script.display())))?;
        if !output.status.success() {
            return Err(failed(String::from_utf8_lossy(&output.stderr).into_owned()));
        }
        Ok(Self::of(String::from_utf8_lossy(&output.stdout).trim()))
    }

    /// The definition of a service, such as `storage.v1`.
    pub(crate) fn document(&self, service: &str) -> Result<Document, DefinitionsError> {
        let numbers = self.read(&format!("{service}.numbers.json"), |text| Ok(serde_json::from_slice(text)?));
        // Of some services no enum has to be numbered.
        let numbers = match numbers {
            Err(DefinitionsError::NotRead { source, .. }) if source.kind() == io::ErrorKind::NotFound => Json::Null,
            numbers => numbers?,
        };
        self.read(&format!("{service}.json"), |text| Document::read(text, &numbers))
    }

    fn read<T>(&self, name: &str, read: impl Fn(&[u8]) -> io::Result<T>) -> Result<T, DefinitionsError> {
        let at = self.folder.join(name);
        let done = fs::read(&at).and_then(|text| read(&text));
        done.map_err(|source| DefinitionsError::NotRead { at, source })
    }
}

impl Problem {
    pub(crate) fn new(field: impl Into<String>, says: impl Into<String>) -> Self {
        Self { field: field.into(), says: says.into() }
    }
}

#[cfg(test)]
mod tests {
    use super::document::NUMBERS;
    use super::*;

    /// Every field of an enum of a service, with its schema: the field's own, or that of its items.
    fn enums(document: &Document) -> Vec<(String, &Json)> {
        let fields = document.schemas.iter().flat_map(|(schema, described)| {
            let fields = described["properties"].as_object().into_iter().flatten();
            fields.map(move |(field, described)| (format!("{schema}.{field}"), described))
        });
        let held = fields.map(|(at, field)| (at, if field["type"] == "array" { &field["items"] } else { field }));
        held.filter(|(_, schema)| schema["enum"].is_array()).collect()
    }

    /// The two sources were made apart: one is the definitions, the other Google's types.
    #[test]
    fn the_numbers_are_numbers_of_names_that_the_definitions_have() {
        let definitions = Definitions::fetched().unwrap();
        for service in ["run.v2", "aiplatform.v1"] {
            let document = definitions.document(service).unwrap();
            let enums = enums(&document);
            let numbered: Vec<_> = enums.iter().filter(|(_, schema)| schema[NUMBERS].is_object()).collect();
            for (at, schema) in &numbered {
                let known = schema["enum"].as_array().unwrap();
                let numbers = schema[NUMBERS].as_object().unwrap();
                let unknown: Vec<_> = numbers.keys().filter(|name| !known.contains(&(**name).clone().into())).collect();
                assert!(unknown.is_empty(), "{service} {at}: {unknown:?}");
            }
            for wanted in
                ["TaskTemplate.executionEnvironment", "Job.launchStage", "CustomJob.state", "Scheduling.strategy"]
            {
                let is_wanted = |at: &str| at.ends_with(&format!("2{wanted}")) || at.ends_with(&format!("V1{wanted}"));
                let is_known = enums.iter().any(|(at, _)| is_wanted(at));
                assert_eq!(numbered.iter().any(|(at, _)| is_wanted(at)), is_known, "{service} {wanted}");
            }
        }
    }
}
