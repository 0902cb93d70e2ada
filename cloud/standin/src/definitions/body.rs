//! The JSON of a request, against the schema of its method -> everything that is wrong with it: unknown fields, wrong types,
//! names that no enum has, fields that only the service sets, and what is missing.

use super::value::wrong;
use super::{Document, Method, Problem};
use serde_json::{Map, Value as Json};

/// What goes along on the way through a body.
struct Check<'a> {
    document: &'a Document,
    method: &'a Method,
    /// Whether it is a service that speaks: it may say everything, and owes nothing.
    is_answer: bool,
    problems: Vec<Problem>,
}

impl Document {
    /// Everything that is wrong with the body of a request.
    pub(crate) fn check_body(&self, method: &Method, body: &Json) -> Vec<Problem> {
        let mut check = Check { document: self, method, is_answer: false, problems: Vec::new() };
        match method.body.as_deref().and_then(|name| self.schemas.get(name)) {
            Some(schema) => check.value("", schema, body),
            None => check.problem("", format!("{} takes no body.", method.id)),
        }
        check.problems
    }

    /// Everything that is wrong with an answer.
    pub(crate) fn check_answer(&self, method: &Method, body: &Json) -> Vec<Problem> {
        let mut check = Check { document: self, method, is_answer: true, problems: Vec::new() };
        if let Some(schema) = method.answer.as_deref().and_then(|name| self.schemas.get(name)) {
            check.value("", schema, body);
        }
        check.problems
    }
}

impl<'a> Check<'a> {
    fn problem(&mut self, at: &str, says: String) {
        self.problems.push(Problem::new(at, says));
    }

    fn value(&mut self, at: &str, schema: &'a Json, value: &Json) {
        let schema = self.document.followed(schema);
        if schema["type"] == "any" {
            return;
        }
        if let Some(says) = wrong(schema, value) {
            return self.problem(at, format!("Invalid value at '{at}': {says}"));
        }
        match value {
            Json::Object(fields) => self.object(at, schema, fields),
            Json::Array(items) => {
                let each = items.iter().enumerate();
                each.for_each(|(number, item)| self.value(&format!("{at}[{number}]"), &schema["items"], item));
            }
            _ => {}
        }
    }

    fn object(&mut self, at: &str, schema: &'a Json, fields: &Map<String, Json>) {
        let known = schema["properties"].as_object();
        let others = &schema["additionalProperties"];
        for (name, value) in fields {
            let below = if at.is_empty() { name.clone() } else { format!("{at}.{name}") };
            match known.and_then(|known| known.get(name)) {
                // In JSON, null stands for a field that is not given.
                Some(_) if value.is_null() => {}
                Some(field) if field["readOnly"] == true && !self.is_answer => {
                    self.problem(&below, format!("Field '{below}' is set by the service alone."));
                }
                Some(field) => self.value(&below, field, value),
                // And in an entry of a map, for one that is to go.
                None if others.is_object() && value.is_null() && self.method.is_partial() => {}
                None if others.is_object() => self.value(&below, others, value),
                None => {
                    let says =
                        format!("Invalid JSON payload received. Unknown name \"{name}\" at '{at}': Cannot find field.");
                    self.problem(&below, says);
                }
            }
        }
        let needed = known.into_iter().flatten().filter(|(_, field)| !self.is_answer && self.is_needed(field));
        let missing: Vec<_> = needed.filter(|(name, _)| is_nothing(fields.get(*name))).map(|(name, _)| name).collect();
        for name in missing {
            let below = if at.is_empty() { name.clone() } else { format!("{at}.{name}") };
            self.problem(&below, format!("Field '{below}' is required."));
        }
    }

    /// Definitions say it in words, or for each method apart.
    fn is_needed(&self, field: &Json) -> bool {
        let in_words = says_required(field);
        let by_name = field["annotations"]["required"].as_array();
        let by_name = by_name.is_some_and(|methods| methods.iter().any(|id| *id == self.method.id.as_str()));
        (in_words && !self.method.is_partial() && field["readOnly"] != true) || by_name
    }
}

/// Whether the description of a field or a parameter says that it is needed.
pub(super) fn says_required(described: &Json) -> bool {
    described["description"].as_str().is_some_and(|words| words.starts_with("Required."))
}

/// What a service takes as not given: its messages cannot tell an empty text from none.
fn is_nothing(value: Option<&Json>) -> bool {
    match value {
        None | Some(Json::Null) => true,
        Some(Json::String(text)) => text.is_empty(),
        Some(_) => false,
    }
}
