//! The text of a template -> what can be run, any number of times.

use super::functions;
use super::guard::{self, Refused};
use super::names::Names;
use super::{MAX_STEPS, TemplateError, Use, budget, describe, has_step};
use minijinja::machinery::{CodeGenerator, Instructions, ast::Expr, eval, make_string_output, parse, parse_expr};
use minijinja::{AutoEscape, Environment, Error, Value};
use serde_json::Value as Json;
use std::collections::BTreeMap;

/// How many bytes that are gone through count as one step.
const BYTES_OF_A_STEP: usize = 64;

/// A compiled template.
pub(super) struct Program<'t> {
    instructions: Instructions<'t>,
    names: Names,
    /// Where the expression begins in the template, when it is exactly one.
    expression: Option<usize>,
}

impl<'t> Program<'t> {
    /// Compiles `text`.
    ///
    /// # Errors
    /// When it is not well formed.
    pub(super) fn compile(text: &'t str) -> Result<Self, TemplateError> {
        let refused = |Refused::Step(range), offset| has_step(range.start + offset..range.end + offset);
        if let Some((tree, inner, offset)) = single_expression(text) {
            let (tree, names) = guard::expression(&tree).map_err(|found| refused(found, offset))?;
            let mut code = CodeGenerator::new("", inner);
            code.compile_expr(&tree);
            return Ok(Self { instructions: code.finish().0, names, expression: Some(offset) });
        }
        let tree = parse(text, "", Default::default()).map_err(|error| describe(text, &error, 0))?;
        let (tree, names) = guard::template(&tree).map_err(|found| refused(found, 0))?;
        let mut code = CodeGenerator::new("", text);
        code.compile_stmt(&tree);
        Ok(Self { instructions: code.finish().0, names, expression: None })
    }

    /// The names it takes from its context.
    pub(super) fn names(&self) -> &Names {
        &self.names
    }

    /// Where what an error's range counts from begins in the template.
    pub(super) fn offset(&self) -> usize {
        self.expression.unwrap_or_default()
    }

    /// Its value with these `values`, and how many steps it took.
    pub(super) fn run<'e>(
        &self,
        environment: &'e Environment<'e>,
        values: Value,
        purpose: Use,
    ) -> (Result<Json, Error>, u64)
    where
        't: 'e,
    {
        let mut text = String::new();
        let blocks = BTreeMap::new();
        let mut output = make_string_output(&mut text);
        let ended = eval(environment, &self.instructions, values, &blocks, &mut output, AutoEscape::None);
        let (value, mut state) = match ended {
            Ok(ended) => ended,
            Err(error) => return (Err(error), MAX_STEPS),
        };
        let read = budget::of(&mut state).spent() / BYTES_OF_A_STEP;
        let steps = state.fuel_levels().map_or(MAX_STEPS, |(taken, _)| taken) + read as u64;
        drop(state);
        let made = match self.expression {
            Some(_) => functions::to_json(&value.unwrap_or_default(), purpose),
            None => Ok(Json::from(text)),
        };
        (made, steps)
    }
}

/// The expression when `text` is exactly one: its tree, its text, and where that begins.
fn single_expression(text: &str) -> Option<(Expr<'_>, &str, usize)> {
    let inner = text.strip_prefix("{{")?.strip_suffix("}}")?;
    // `{{-` and `-}}` drop the white space around, of which there is none.
    let begin = inner.strip_prefix('-').unwrap_or(inner);
    let offset = text.len() - 2 - begin.len();
    let inner = begin.strip_suffix('-').unwrap_or(begin);
    // Text such as `{{ a }}-{{ b }}` has both ends too, but what is between them is no expression.
    parse_expr(inner).ok().map(|tree| (tree, inner, offset))
}
