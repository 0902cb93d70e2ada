//! The schema of a kind's settings -> where in them marked strings can stand, and those that do stand there.
//!
//! The schema is read once: a plan asks for the marks of every cell, and most of a schema leads to none.

use super::{Mark, Marked};
use serde_json::Value as Json;
use std::collections::HashMap;
use std::fmt::Write;

/// Where an instance of a schema can hold marked strings.
pub struct Marks {
    places: Vec<Place>,
}

/// A part of the schema. Others are named by their index.
#[derive(Default)]
struct Place {
    mark: Option<Mark>,
    /// What the same value is an instance of as well.
    also: Vec<usize>,
    /// What it may be an instance of.
    choices: Vec<(Condition, usize)>,
    items: Option<usize>,
    properties: Vec<(String, usize)>,
    /// The properties that are not listed.
    others: Option<usize>,
    /// Whether it, or anything it leads to, has a mark.
    leads: bool,
}

/// When a value can be an instance of a branch of a choice, judged by its type and its constant properties.
#[derive(Default)]
struct Condition {
    kind: Option<String>,
    constants: Vec<(String, Json)>,
}

impl Marks {
    /// Reads `schema`. `root` holds the definitions.
    pub fn of(root: &Json, schema: &Json) -> Self {
        let mut reader = Reader { root, places: Vec::new(), definitions: HashMap::new() };
        reader.place(schema);
        let mut places = reader.places;
        // Definitions may lead to each other in circles, so this goes on until nothing new is found.
        while let Some(found) = (0..places.len()).find(|i| !places[*i].leads && places[*i].leads_by(&places)) {
            places[found].leads = true;
        }
        Self { places }
    }

    /// The marked strings of `config`, an instance of the schema.
    pub fn find(&self, config: &Json) -> Vec<Marked> {
        let mut found = Vec::new();
        self.walk(0, config, &mut String::new(), &mut found);
        found
    }

    /// `field` names the value, and is as it was when this returns.
    fn walk(&self, place: usize, value: &Json, field: &mut String, found: &mut Vec<Marked>) {
        let place = &self.places[place];
        if !place.leads {
            return;
        }
        place.also.iter().for_each(|also| self.walk(*also, value, field, found));
        for (_, choice) in place.choices.iter().filter(|(condition, _)| condition.admits(value)) {
            self.walk(*choice, value, field, found);
        }
        let here = field.len();
        match value {
            Json::String(text) => {
                let marked = place.mark.map(|mark| Marked { field: field.clone(), mark, text: text.clone() });
                found.extend(marked);
            }
            Json::Array(items) => {
                for (i, item) in items.iter().enumerate() {
                    let Some(inner) = place.items else { return };
                    let _ = write!(field, "[{i}]");
                    self.walk(inner, item, field, found);
                    field.truncate(here);
                }
            }
            Json::Object(map) => {
                let before = found.len();
                for (key, value) in map {
                    let Some(inner) = place.property(key) else { continue };
                    if here > 0 {
                        field.push('.');
                    }
                    field.push_str(key);
                    self.walk(inner, value, field, found);
                    field.truncate(here);
                }
                if map.get("all") == Some(&Json::Bool(true)) {
                    let results = found[before..].iter_mut().filter(|marked| marked.mark == Mark::Results);
                    results.for_each(|marked| marked.mark = Mark::AllResults);
                }
            }
            _ => {}
        }
    }
}

impl Place {
    fn leads_by(&self, places: &[Self]) -> bool {
        let choices = self.choices.iter().map(|(_, choice)| choice);
        let properties = self.properties.iter().map(|(_, property)| property);
        let all = self.also.iter().chain(choices).chain(&self.items).chain(properties).chain(&self.others);
        self.mark.is_some() || all.into_iter().any(|next| places[*next].leads)
    }

    fn property(&self, key: &str) -> Option<usize> {
        let listed = self.properties.iter().find(|(name, _)| name == key).map(|(_, place)| *place);
        listed.or(self.others)
    }
}

