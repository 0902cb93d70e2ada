//! `pipe cache du`: how much room results take, by pipeline and stage, and how much of it `gc` would free. A file that
//! several results name lies on the disk once, and is counted once.

use super::{checkpoints_kept, project, roots, rules, runs_kept, store};
use crate::args::DuArgs;
use crate::exit::{Exit, Refusal};
use crate::printer::{Printer, Style};
use crate::table::{self, Entry, left, right};
use crate::words;
use pipe_engine::failure::Failure;
use pipe_engine::gc::{DataFile, Found, Plan, checkpoints, plan, runs};
use pipe_engine::state::StateFolder;
use pipe_engine::store::Folder;
use pipe_engine::world::World;
use serde_json::json;
use std::collections::BTreeMap;

pub(crate) fn run(args: &DuArgs, printer: &Printer) -> Result<Exit, Refusal> {
    let project = project(&args.spec, printer)?;
    let (store, world) = (store(&project), World::real());
    let roots = roots(&store, &project.state)?;
    let plan = plan(&store, &rules(&args.keeping, &project, &world), &roots)?;
    let stages = by_stage(&plan);
    let mut rest = rest(&store, &plan, &project.state, runs_kept(&args.keeping, &project))?;
    let old = checkpoints::old(&project.state, &plan, &roots, checkpoints_kept(&args.keeping, &project))?;
    let checkpoints = whole(&Folder::for_looking(project.state.root()), "checkpoints")?;
    rest.push(("checkpoints", Taken { free: old.bytes, ..checkpoints }));
    if printer.json {
        let stages = stages.iter().map(|((pipeline, stage), taken)| {
            json!({ "pipeline": pipeline, "stage": stage, "files": taken.files, "bytes": taken.bytes, "free": taken.free })
        });
        let rest: BTreeMap<_, _> = rest
            .iter()
            .map(|(name, taken)| (name, json!({ "files": taken.files, "bytes": taken.bytes, "free": taken.free })))
            .collect();
        let document = json!({ "store": store.root(), "stages": stages.collect::<Vec<_>>(), "others": rest });
        printer.document(&document)?;
        return Ok(Exit::Done);
    }
    printer.data(&table(&stages, &rest, printer))?;
    Ok(Exit::Done)
}

/// What some files take.
#[derive(Default)]
struct Taken {
    files: u64,
    bytes: u64,
    /// Of the bytes, those that `gc` would free.
    free: u64,
}

impl Taken {
    fn add(&mut self, file: &DataFile, goes: bool) {
        self.files += 1;
        self.bytes += file.size;
        self.free += if goes { file.size } else { 0 };
    }
}

fn by_stage(plan: &Plan) -> BTreeMap<(String, String), Taken> {
    let mut stages: BTreeMap<(String, String), Taken> = BTreeMap::new();
    let all = plan.kept.iter().map(|file| (file, false)).chain(plan.gone.iter().map(|file| (file, true)));
    for (file, goes) in all {
        let mut parts = file.at.split('/').skip(1).map(str::to_owned);
        let stage = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        stages.entry(stage).or_default().add(file, goes);
    }
    stages
}

/// All that lies in a folder.
fn whole(folder: &Folder, name: &str) -> Result<Taken, Failure> {
    let mut taken = Taken::default();
    Found::under(folder, name)?.files.iter().for_each(|file| taken.add(file, false));
    Ok(taken)
}

/// What is no result: manifests, those of results that are gone, and what runs have left in the state folder.
fn rest(
    store: &Folder,
    plan: &Plan,
    state: &StateFolder,
    keep_runs: usize,
) -> Result<Vec<(&'static str, Taken)>, Refusal> {
    let mut rest = Vec::new();
    for (title, folder) in [("manifests", "results"), ("removed manifests", "lineage"), ("quarantine", "quarantine")] {
        let mut taken = whole(store, folder)?;
        taken.free = plan.forgotten.iter().filter(|file| file.at.starts_with(folder)).map(|file| file.size).sum();
        rest.push((title, taken));
    }
    let mut half_written = Taken::default();
    plan.half_written.iter().for_each(|file| half_written.add(file, true));
    rest.push(("half written", half_written));
    let old = runs::old(state, keep_runs)?;
    let state = Folder::for_looking(state.root());
    let mut attempts = whole(&state, "attempts")?;
    for folder in &old.attempts {
        let name = folder.file_name().unwrap_or_default().to_string_lossy();
        attempts.free += whole(&state, &format!("attempts/{name}"))?.bytes;
    }
    rest.push(("logs of attempts", attempts));
    Ok(rest)
}

fn table(stages: &BTreeMap<(String, String), Taken>, rest: &[(&'static str, Taken)], printer: &Printer) -> String {
    let heads = ["pipeline", "stage"].map(|title| left(Style::Strong, title));
    let numbers = ["files", "size", "gc frees"].map(|title| right(Style::Strong, title));
    let mut rows = vec![heads.into_iter().chain(numbers).collect::<Vec<_>>()];
    let row = |style, first: &str, second: &str, taken: &Taken| -> Vec<Entry> {
        let free = if taken.free == 0 { String::new() } else { words::bytes(taken.free) };
        let (files, size) = (taken.files.to_string(), words::bytes(taken.bytes));
        vec![left(style, first), left(style, second), right(style, files), right(style, size), right(Style::Good, free)]
    };
    rows.extend(stages.iter().map(|((pipeline, stage), taken)| row(Style::Plain, pipeline, stage, taken)));
    let others = rest.iter().filter(|(_, taken)| taken.files > 0);
    rows.extend(others.map(|(title, taken)| row(Style::Faint, &format!("({title})"), "", taken)));
    let all = stages.values().chain(rest.iter().map(|(_, taken)| taken));
    let sum = all.fold(Taken::default(), |sum, taken| Taken {
        files: sum.files + taken.files,
        bytes: sum.bytes + taken.bytes,
        free: sum.free + taken.free,
    });
    rows.push(row(Style::Strong, "together", "", &sum));
    table::lines(printer, &rows)
}
