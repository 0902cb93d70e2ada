//! The text of a discovery document -> its methods, each with the form of its address, and its schemas.

use percent_encoding::percent_decode_str;
use regex::Regex;
use serde_json::{Map, Value as Json};
use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, OnceLock};

/// Where a schema of an enum keeps the numbers of its names. The definitions have nothing of that name.
pub(super) const NUMBERS: &str = "numbers";

/// A part of a path, in the patterns of the definitions.
const ANY: &str = "[^/]+";

/// A service as Google publishes it.
pub(crate) struct Document {
    methods: Vec<Arc<Method>>,
    pub(super) schemas: Map<String, Json>,
}

/// One thing that a service can be asked.
pub(crate) struct Method {
    /// `storage.objects.get`.
    pub(crate) id: String,
    verb: String,
    address: Address,
    /// Where the same is asked with bytes beside the JSON.
    uploads: Vec<Address>,
    /// Those of the method and those of every method of the service.
    pub(super) parameters: Map<String, Json>,
    /// The schema of its body.
    pub(super) body: Option<String>,
    /// The schema of its answer.
    pub(super) answer: Option<String>,
}

/// The form of an address, and the names of what varies in it.
struct Address {
    form: String,
    /// Made when it is first needed: a service has hundreds of addresses, and a stand-in is asked at few.
    compiled: OnceLock<Regex>,
    names: Vec<String>,
    /// What every path of the form contains.
    words: Vec<String>,
}

/// Where a request leads.
pub(crate) struct Place {
    pub(crate) method: Arc<Method>,
    /// What varies in the address.
    pub(crate) names: BTreeMap<String, String>,
    /// Whether bytes come with it.
    pub(crate) is_upload: bool,
}

impl Document {
    /// `numbers`: the names of enums with their numbers, by schema and field.
    pub(super) fn read(text: &[u8], numbers: &Json) -> io::Result<Self> {
        let mut document: Json = serde_json::from_slice(text)?;
        let mut methods = Vec::new();
        gather(&document, &document, &mut methods);
        // `{+name}:verb` has the form of `{+name}` too, of which the last part may be anything.
        methods.sort_by_key(|method| !method.address.has_verb());
        let mut schemas = std::mem::take(object(&mut document, "schemas"));
        number(&mut schemas, numbers);
        Ok(Self { methods, schemas })
    }

    /// The schema that a schema refers to, if it does.
    pub(super) fn followed<'a>(&'a self, schema: &'a Json) -> &'a Json {
        let referred = schema["$ref"].as_str().and_then(|name| self.schemas.get(name));
        referred.unwrap_or(schema)
    }

    /// What a request asks for, by its verb and the path of its address as it was sent.
    pub(crate) fn find(&self, verb: &str, path: &str) -> Option<Place> {
        let mut methods = self.methods.iter().filter(|method| method.verb == verb);
        methods.find_map(|method| {
            let plain = method.address.matched(path).map(|names| (names, false));
            let found = plain.or_else(|| method.uploads.iter().find_map(|at| Some((at.matched(path)?, true))));
            found.map(|(names, is_upload)| Place { method: method.clone(), names, is_upload })
        })
    }
}

/// Writes the numbers of enums into the fields that hold one: the field itself, or each item of it.
fn number(schemas: &mut Map<String, Json>, numbers: &Json) {
    for (schema, fields) in numbers.as_object().into_iter().flatten() {
        for (field, values) in fields.as_object().into_iter().flatten() {
            let field = schemas.get_mut(schema).and_then(|schema| schema["properties"].get_mut(field));
            let Some(field) = field else { continue };
            let holder = if field["type"] == "array" { &mut field["items"] } else { field };
            holder[NUMBERS] = values.clone();
        }
    }
}

fn object<'a>(json: &'a mut Json, key: &str) -> &'a mut Map<String, Json> {
    let value = &mut json[key];
    if !value.is_object() {
        *value = Json::Object(Map::new());
    }
    value.as_object_mut().expect("it was made one")
}

/// The methods of a resource, and of those in it.
fn gather(document: &Json, resource: &Json, methods: &mut Vec<Arc<Method>>) {
    methods.extend(entries(resource, "methods").map(|method| Arc::new(Method::read(document, method))));
    entries(resource, "resources").for_each(|inner| gather(document, inner, methods));
}