impl Condition {
    fn admits(&self, value: &Json) -> bool {
        let kind = match value {
            Json::Object(_) => "object",
            Json::Array(_) => "array",
            Json::String(_) => "string",
            // Nothing else holds a marked string.
            _ => return false,
        };
        self.kind.as_ref().is_none_or(|wanted| wanted == kind)
            && self.constants.iter().all(|(key, wanted)| value.get(key) == Some(wanted))
    }
}

struct Reader<'a> {
    root: &'a Json,
    places: Vec<Place>,
    /// The places of definitions that were read, or are being read, by their pointers.
    definitions: HashMap<&'a str, usize>,
}

impl<'a> Reader<'a> {
    fn place(&mut self, schema: &'a Json) -> usize {
        let index = self.places.len();
        self.places.push(Place::default());
        let mut place = Place { mark: schema["format"].as_str().and_then(Mark::of), ..Place::default() };
        if let Some(pointer) = schema["$ref"].as_str() {
            place.also.extend(self.definition(pointer));
        }
        for choice in ["anyOf", "oneOf", "allOf"].iter().filter_map(|k| schema[k].as_array()).flatten() {
            place.choices.push((self.condition(choice), self.place(choice)));
        }
        place.items = schema.get("items").map(|items| self.place(items));
        for (key, property) in schema["properties"].as_object().into_iter().flatten() {
            place.properties.push((key.clone(), self.place(property)));
        }
        place.others = schema.get("additionalProperties").map(|others| self.place(others));
        self.places[index] = place;
        index
    }

    fn definition(&mut self, pointer: &'a str) -> Option<usize> {
        if let Some(known) = self.definitions.get(pointer) {
            return Some(*known);
        }
        let schema = self.root.pointer(pointer.trim_start_matches('#'))?;
        // Its index is known before it is read, so that it may lead to itself.
        self.definitions.insert(pointer, self.places.len());
        Some(self.place(schema))
    }

    fn condition(&self, schema: &'a Json) -> Condition {
        let target = schema["$ref"].as_str().and_then(|pointer| self.root.pointer(pointer.trim_start_matches('#')));
        if let Some(target) = target {
            return self.condition(target);
        }
        let properties = schema["properties"].as_object().into_iter().flatten();
        Condition {
            kind: schema["type"].as_str().map(str::to_owned),
            constants: properties.filter_map(|(key, s)| Some((key.clone(), s.get("const")?.clone()))).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stage::{InputFile, OneResult, Results};
    use schemars::JsonSchema;
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
        Marks::of(&schema, &schema).find(config).into_iter().map(|m| (m.field, m.mark)).collect()
    }

    #[test]
    fn all_beside_results_takes_those_of_every_cell() {
        #[derive(JsonSchema)]
        #[expect(dead_code, reason = "only the schema is used")]
        struct Input {
            stage: Results,
            all: bool,
        }
        let schema = schemars::schema_for!(Input).to_value();
        let mark = |config: Json| Marks::of(&schema, &schema).find(&config)[0].mark;
        assert_eq!(mark(json!({ "stage": "a", "all": true })), Mark::AllResults);
        assert_eq!(mark(json!({ "stage": "a", "all": false })), Mark::Results);
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

    #[test]
    fn a_type_that_holds_itself_is_read_to_any_depth() {
        let schema = json!({ "$ref": "#/$defs/Tree", "$defs": { "Tree": {
            "type": "object",
            "properties": { "file": { "type": "string", "format": "input-file" },
                            "left": { "$ref": "#/$defs/Tree" }, "note": { "type": "string" } },
        } } });
        let config = json!({ "left": { "left": { "file": "a.txt", "note": "n" } }, "note": "n" });
        let expected = Marked { field: "left.left.file".into(), mark: Mark::InputFile, text: "a.txt".into() };
        assert_eq!(Marks::of(&schema, &schema).find(&config), [expected]);
    }
}
