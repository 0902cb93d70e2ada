//! The types of the language, of the stage kinds and of the places to run -> one JSON Schema for a whole spec. It checks
//! specs here and completes them in editors.

use super::common::{Common, PlaceCommon};
use super::model::SpecFile;
use super::param::Declaration;
use super::shape::NO_TEMPLATE;
use crate::backend::Backends;
use crate::stage::{Marked, Marks, Registry};
use schemars::{JsonSchema, SchemaGenerator};
use serde_json::{Map, Value as Json, json};
use std::collections::BTreeMap;

/// The schema of a spec with the stage kinds of a build.
pub struct SpecSchema {
    /// The whole schema.
    pub root: Json,
    /// Where the settings of each kind name stages and files.
    marks: BTreeMap<&'static str, Marks>,
    /// Where the keys that every kind has do.
    common: Marks,
    /// The part that each kind contributed.
    parts: BTreeMap<&'static str, Json>,
    /// The part that every kind has.
    common_part: Json,
}

impl SpecSchema {
    /// Puts the schema together.
    pub fn of(kinds: &Registry, backends: &Backends) -> Self {
        let mut generator = SchemaGenerator::default();
        let mut root = SpecFile::json_schema(&mut generator).to_value();
        let common = Common::json_schema(&mut generator).to_value();
        let mut parts = BTreeMap::new();
        let mut stages = Vec::new();
        for kind in kinds.kinds() {
            let part = kind.schema(&mut generator).to_value();
            stages.push(kind_schema(kind.name(), "What kind of stage this is.", &[&part, &common]));
            parts.insert(kind.name(), part);
        }
        let every_place = PlaceCommon::json_schema(&mut generator).to_value();
        let places = backends.kinds().map(|kind| {
            let part = kind.schema(&mut generator).to_value();
            kind_schema(kind.name(), "What kind of place this is.", &[&part, &every_place])
        });
        let places: Vec<Json> = places.collect();
        let stages = json!({
            "description": "The stages by name. A stage names those it needs in its own settings.",
            "type": "object",
            "minProperties": 1,
            "additionalProperties": { "oneOf": stages },
        });
        insert(&mut root, "properties", "stages", stages);
        let places = json!({
            "description": "Places to run besides this machine, by name: `backend = \"NAME\"` in a stage.",
            "type": "object",
            "additionalProperties": if places.is_empty() { json!(false) } else { json!({ "oneOf": places }) },
        });
        insert(&mut root, "properties", "backends", places);
        require(&mut root, "stages");
        // Read one by one, with their places; editors find the shape here.
        generator.subschema_for::<Declaration>();
        if let Some(object) = root.as_object_mut() {
            object.insert("$schema".to_owned(), json!("https://json-schema.org/draft/2020-12/schema"));
            object.insert("$defs".to_owned(), Json::Object(generator.take_definitions(true)));
        }
        let marks = parts.iter().map(|(kind, part)| (*kind, Marks::of(&root, part))).collect();
        Self { marks, common: Marks::of(&root, &common), parts, common_part: common, root }
    }

    /// The settings of a kind, alone.
    pub(crate) fn kind(&self, name: &str) -> &Json {
        self.parts.get(name).unwrap_or(&Json::Null)
    }

    /// The keys that every kind of stage has, alone.
    pub(crate) fn common(&self) -> &Json {
        &self.common_part
    }

    /// The stages and files that the settings of a kind name.
    pub fn marked(&self, kind: &str, config: &Json) -> Vec<Marked> {
        self.marks.get(kind).map_or_else(Vec::new, |marks| marks.find(config))
    }

    /// The stages and files that the keys name which every kind has.
    pub fn marked_in_common(&self, common: &Json) -> Vec<Marked> {
        self.common.find(common)
    }

    /// The schema for editors: as `root`, and wherever something else than text is wanted a template may stand. What is
    /// checked here by other means than the schema is said in its words too, as far as it has them.
    pub fn for_editors(&self) -> Json {
        let mut root = self.root.clone();
        add_to(&mut root, "/properties/name", json!({ "pattern": PLAIN }));
        add_to(
            &mut root,
            "/properties/params",
            json!({ "propertyNames": { "pattern": WORD }, "additionalProperties": param() }),
        );
        for table in ["stages", "backends", "profiles"] {
            add_to(&mut root, &format!("/properties/{table}"), json!({ "propertyNames": { "pattern": PLAIN } }));
        }
        for table in ["stages", "backends"] {
            let kinds = root.pointer_mut(&format!("/properties/{table}/additionalProperties/oneOf"));
            kinds.and_then(Json::as_array_mut).into_iter().flatten().for_each(allow_inside);
        }
        partial_when_extending(&mut root);
        let definitions = root.get_mut("$defs").and_then(Json::as_object_mut);
        definitions.into_iter().flatten().for_each(|(_, schema)| allow_inside(schema));
        root
    }
}

