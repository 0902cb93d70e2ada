//! `when`: whether a task runs at all. What uses only parameters and the cell is decided while planning; what looks at
//! inputs is asked when these are there.

use super::{code, input_name};
use crate::spec::node::{Node, Value};
use crate::spec::template::{Context, Prepared, TemplateError, Templates, is_template};
use crate::text::Diagnostic;
use serde_json::{Map, Value as Json};
use std::sync::Arc;

/// The name under which a condition finds its inputs.
const INPUTS: &str = "inputs";

/// Whether a task runs.
#[derive(Clone, Debug, Default)]
pub enum When {
    /// It does.
    #[default]
    Yes,
    /// It does not: the condition is false whatever its inputs are.
    No,
    /// That depends on its inputs.
    Ask(Arc<Condition>),
}

/// A condition on inputs.
#[derive(Clone, Debug)]
pub struct Condition {
    /// As it is written.
    pub text: String,
    context: Context,
}

/// What inputs tell of themselves, under the names that conditions know them by.
#[derive(Clone, Debug, Default)]
pub struct Told(Map<String, Json>);

impl Told {
    /// Adds what the results of a field tell. `gathers`: it takes several, and has a list of what there is. One that has
    /// no result is not there.
    pub fn add(&mut self, field: &str, gathers: bool, results: impl Iterator<Item = Json>) {
        let name = input_name(field);
        // `from[0]` is one of the inputs that `from` names.
        let (name, one_of_many) = name.split_once('[').map_or((name, false), |(name, _)| (name, true));
        if gathers || one_of_many {
            if let Json::Array(list) = self.0.entry(name).or_insert_with(|| Json::Array(Vec::new())) {
                list.extend(results);
            }
        } else {
            self.0.extend(results.map(|result| (name.to_owned(), result)));
        }
    }
}

impl From<Told> for Json {
    fn from(told: Told) -> Self {
        Self::Object(told.0)
    }
}

impl Condition {
    /// Whether the task runs. `inputs` is what [`Told`] gathers.
    ///
    /// # Errors
    /// In words: the expression fails, or is neither true nor false.
    pub fn holds(&self, templates: &Templates, inputs: &Json) -> Result<bool, String> {
        let context = self.context.clone().with(INPUTS, inputs);
        match templates.value(&self.text, &context).map_err(|error| error.to_string())? {
            Json::Bool(holds) => Ok(holds),
            other => Err(format!("`when` is {other}, and not true or false")),
        }
    }
}

/// `when` of a stage, read once for all of its cells.
pub(super) enum Reader<'a> {
    Yes,
    No,
    /// It looks at inputs.
    Asks(&'a str),
    /// It uses only names that are known while planning.
    Known(&'a Node, Box<Prepared<'a>>),
}

impl<'a> Reader<'a> {
    /// Reads `when`. `shared`: the names that are the same for all cells.
    ///
    /// # Errors
    /// A template that is not well formed, or no template at all.
    pub(super) fn of(node: Option<&'a Node>, shared: &Context, templates: &'a Templates) -> Result<Self, Diagnostic> {
        let Some(node) = node else { return Ok(Self::Yes) };
        let text = match &node.value {
            Value::Bool(true) => return Ok(Self::Yes),
            Value::Bool(false) => return Ok(Self::No),
            Value::String(text) if is_template(text) => text,
            _ => return Err(no_condition(node)),
        };
        let failed = |error: TemplateError| crate::spec::template::diagnostic(node, text, error);
        if templates.names_used(text).map_err(failed)?.contains(INPUTS) {
            return Ok(Self::Asks(text));
        }
        Ok(Self::Known(node, Box::new(templates.prepare(node, shared))))
    }

    /// Whether the task of a cell runs.
    ///
    /// # Errors
    /// The expression fails, or is neither true nor false.
    pub(super) fn read(&self, context: &Context) -> Result<When, Vec<Diagnostic>> {
        let (node, prepared) = match self {
            Self::Yes => return Ok(When::Yes),
            Self::No => return Ok(When::No),
            Self::Asks(text) => {
                let condition = Condition { text: (*text).to_owned(), context: context.clone() };
                return Ok(When::Ask(Arc::new(condition)));
            }
            Self::Known(node, prepared) => (node, prepared),
        };
        match prepared.resolve(context)? {
            Json::Bool(true) => Ok(When::Yes),
            Json::Bool(false) => Ok(When::No),
            other => {
                let message = format!("`when` is {other}, and not true or false");
                let help = "compare it with something: {{ params.x == \"y\" }}";
                Err(vec![Diagnostic::error(code::BAD_CONDITION, message, node.span.clone(), "").help(help)])
            }
        }
    }
}

fn no_condition(node: &Node) -> Diagnostic {
    let message = "`when` is neither true nor false";
    let help = "write an expression: when = \"{{ params.train }}\", or {{ inputs.plays.rows > 0 }}";
    Diagnostic::error(code::BAD_CONDITION, message, node.span.clone(), "").help(help)
}
