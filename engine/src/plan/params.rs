//! Parameters: the spec's defaults, changed by the command line. A value keeps the type of its default.

use super::code;
use crate::spec::node::{Node, Value};
use crate::spec::{Spec, toml};
use crate::text::{Diagnostic, closest, one_of};
use serde_json::{Map, Value as Json};

/// The parameters after the overrides, each `(name, value as typed)`.
pub(super) fn resolve(
    spec: &Spec,
    overrides: &[(String, String)],
    problems: &mut Vec<Diagnostic>,
) -> Map<String, Json> {
    let mut params: Map<String, Json> = spec.params.clone().into_iter().collect();
    let table = spec.root.get("params").map_or(0..0, |node| node.span.clone());
    for (name, text) in overrides {
        let Some(default) = spec.root.get("params").and_then(|p| p.get(name)) else {
            let names = || params.keys().map(String::as_str);
            let help = match closest(name, names()) {
                Some(near) => format!("did you mean `{near}`?"),
                None if params.is_empty() => "the spec has no `[params]`".to_owned(),
                None => format!("the spec has {}", one_of(names())),
            };
            let message = format!("`-P {name}={text}` sets a parameter that the spec does not have");
            problems.push(Diagnostic::error(code::UNKNOWN_PARAM, message, table.clone(), "").help(help));
            continue;
        };
        match parse(default, text) {
            Some(value) => drop(params.insert(name.clone(), value)),
            None => {
                let message = format!("`-P {name}={text}` is not {}", default.value.kind());
                let label = format!("its default is {}", default.value.kind());
                let problem = Diagnostic::error(code::BAD_PARAM, message, default.span.clone(), label);
                problems.push(match default.value {
                    Value::List(_) => problem.help(format!("write it as TOML: -P '{name}=[\"a\", \"b\"]'")),
                    Value::Table(_) => problem.help(format!("write it as TOML: -P '{name}={{ key = \"value\" }}'")),
                    _ => problem,
                });
            }
        }
    }
    params
}

/// The text as a value of the same type as the default; lists and tables are written as in TOML.
fn parse(default: &Node, text: &str) -> Option<Json> {
    match &default.value {
        Value::String(_) | Value::Null => Some(Json::from(text)),
        Value::Integer(_) => text.trim().parse::<i64>().ok().map(Json::from),
        Value::Float(_) => text.trim().parse::<f64>().ok().filter(|f| f.is_finite()).map(Json::from),
        Value::Bool(_) => text.trim().parse::<bool>().ok().map(Json::from),
        Value::List(_) | Value::Table(_) => {
            let (root, problems) = toml::parse(&format!("value = {text}"));
            let value = root.get("value").filter(|_| problems.is_empty())?;
            (value.value.kind() == default.value.kind()).then(|| value.to_json())
        }
    }
}
