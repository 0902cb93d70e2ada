//! The commands that run after a run: each has to say exactly one program.

use super::code;
use crate::spec::node::{Node, PathPart};
use crate::spec::{Hook, Hooks};
use crate::text::Diagnostic;

/// What is wrong with the hooks. `around` is where they are written.
pub(super) fn check(around: &Node, hooks: &Hooks) -> Vec<Diagnostic> {
    let both = [("success", &hooks.success), ("failure", &hooks.failure)];
    both.into_iter().filter_map(|(name, hook)| one(around, name, hook.as_ref()?)).collect()
}

fn one(around: &Node, name: &str, hook: &Hook) -> Option<Diagnostic> {
    let at = |key: &[&str]| {
        let path: Vec<PathPart> = ["hooks", name].iter().chain(key).map(|part| PathPart::from(*part)).collect();
        around.at(&path).span.clone()
    };
    match (&hook.argv, &hook.shell) {
        (Some(_), Some(_)) => {
            let message = "`argv` and `shell` exclude each other: a hook is one command";
            let problem = Diagnostic::error(code::CONFLICT, message, at(&["shell"]), "take one of them out");
            Some(problem.and(at(&["argv"]), "and this"))
        }
        (None, None) => {
            let message = format!("the hook `{name}` has neither `argv` nor `shell`");
            let help = "write argv = [\"program\", \"argument\"], or shell = \"...\"";
            Some(Diagnostic::error(code::BAD_SETTING, message, at(&[]), "").help(help))
        }
        _ => None,
    }
}
