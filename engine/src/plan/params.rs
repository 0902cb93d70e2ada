//! Parameters: what the spec declares, and the values that win. In this order: `-P`, `--params FILE`, `PIPE_PARAM_X`, the
//! profile, the default.

use super::code;
use crate::spec::node::{Node, Value};
use crate::spec::template::is_template;
use crate::spec::{Given, Param, ParamType, Setting, Spec, replace_text, toml, variable_of};
use crate::text::{Diagnostic, Edit, Span, closest, one_of};
use serde_json::{Map, Value as Json};

/// A parameter's value, and where it comes from.
#[derive(Clone, Debug)]
pub struct Resolved {
    /// The parameter.
    pub name: String,
    /// Its value.
    pub value: Json,
    /// Where the value is written.
    pub span: Span,
    /// What a person calls that place, such as `-P` or `default`.
    pub from: String,
}

impl Resolved {
    /// Whether the value comes from outside the spec: the command line, a file of parameters or a variable.
    pub fn is_from_outside(&self) -> bool {
        self.from == "-P" || self.from.starts_with("--params") || self.from.starts_with("PIPE_PARAM_")
    }
}

/// The value of every parameter.
pub(super) fn resolve(spec: &Spec, problems: &mut Vec<Diagnostic>) -> Vec<Resolved> {
    for setting in &spec.settings {
        if !spec.params.iter().any(|param| param.name == setting.name.value) {
            problems.push(unknown(spec, setting));
        }
    }
    spec.params.iter().map(|param| one(spec, param, problems)).collect()
}

/// The values alone, as templates and journals have them.
pub(super) fn values(resolved: &[Resolved]) -> Map<String, Json> {
    resolved.iter().map(|param| (param.name.clone(), param.value.clone())).collect()
}

fn one(spec: &Spec, param: &Param, problems: &mut Vec<Diagnostic>) -> Resolved {
    let mut winner = None;
    for setting in spec.settings.iter().filter(|setting| setting.name.value == param.name) {
        let (value, span) = match &setting.value {
            Given::Text(text) => (parse(param.kind, &text.value), text.span.clone()),
            Given::Value(node) => (Some(node.clone()), node.span.clone()),
        };
        let fits = match value {
            Some(node) => fits(param, &node, &span, problems).then_some(node),
            None => {
                problems.push(wrong_text(param, setting, span.clone()));
                None
            }
        };
        // A value that does not fit still wins: telling that it does not is enough.
        winner = winner.or(Some((fits, span, setting.from.clone())));
    }
    let default = param.default.as_ref().map(|node| {
        let right = fits(param, node, &node.span, problems) && no_template(param, node, problems);
        (right.then(|| node.clone()), node.span.clone(), "default".to_owned())
    });
    let (node, span, from) = winner.or(default).unwrap_or_else(|| {
        problems.push(missing(param));
        (None, param.span.clone(), "nothing".to_owned())
    });
    // Of a wrong value, and of none, there is a placeholder, so that templates that use it do not add to the noise.
    let value = node.map_or_else(|| placeholder(param.kind), |node| node.to_json());
    Resolved { name: param.name.clone(), value, span, from }
}

fn placeholder(kind: ParamType) -> Json {
    match kind {
        ParamType::String => Json::from(""),
        ParamType::Integer | ParamType::Number => Json::from(1),
        ParamType::Boolean => Json::from(false),
        ParamType::List => Json::from(vec!["x"]),
        ParamType::Table => Json::Object(Map::new()),
    }
}

/// Whether a value is what the parameter takes.
fn fits(param: &Param, node: &Node, span: &Span, problems: &mut Vec<Diagnostic>) -> bool {
    let problem = |code, message: String, label: String| Diagnostic::error(code, message, span.clone(), label);
    let found = if !param.kind.takes(&node.value) {
        let label = format!("this is {}", node.value.kind());
        Some(problem(code::BAD_PARAM, format!("the parameter `{}` takes {}", param.name, param.kind.words()), label))
    } else if !param.allowed.is_empty() && !param.allowed.iter().any(|allowed| same(allowed, node)) {
        Some(not_allowed(param, node, span))
    } else {
        let number = match node.value {
            Value::Integer(number) => Some(number as f64),
            Value::Float(number) => Some(number),
            _ => None,
        };
        let below = number.zip(param.min).is_some_and(|(is, min)| is < min);
        let above = number.zip(param.max).is_some_and(|(is, max)| is > max);
        (below || above).then(|| {
            let message = format!("the parameter `{}` is out of range", param.name);
            problem(code::PARAM_NOT_ALLOWED, message, format!("wants {}", range(param)))
        })
    };
    let fits = found.is_none();
    problems.extend(found);
    fits
}

fn same(a: &Node, b: &Node) -> bool {
    a.to_json() == b.to_json()
}

