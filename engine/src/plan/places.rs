//! `[backends]` -> the places a plan can use.

use super::choice::AUTO;
use super::experience::{Experience, NoExperience};
use super::fit::millis;
use super::{Request, Stage, code};
use crate::backend::{Backends, Capability, LOCAL, Need, Startup};
use crate::spec::common::PlaceCommon;
use crate::spec::node::{Node, PathPart};
use crate::spec::template::{Context, Templates};
use crate::spec::{BackendSpec, Environment, StageSpec};
use crate::text::{Diagnostic, Span, one_of};
use crate::units::{Millis, Usd};
use serde_json::Value as Json;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// A place where tasks run.
#[derive(Clone)]
pub struct Place {
    /// Its name in the spec.
    pub name: String,
    /// Its kind, and its settings with variables filled in; absent for this machine.
    pub kind: Option<(Arc<dyn crate::backend::BackendKind>, Json)>,
    /// What it can hold.
    pub capability: Capability,
    /// How many of its tasks may run at once.
    pub parallel: Option<u32>,
    /// The regions where machines are asked for, in this order; empty for a place that has one.
    pub regions: Vec<String>,
    /// How long an attempt waits there before its work begins: as the spec says, and as its kind takes it to be.
    pub(super) startup: (Option<Millis>, Startup),
    /// Where the spec names it.
    pub(super) span: Span,
}

impl Place {
    /// Whether tasks of this place run here.
    pub fn is_local(&self) -> bool {
        self.kind.is_none()
    }

    /// How long an attempt waits there before its work begins: as the spec says, else as the newest did, else as it is taken to.
    pub fn startup(&self, experience: &dyn Experience) -> Duration {
        let (said, assumed) = self.startup;
        let in_time = |time: Millis| Duration::from_millis(time.0);
        let seen = || experience.startup(&self.name).filter(|_| !self.is_local());
        said.map(in_time).or_else(seen).unwrap_or_else(|| in_time(assumed.time))
    }

    /// What an attempt costs whose work takes so long after so long a wait, which is paid for at some places and not at others.
    pub fn cost(&self, need: &Need, work: Duration, startup: Duration) -> Option<Usd> {
        let (_, Startup { is_charged, .. }) = self.startup;
        self.price(need, if is_charged { work.saturating_add(startup) } else { work })
    }

    /// How long its machines are charged for before work begins, as the spec says or as its kind takes it to be; `None` where only
    /// the work is charged.
    pub fn charged_before(&self) -> Option<Millis> {
        let (said, assumed) = self.startup;
        assumed.is_charged.then(|| said.unwrap_or(assumed.time))
    }

    /// What a machine costs for so long; nothing here, and `None` where no price is known.
    pub fn price(&self, need: &Need, time: Duration) -> Option<Usd> {
        self.kind.as_ref().map_or(Some(Usd(0)), |(kind, config)| kind.price(config, need, millis(time)))
    }

    /// The most that an attempt costs in any region where it may come to run. What is seen of its wait is not in it: a run's limit
    /// of cost means the same in every replay of it.
    pub fn dearest(&self, need: &Need, work: Duration) -> Option<Usd> {
        let startup = self.startup(&NoExperience);
        if self.regions.is_empty() {
            return self.cost(need, work, startup);
        }
        let regions = self.regions.iter().map(|region| Need { region: Some(region.clone()), ..need.clone() });
        regions.map(|need| self.cost(&need, work, startup)).try_fold(Usd(0), |most, price| Some(most.max(price?)))
    }

    /// The region where its machines are, the first of several; `None` for this machine, and where that is not known.
    pub fn location(&self) -> Option<String> {
        let only = || self.kind.as_ref().and_then(|(kind, config)| kind.location(config));
        self.regions.first().cloned().or_else(only)
    }

    /// The region that is asked after there was no machine to be had so often.
    pub fn region(&self, moves: u32) -> Option<&String> {
        self.regions.get(moves as usize % self.regions.len().max(1))
    }

    /// The machine that an attempt gets there, in words, where that is known.
    pub fn machine(&self, need: &Need) -> Option<String> {
        self.kind.as_ref().and_then(|(kind, config)| kind.machine(config, need))
    }
}

/// The places of a spec: this machine, and those it names.
pub(super) fn read(
    request: &Request<'_>,
    (templates, context): (&Templates, &Context),
    problems: &mut Vec<Diagnostic>,
) -> Vec<Place> {
    let (backends, environment) = (request.backends, &request.spec.environment);
    let (name, capability) = (LOCAL.to_owned(), backends.local().clone());
    let here = Place {
        name,
        kind: None,
        capability,
        parallel: None,
        regions: Vec::new(),
        startup: <(Option<Millis>, Startup)>::default(),
        span: 0..0,
    };
    let mut places = vec![here];
    for spec in &request.spec.backends {
        if [LOCAL, AUTO].contains(&spec.name.value.as_str()) {
            let message = format!("a backend cannot be named `{}`", spec.name.value);
            let help = "every spec has `local`, this machine, and `auto`, which lets the plan choose";
            problems.push(Diagnostic::error(code::BAD_BACKEND, message, spec.name.span.clone(), "").help(help));
            continue;
        }
        // What is wrong with a backend is no problem of the stages that name it.
        let unknown = || Place { name: spec.name.value.clone(), span: spec.name.span.clone(), ..places[0].clone() };
        if spec.broken {
            places.push(unknown());
            continue;
        }
        let place = place(spec, backends, environment, templates, context).unwrap_or_else(|found| {
            problems.extend(found);
            unknown()
        });
        places.push(place);
    }
    places
}

