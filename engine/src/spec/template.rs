//! Strings with `{{ ... }}` and the names they may use -> values.
//!
//! A string that is exactly one `{{ expression }}` has that expression's value and type; any other template is text; a
//! string without one is itself. Keys and tables are never templated, and nothing rendered is parsed again. Knows
//! nothing of which names a spec gives: they come in as a [`Context`].
//!
//! What a spec may call is listed here and nowhere else, so that an update of minijinja adds nothing to the language.

mod budget;
mod filters;
mod functions;
mod guard;
mod names;
mod prepared;
mod program;
mod resolve;
#[cfg(test)]
mod tests;

pub use functions::{FILTERS, TESTS};
pub use prepared::Prepared;
pub(crate) use resolve::diagnostic;

use super::pen::inside;
use crate::spec::node::Node;
use crate::text::{Diagnostic, Edit, Span, closest, code, listed};
use crate::units::Bytes;
use functions::environment;
use minijinja::{Environment, Error, ErrorKind, Value};
use program::Program;
use serde_json::Value as Json;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// How many steps one template may take; a step is about one operator, call or loop turn.
pub const MAX_STEPS: u64 = 100_000;
/// How many steps all templates of a plan may take together, not counting [`FREE_STEPS`] of each.
const MAX_ALL_STEPS: u64 = 20_000_000;
/// What a template without a loop of some length takes. A plan may have a million of these.
const FREE_STEPS: u64 = 200;
/// What a template costs that was stopped: a spec whose every cell has one is not to be tried to its end.
const STOPPED_STEPS: u64 = MAX_ALL_STEPS / 16;
/// How much text one template may make, in bytes.
pub const MAX_MADE: usize = 1 << 20;

/// The names a template may use. Cheap to clone and to extend: values are shared.
#[derive(Clone, Debug, Default)]
pub struct Context {
    names: BTreeMap<Arc<str>, Value>,
}

impl Context {
    /// A context without any name.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds `name`, or replaces what it stood for.
    #[must_use]
    pub fn with(mut self, name: impl Into<Arc<str>>, value: &Json) -> Self {
        self.names.insert(name.into(), functions::from_json(value));
        self
    }

    fn value(&self) -> Value {
        Value::from_pairs(self.names.iter().map(|(name, value)| (name.clone(), value.clone())))
    }
}

/// Bytes of a template and the text that is to come in their place.
pub type Change = (Range<usize>, String);

/// What is wrong with a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TemplateError {
    /// One of the `S03..` codes of [`crate::text::code`].
    pub code: &'static str,
    /// What is wrong, in one line.
    pub message: String,
    /// The bytes of the template it is about, where that is known.
    pub range: Option<Range<usize>>,
    /// What to do about it.
    pub help: Option<String>,
    /// The bytes of the template that are to give way to another text, where that is known.
    pub fix: Option<Change>,
}

impl std::fmt::Display for TemplateError {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(&self.message)
    }
}

impl std::error::Error for TemplateError {}

/// Whether a string holds a template.
pub fn is_template(text: &str) -> bool {
    text.contains("{{") || text.contains("{%")
}

/// Whether what is made is a path, which a template must not lead elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Use {
    Anything,
    Path,
}

/// Checks templates and gives their values.
pub struct Templates {
    anything: Environment<'static>,
    path: Environment<'static>,
    /// The steps that all templates so far have taken.
    spent: AtomicU64,
}

impl Default for Templates {
    fn default() -> Self {
        Self::new()
    }
}

impl Templates {
    /// Templates with the filters, tests and functions that specs have.
    pub fn new() -> Self {
        Self { anything: environment(Use::Anything), path: environment(Use::Path), spent: AtomicU64::new(0) }
    }

    /// Checks that every template in `text` is well formed, without any names.
    ///
    /// # Errors
    /// The first thing that is not, with its place where that is known.
    pub fn check(&self, text: &str) -> Result<(), TemplateError> {
        self.names_used(text).map(|_| ())
    }

    /// The names that `text` takes from its context, such as `params` in `{{ params.games }}`.
    ///
    /// # Errors
    /// As [`Templates::check`].
    pub fn names_used(&self, text: &str) -> Result<BTreeSet<String>, TemplateError> {
        if is_template(text) { Ok(self.names_of(&Program::compile(text)?)) } else { Ok(BTreeSet::new()) }
    }