fn entries<'a>(json: &'a Json, key: &str) -> impl Iterator<Item = &'a Json> {
    json[key].as_object().into_iter().flat_map(Map::values)
}

impl Method {
    fn read(document: &Json, method: &Json) -> Self {
        let mut parameters = document["parameters"].as_object().cloned().unwrap_or_default();
        parameters.extend(method["parameters"].as_object().cloned().unwrap_or_default());
        let path = format!("/{}{}", text(document, "servicePath"), text(method, "path"));
        let address = Address::read(&path, &parameters);
        let uploads = entries(&method["mediaUpload"], "protocols");
        let uploads = uploads.map(|way| Address::read(text(way, "path"), &parameters)).collect();
        let schema = |of: &str| method[of]["$ref"].as_str().map(str::to_owned);
        Self {
            id: text(method, "id").to_owned(),
            verb: text(method, "httpMethod").to_owned(),
            address,
            uploads,
            parameters,
            body: schema("request"),
            answer: schema("response"),
        }
    }

    /// Whether there is JSON to send with it.
    pub(crate) fn takes_body(&self) -> bool {
        self.body.is_some()
    }

    /// Whether it changes a part of something: what is not said stays as it is.
    pub(super) fn is_partial(&self) -> bool {
        self.verb == "PATCH"
    }
}

fn text<'a>(json: &'a Json, key: &str) -> &'a str {
    json[key].as_str().unwrap_or_default()
}

impl Address {
    /// Reads `/storage/v1/b/{bucket}/o`, or `/v2/{+name}:run` where the parameter has a pattern of its own.
    fn read(path: &str, parameters: &Map<String, Json>) -> Self {
        let (mut form, mut names, mut words) = ("^".to_owned(), Vec::new(), Vec::new());
        for (number, part) in path.split('{').enumerate() {
            let (name, rest) = if number == 0 { ("", part) } else { part.split_once('}').unwrap_or((part, "")) };
            if number > 0 {
                let pattern = match name.strip_prefix('+') {
                    Some(name) => parameters.get(name).map_or("", |parameter| text(parameter, "pattern")),
                    None => ANY,
                };
                let pattern = pattern.trim_start_matches('^').trim_end_matches('$');
                form += &format!("({})", if pattern.is_empty() { ".+" } else { pattern });
                names.push(name.trim_start_matches('+').to_owned());
                words.extend(pattern.split(ANY).filter(|word| *word == regex::escape(word)).map(str::to_owned));
            }
            form += &regex::escape(rest);
            words.push(rest.to_owned());
        }
        Self { form: form + "$", compiled: OnceLock::new(), names, words }
    }

    /// Whether it ends with a verb of its own, as `:run`.
    fn has_verb(&self) -> bool {
        self.words.last().is_some_and(|word| word.starts_with(':'))
    }

    fn matched(&self, path: &str) -> Option<BTreeMap<String, String>> {
        if !self.words.iter().all(|word| path.contains(word.as_str())) {
            return None;
        }
        let compiled = self.compiled.get_or_init(|| Regex::new(&self.form).expect("a test compiles every one"));
        let found = compiled.captures(path)?;
        let values = found.iter().skip(1).map(|value| {
            let value = value.map_or("", |value| value.as_str());
            percent_decode_str(value).decode_utf8().ok().map(|value| value.into_owned())
        });
        self.names.iter().cloned().zip(values).map(|(name, value)| Some((name, value?))).collect()
    }
}

#[cfg(test)]
mod tests {
    use crate::definitions::Definitions;
    use regex::Regex;

    #[test]
    fn every_address_of_every_service_has_a_form_that_can_be_asked() {
        let definitions = Definitions::fetched().unwrap();
        for service in ["storage.v1", "run.v2", "aiplatform.v1", "secretmanager.v1"] {
            let document = definitions.document(service).unwrap();
            for method in &document.methods {
                let addresses = std::iter::once(&method.address).chain(&method.uploads);
                addresses
                    .for_each(|address| assert!(Regex::new(&address.form).is_ok(), "{}: {}", method.id, address.form));
            }
        }
    }
}