fn range(param: &Param) -> String {
    match (param.min, param.max) {
        (Some(min), Some(max)) => format!("{min} to {max}"),
        (Some(min), None) => format!("at least {min}"),
        (None, Some(max)) => format!("at most {max}"),
        (None, None) => "any number".to_owned(),
    }
}

fn not_allowed(param: &Param, node: &Node, span: &Span) -> Diagnostic {
    let is = shown(node);
    let names: Vec<String> = param.allowed.iter().map(shown).collect();
    let names = || names.iter().map(String::as_str);
    let message = format!("the parameter `{}` cannot be `{is}`", param.name);
    let problem = Diagnostic::error(code::PARAM_NOT_ALLOWED, message, span.clone(), "");
    match (closest(&is, names()), &node.value) {
        (Some(near), Value::String(text)) => {
            problem.fix(format!("did you mean `{near}`?"), [replace_text(node, text, near)])
        }
        (Some(near), _) => problem.help(format!("did you mean `{near}`?")),
        (None, _) => problem.help(format!("it is one of {}", one_of(names()))),
    }
}

fn shown(node: &Node) -> String {
    crate::ids::scalar(&node.to_json())
}

fn unknown(spec: &Spec, setting: &Setting) -> Diagnostic {
    let name = &setting.name.value;
    let names = || spec.params.iter().map(|param| param.name.as_str());
    let near = closest(name, names());
    let help = match near {
        Some(near) => format!("did you mean `{near}`?"),
        None if spec.params.is_empty() => "the spec has no `[params]`".to_owned(),
        None => format!("the spec has {}", one_of(names())),
    };
    let message = format!("`{name}` is not a parameter of the spec");
    let label = format!("set here by {}", setting.from);
    let edit = near.filter(|_| setting.name.span.len() == name.len());
    let edit = edit.map(|near| Edit::new(setting.name.span.clone(), near));
    Diagnostic::error(code::UNKNOWN_PARAM, message, setting.name.span.clone(), label).fix(help, edit)
}

fn wrong_text(param: &Param, setting: &Setting, span: Span) -> Diagnostic {
    let message = format!("the parameter `{}` takes {}", param.name, param.kind.words());
    let name = &param.name;
    let problem = Diagnostic::error(code::BAD_PARAM, message, span, format!("set here by {}", setting.from));
    let problem = problem.and(param.span.clone(), "declared here");
    match param.kind {
        ParamType::List => problem.help(format!("write it as TOML: -P '{name}=[\"a\", \"b\"]'")),
        ParamType::Table => problem.help(format!("write it as TOML: -P '{name}={{ key = \"value\" }}'")),
        _ => problem,
    }
}

fn missing(param: &Param) -> Diagnostic {
    let name = &param.name;
    let message = format!("the parameter `{name}` has no default and is not set");
    let help = format!("set it with -P {name}=..., {}=..., or in a profile", variable_of(name));
    Diagnostic::error(code::MISSING_PARAM, message, param.span.clone(), "needs a value").help(help)
}

/// A parameter is what templates are made of, so it cannot be one.
fn no_template(param: &Param, node: &Node, problems: &mut Vec<Diagnostic>) -> bool {
    let is_one = match &node.value {
        Value::String(text) => is_template(text),
        Value::List(items) => return items.iter().all(|item| no_template(param, item, problems)),
        Value::Table(entries) => return entries.iter().all(|(_, item)| no_template(param, item, problems)),
        _ => false,
    };
    if is_one {
        let message = format!("the parameter `{}` cannot be a template", param.name);
        let help = "write the value itself, or put the template where the parameter is used";
        problems.push(Diagnostic::error(code::TEMPLATED_PARAM, message, node.span.clone(), "").help(help));
    }
    !is_one
}

/// The text as a value of that type; lists and tables are written as in TOML or JSON.
fn parse(kind: ParamType, text: &str) -> Option<Node> {
    let node = |value| Some(Node { value, span: 0..0 });
    match kind {
        ParamType::String => node(Value::String(text.to_owned())),
        ParamType::Integer => node(Value::Integer(text.trim().parse().ok()?)),
        ParamType::Number => match text.trim().parse::<i64>() {
            Ok(whole) => node(Value::Integer(whole)),
            Err(_) => node(Value::Float(text.trim().parse::<f64>().ok().filter(|f| f.is_finite())?)),
        },
        ParamType::Boolean => node(Value::Bool(text.trim().parse().ok()?)),
        ParamType::List | ParamType::Table => {
            let (root, problems) = toml::parse(&format!("value = {text}"));
            let value = root.get("value").filter(|_| problems.is_empty()).cloned();
            value.or_else(|| json(text)).filter(|value| kind.takes(&value.value))
        }
    }
}

/// JSON is YAML.
fn json(text: &str) -> Option<Node> {
    text.trim().starts_with(['[', '{']).then_some(())?;
    let (root, problems) = crate::spec::yaml::parse(text);
    problems.is_empty().then_some(root)
}
