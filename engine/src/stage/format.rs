//! What a kind says of the files in its artifacts that others read too: programs find their schemas under a name.

use schemars::{JsonSchema, Schema, schema_for};

/// The form of some files of an artifact.
pub struct Format {
    /// Its name, as in `pipe schema clips`.
    pub name: &'static str,
    /// The files of this form, by their paths in the artifact.
    pub files: &'static [&'static str],
    /// The JSON Schema of a record: of each line of a `.jsonl` file, of a `.json` file as a whole.
    pub schema: Schema,
}

impl Format {
    /// Files whose records are of type `T`.
    pub fn of<T: JsonSchema>(name: &'static str, files: &'static [&'static str]) -> Self {
        Self { name, files, schema: schema_for!(T) }
    }
}
