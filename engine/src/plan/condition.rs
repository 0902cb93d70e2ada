//! `when`: whether a task runs at all. What uses only parameters and the cell is decided while planning; what looks at
//! inputs is asked when these are there.

use super::code;
use crate::spec::node::{Node, Value};
use crate::spec::template::{Context, TemplateError, Templates, is_template};
use crate::text::Diagnostic;
use serde_json::Value as Json;
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

impl Condition {
    /// Whether the task runs. `inputs` holds what each of them tells of itself, by field; of a field that gathers, a list.
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

/// Reads `when`.
pub(super) fn read(node: Option<&Node>, context: &Context, templates: &Templates) -> Result<When, Diagnostic> {
    let Some(node) = node else { return Ok(When::Yes) };
    let text = match &node.value {
        Value::Bool(true) => return Ok(When::Yes),
        Value::Bool(false) => return Ok(When::No),
        Value::String(text) if is_template(text) => text,
        _ => return Err(no_condition(node)),
    };
    let failed = |error: TemplateError| crate::spec::template::diagnostic(node, text, error);
    if templates.names_used(text).map_err(failed)?.contains(INPUTS) {
        return Ok(When::Ask(Arc::new(Condition { text: text.clone(), context: context.clone() })));
    }
    match templates.value(text, context).map_err(failed)? {
        Json::Bool(true) => Ok(When::Yes),
        Json::Bool(false) => Ok(When::No),
        other => {
            let message = format!("`when` is {other}, and not true or false");
            let help = "compare it with something: {{ params.x == \"y\" }}";
            Err(Diagnostic::error(code::BAD_CONDITION, message, node.span.clone(), "").help(help))
        }
    }
}

fn no_condition(node: &Node) -> Diagnostic {
    let message = "`when` is neither true nor false";
    let help = "write an expression: when = \"{{ params.train }}\", or {{ inputs.plays.rows > 0 }}";
    Diagnostic::error(code::BAD_CONDITION, message, node.span.clone(), "").help(help)
}
