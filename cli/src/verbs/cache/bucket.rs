//! `pipe cache gc` of a store that is a bucket: removes what attempts elsewhere have left there and nobody needs, and of the state
//! folder what old runs have said. Results stay: who else uses a bucket nobody knows here, and it has rules of its own.

use super::{checkpoints_kept, runs_kept};
use crate::args::GcArgs;
use crate::buckets;
use crate::exit::{Exit, Refusal};
use crate::patience::patiently;
use crate::printer::Printer;
use crate::rooms::alone_with;
use crate::wiring::Project;
use crate::words::{bytes, count};
use pipe_engine::gc::bucket::{Keeping, Remains};
use pipe_engine::gc::{Roots, runs};
use pipe_engine::state::OpenJob;
use pipe_engine::store::{Stat, Store};
use pipe_engine::world::World;
use serde_json::{Value as Json, json};

/// What goes.
struct Decided {
    remains: Remains,
    runs: runs::Old,
}

pub(super) fn gc(args: &GcArgs, project: &Project, uri: &str, printer: &Printer) -> Result<Exit, Refusal> {
    let bucket = buckets::open(uri)?;
    let decided = if args.dry_run {
        Decided::of(args, project, uri, bucket.as_ref())?
    } else {
        let _lock = alone_with(&project.state)?;
        let decided = Decided::of(args, project, uri, bucket.as_ref())?;
        decided.remains.remove(bucket.as_ref())?;
        runs::forget(&project.state, &decided.runs)?;
        decided
    };
    if printer.json {
        printer.document(&decided.document(args.dry_run))?;
    } else {
        printer.data(&decided.text(args.dry_run))?;
    }
    Ok(Exit::Done)
}

impl Decided {
    fn of(args: &GcArgs, project: &Project, uri: &str, bucket: &dyn Store) -> Result<Self, Refusal> {
        let keeping = Keeping {
            min_age: args.keeping.min_age.into(),
            checkpoints: checkpoints_kept(&args.keeping, project),
            now: World::real().now(),
        };
        let known = OpenJob::all(&project.state.journal())?.into_iter().map(|job| job.attempt).collect();
        let roots = Roots { open: runs::in_use(&project.state)?, ..Roots::default() };
        let look = || Remains::of(bucket, &keeping, &known, &roots);
        let remains = patiently(&format!("the store {uri}"), look)?;
        let runs = runs::old(&project.state, runs_kept(&args.keeping, project))?;
        Ok(Self { remains, runs })
    }

    /// What goes, by what it was.
    fn sorts(&self) -> [(&'static str, &'static str, &Vec<Stat>); 4] {
        let Remains { attempts, files, checkpoints, probes, .. } = &self.remains;
        [
            ("attempts", "of attempts that are over", attempts),
            ("files", "that went with attempts", files),
            ("checkpoints", "of checkpoints", checkpoints),
            ("probes", "of `pipe check`", probes),
        ]
    }

    fn text(&self, dry_run: bool) -> String {
        let verb = if dry_run { "would remove" } else { "removed" };
        let told = |(_, what, objects): (&str, &str, &Vec<Stat>)| {
            let some = count(objects.len() as u64, "object");
            (!objects.is_empty()).then(|| format!("{verb} {some} {what}: {}\n", bytes(size(objects))))
        };
        let mut text: String = self.sorts().into_iter().filter_map(told).collect();
        if text.is_empty() {
            text.push_str("there is nothing to remove of what attempts have left\n");
        }
        if !self.runs.runs.is_empty() {
            text.push_str(&format!("{verb} the events of {}\n", count(self.runs.runs.len() as u64, "run")));
        }
        if !self.remains.open.is_empty() {
            let open = count(self.remains.open.len() as u64, "attempt");
            text.push_str(&format!("kept all of {open} that no outcome has ended\n"));
        }
        text + "results stay: let the bucket's own rules remove what is old\n"
    }

    fn document(&self, dry_run: bool) -> Json {
        let mut document = json!({
            "dry_run": dry_run, "open": self.remains.open, "runs": self.runs.runs,
            "bytes": self.remains.objects().map(|stat| stat.size).sum::<u64>(),
        });
        for (name, _, objects) in self.sorts() {
            document[name] = json!({ "objects": objects.len(), "bytes": size(objects) });
        }
        document
    }
}

fn size(objects: &[Stat]) -> u64 {
    objects.iter().map(|stat| stat.size).sum()
}
