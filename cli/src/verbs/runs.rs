//! `pipe runs`: the journal's runs, newest first -> a line for each: when, how long, how it ended, of what. Looks only.

use super::again;
use crate::args::RunsArgs;
use crate::exit::{Exit, Refusal};
use crate::life::Life;
use crate::printer::{Printer, Style};
use crate::runs;
use crate::table::{self, Entry, left, right};
use crate::wiring;
use crate::words;
use pipe_engine::asked::Asked;
use pipe_engine::report::RunView;
use pipe_engine::revision::Revision;
use pipe_engine::state::Lock;
use pipe_engine::world::{Timestamp, World};
use serde_json::{Value as Json, json};
use std::time::Duration;

/// Characters of a commit's name.
const SHORT: usize = 12;
/// Longer wishes are cut; `--json` has them whole.
const WIDEST: usize = 60;

pub(crate) fn run(args: &RunsArgs, printer: &Printer) -> Result<Exit, Refusal> {
    let spec = wiring::check(&args.spec)?.spec;
    let pipeline = spec.as_ref().map(|spec| spec.name.value.as_str());
    let state = wiring::state_folder(&args.spec.given, wiring::folder_of(&args.spec.spec));
    let holder = Lock::holder(state.root());
    let journal = state.journal();
    let shown = args.number.get();
    // One more than is shown, to know whether there are more.
    let views: Vec<RunView> = runs::outlines(&journal, pipeline)?.take(shown + 1).collect::<Result<_, _>>()?;
    let there_are_more = views.len() > shown;
    let now = World::real().now();
    let listed: Vec<Listed> = views.into_iter().take(shown).map(|view| Listed::of(view, holder.clone(), now)).collect();
    if printer.json {
        printer.document(&listed.iter().map(Listed::document).collect::<Vec<_>>())?;
        return Ok(Exit::Done);
    }
    if listed.is_empty() {
        printer.line(&format!("{} was never run", again(&args.spec)));
        return Ok(Exit::Done);
    }
    let mut rows = vec![header()];
    rows.extend(listed.iter().map(Listed::row));
    printer.data(&table::lines(printer, &rows))?;
    if there_are_more {
        printer.line(&format!("there are older ones: `pipe runs {} -n {}`", again(&args.spec), shown * 5));
    }
    Ok(Exit::Done)
}

/// One run of the list.
struct Listed {
    view: RunView,
    life: Life,
    took: Duration,
}

impl Listed {
    fn of(view: RunView, holder: Option<pipe_engine::state::Holder>, now: Timestamp) -> Self {
        let life = Life::of(&view, holder);
        let until = if matches!(life, Life::Running(_)) { now } else { view.heard };
        let took = until.since(view.started);
        Self { view, life, took }
    }

    fn name(&self) -> &str {
        self.view.run.as_ref().map_or("?", |run| run.0.as_str())
    }

    fn row(&self) -> Vec<Entry> {
        let commit = self.view.revision.as_ref().map(commit).unwrap_or_default();
        let asked = self.view.asked.as_ref().map(asked).unwrap_or_default();
        vec![
            left(Style::Plain, self.name()),
            left(Style::Plain, self.view.started.to_local()),
            right(Style::Plain, words::duration(self.took)),
            left(self.life.style(), self.life.told()),
            left(Style::Plain, runs::tally(&self.view, &self.life)),
            left(Style::Plain, commit),
            left(Style::Faint, words::cut(&asked, WIDEST)),
        ]
    }

    fn document(&self) -> Json {
        let view = &self.view;
        json!({
            "run": view.run, "pipeline": view.pipeline, "spec": view.spec, "state": self.life.word(),
            "started": view.started, "seconds": self.took.as_secs_f64(), "tasks": view.planned,
            "counts": runs::counts(view), "commit": view.revision.as_ref().map(|revision| &revision.commit),
            "dirty": view.revision.as_ref().map(is_dirty), "params": view.params, "asked": view.asked,
        })
    }
}

fn header() -> Vec<Entry> {
    let name = |name: &str| left(Style::Strong, name);
    vec![
        name("run"),
        name("began"),
        right(Style::Strong, "took"),
        name("ended"),
        name("tasks"),
        name("commit"),
        name("asked for"),
    ]
}

fn commit(revision: &Revision) -> String {
    let short = revision.commit.get(..SHORT).unwrap_or(&revision.commit);
    format!("{short}{}", if is_dirty(revision) { " dirty" } else { "" })
}

fn is_dirty(revision: &Revision) -> bool {
    revision.changes.as_ref().is_some_and(|changes| changes.count > 0)
}

/// What was said besides the spec's name, as it could be typed again; nothing when all of the spec was asked for.
pub(crate) fn asked(asked: &Asked) -> String {
    let many = |option: &str, values: &[String]| -> Vec<String> {
        values.iter().map(|value| format!("{option} {}", quoted(value))).collect()
    };
    let one = |option: &str, value: &Option<String>| many(option, value.as_slice());
    let flag = |option: &str, is_set: bool| is_set.then(|| option.to_owned()).into_iter().collect::<Vec<_>>();
    let params = asked.params.iter().map(|(name, value)| format!("{name}={}", runs::typed(value)));
    let inputs: Vec<String> = asked.inputs.iter().map(|(name, path)| format!("{name}={path}")).collect();
    let parts = [
        many("--only", &asked.only),
        many("--input", &inputs),
        many("--from", &asked.from),
        many("--until", &asked.until),
        flag("--force", asked.force),
        flag("--fail-fast", asked.fail_fast),
        one("--profile", &asked.profile),
        one("--at", &asked.at),
        many("-P", &params.collect::<Vec<_>>()),
    ];
    parts.concat().join(" ")
}

/// A word as a shell takes it.
fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || "-_./=,:@%+~".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_asked_for_could_be_typed_again() {
        let said = Asked {
            path: "/x/spec.toml".into(),
            profile: Some("cloud".into()),
            only: vec!["clips[game=g1]".into()],
            force: true,
            params: serde_json::from_value(json!({ "games": ["g1"], "n": 3, "who": "it's me" })).unwrap(),
            ..Asked::default()
        };
        let expected =
            r#"--only 'clips[game=g1]' --force --profile cloud -P 'games=["g1"]' -P n=3 -P 'who=it'\''s me'"#;
        assert_eq!(asked(&said), expected);
        assert_eq!(asked(&Asked::default()), "");
    }
}
