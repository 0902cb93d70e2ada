//! Jobs elsewhere and engines that die: each attempt has one job, which runs once, whoever asks for it next.

use super::Ending;
use crate::bench::{Bench, Seed};
use crate::engine::{Ended, Engine};
use crate::project::{Project, entries};
use rusqlite::Connection;
use std::fs;
use std::path::Path;
use std::time::Duration;

const TASKS: usize = 12;
const SPEC: &str = r#"version = 1
name = "jobs"
[backends.there]
kind = "detached"
folder = "JOBS"
delay = 1
[stages.rows]
kind = "export"
matrix.n = "{{ range(TASKS) }}"
backend = "there"
source = { type = "sqlite", path = "plays.db" }
query = "select id, title from plays where id = :n"
bind = { n = "{{ n }}" }
[stages.all]
kind = "command"
shell = "cat $PIPE_INPUT_ROWS/*/plays.jsonl > $PIPE_OUTPUT/all"
inputs = { rows = { stage = "rows" } }
outputs = ["all"]
"#;
/// About when the last job of the run above ends.
const WHOLE: Duration = Duration::from_millis(1500);

pub(crate) fn play(bench: &Bench) -> Ending {
    let (rounds, mut seed) = (if bench.is_short { 4 } else { 40 }, Seed::of(bench.seed));
    let (mut wrong, mut open) = (Vec::new(), 0);
    for round in 0..rounds {
        let project = write(bench).expect("it can be written");
        for _ in 0..2 {
            let ended = start(bench, &project, round % 2 == 1).kill_after(WHOLE.mul_f64(0.2 + 0.5 * seed.share()));
            open += usize::from(jobs(&project).iter().any(|job| !job.join("ended").exists()));
            wrong.extend(unless_killed(&ended));
        }
        // Every other time the machine is a new one that knows only the store.
        let ended = start(bench, &project, round % 2 == 0).wait();
        wrong.extend(judge(&project, &ended).into_iter().map(|what| format!("round {round}: {what}")));
    }
    let kills = rounds * 2;
    if open * 3 < kills {
        wrong.push(format!("only {open} of {kills} kills fell while jobs were open, which proves little"));
    }
    if wrong.is_empty() {
        Ending::Held(format!("{kills} kills, {open} of them while jobs were open, and each attempt had one job"))
    } else {
        Ending::Failed(wrong)
    }
}

fn write(bench: &Bench) -> Result<Project, Box<dyn std::error::Error>> {
    let folder = bench.room("jobs")?;
    let plays = Connection::open(folder.join("plays.db"))?;
    plays.execute_batch("create table plays (id integer, title text)")?;
    for id in 0..TASKS {
        plays.execute("insert into plays values (?1, 'play ' || ?1)", [id as i64])?;
    }
    let spec = SPEC.replace("JOBS", &folder.join("jobs").display().to_string()).replace("TASKS", &TASKS.to_string());
    Ok(Project::with(&folder, &bench.notes("jobs"), &spec, TASKS + 1)?)
}

fn start(bench: &Bench, project: &Project, elsewhere: bool) -> Engine {
    let state = if elsewhere { "other" } else { ".pipe" };
    let state = project.folder.join(state).display().to_string();
    Engine::start(&bench.pipe, project, &[("PIPE_STATE", state), ("PIPE_DETACHED", "1".to_owned())], Vec::new())
}

fn jobs(project: &Project) -> Vec<std::path::PathBuf> {
    let is_made = |job: &Path| job.file_name().is_some_and(|name| name.to_string_lossy().starts_with("job-"));
    entries(&project.folder.join("jobs")).into_iter().filter(|job| is_made(job)).collect()
}

fn unless_killed(ended: &Ended) -> Option<String> {
    (!ended.was_killed() && ended.code() != Some(0)).then(|| ended.told())
}

fn judge(project: &Project, ended: &Ended) -> Vec<String> {
    let mut wrong = Vec::new();
    if ended.code() != Some(0) {
        wrong.push(ended.told());
    }
    let jobs = jobs(project);
    if jobs.len() != TASKS {
        wrong.push(format!("{} jobs were made for {TASKS} attempts", jobs.len()));
    }
    for job in jobs {
        let code = fs::read_to_string(job.join("ended")).unwrap_or_default();
        if code.trim() != "0" {
            wrong.push(format!("{}: ended with `{}`", job.display(), code.trim()));
        }
    }
    let (manifests, torn) = project.manifests();
    wrong.extend(torn);
    wrong.extend(manifests.iter().filter_map(|manifest| project.made(manifest).err()));
    let lines = manifests.iter().find(|m| m.provenance.task.stage == "all").and_then(|m| m.files.first());
    let text = lines.and_then(|file| fs::read_to_string(project.store().join(&file.at)).ok()).unwrap_or_default();
    if text.lines().count() != TASKS {
        wrong.push(format!("{} of {TASKS} rows were gathered", text.lines().count()));
    }
    wrong
}
