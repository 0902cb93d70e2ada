//! `pipe cache gc`: removes what nobody needs any more, from the store and from the state folder. Nothing is removed while
//! anything runs. Of a bucket only what attempts have left there goes.

use super::{bucket, checkpoints_kept, roots, rules, runs_kept, store};
use crate::args::GcArgs;
use crate::exit::{Exit, Refusal};
use crate::printer::Printer;
use crate::rooms::Alone;
use crate::wiring::Project;
use crate::words;
use pipe_engine::gc::{Plan, Why, checkpoints, plan, runs, sweep};
use pipe_engine::manifest::Of;
use pipe_engine::state::Hints;
use pipe_engine::store::Folder;
use pipe_engine::world::World;
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;

pub(crate) fn run(args: &GcArgs, printer: &Printer) -> Result<Exit, Refusal> {
    let project = Project::load(&args.spec, printer)?;
    if let Some(uri) = &project.plan.bucket {
        return bucket::gc(args, &project, uri, printer);
    }
    if !project.plan.store.exists() {
        printer.line(&format!("there is nothing to remove: {} is not there yet", project.plan.store.display()));
        return Ok(Exit::Done);
    }
    let decided = if args.dry_run {
        Decided::of(args, &project, &store(&project))?
    } else {
        let alone = Alone::open(&project)?;
        let decided = Decided::of(args, &project, &alone.store)?;
        sweep(&alone.store, &decided.plan, &mut |_| true)?;
        runs::forget(&alone.state, &decided.runs)?;
        checkpoints::forget(&decided.checkpoints);
        Hints::forget(&alone.state.hints(), decided.plan.removed().map(|entry| &entry.fingerprint));
        decided
    };
    if printer.json {
        printer.document(&decided.document(args.dry_run))?;
    } else {
        printer.data(&decided.text(args.dry_run))?;
    }
    Ok(Exit::Done)
}

/// What goes.
struct Decided {
    plan: Plan,
    runs: runs::Old,
    checkpoints: checkpoints::Old,
}

impl Decided {
    fn of(args: &GcArgs, project: &Project, store: &Folder) -> Result<Self, Refusal> {
        let roots = roots(store, &project.state)?;
        let plan = plan(store, &rules(&args.keeping, project, &World::real()), &roots)?;
        let runs = runs::old(&project.state, runs_kept(&args.keeping, project))?;
        let checkpoints = checkpoints::old(&project.state, &plan, &roots, checkpoints_kept(&args.keeping, project))?;
        Ok(Self { plan, runs, checkpoints })
    }

    /// How many results are kept, by why.
    fn kept(&self) -> BTreeMap<Why, u64> {
        let mut kept = BTreeMap::new();
        self.plan.results.iter().filter_map(|(_, why)| *why).for_each(|why| *kept.entry(why).or_default() += 1);
        kept
    }

    fn text(&self, dry_run: bool) -> String {
        let Self { plan, runs, checkpoints } = self;
        let verb = if dry_run { "would remove" } else { "removed" };
        let count = |of| plan.removed().filter(|entry| entry.of == of).count() as u64;
        let files = (plan.gone.len() + plan.half_written.len()) as u64;
        let kept: Vec<String> = self.kept().iter().map(|(why, n)| format!("{n} {}", word(*why))).collect();
        let mut text = format!(
            "{verb} {}, {} and {}: {}\n",
            words::count(count(Of::Task), "result"),
            words::count(count(Of::Item), "item"),
            words::count(files, "file"),
            words::bytes(plan.freed()),
        );
        if !runs.runs.is_empty() {
            let (runs, attempts) = (runs.runs.len() as u64, runs.attempts.len() as u64);
            let logs = words::count(attempts, "attempt");
            text.push_str(&format!("{verb} the events of {} and the logs of {logs}\n", words::count(runs, "run")));
        }
        if !checkpoints.folders.is_empty() {
            let (files, bytes) = (words::count(checkpoints.files, "file"), words::bytes(checkpoints.bytes));
            text.push_str(&format!("{verb} checkpoints: {files}, {bytes}\n"));
        }
        if !plan.forgotten.is_empty() {
            let forgotten = words::count(plan.forgotten.len() as u64, "manifest");
            text.push_str(&format!("{verb} {forgotten} of results that went long ago\n"));
        }
        if !plan.damaged.is_empty() {
            let damaged = words::count(plan.damaged.len() as u64, "manifest");
            text.push_str(&format!("{damaged} that cannot be read: put in quarantine\n"));
        }
        if !plan.young.is_empty() {
            let (files, bytes) = (words::count(plan.young.len() as u64, "file"), words::bytes(young(plan)));
            let why = "written in the last day and of no result, so somebody may be about to file them";
            text.push_str(&format!("kept {files} of {bytes}: {why}\n"));
        }
        let kept = if kept.is_empty() { "nothing".to_owned() } else { kept.join(", ") };
        text + &format!("kept {kept}\n")
    }

    fn document(&self, dry_run: bool) -> Json {
        let Self { plan, runs, checkpoints } = self;
        let removed = plan.removed().map(|entry| {
            json!({
                "pipeline": entry.pipeline, "task": entry.task.to_string(), "of": entry.of,
                "fingerprint": entry.fingerprint, "published": entry.published,
            })
        });
        json!({
            "dry_run": dry_run, "removed": removed.collect::<Vec<_>>(), "files": plan.gone.len(),
            "half_written": plan.half_written.len(), "forgotten": plan.forgotten.len(), "bytes": plan.freed(), "kept": self.kept(),
            "quarantined": plan.damaged, "runs": runs.runs, "attempts": runs.attempts.len(),
            "young": { "files": plan.young.len(), "bytes": young(plan) },
            "checkpoints": { "files": checkpoints.files, "bytes": checkpoints.bytes },
        })
    }
}

/// The bytes that stay for their age alone.
fn young(plan: &Plan) -> u64 {
    plan.young.iter().map(|file| file.size).sum()
}

fn word(why: Why) -> &'static str {
    match why {
        Why::Pinned => "pinned",
        Why::OpenRun => "of a run that is not done",
        Why::Newest => "newest of their tasks",
        Why::Young => "too young",
        Why::Part => "items of these",
        Why::Unfinished => "items of unfinished work",
        Why::Newer => "of a newer version",
    }
}
