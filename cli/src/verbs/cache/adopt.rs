//! `pipe cache adopt`: a file or folder that is there already -> the result of a task.

use super::project;
use crate::args::AdoptArgs;
use crate::exit::{Exit, Refusal};
use crate::forecast::{Forecast, Forecasts};
use crate::printer::Printer;
use crate::rooms::share;
use crate::verbs::matching;
use crate::wiring::Project;
use crate::words;
use pipe_engine::adopt::Adoption;
use pipe_engine::lookup::Looked;
use pipe_engine::manifest::{Artifact, Manifest};
use pipe_engine::store::Folder;
use pipe_engine::world::World;
use serde_json::json;
use std::sync::Arc;

pub(crate) fn run(args: &AdoptArgs, printer: &Printer) -> Result<Exit, Refusal> {
    let world = World::real();
    let (project, finder) = project(&args.spec, printer)?.grown(&world, printer)?;
    let index = one(&project, &args.task)?;
    let task = project.plan.task(index);
    if !args.path.exists() {
        return Err(Refusal::new(Exit::Wrong, format!("there is no {}", args.path.display())));
    }
    let looked = looked(&project, &Forecasts::of(&project.plan, &finder), index)?;
    let store = Folder::open(&project.plan.store)?;
    let _hold = share(&store, printer)?;
    let adoption = Adoption { plan: &project.plan, task, looked: &looked, from: &args.path, replaces: args.force };
    let manifest = adoption.adopt(&store, world.now()).map_err(|failure| match failure.code.as_str() {
        "cannot_adopt" | "there_already" => {
            let refusal = Refusal::new(Exit::Wrong, failure.to_string());
            failure.help.into_iter().fold(refusal, Refusal::help)
        }
        _ => failure.into(),
    })?;
    finder.remember(index, Arc::new(Artifact::from(manifest.clone())), true);
    finder.save();
    tell(&manifest, printer)
}

fn tell(manifest: &Manifest, printer: &Printer) -> Result<Exit, Refusal> {
    let bytes = manifest.files.iter().map(|file| file.size).sum();
    let task = manifest.provenance.task.to_string();
    if printer.json {
        let (fingerprint, digest) = (&manifest.fingerprint, &manifest.digest);
        let files = manifest.files.len();
        printer.document(
            &json!({ "task": task, "fingerprint": fingerprint, "digest": digest, "files": files, "bytes": bytes }),
        )?;
    } else {
        let files = words::count(manifest.files.len() as u64, "file");
        printer.data(&format!(
            "{task}: {files}, {} are its result now ({})\n",
            words::bytes(bytes),
            manifest.fingerprint.short(12)
        ))?;
    }
    Ok(Exit::Done)
}

/// The one task that is meant.
fn one(project: &Project, pattern: &str) -> Result<usize, Refusal> {
    match matching(project, pattern)?.as_slice() {
        [one] => Ok(*one),
        several => {
            let first = &project.plan.task(several[0]).id;
            let message = format!("`{pattern}` names {} tasks, and one result is taken in", several.len());
            Err(Refusal::new(Exit::Wrong, message).help(format!("name one of them, such as `{first}`")))
        }
    }
}

/// The task's key, where it is known and will be the same tomorrow.
fn looked(project: &Project, forecasts: &Forecasts<'_>, index: usize) -> Result<Looked, Refusal> {
    let task = project.plan.task(index);
    let refuse = |why: String| Refusal::new(Exit::Wrong, format!("nothing can be the result of `{}`: {why}", task.id));
    if !project.plan.settings(task).cache {
        return Err(refuse("it has another key in every run (`cache = false`)".to_owned()));
    }
    match forecasts.task(index) {
        Forecast::DependsOn(on) => {
            let on = &project.plan.task(*on).id;
            Err(refuse(format!("its key is not known before {on} has a result"))
                .help(format!("run or adopt {on} first")))
        }
        Forecast::Failed(failure) => Err(refuse(failure.to_string())),
        Forecast::Skip(why) => Err(refuse(format!("it would be skipped ({why})"))),
        _ => forecasts.look(index).ok_or_else(|| refuse("its key is not known".to_owned())),
    }
}
