//! Parameters that no template uses: most often a misspelt or forgotten one.

use super::code;
use crate::spec::Spec;
use crate::spec::node::{Node, Value};
use crate::spec::template::Templates;
use crate::text::{Diagnostic, Sources};
use std::collections::BTreeSet;

/// A warning for each of them. A base may serve several specs, so only those of the spec's own file count.
pub(super) fn params(spec: &Spec, sources: &Sources, templates: &Templates) -> Vec<Diagnostic> {
    let mut used = BTreeSet::new();
    walk(&spec.root.without(&["params"]), templates, &mut used);
    let is_own = |start: usize| std::ptr::eq(sources.place(&(start..start)).source, sources.main());
    let unused = spec.params.iter().filter(|param| {
        let named = used.contains("params") || used.contains(&format!("params.{}", param.name));
        !named && is_own(param.span.start)
    });
    let warning = |param: &crate::spec::Param| {
        let message = format!("nothing uses the parameter `{}`", param.name);
        let help = format!("take it out, or use it: {{{{ params.{} }}}}", param.name);
        Diagnostic::warning(code::UNUSED_PARAM, message, param.span.clone(), "").help(help)
    };
    unused.map(warning).collect()
}

/// The parameters that the templates below a node use, such as `params.games`; `params` alone is all of them.
fn walk(node: &Node, templates: &Templates, used: &mut BTreeSet<String>) {
    match &node.value {
        Value::String(text) => {
            // One that is not well formed has been reported; whatever it was to use is not known.
            let paths = templates.paths_used(text).unwrap_or_else(|_| BTreeSet::from(["params".to_owned()]));
            let first_two = |path: String| path.split('.').take(2).collect::<Vec<_>>().join(".");
            used.extend(paths.into_iter().map(first_two));
        }
        Value::List(items) => items.iter().for_each(|item| walk(item, templates, used)),
        Value::Table(entries) => entries.iter().for_each(|(_, item)| walk(item, templates, used)),
        _ => {}
    }
}
