//! Bytes -> a spec, the files beside it, and what is set from outside: all that decides a plan.
//!
//! ```text
//! #yaml                   the spec is YAML; without this line it is TOML
//! #profile prod           --profile prod
//! #-P x=5                 -P x=5
//! #VARIABLE=value         a variable of the environment
//! ...
//! #>> base.toml           from here on, another file
//! ```

use pipe_engine::spec::{Environment, Outside, Texts};
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

/// What the bytes stand for.
pub(crate) struct Case {
    pub(crate) path: PathBuf,
    pub(crate) outside: Outside,
    files: BTreeMap<PathBuf, Vec<u8>>,
}

/// The file of parameters, when there is one.
const PARAMS: [&str; 2] = ["params.toml", "params.yaml"];

impl Case {
    pub(crate) fn of(bytes: &[u8]) -> Self {
        let path = PathBuf::from(if bytes.starts_with(b"#yaml") { "x.yaml" } else { "x.toml" });
        let mut files: BTreeMap<PathBuf, Vec<u8>> = BTreeMap::new();
        let mut outside = Outside::default();
        let mut variables = Vec::new();
        let mut name = path.clone();
        files.insert(name.clone(), Vec::new());
        for line in bytes.split_inclusive(|byte| *byte == b'\n') {
            let text = String::from_utf8_lossy(line.trim_ascii_end());
            if let Some(other) = text.strip_prefix("#>> ") {
                name = PathBuf::from(other);
                files.entry(name.clone()).or_default().clear();
                continue;
            }
            if let Some(profile) = text.strip_prefix("#profile ") {
                outside.profile = Some(profile.to_owned());
            } else if let Some((name, value)) = text.strip_prefix("#-P ").and_then(|pair| pair.split_once('=')) {
                outside.params.push((name.to_owned(), value.to_owned()));
            } else if let Some((name, value)) = text.strip_prefix('#').and_then(|pair| pair.split_once('=')) {
                variables.push((name.to_owned(), value.to_owned()));
            }
            files.entry(name.clone()).or_default().extend(line);
        }
        outside.environment = Environment::of(variables);
        outside.params_file = PARAMS.map(PathBuf::from).into_iter().find(|file| files.contains_key(file));
        Self { path, outside, files }
    }
}

impl Texts for Case {
    fn read(&self, path: &Path, most: usize) -> io::Result<Vec<u8>> {
        let bytes = self.files.get(path).ok_or(io::ErrorKind::NotFound)?;
        Ok(bytes[..bytes.len().min(most + 1)].to_vec())
    }
}
