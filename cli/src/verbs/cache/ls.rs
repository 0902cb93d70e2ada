//! `pipe cache ls`: the results of a store, each with its task, its age, its size, and why it matters.

use super::{minute, project, store};
use crate::args::LsArgs;
use crate::exit::{Exit, Refusal};
use crate::forecast::{Forecast, Forecasts};
use crate::paths;
use crate::printer::{Printer, Style};
use crate::table::{self, Entry as Field, left, right};
use crate::wiring::Project;
use crate::words;
use pipe_engine::gc::{Catalogue, Entry, pins};
use pipe_engine::ids::Fingerprint;
use pipe_engine::lookup::Finder;
use pipe_engine::manifest::Of;
use pipe_engine::store::{Folder, lineage};
use pipe_engine::world::{Timestamp, World};
use serde_json::{Value as Json, json};
use std::collections::{BTreeMap, HashSet};

pub(crate) fn run(args: &LsArgs, printer: &Printer) -> Result<Exit, Refusal> {
    let (project, finder) = project(&args.spec, printer)?.grown(&World::real(), printer)?;
    let store = store(&project);
    let shown = Shown::of(args, &project, &finder, &store)?;
    let mut rows: Vec<Listed> =
        Catalogue::read(&store)?.results.into_iter().map(|e| Listed { e, removed: None }).collect();
    let gone = lineage::all(&store)?;
    if args.removed {
        rows.extend(
            gone.iter()
                .filter_map(|fingerprint| removed(&store, fingerprint).transpose())
                .collect::<Result<Vec<_>, _>>()?,
        );
    }
    rows.retain(|row| shown.wants(&row.e));
    rows.sort_by_cached_key(|row| {
        (row.e.pipeline.clone(), row.e.task.to_string(), row.removed.is_some(), u64::MAX - row.e.published.0)
    });
    if let (true, Some(pattern)) = (rows.is_empty(), &args.task)
        && !project.plan.tasks().any(|task| task.id.matches(pattern))
    {
        return Err(project.no_task(pattern));
    }
    if printer.json {
        printer.document(&rows.iter().map(|row| shown.document(row)).collect::<Vec<_>>())?;
        return Ok(Exit::Done);
    }
    printer.data(&shown.table(&rows, printer))?;
    if !args.removed && !gone.is_empty() {
        printer.line(&format!(
            "`gc` has removed others: {} in the store; `--removed` lists them",
            words::count(gone.len() as u64, "manifest")
        ));
    }
    Ok(Exit::Done)
}

/// One result, there or gone.
struct Listed {
    e: Entry,
    removed: Option<Timestamp>,
}

fn removed(store: &Folder, fingerprint: &Fingerprint) -> Result<Option<Listed>, Refusal> {
    let found = lineage::find(store, fingerprint)?;
    Ok(found.map(|removed| Listed { e: Entry::from(removed.manifest), removed: Some(removed.when) }))
}

/// What is shown, and what is told of it.
struct Shown<'a> {
    args: &'a LsArgs,
    pipeline: &'a str,
    store: &'a Folder,
    current: HashSet<Fingerprint>,
    pins: BTreeMap<Fingerprint, String>,
}

impl<'a> Shown<'a> {
    fn of(args: &'a LsArgs, project: &'a Project, finder: &Finder, store: &'a Folder) -> Result<Self, Refusal> {
        let forecasts = Forecasts::of(&project.plan, finder);
        let hit = |task| match forecasts.task(task) {
            Forecast::Hit(fingerprint) => Some(fingerprint.clone()),
            _ => None,
        };
        let current = (0..project.plan.len()).filter_map(hit).collect();
        let pins = pins::all(store)?.into_iter().map(|(name, pin)| (pin.fingerprint, name)).collect();
        Ok(Self { args, pipeline: &project.plan.name, store, current, pins })
    }

    /// A result that the spec's own tasks take for theirs is shown under the name it was made for.
    fn wants(&self, entry: &Entry) -> bool {
        let ours = self.args.all || entry.pipeline == self.pipeline || self.current.contains(&entry.fingerprint);
        let named = self.args.task.as_ref().is_none_or(|pattern| entry.task.matches(pattern));
        entry.of == Of::Task && ours && named
    }

    fn notes(&self, row: &Listed) -> Vec<String> {
        let mut notes = Vec::new();
        if let Some(when) = row.removed {
            return vec![format!("removed by gc on {}", minute(when))];
        }
        if self.current.contains(&row.e.fingerprint) {
            notes.push("current".to_owned());
        }
        if let Some(name) = self.pins.get(&row.e.fingerprint) {
            let name = Some(name).filter(|name| !row.e.fingerprint.0.starts_with(name.as_str()));
            notes.push(name.map_or_else(|| "pinned".to_owned(), |name| format!("pinned as {name}")));
        }
        notes.extend(row.e.adopted.is_some().then(|| "adopted".to_owned()));
        notes
    }

    fn table(&self, rows: &[Listed], printer: &Printer) -> String {
        let titles = ["pipeline", "task", "result", "made", "run"].map(|title| left(Style::Strong, title));
        let numbers = ["files", "size"].map(|title| right(Style::Strong, title));
        let mut table = vec![titles.into_iter().chain(numbers).chain([left(Style::Strong, "")]).collect::<Vec<_>>()];
        table.extend(rows.iter().map(|row| self.row(row)));
        if !self.args.all {
            table.iter_mut().for_each(|row| drop(row.remove(0)));
        }
        if rows.is_empty() { "no results are kept\n".to_owned() } else { table::lines(printer, &table) }
    }

    fn row(&self, row: &Listed) -> Vec<Field> {
        let Entry { fingerprint, pipeline, task, run, published, files, .. } = &row.e;
        let style = if row.removed.is_some() { Style::Faint } else { Style::Plain };
        let notes = self.notes(row).join(", ");
        vec![
            left(style, pipeline),
            left(style, task.to_string()),
            left(style, fingerprint.short(12)),
            left(Style::Faint, minute(*published)),
            left(Style::Faint, &run.0),
            right(style, files.len().to_string()),
            right(style, words::bytes(row.e.size())),
            left(if notes.starts_with("current") { Style::Good } else { Style::Faint }, notes),
        ]
    }

    fn document(&self, row: &Listed) -> Json {
        let Entry { fingerprint, pipeline, task, run, published, files, adopted, .. } = &row.e;
        json!({
            "pipeline": pipeline, "task": task.to_string(), "fingerprint": fingerprint, "published": published, "run": run,
            "files": files.len(), "bytes": row.e.size(), "folder": self.folder(&row.e),
            "current": row.removed.is_none() && self.current.contains(fingerprint),
            "pinned": self.pins.get(fingerprint), "adopted": adopted, "removed": row.removed,
        })
    }

    /// The folder that its own attempt wrote; items may lie in those of others.
    fn folder(&self, entry: &Entry) -> Option<String> {
        let own = format!("@{}-", entry.fingerprint.short(8));
        let folder = |at: &str| at.splitn(5, '/').take(4).collect::<Vec<_>>().join("/");
        let found = entry.files.iter().map(|file| folder(&file.at)).find(|folder| folder.contains(&own));
        found.map(|folder| paths::from_here(&self.store.path(&folder)))
    }
}
