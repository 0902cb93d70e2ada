//! The secrets of a stage: references -> where each value is, and which of them are not there.

use super::places::Place;
use super::{Plan, Request, Settings, code};
use crate::backend::LOCAL;
use crate::secret::{Source, is_variable};
use crate::spec::common::Common;
use crate::spec::node::PathPart;
use crate::spec::secrets::written;
use crate::spec::{Spec, StageSpec};
use crate::text::{Diagnostic, Span};
use indexmap::IndexMap;

/// Where the secrets of a stage are. Files are relative to the folder of the file that names them.
pub(super) fn sources(
    stage: &StageSpec,
    common: &Common,
    request: &Request<'_>,
    problems: &mut Vec<Diagnostic>,
) -> IndexMap<String, Source> {
    let mut sources = IndexMap::new();
    for (name, text) in &common.secrets {
        let span = place(stage, name);
        if !is_variable(name) || name.starts_with("PIPE_") {
            let message = format!("a secret cannot be named `{name}`: it becomes a variable");
            let help = "use letters, digits and `_`; names that begin with PIPE_ are pipe's own";
            problems.push(Diagnostic::error(code::BAD_VARIABLE, message, span.clone(), "").help(help));
        }
        if common.env.contains_key(name) {
            let other = stage.common.at(&["env".into(), name.as_str().into()]).span.clone();
            let message = format!("`{name}` is a secret and a variable of `env`");
            let conflict = Diagnostic::error(code::CONFLICT, message, span.clone(), "take one of them out");
            problems.push(conflict.and(other, "and this"));
        }
        match Source::parse(text, &request.folder(&span)) {
            Some(source) => drop(sources.insert(name.clone(), source)),
            // A template has put it there: the spec itself has been looked at before.
            None => problems.push(written(name, span)),
        }
    }
    sources
}

/// Why a place cannot take a stage with these secrets: nobody can fetch one of them there.
pub(super) fn out_of_reach(settings: &Settings, at: &Place) -> Option<String> {
    settings.secrets.iter().find_map(|(name, source)| match source {
        Source::Cloud(_) if at.is_local() => {
            Some(format!("the secret `{name}` is in Google Cloud, and this pipe cannot fetch it from there"))
        }
        Source::Variable(_) | Source::File(_) if !at.is_local() => {
            Some(format!("the secret `{name}` is on this machine, and is not sent along"))
        }
        _ => None,
    })
}

/// The secrets that nobody can fetch where the tasks run.
pub(super) fn too_far(stage: &StageSpec, settings: &Settings, at: &Place) -> Vec<Diagnostic> {
    // What is wrong with a backend is no problem of the stages that name it; and `auto` says itself why it takes no place.
    let is_here = at.is_local() && settings.backend == LOCAL;
    let told = |name: &String, source: &Source| match source {
        Source::Cloud(_) if is_here => {
            let message = format!("the secret `{name}` is in Google Cloud, and this pipe cannot fetch it from there");
            let help = format!("fetch it before the run and name the variable: {name} = \"env:{name}\"");
            Some(Diagnostic::error(code::FAR_SECRET, message, place(stage, name), "").help(help))
        }
        Source::Variable(_) | Source::File(_) if !at.is_local() => {
            let message = format!("the secret `{name}` is on this machine, and `{}` runs elsewhere", stage.name.value);
            let help = format!(
                "keep it where the backend `{}` can read it: {name} = \"gcp:projects/P/secrets/S/versions/V\"",
                at.name
            );
            let found = Diagnostic::error(code::NEAR_SECRET, message, place(stage, name), "");
            Some(if at.span.is_empty() { found } else { found.and(at.span.clone(), "runs elsewhere") }.help(help))
        }
        _ => None,
    };
    settings.secrets.iter().filter_map(|(name, source)| told(name, source)).collect()
}

/// The secrets of a plan that are not where the spec says.
pub(super) fn missing(spec: &Spec, plan: &Plan) -> Vec<Diagnostic> {
    let mut problems = Vec::new();
    for stage in &plan.stages {
        let written = spec.stages.iter().find(|written| written.name.value == stage.name);
        for (name, source) in stage.settings.secrets.iter().filter(|(_, s)| !matches!(s, Source::Cloud(_))) {
            let Err(failure) = source.fetch(|variable| plan.variable(variable)) else { continue };
            let message = format!("the secret `{name}` cannot be had: {failure}");
            let span = written.map_or(0..0, |stage| place(stage, name));
            let problem = Diagnostic::error(code::MISSING_SECRET, message, span, "");
            problems.push(problem.help(failure.help.unwrap_or("write the secret into that file".to_owned())));
        }
    }
    problems
}

fn place(stage: &StageSpec, name: &str) -> Span {
    stage.common.at(&[PathPart::from("secrets"), PathPart::from(name)]).span.clone()
}
