//! `pipe check`: a spec -> what a run of it would find at its store and its places, before anything is paid for.

use crate::args::CheckArgs;
use crate::buckets;
use crate::elsewhere;
use crate::exit::{Exit, Refusal};
use crate::patience::patiently;
use crate::printer::{Printer, Style};
use crate::runtime;
use crate::shown::shown;
use crate::wiring::{self, Checked, Project};
use crate::words::count;
use pipe_engine::attempt::Attempt;
use pipe_engine::backend::Backend;
use pipe_engine::doctor::{Trial, Tried, ask, trials};
use pipe_engine::failure::Failure;
use pipe_engine::finding::{Finding, Level};
use pipe_engine::ids::RunId;
use pipe_engine::plan::Plan;
use pipe_engine::store::{Folder, PROBES, Store, probe};
use pipe_engine::text::{Diagnostic, Severity, Sources, render, to_json};
use pipe_engine::world::World;
use serde::Serialize;
use serde_json::json;
use std::sync::Arc;
use tokio::runtime::Runtime;

/// What was found out about one place.
#[derive(Serialize)]
struct Found {
    /// `store gs://films/results`, `backend jobs`.
    place: String,
    #[serde(flatten)]
    finding: Finding,
}

pub(crate) fn run(args: &CheckArgs, printer: &Printer) -> Result<Exit, Refusal> {
    if args.spec.given.offline {
        let refusal = Refusal::new(Exit::Wrong, "nobody can be asked with `--offline`");
        return Err(refusal.help("`pipe validate --offline` judges a spec by its text"));
    }
    let mut checked = wiring::check(&args.spec)?;
    checked.look_around(&args.spec);
    if checked.plan.is_none() {
        return unsound(&checked, printer);
    }
    let (sources, problems) = (checked.sources.clone(), checked.problems.clone());
    if !problems.is_empty() && !printer.json {
        printer.line(&render(&sources, &problems, printer.colors_talk()));
    }
    let project = Project::of(checked, &args.spec);
    let found = Asking::of(&project.plan, args.run_worker)?.found();
    tell(&found, (&sources, &problems), printer)
}

/// A spec that is wrong in itself is told as `pipe validate` tells it: nobody need be asked.
fn unsound(checked: &Checked, printer: &Printer) -> Result<Exit, Refusal> {
    if !printer.json {
        return Err(wiring::wrong(&checked.sources, &checked.problems, printer));
    }
    tell(&[], (&checked.sources, &checked.problems), printer).map(|_| Exit::Wrong)
}

fn tell(found: &[Found], (sources, problems): (&Sources, &[Diagnostic]), printer: &Printer) -> Result<Exit, Refusal> {
    let errors = found.iter().filter(|found| found.finding.level == Level::Error).count();
    let exit = if errors == 0 { Exit::Done } else { Exit::Wrong };
    if printer.json {
        printer.document(&json!({
            "spec": sources.main().path,
            "ready": exit == Exit::Done && problems.iter().all(|problem| problem.severity != Severity::Error),
            "problems": to_json(sources, problems),
            "findings": found,
        }))?;
        return Ok(exit);
    }
    let conclusion = match errors {
        0 => "nothing that was asked would stop a run".to_owned(),
        errors => format!("{} would stop a run", count(errors as u64, "finding")),
    };
    printer.data(&format!("{}\n{}: {conclusion}\n", text(found, printer), sources.main().path))?;
    Ok(exit)
}

/// The findings below the names of their places.
fn text(found: &[Found], printer: &Printer) -> String {
    let mut text = String::new();
    let mut place = "";
    for Found { place: of, finding } in found {
        if of != place {
            text.push_str(&format!("{}\n", printer.paint_out(Style::Strong, &shown(of))));
            place = of;
        }
        let style = match finding.level {
            Level::Good => Style::Good,
            Level::Unknown => Style::Faint,
            Level::Warning => Style::Warning,
            Level::Error => Style::Error,
        };
        let word = finding.level.word();
        let word = format!("{}{}", printer.paint_out(style, word), " ".repeat(7 - word.len()));
        text.push_str(&format!("  {word}  {}\n", shown(&finding.message)));
        let more = [("on", &finding.on), ("said", &finding.source), ("help", &finding.help)];
        for (name, value) in more.into_iter().filter_map(|(name, value)| Some((name, value.as_ref()?))) {
            let blanks = " ".repeat(4 - name.len());
            let name = printer.paint_out(Style::Help, &format!("{name}:"));
            let value = shown(value.trim_end()).replace('\n', "\n                 ");
            text.push_str(&format!("           {name}{blanks} {value}\n"));
        }
    }
    text
}

/// Whoever asks the places of a plan.
struct Asking<'a> {
    plan: &'a Plan,
    /// What nobody else's probes are called.
    name: String,
    /// The store's root, as places elsewhere are told of it.
    root: String,
    runs_worker: bool,
    runtime: Runtime,
}

impl<'a> Asking<'a> {
    fn of(plan: &'a Plan, runs_worker: bool) -> Result<Self, Refusal> {
        // As short as the names of attempts, and of the letters that names of jobs may have.
        let name = RunId::new(&World::real()).0;
        Ok(Self { plan, name, root: elsewhere::store(plan), runs_worker, runtime: runtime::here()? })
    }

