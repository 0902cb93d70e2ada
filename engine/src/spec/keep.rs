//! `[store]` -> the templates in it, which have no values there: what is kept is read by verbs that resolve nothing, and where a
//! bucket is must be known before anything is planned.

use super::node::{Node, Value};
use super::template::is_template;
use crate::text::{Diagnostic, code};

/// Reports every template of it.
pub(super) fn check(root: &Node, problems: &mut Vec<Diagnostic>) {
    let Some(store) = root.get("store") else { return };
    let keep = store.get("keep").into_iter();
    let kept = keep.flat_map(|keep| keep.entries().iter().map(|(_, node)| node).chain([keep]));
    let kept = kept.map(|node| ("what is kept", node));
    let place = ["location", "uplink"].into_iter().filter_map(|key| Some(("where a bucket is", store.get(key)?)));
    for (what, node) in kept.chain(place) {
        if matches!(&node.value, Value::String(text) if is_template(text)) {
            let message = format!("{what} cannot hold a template");
            let problem = Diagnostic::error(code::WRONG_TYPE, message, node.span.clone(), "wants a value");
            problems.push(problem.help("write the value itself; a profile can have another `[store]`"));
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::backend::Backends;
    use crate::spec::{SpecSchema, read};
    use crate::stage::Registry;
    use crate::text::SourceText;

    #[test]
    fn a_template_where_it_has_no_value_is_told_with_its_place() {
        let schema = SpecSchema::of(&Registry::default(), &Backends::default());
        for (line, expected) in [
            ("keep = { results = \"{{ 1 + 1 }}\" }", "what is kept cannot hold a template"),
            ("keep = \"{{ params.keep }}\"", "what is kept cannot hold a template"),
            ("location = \"{{ params.region }}\"", "where a bucket is cannot hold a template"),
            ("uplink = \"{{ params.uplink }}\"", "where a bucket is cannot hold a template"),
        ] {
            let text = format!("version = 1\nname = \"x\"\nstages = {{}}\n[store]\n{line}\n");
            let found = read(SourceText::new("x.toml", text.clone()), &schema).problems;
            let told: Vec<&str> = found.iter().map(|problem| problem.message.as_str()).collect();
            assert_eq!(told, [expected]);
            assert!(text[found[0].span()].contains("{{"), "{:?}", found[0].span());
        }
    }
}
