//! `pipe doctor --orphans`: the places of a spec -> the jobs that they have of its store, who wants each, and an end to those that
//! nobody wants.

use crate::args::DoctorArgs;
use crate::buckets;
use crate::elsewhere;
use crate::exit::{Exit, Refusal};
use crate::patience::patiently;
use crate::printer::{Printer, Style};
use crate::runtime;
use crate::shown::shown;
use crate::table::{self, Entry, left};
use crate::wiring::Project;
use crate::words::count;
use pipe_engine::backend::{Backend, Standing};
use pipe_engine::doctor::{Judged, Verdict, judge, reap};
use pipe_engine::failure::Failure;
use pipe_engine::ids::AttemptId;
use pipe_engine::plan::Plan;
use pipe_engine::state::OpenJob;
use pipe_engine::store::{Folder, Store};
use serde_json::{Value as Json, json};
use std::collections::BTreeSet;
use std::sync::Arc;
use tokio::runtime::Runtime;

/// A job of a place, and what became of it.
struct Looked {
    place: String,
    job: Judged,
    /// Whether it was removed; absent where that was not asked, or somebody wants it.
    reaped: Option<Result<(), Failure>>,
}

/// What was found at all places.
#[derive(Default)]
struct Found {
    jobs: Vec<Looked>,
    /// Places that do not tell.
    silent: Vec<(String, String)>,
}

pub(crate) fn run(args: &DoctorArgs, printer: &Printer) -> Result<Exit, Refusal> {
    if !args.orphans {
        let refusal = Refusal::new(Exit::Wrong, "it is not said what to look for");
        return Err(refusal.help("`--orphans` looks for jobs that nobody wants"));
    }
    let project = Project::load(&args.spec, printer)?;
    let known = OpenJob::all(&project.state.journal())?.into_iter().map(|job| job.attempt).collect();
    let found = look(&project.plan, &known, args.reap)?;
    if printer.json {
        printer.document(&document(&found))?;
    } else {
        printer.data(&text(&found, args.reap, printer))?;
    }
    let is_left = |looked: &Looked| matches!(looked.reaped, Some(Err(_)));
    let is_all = found.silent.is_empty() && !found.jobs.iter().any(is_left);
    Ok(if is_all { Exit::Done } else { Exit::Unavailable })
}

fn look(plan: &Plan, known: &BTreeSet<AttemptId>, reaps: bool) -> Result<Found, Refusal> {
    let store = store(plan)?;
    let runtime = runtime::here()?;
    let mut found = Found::default();
    for place in &plan.places {
        let backend = match elsewhere::connected_to(plan, place) {
            Ok(Some(backend)) => backend,
            Ok(None) => continue,
            Err(refusal) => {
                found.silent.push((place.name.clone(), refusal.failure("no_connection").to_string()));
                continue;
            }
        };
        let there = patiently(&format!("the backend `{}`", place.name), || runtime.block_on(backend.jobs()));
        let judged = there.and_then(|there| judge(there, known, store.as_ref()));
        match judged {
            Ok(jobs) => {
                let looked = jobs.into_iter().map(|job| {
                    let reaped = (reaps && job.verdict.is_unwanted()).then(|| end(&runtime, backend.as_ref(), &job));
                    Looked { place: place.name.clone(), job, reaped }
                });
                found.jobs.extend(looked);
            }
            Err(failure) => found.silent.push((place.name.clone(), failure.to_string())),
        }
    }
    Ok(found)
}

fn store(plan: &Plan) -> Result<Arc<dyn Store>, Refusal> {
    match &plan.bucket {
        Some(uri) => buckets::open(uri),
        None => Ok(Arc::new(Folder::for_looking(&plan.store))),
    }
}

fn end(runtime: &Runtime, backend: &dyn Backend, job: &Judged) -> Result<(), Failure> {
    patiently(&format!("the job {}", job.there.job.0), || runtime.block_on(reap(backend, &job.there)))
}

fn standing(standing: &Standing) -> &'static str {
    match standing {
        Standing::Waiting => "waiting",
        Standing::Running => "running",
        Standing::Over(_) | Standing::Gone => "over",
    }
}

fn document(found: &Found) -> Json {
    let jobs = found.jobs.iter().map(|Looked { place, job: Judged { there, verdict }, reaped }| {
        json!({
            "backend": place,
            "job": there.job.0,
            "attempt": there.attempt,
            "about": there.about,
            "standing": standing(&there.standing),
            "verdict": verdict,
            "reaped": reaped.as_ref().map(Result::is_ok),
            "failure": reaped.as_ref().and_then(|reaped| reaped.as_ref().err()),
        })
    });
    let silent = found.silent.iter().map(|(place, why)| json!({ "backend": place, "why": why }));
    json!({ "jobs": jobs.collect::<Vec<_>>(), "silent": silent.collect::<Vec<_>>() })
}

fn text(found: &Found, reaps: bool, printer: &Printer) -> String {
    let mut text = String::new();
    if !found.jobs.is_empty() {
        let head = ["backend", "job", "of", "stands", "who wants it"].map(|name| left(Style::Strong, name)).to_vec();
        let rows: Vec<Vec<Entry>> = std::iter::once(head).chain(found.jobs.iter().map(row)).collect();
        text.push_str(&table::lines(printer, &rows));
        text.push('\n');
    }
    for (place, why) in &found.silent {
        let title = printer.paint_out(Style::Error, "error:");
        text.push_str(&format!("{title} the jobs of `{place}` are not known: {}\n", shown(why)));
    }
    let of = |wanted: fn(&Looked) -> bool| found.jobs.iter().filter(|looked| wanted(looked)).count() as u64;
    let unwanted = of(|looked| looked.job.verdict.is_unwanted());
    let removed = of(|looked| matches!(looked.reaped, Some(Ok(()))));
    let jobs = count(found.jobs.len() as u64, "job");
    text.push_str(&match (unwanted, reaps) {
        _ if found.jobs.is_empty() && !found.silent.is_empty() => String::new(),
        (0, _) if found.jobs.is_empty() => "there are no jobs of this store\n".to_owned(),
        (0, _) => format!("{jobs}, and each is wanted\n"),
        (_, true) => format!("{jobs}, {removed} of {unwanted} that nobody wants are removed\n"),
        (_, false) => format!("{jobs}, {unwanted} of which nobody wants: `--reap` ends and removes those\n"),
    });
    text
}

fn row(Looked { place, job: Judged { there, verdict }, reaped }: &Looked) -> Vec<Entry> {
    let style = match verdict {
        Verdict::Stray => Style::Error,
        Verdict::Ended => Style::Warning,
        Verdict::Known | Verdict::Open => Style::Plain,
    };
    let became = match reaped {
        None => verdict.word().to_owned(),
        Some(Ok(())) => format!("{}; removed now", verdict.word()),
        Some(Err(failure)) => format!("{}; not removed: {failure}", verdict.word()),
    };
    vec![
        left(Style::Plain, place),
        left(Style::Plain, there.job.0.rsplit('/').next().unwrap_or(&there.job.0)),
        left(Style::Faint, there.about.as_deref().unwrap_or_default()),
        left(Style::Plain, standing(&there.standing)),
        left(style, became),
    ]
}