    fn found(&self) -> Vec<Found> {
        let (store, findings) = self.store();
        let mut found = of_place(&format!("store {}", self.root), findings);
        let trials = trials(self.plan, &self.root, &self.name);
        let places = self.plan.places.iter().enumerate();
        for (index, place) in places {
            let trials: Vec<&Trial> = trials.iter().filter(|trial| trial.place == index).collect();
            if trials.is_empty() {
                continue;
            }
            let findings = match elsewhere::connected_to(self.plan, place) {
                Ok(Some(backend)) => {
                    let has_worker = place.kind.as_ref().is_none_or(|(kind, _)| kind.service().is_none());
                    self.place((backend.as_ref(), has_worker), &trials, store.as_deref())
                }
                Ok(None) => Vec::new(),
                Err(refusal) => vec![Finding::error(refusal.failure("no_connection"))],
            };
            found.extend(of_place(&format!("backend {}", place.name), findings));
        }
        found
    }

    /// The store, where there is a way into it, and what was found out about it.
    fn store(&self) -> (Option<Arc<dyn Store>>, Vec<Finding>) {
        let opened: Result<Arc<dyn Store>, Refusal> = match &self.plan.bucket {
            Some(uri) => buckets::open(uri),
            None if !self.plan.store.exists() => {
                return (
                    None,
                    vec![Finding::good("store", "it is a folder that is not there yet: the first run makes it")],
                );
            }
            None => {
                Folder::open(&self.plan.store).map(|folder| Arc::new(folder) as Arc<dyn Store>).map_err(Refusal::from)
            }
        };
        match opened {
            Ok(store) => {
                let findings = patiently(&format!("the store {}", self.root), || probe(store.as_ref(), &self.name));
                // A folder keeps folders, and this one has nothing more in it.
                if self.plan.bucket.is_none() {
                    let _ = std::fs::remove_dir(self.plan.store.join(PROBES));
                }
                (Some(store), findings)
            }
            Err(refusal) => (None, vec![Finding::error(refusal.failure("no_store"))]),
        }
    }

    /// `has_worker`: whether a worker of ours runs there, and no service does the work.
    fn place(
        &self,
        (backend, has_worker): (&dyn Backend, bool),
        trials: &[&Trial],
        store: Option<&dyn Store>,
    ) -> Vec<Finding> {
        let attempts: Vec<Attempt> = trials.iter().map(|trial| trial.attempt.clone()).collect();
        let mut findings = self.runtime.block_on(backend.check(&attempts));
        if !has_worker || findings.iter().any(|finding| finding.level == Level::Error) {
            return findings;
        }
        findings.extend(self.workers(backend, trials, store));
        findings
    }

    /// Which workers the images of these trials hold.
    fn workers(&self, backend: &dyn Backend, trials: &[&Trial], store: Option<&dyn Store>) -> Vec<Finding> {
        let Some(store) = store.filter(|_| self.runs_worker) else {
            let unknown = Finding::unknown("worker", "which worker the image holds was not asked");
            return vec![unknown.help("`pipe check SPEC --run-worker` asks it, by a job that ends at once")];
        };
        let mut findings = Vec::new();
        for (place, sort) in by_image(trials).into_iter().enumerate() {
            let name = format!("{}-{}-{place}", self.name, trials[0].place);
            let stages = sort.iter().flat_map(|trial| &trial.stages);
            let asked = patiently("the image's worker", || {
                self.runtime.block_on(ask(backend, store, sort[0], (self.root.as_str(), name.as_str())))
            });
            findings.extend(judged(asked.map(|versions| versions.judge(stages)), &sort));
        }
        findings.extend(backend.learned());
        findings
    }
}

fn of_place(place: &str, findings: Vec<Finding>) -> Vec<Found> {
    findings.into_iter().map(|finding| Found { place: place.to_owned(), finding }).collect()
}

/// The trials of each image.
fn by_image<'a>(trials: &[&'a Trial]) -> Vec<Vec<&'a Trial>> {
    let image = |trial: &Trial| trial.attempt.provision.as_ref().and_then(|provision| provision.image.clone());
    let mut sorts: Vec<Vec<&Trial>> = Vec::new();
    for trial in trials.iter().copied() {
        match sorts.iter_mut().find(|sort| image(sort[0]) == image(trial)) {
            Some(sort) => sort.push(trial),
            None => sorts.push(vec![trial]),
        }
    }
    sorts
}

/// `sort`: the trials whose image was asked.
fn judged(asked: Result<Vec<Finding>, Failure>, sort: &[&Trial]) -> Vec<Finding> {
    let tried = sort.iter().flat_map(|trial| &trial.stages);
    let stages: Vec<&str> = tried.map(|Tried { stage, .. }| stage.as_str()).collect();
    let image = format!("the image of {}", stages.join(", "));
    let on = |finding: Finding| if finding.on.is_some() { finding } else { finding.on(image.as_str()) };
    asked.unwrap_or_else(|failure| vec![Finding::error(failure)]).into_iter().map(on).collect()
}