    /// The names of a program that it needs from a context: all but those of functions.
    fn names_of(&self, program: &Program<'_>) -> BTreeSet<String> {
        let mut names = program.names().alone();
        names.retain(|name| !self.anything.globals().any(|(global, _)| global == name));
        names
    }

    /// The first name `text` uses that `context` has not, as a problem at its place; its value is not asked for.
    pub(crate) fn unknown_names(&self, node: &Node, text: &str, context: &Context) -> Option<Diagnostic> {
        // A template that is not well formed has been reported with the shape of the spec.
        let used = self.names_used(text).ok()?;
        let name = used.iter().find(|name| !context.names.contains_key(name.as_str()))?;
        let error = unknown_name(text, name, context.names.keys().map(|name| &**name));
        Some(diagnostic(node, text, error))
    }

    /// The names that `text` takes from its context with what it asks of them, such as `params.games`. One that is asked
    /// for in another way, such as `params[x]`, stands alone.
    ///
    /// # Errors
    /// As [`Templates::check`].
    pub fn paths_used(&self, text: &str) -> Result<BTreeSet<String>, TemplateError> {
        if is_template(text) { Ok(Program::compile(text)?.names().paths().clone()) } else { Ok(BTreeSet::new()) }
    }

    /// The value of `text` in `context`.
    ///
    /// # Errors
    /// A template that is not well formed, names what does not exist, fails, or does not come to an end.
    pub fn value(&self, text: &str, context: &Context) -> Result<Json, TemplateError> {
        self.value_for(text, context, Use::Anything)
    }

    /// The value of `text` in `context`, where it stands for a path. What is put in may not be empty, `.`, or hold `/`,
    /// `..` or NUL unless it passed the filter `path`; what the author wrote around it is free.
    ///
    /// An empty or `.` part is refused too, since `{{ a }}/etc` would become absolute and `{{ a }}{{ b }}` climb.
    ///
    /// # Errors
    /// As [`Templates::value`], and when that rule is broken.
    pub fn path_value(&self, text: &str, context: &Context) -> Result<Json, TemplateError> {
        self.value_for(text, context, Use::Path)
    }

    fn value_for(&self, text: &str, context: &Context, purpose: Use) -> Result<Json, TemplateError> {
        if !is_template(text) {
            return Ok(Json::from(text));
        }
        let program = Program::compile(text)?;
        for name in self.names_of(&program) {
            if !context.names.contains_key(name.as_str()) {
                return Err(unknown_name(text, &name, context.names.keys().map(|name| &**name)));
            }
        }
        if self.is_spent() {
            return Err(takes_too_long());
        }
        let made = self.run(&program, context.value(), purpose).map_err(|error| match error.kind() {
            ErrorKind::UndefinedError => {
                missing(text, &program, context).unwrap_or_else(|| describe(text, &error, program.offset()))
            }
            _ => describe(text, &error, program.offset()),
        })?;
        if holds_nul(&made) { Err(makes_nul()) } else { Ok(made) }
    }

    /// What a program makes. Its steps are taken off what all may take together.
    fn run(&self, program: &Program<'_>, values: Value, purpose: Use) -> Result<Json, Error> {
        let (made, steps) = program.run(self.environment(purpose), values, purpose);
        let steps = if made.as_ref().is_err_and(is_runaway) { STOPPED_STEPS } else { steps };
        self.spent.fetch_add(steps.saturating_sub(FREE_STEPS), Ordering::Relaxed);
        made
    }

    fn is_spent(&self) -> bool {
        self.spent.load(Ordering::Relaxed) > MAX_ALL_STEPS
    }

    fn environment(&self, purpose: Use) -> &Environment<'static> {
        match purpose {
            Use::Anything => &self.anything,
            Use::Path => &self.path,
        }
    }
}

/// Says which attribute it was that is not there, as in `params.gmaes`.
fn missing(text: &str, program: &Program<'_>, context: &Context) -> Option<TemplateError> {
    program.names().paths().iter().find_map(|dotted| {
        let mut value = context.value();
        let mut owner = "";
        for part in dotted.split('.') {
            let next = value.get_attr(part).unwrap_or_default();
            if next.is_undefined() && !owner.is_empty() {
                let names: Vec<String> = value.try_iter().ok()?.map(|key| key.to_string()).collect();
                return Some(missing_part(text, owner, part, &names));
            }
            owner = &dotted[..part.as_ptr() as usize - dotted.as_ptr() as usize + part.len()];
            value = next;
        }
        None
    })
}