fn place(
    spec: &BackendSpec,
    backends: &Backends,
    environment: &Environment,
    templates: &Templates,
    context: &Context,
) -> Result<Place, Vec<Diagnostic>> {
    let kind = backends.get(&spec.kind.value).expect("a backend of an unknown kind is broken").clone();
    let mut config = templates.resolve(&spec.body, context)?;
    for (field, variables) in kind.variables() {
        let is_there = config.get(field).is_some();
        if let Some(value) = variables.iter().find_map(|name| environment.get(name)).filter(|_| !is_there) {
            config[*field] = Json::from(value.value);
        }
    }
    kind.check(&config).map_err(|problem| {
        let variables = kind.variables().iter().find(|(field, _)| *field == problem.field).map(|(_, names)| *names);
        let span = spec.body.at(&[PathPart::from(problem.field.as_str())]).span.clone();
        let span = if spec.body.get(&problem.field).is_some() { span } else { spec.name.span.clone() };
        let message = format!("the backend `{}`: {}", spec.name.value, problem.message);
        let found = Diagnostic::error(code::BAD_BACKEND, message, span, "");
        let written = problem.help.or_else(|| {
            Some(format!("write it, or set {} in the environment or in `.env`", one_of(variables?.iter().copied())))
        });
        vec![match written {
            Some(help) => found.help(help),
            None => found,
        }]
    })?;
    let common = templates.resolve(&spec.common, context)?;
    let PlaceCommon { parallel, startup } = serde_json::from_value(common).map_err(|wrong| {
        let span = spec.common.span.clone();
        vec![Diagnostic::error(code::BAD_BACKEND, format!("the backend `{}`: {wrong}", spec.name.value), span, "")]
    })?;
    let (name, span) = (spec.name.value.clone(), spec.name.span.clone());
    let capability = kind.capability(&config);
    let (parallel, regions) = (parallel.or(capability.parallel), kind.regions(&config));
    let startup = (startup, kind.startup(&config));
    Ok(Place { name, kind: Some((kind, config)), capability, parallel, regions, startup, span })
}

/// Buckets that a build may look into. Which it does is a matter of what is linked.
const SCHEMES: [&str; 2] = ["gs", "s3"];

/// Whether this build can look into the bucket at this URI.
pub(super) fn opens(request: &Request<'_>, uri: &str) -> bool {
    request.schemes.contains(&scheme(uri))
}

fn scheme(uri: &str) -> &str {
    uri.split_once("://").map_or("", |(scheme, _)| scheme)
}

/// The store's root, and its URI when it is in a bucket.
pub(super) fn store(
    request: &Request<'_>,
    stages: &[Stage],
    places: &[Place],
    problems: &mut Vec<Diagnostic>,
) -> (PathBuf, Option<String>) {
    let (spec, span) = (request.spec, request.spec.place(&["store", "root"]));
    let bucket = spec.store.contains("://").then(|| spec.store.clone());
    problems.extend(bucket.as_deref().filter(|uri| !opens(request, uri)).map(|uri| unopened(uri, span.clone())));
    let remote = stages.iter().map(|stage| &places[stage.backend]).find(|place| place.capability.is_remote);
    if let Some(place) = remote.filter(|_| bucket.is_none()) {
        let message = format!("the backend `{}` cannot reach the store, which is a folder of this machine", place.name);
        let help = "give the store a root in a bucket, in the spec or in a profile";
        let problem = Diagnostic::error(code::OUT_OF_REACH, message, place.span.clone(), "runs elsewhere");
        problems.push(problem.and(span.clone(), "a folder").help(help));
    }
    (request.folder(&span).join(&spec.store), bucket)
}

fn unopened(uri: &str, span: Span) -> Diagnostic {
    if SCHEMES.contains(&scheme(uri)) {
        let message = "this build looks for results in folders only, and the store is elsewhere";
        let help = "the spec can be planned as if the store were empty; to look into it, take a build with `cloud`";
        return Diagnostic::warning(code::UNKNOWN_STORE, message, span, "").help(help);
    }
    let message = format!("no store is kept under `{}://`", scheme(uri));
    let help = "a store's root is a folder, or a bucket: `gs://BUCKET/PREFIX` or `s3://BUCKET/PREFIX`";
    Diagnostic::error(code::UNKNOWN_STORE, message, span, "").help(help)
}

pub(super) fn place_of(stage: &StageSpec, field: &str) -> Span {
    let path: Vec<PathPart> = field.split('.').map(PathPart::from).collect();
    let node: &Node = stage.common.at(&path);
    // What came from the defaults, or from nowhere, is told at the stage's name.
    if stage.common.get(path_head(field)).is_some() { node.span.clone() } else { stage.name.span.clone() }
}

fn path_head(field: &str) -> &str {
    field.split('.').next().unwrap_or(field)
}
