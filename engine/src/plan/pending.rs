//! A stage that is spread over rows nobody knows yet: what can be said of it all the same.

use crate::spec::StageSpec;
use crate::spec::common::Foreach;
use crate::spec::node::{Node, Value};
use crate::spec::template::{Context, Templates};
use crate::text::Diagnostic;
use serde_json::Value as Json;

/// Checks that its templates use only names they will have. Their values are known when the rows are.
pub(super) fn check(
    stage: &StageSpec,
    foreach: Option<&Foreach>,
    context: &Context,
    templates: &Templates,
    problems: &mut Vec<Diagnostic>,
) {
    let later = ["cell", "row", "inputs"].into_iter().chain(foreach.map(|foreach| foreach.key.as_str()));
    let matrix = stage.common.get("matrix").into_iter().flat_map(Node::entries).map(|(key, _)| key.value.as_str());
    let context = later.chain(matrix).fold(context.clone(), |context, name| context.with(name, &Json::Null));
    walk(&stage.body, &context, templates, problems);
}

fn walk(node: &Node, context: &Context, templates: &Templates, problems: &mut Vec<Diagnostic>) {
    match &node.value {
        Value::String(text) => problems.extend(templates.unknown_names(node, text, context)),
        Value::List(items) => items.iter().for_each(|item| walk(item, context, templates, problems)),
        Value::Table(entries) => entries.iter().for_each(|(_, item)| walk(item, context, templates, problems)),
        _ => {}
    }
}