/// The names of stages and other things that become folders.
const PLAIN: &str = "^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$";
/// The names of parameters.
const WORD: &str = "^[A-Za-z][A-Za-z0-9_]{0,99}$";

/// How a template begins, in text of any kind.
const TEMPLATE: &str = "\\{[{%]";

/// A parameter: its default, or a table with `type` or `default` that says more about it.
fn param() -> Json {
    let declares = json!({ "type": "object", "anyOf": [{ "required": ["type"] }, { "required": ["default"] }] });
    json!({ "if": declares, "then": { "$ref": "#/$defs/Declaration" } })
}

/// A spec that extends another need not repeat what that one says, nor a stage its kind.
fn partial_when_extending(root: &mut Json) {
    let required = root.as_object_mut().and_then(|root| root.remove("required"));
    let has_kind = json!({ "stages": { "additionalProperties": { "required": ["kind"] } } });
    let whole = json!({ "required": required, "properties": has_kind });
    add_to(root, "", json!({ "if": { "required": ["extends"] }, "else": whole }));
    let stage = "/properties/stages/additionalProperties";
    let Some(kinds) = root.pointer_mut(&format!("{stage}/oneOf")).and_then(Json::as_array_mut) else { return };
    let names: Vec<Json> = kinds.iter().map(|kind| kind["properties"]["kind"]["const"].clone()).collect();
    kinds.push(json!({ "title": "change of a stage", "type": "object", "not": { "required": ["kind"] } }));
    // Beside the choice, since some editors offer only what the first choice has.
    add_to(root, stage, json!({ "properties": { "kind": { "enum": names } } }));
}

/// Adds keywords to the schema at a place.
fn add_to(root: &mut Json, pointer: &str, keywords: Json) {
    let Some(Json::Object(place)) = root.pointer_mut(pointer) else { return };
    place.extend(keywords.as_object().cloned().unwrap_or_default());
}

/// What one kind of stage or place looks like: its own settings, those that all have, and its `kind`.
fn kind_schema(name: &str, about_kind: &str, parts: &[&Json]) -> Json {
    let mut properties = Map::new();
    properties.insert("kind".to_owned(), json!({ "const": name, "description": about_kind }));
    for source in parts {
        for (key, value) in source["properties"].as_object().into_iter().flatten() {
            properties.insert(key.clone(), value.clone());
        }
    }
    let mut required = vec![json!("kind")];
    required.extend(parts[0]["required"].as_array().into_iter().flatten().cloned());
    json!({
        "title": name,
        "description": parts[0]["description"],
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": false,
    })
}

fn insert(root: &mut Json, table: &str, key: &str, value: Json) {
    if let Some(table) = root.get_mut(table).and_then(Json::as_object_mut) {
        table.insert(key.to_owned(), value);
    }
}

fn require(root: &mut Json, key: &str) {
    if let Some(required) = root.get_mut("required").and_then(Json::as_array_mut) {
        required.push(json!(key));
    }
}

/// Lets templates stand in every place below a schema.
fn allow_inside(schema: &mut Json) {
    let Some(map) = schema.as_object_mut() else { return };
    for (key, inner) in map.iter_mut() {
        match key.as_str() {
            "properties" => inner.as_object_mut().into_iter().flatten().for_each(|(_, s)| allow_here(s)),
            "items" | "additionalProperties" => allow_here(inner),
            "prefixItems" => inner.as_array_mut().into_iter().flatten().for_each(allow_here),
            "oneOf" | "anyOf" | "allOf" => inner.as_array_mut().into_iter().flatten().for_each(allow_inside),
            _ => {}
        }
    }
}

/// Lets a template stand in this place too, unless it holds text anyway or decides what its table is. Where the language
/// takes none, the schema refuses it.
fn allow_here(schema: &mut Json) {
    allow_inside(schema);
    if schema["format"] == NO_TEMPLATE {
        // Validators pass over a pattern where there is no text, so without its type this would refuse every absence.
        schema["not"] = json!({ "type": "string", "pattern": TEMPLATE });
        return;
    }
    let is_fixed = schema["type"] == "string" || schema.get("const").is_some();
    if is_fixed || !schema.is_object() {
        return;
    }
    let description = schema.as_object_mut().and_then(|map| map.remove("description"));
    let mut either = json!({ "anyOf": [schema.take(), { "type": "string", "pattern": "\\{\\{" }] });
    if let Some(description) = description {
        either["description"] = description;
    }
    *schema = either;
}