/// Whether a limit stopped a template.
fn is_runaway(error: &Error) -> bool {
    let limits = [functions::TOO_MUCH, functions::TOO_MUCH_READ];
    error.kind() == ErrorKind::OutOfFuel || error.detail().is_some_and(|detail| limits.contains(&detail))
}

/// minijinja's error in the words of a spec. `offset`: where what it was given begins in the template `text`.
fn describe(text: &str, error: &Error, offset: usize) -> TemplateError {
    let detail = error.detail().unwrap_or_default();
    // What breaks off at its end is reported beyond it.
    let range = error.range().map(|range| range.start + offset..range.end + offset);
    let range = range.filter(|range| text.get(range.clone()).is_some());
    let known: &[&str] = match error.kind() {
        ErrorKind::UnknownFilter => &FILTERS,
        ErrorKind::UnknownTest => &TESTS,
        _ => &[],
    };
    if let (false, Some((what, name))) = (known.is_empty(), unknown_word(detail)) {
        return unknown_function(text, what, name, known, range);
    }
    let (code, message) = match error.kind() {
        ErrorKind::SyntaxError | ErrorKind::BadEscape => {
            (code::TEMPLATE_SYNTAX, format!("the template is not well formed: {}", in_signs(detail)))
        }
        ErrorKind::UndefinedError => {
            (code::UNKNOWN_NAME, format!("the template uses a value that is not there {detail}"))
        }
        ErrorKind::OutOfFuel => (code::RUNAWAY, format!("the template takes more than {MAX_STEPS} steps")),
        _ if detail == functions::TOO_MUCH => {
            (code::RUNAWAY, format!("the template makes more than {} of text", Bytes(MAX_MADE as u64)))
        }
        _ if detail == functions::TOO_MUCH_READ => {
            (code::RUNAWAY, format!("the template goes through more than {}", Bytes(budget::MAX_READ as u64)))
        }
        _ if detail.starts_with(functions::UNSAFE) => (code::UNSAFE_PATH, detail.to_owned()),
        kind => (code::TEMPLATE_FAILED, format!("the template has no value: {kind}: {detail}")),
    };
    let (help, fix) = match code {
        code::UNSAFE_PATH if !detail.contains("NUL") => {
            (Some("if it may lead there, say so: `{{ ... | path }}`".to_owned()), let_in(text, range.as_ref()))
        }
        code::RUNAWAY => (Some("work that needs so much is done in a stage".to_owned()), None),
        _ => (None, None),
    };
    TemplateError { code, message: message.trim_end().to_owned(), range, help, fix }
}

/// minijinja's names of signs -> the signs.
fn in_signs(detail: &str) -> String {
    let signs = [
        ("end of variable block", "`}}`"),
        ("start of variable block", "`{{`"),
        ("end of block", "`%}`"),
        ("start of block", "`{%`"),
        ("identifier", "a name"),
    ];
    signs.into_iter().fold(detail.to_owned(), |text, (name, sign)| text.replace(name, sign))
}

/// What minijinja does not know: "filter uper is unknown" is (`filter`, `uper`).
fn unknown_word(detail: &str) -> Option<(&str, &str)> {
    detail.strip_suffix(" is unknown")?.split_once(' ')
}

fn unknown_function(text: &str, what: &str, name: &str, known: &[&str], range: Option<Range<usize>>) -> TemplateError {
    let place = word(text, name);
    let message = format!("there is no {what} `{name}`");
    let (help, fix) = offered(name, known.iter().copied(), place.as_ref(), |meant| meant.to_owned())
        .unwrap_or_else(|| (format!("the {what}s there are: {}", listed(known.iter().copied())), None));
    TemplateError { code: code::TEMPLATE_FAILED, message, range: place.or(range), help: Some(help), fix }
}

/// The filter `path` behind the expression at `range`.
fn let_in(text: &str, range: Option<&Range<usize>>) -> Option<Change> {
    filtered(text, range, "path")
}

/// A filter behind the first expression of the template at `span`, when it can be told where that stands in the file.
pub(crate) fn behind_name(span: &Span, text: &str, filter: &str) -> Option<Edit> {
    let (range, new) = filtered(text, None, filter)?;
    Some(Edit::new(place_in_string(span, text, &range)?, new))
}

