//! The JSON of a request that has nothing wrong with it -> the same with the names of enums, where a client sent their numbers.

use super::value::name_of;
use super::{Document, Method};
use serde_json::Value as Json;

impl Document {
    /// Writes names for the numbers of enums.
    pub(crate) fn name_enums(&self, method: &Method, body: &mut Json) {
        if let Some(schema) = method.body.as_deref().and_then(|name| self.schemas.get(name)) {
            self.name(schema, body);
        }
    }

    fn name(&self, schema: &Json, value: &mut Json) {
        let schema = self.followed(schema);
        let name = value.as_i64().and_then(|number| name_of(schema, number));
        match value {
            Json::Object(fields) => {
                for (name, value) in fields {
                    let field = schema["properties"].get(name).unwrap_or(&schema["additionalProperties"]);
                    self.name(field, value);
                }
            }
            Json::Array(items) => items.iter_mut().for_each(|item| self.name(&schema["items"], item)),
            _ => *value = name.map_or_else(|| value.take(), Json::from),
        }
    }
}
