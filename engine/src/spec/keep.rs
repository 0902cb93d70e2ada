//! `[store] keep` -> its templates, which have no values there: what is kept is read by verbs that resolve nothing.

use super::node::{Node, Value};
use super::template::is_template;
use crate::text::{Diagnostic, code};

/// Reports every template of it.
pub(super) fn check(root: &Node, problems: &mut Vec<Diagnostic>) {
    let Some(keep) = root.get("store").and_then(|store| store.get("keep")) else { return };
    for node in keep.entries().iter().map(|(_, node)| node).chain([keep]) {
        if matches!(&node.value, Value::String(text) if is_template(text)) {
            let message = "what is kept cannot hold a template";
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
    fn a_template_among_what_is_kept_is_told_with_its_place() {
        let schema = SpecSchema::of(&Registry::default(), &Backends::default());
        for keep in ["{ results = \"{{ 1 + 1 }}\" }", "\"{{ params.keep }}\""] {
            let text = format!("version = 1\nname = \"x\"\nstages = {{}}\n[store]\nkeep = {keep}\n");
            let found = read(SourceText::new("x.toml", text.clone()), &schema).problems;
            let told: Vec<&str> = found.iter().map(|problem| problem.message.as_str()).collect();
            assert_eq!(told, ["what is kept cannot hold a template"]);
            assert!(text[found[0].span()].contains("{{"), "{:?}", found[0].span());
        }
    }
}