/// A filter behind the expression at `range`, when that is a plain name: behind `a ~ b` it would mean `b` alone.
fn filtered(text: &str, range: Option<&Range<usize>>, filter: &str) -> Option<Change> {
    let from = range.map_or(0, |range| range.end);
    let end = from + text.get(from..)?.find("}}")?;
    let start = text[..end].rfind("{{")? + 2;
    let inner = text[start..end].trim();
    let is_name = inner.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '.'));
    let at = start + text[start..end].trim_end().len();
    is_name.then(|| (at..at, format!(" | {filter}")))
}

/// "did you mean", and the change that says so; `None` when no name is near.
fn offered<'a>(
    name: &str,
    names: impl Iterator<Item = &'a str>,
    place: Option<&Range<usize>>,
    shown: impl Fn(&str) -> String,
) -> Option<(String, Option<Change>)> {
    let meant = closest(name, names)?;
    let fix = place.map(|place| (place.clone(), meant.to_owned()));
    Some((format!("did you mean `{}`?", shown(meant)), fix))
}

/// What the readers refuse in a file must not come out of a template either.
fn holds_nul(value: &Json) -> bool {
    match value {
        Json::String(text) => text.contains('\0'),
        Json::Array(items) => items.iter().any(holds_nul),
        Json::Object(entries) => entries.iter().any(|(key, item)| key.contains('\0') || holds_nul(item)),
        _ => false,
    }
}

fn takes_too_long() -> TemplateError {
    let message = format!("the templates of this spec take more than {MAX_ALL_STEPS} steps together");
    let help = Some("work the value out once, in a parameter, or in a stage".to_owned());
    TemplateError { code: code::RUNAWAY, message, range: None, help, fix: None }
}

fn has_step(range: Range<usize>) -> TemplateError {
    let message = "the template is not well formed: a slice has no step here".to_owned();
    let help = Some("write `x[1:3]`, or `x | reverse` for the other way round".to_owned());
    TemplateError { code: code::TEMPLATE_SYNTAX, message, range: Some(range), help, fix: None }
}

fn makes_nul() -> TemplateError {
    let message = "the template makes a text with NUL".to_owned();
    let help = "take it out: no path, argument or variable can hold it".to_owned();
    TemplateError { code: code::NUL, message, range: None, help: Some(help), fix: None }
}

fn unknown_name<'a>(text: &str, name: &str, names: impl Iterator<Item = &'a str> + Clone) -> TemplateError {
    let range = word(text, name);
    let (help, fix) = offered(name, names.clone(), range.as_ref(), |meant| meant.to_owned())
        .unwrap_or_else(|| (format!("the names here: {}", listed(names)), None));
    let message = format!("the template names `{name}`, which is not there");
    TemplateError { code: code::UNKNOWN_NAME, message, range, help: Some(help), fix }
}

fn missing_part(text: &str, owner: &str, part: &str, names: &[String]) -> TemplateError {
    let names = || names.iter().map(String::as_str);
    let range = word(text, part);
    let (help, fix) =
        offered(part, names(), range.as_ref(), |meant| format!("{owner}.{meant}")).unwrap_or_else(|| match owner {
            "params" if names().next().is_none() => (format!("declare it: `{part} = ...` under `params`"), None),
            "params" => (format!("declare it under `params`, which has {}", listed(names())), None),
            _ => (format!("what it has: {}", listed(names())), None),
        });
    let message = format!("`{owner}` has no `{part}`");
    TemplateError { code: code::UNKNOWN_NAME, message, range, help: Some(help), fix }
}

/// Where `name` stands as a whole word, inside the template's first braces or after them.
fn word(text: &str, name: &str) -> Option<Range<usize>> {
    let first = [text.find("{{"), text.find("{%")].into_iter().flatten().min()?;
    let inside_word = |c: char| c.is_alphanumeric() || c == '_';
    text[first..].match_indices(name).map(|(at, _)| first + at).find_map(|start| {
        let end = start + name.len();
        let alone = !text[..start].ends_with(inside_word) && !text[end..].starts_with(inside_word);
        alone.then_some(start..end)
    })
}

/// The bytes of the file that `range` of a string's value was read from; `None` when that cannot be told, because the
/// text is written with escapes, folded, or in three quotes.
pub(crate) fn place_in_string(span: &Span, value: &str, range: &Range<usize>) -> Option<Span> {
    let inside = inside(span, value).filter(|inside| range.end <= inside.len())?;
    Some(inside.start + range.start..inside.start + range.end)
}
