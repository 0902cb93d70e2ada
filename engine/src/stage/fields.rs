//! Types for settings that name something outside themselves: another stage's result, a file. Their schemas carry a
//! mark, and [`Marks`](super::Marks) finds them in any settings, so the plan knows the edges and files of every kind of
//! stage without knowing the kind.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

macro_rules! marked_text {
    ($(#[$doc:meta])* $name:ident, $mark:literal) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub String);

        impl JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }
            fn inline_schema() -> bool {
                true
            }
            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({ "type": "string", "format": $mark, "minLength": 1 })
            }
        }
    };
}

marked_text! {
    /// A stage of which exactly one result belongs to each cell.
    OneResult, "one-result"
}
marked_text! {
    /// A stage of which all results that belong to the cell are taken.
    Results, "results"
}
marked_text! {
    /// A file outside the store. Its bytes are part of the key, its path is not. It is data, and always that of now.
    InputFile, "input-file"
}
marked_text! {
    /// As [`InputFile`], or the URI of something that is read where it lies: then what its server tells of it is part of the
    /// key.
    InputSource, "input-source"
}
marked_text! {
    /// A template that the project keeps beside its specs. Its bytes are part of the key, its path is not.
    TemplateFile, "template-file"
}
marked_text! {
    /// A file of the project that a program needs. Path and bytes are part of the key.
    ProjectFile, "project-file"
}

/// What a field names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// See [`OneResult`].
    OneResult,
    /// See [`Results`].
    Results,
    /// [`Results`] beside which `all = true` stands: those of every cell.
    AllResults,
    /// See [`InputFile`].
    InputFile,
    /// See [`InputSource`].
    InputSource,
    /// See [`TemplateFile`].
    TemplateFile,
    /// See [`ProjectFile`].
    ProjectFile,
}

impl Mark {
    pub(super) fn of(format: &str) -> Option<Self> {
        match format {
            "one-result" => Some(Self::OneResult),
            "results" => Some(Self::Results),
            "input-file" => Some(Self::InputFile),
            "input-source" => Some(Self::InputSource),
            "template-file" => Some(Self::TemplateFile),
            "project-file" => Some(Self::ProjectFile),
            _ => None,
        }
    }

    /// Whether it names a stage rather than a file.
    pub fn is_stage(self) -> bool {
        matches!(self, Self::OneResult | Self::Results | Self::AllResults)
    }

    /// Whether it names a part of the project, which is read as of a revision when one is asked for.
    pub fn is_of_project(self) -> bool {
        matches!(self, Self::TemplateFile | Self::ProjectFile)
    }
}

/// A marked string found in settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Marked {
    /// Its field, such as `plays`, `from[0]` or `inputs.model.stage`.
    pub field: String,
    /// What it names.
    pub mark: Mark,
    /// The string.
    pub text: String,
}
