//! The `secrets` of stages, before templates are resolved: whatever is no reference may be the secret itself, so it is an
//! error, and nothing that shows the text shows it. Nor does anything show an address that lets in whoever has it.

use super::load::extent;
use super::node::{Node, Value};
use super::template::is_template;
use crate::remote::has_credentials;
use crate::secret::Source;
use crate::text::{Diagnostic, Sources, Span, code};
use std::path::Path;

/// What to do about a secret that is written down.
const HELP: &str = "write where it is: \"env:NAME\", \"file:PATH\" or \"gcp:projects/P/secrets/S/versions/V\"; \
                    a value that stood in a spec is no secret any more: change it";

/// Reports every secret of a tree that is written down, and hides it in the text.
pub(super) fn check(root: &Node, sources: &mut Sources, problems: &mut Vec<Diagnostic>) {
    let stages = root.get("stages").into_iter().flat_map(Node::entries);
    for (name, node) in stages.filter_map(|(_, stage)| stage.get("secrets")).flat_map(Node::entries) {
        match &node.value {
            Value::String(text) if is_template(text) || Source::parse(text, Path::new("")).is_some() => continue,
            Value::String(_) => problems.push(written(&name.value, node.span.clone())),
            // The shape of anything else has been reported; a fix of it would show it.
            _ => problems.iter_mut().filter(|found| extent(node).contains(&found.span().start)).for_each(|found| {
                found.fix.clear();
                found.help = Some(HELP.to_owned());
            }),
        }
        sources.hide(&extent(node));
    }
    hide_addresses(root, sources);
}

fn hide_addresses(node: &Node, sources: &mut Sources) {
    match &node.value {
        Value::String(text) if has_credentials(text) => sources.hide(&extent(node)),
        Value::List(items) => items.iter().for_each(|item| hide_addresses(item, sources)),
        _ => node.entries().iter().for_each(|(_, inner)| hide_addresses(inner, sources)),
    }
}

/// The problem of a secret that is written down.
pub(crate) fn written(name: &str, span: Span) -> Diagnostic {
    let message = format!("the secret `{name}` is written here, and not where it is");
    Diagnostic::error(code::WRITTEN_SECRET, message, span, "not shown").help(HELP)
}
