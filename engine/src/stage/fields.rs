//! Types for settings that name something outside themselves: another stage's result, a file. Their schemas carry a
//! mark, and [`marked`] finds them in any settings, so the plan knows the edges and files of every kind of stage
//! without knowing the kind.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
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
    /// See [`InputFile`].
    InputFile,
    /// See [`TemplateFile`].
    TemplateFile,
    /// See [`ProjectFile`].
    ProjectFile,
}

impl Mark {
    fn of(format: &str) -> Option<Self> {
        match format {
            "one-result" => Some(Self::OneResult),
            "results" => Some(Self::Results),
            "input-file" => Some(Self::InputFile),
            "template-file" => Some(Self::TemplateFile),
            "project-file" => Some(Self::ProjectFile),
            _ => None,
        }
    }

    /// Whether it names a stage rather than a file.
    pub fn is_stage(self) -> bool {
        matches!(self, Self::OneResult | Self::Results)
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

/// Finds the marked strings of `config`, an instance of `schema`. `root` holds the definitions.
pub fn marked(root: &Json, schema: &Json, config: &Json) -> Vec<Marked> {
    let mut found = Vec::new();
    walk(root, schema, config, "", &mut found);
    found
}

fn walk(root: &Json, schema: &Json, value: &Json, field: &str, found: &mut Vec<Marked>) {
    if let Some(target) = schema["$ref"].as_str().and_then(|r| root.pointer(r.trim_start_matches('#'))) {
        walk(root, target, value, field, found);
    }
    for choice in ["anyOf", "oneOf", "allOf"].iter().filter_map(|k| schema[k].as_array()).flatten() {
        if could_be(root, choice, value) {
            walk(root, choice, value, field, found);
        }
    }
    match value {
        Json::String(text) => {
            if let Some(mark) = schema["format"].as_str().and_then(Mark::of) {
                found.push(Marked { field: field.to_owned(), mark, text: text.clone() });
            }
        }
        Json::Array(items) => {
            for (i, item) in items.iter().enumerate() {
                walk(root, &schema["items"], item, &format!("{field}[{i}]"), found);
            }
        }
        Json::Object(map) => {
            for (key, inner) in map {
                let dot = if field.is_empty() { "" } else { "." };
                let known = schema["properties"].get(key).unwrap_or(&schema["additionalProperties"]);
                walk(root, known, inner, &format!("{field}{dot}{key}"), found);
            }
        }
        _ => {}
    }
}

/// Whether a value can be an instance of one branch of a choice, judged by its type and its constant properties.
fn could_be(root: &Json, schema: &Json, value: &Json) -> bool {
    if let Some(target) = schema["$ref"].as_str().and_then(|r| root.pointer(r.trim_start_matches('#'))) {
        return could_be(root, target, value);
    }
    let kind = match value {
        Json::Object(_) => "object",
        Json::Array(_) => "array",
        Json::String(_) => "string",
        _ => return schema["type"] != "object",
    };
    if schema["type"].as_str().is_some_and(|t| t != kind) {
        return false;
    }
    let constants = schema["properties"].as_object().into_iter().flatten();
    constants.filter_map(|(key, s)| Some((key, s.get("const")?))).all(|(key, wanted)| value.get(key) == Some(wanted))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[derive(JsonSchema)]
    #[expect(dead_code, reason = "only the schema is used")]
    struct Config {
        plays: OneResult,
        from: Vec<Results>,
        source: Source,
        rules: Option<InputFile>,
        plain: String,
    }

    #[derive(JsonSchema)]
    #[serde(tag = "type", rename_all = "snake_case")]
    #[expect(dead_code, reason = "only the schema is used")]
    enum Source {
        Sqlite { path: InputFile },
        Server { path: String },
    }

    fn fields(config: &Json) -> Vec<(String, Mark)> {
        let schema = schemars::schema_for!(Config).to_value();
        marked(&schema, &schema, config).into_iter().map(|m| (m.field, m.mark)).collect()
    }

    #[test]
    fn marks_are_found_in_lists_choices_and_options() {
        let config = json!({ "plays": "p", "from": ["a", "b"], "source": { "type": "sqlite", "path": "x.db" },
                             "rules": "r.txt", "plain": "no" });
        let mut found = fields(&config);
        found.sort_by(|a, b| a.0.cmp(&b.0));
        let expected = [
            ("from[0]", Mark::Results),
            ("from[1]", Mark::Results),
            ("plays", Mark::OneResult),
            ("rules", Mark::InputFile),
            ("source.path", Mark::InputFile),
        ];
        assert_eq!(found, expected.map(|(f, m)| (f.to_owned(), m)));
    }

    #[test]
    fn the_branch_that_is_not_meant_marks_nothing() {
        let config = json!({ "source": { "type": "server", "path": "db.example" } });
        assert!(fields(&config).is_empty());
    }
}
