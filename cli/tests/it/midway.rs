//! A machine elsewhere is lost amid the work, with all that is on it: the next attempt has what was finished, and goes on from what
//! was reached.

use crate::afar::{Afar, BUCKET, CLOUD_RUN};
use crate::bench::wait_until;
use serde_json::Value as Json;
use std::fs;
use std::process::{Child, Stdio};

/// Starts a run whose events go into a file.
fn start(afar: &Afar, state: &str) -> Child {
    let told = fs::File::create(afar.bench.path("told")).unwrap();
    let complaints = fs::File::create(afar.bench.path("complaints")).unwrap();
    afar.command(state, &[]).stdout(told).stderr(complaints).stdin(Stdio::null()).spawn().unwrap()
}

/// Waits for its end, which must be a good one, and returns its events.
fn ended(afar: &Afar, mut run: Child) -> Vec<Json> {
    let code = run.wait().unwrap().code();
    assert_eq!(code, Some(0), "{}\n{}", afar.bench.read("told"), afar.bench.read("complaints"));
    afar.bench.read("told").lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The last line of its log. What a machine said just before it was lost is lost.
fn last_line(events: &[Json]) -> &str {
    let mut lines = events.iter().filter(|event| event["type"] == "log").filter_map(|event| event["line"].as_str());
    lines.next_back().unwrap()
}

/// Counts to five, a step for each file that lets it. What it has reached is a file that it writes anew for each step.
const STEPS: &str = r#"
version = 1
name = "sum"
[stages.count]
kind = "command"
checkpoints = true
argv = ["sh", "-c", '''
cd $PIPE_CHECKPOINTS
n=$(cat step 2> /dev/null || echo 0)
echo begins at $n
while [ $n -lt 5 ]; do
  while [ ! -e @/go-$n ]; do sleep 0.05; done
  n=$((n + 1)); echo $n >> @/steps; mkdir -p of; echo $n > of/$n; echo $n > step
done
cat of/* > $PIPE_OUTPUT/made
''']
outputs = ["made"]
retry = { out_of_memory = 3, failed = 3, backoff = "10ms..20ms" }
PLACE
"#;

/// Whether the newest list of what was reached says that this step was.
fn has_reached(afar: &Afar, step: usize) -> bool {
    let objects = afar.objects("checkpoints/");
    let Some((_, list)) = objects.iter().rev().find(|(name, _)| name.ends_with(".json")) else { return false };
    let saved: Json = serde_json::from_slice(list).unwrap();
    saved["files"].as_array().unwrap().iter().any(|file| file["path"] == format!("of/{step}"))
}

#[test]
fn a_program_whose_machine_is_lost_goes_on_from_what_it_had_reached() {
    let afar = Afar::with(&CLOUD_RUN, STEPS);
    let run = start(&afar, "here");
    (0..3).for_each(|step| afar.bench.write(&format!("go-{step}"), ""));
    wait_until("three steps to be saved", || has_reached(&afar, 3));
    afar.kill(&afar.containers()[0]);
    (3..5).for_each(|step| afar.bench.write(&format!("go-{step}"), ""));
    let events = ended(&afar, run);
    assert_eq!(last_line(&events), "begins at 3");
    assert_eq!(afar.bench.read("steps").lines().collect::<Vec<_>>(), ["1", "2", "3", "4", "5"]);
    assert_eq!(afar.containers().len(), 2);
    assert_eq!(afar.objects("checkpoints/").len(), 0, "of work that is done nothing is kept");
    let made = afar.objects("data/").pop().unwrap().1;
    assert_eq!(String::from_utf8(made).unwrap(), "1\n2\n3\n4\n5\n");
}

#[test]
fn what_was_reached_and_spoilt_in_the_bucket_is_not_gone_on_from() {
    let afar = Afar::with(&CLOUD_RUN, STEPS);
    let run = start(&afar, "here");
    afar.bench.write("go-0", "");
    wait_until("a step to be saved", || has_reached(&afar, 1));
    for (name, bytes) in afar.objects("checkpoints/").into_iter().filter(|(name, _)| name.contains("/bytes/")) {
        afar.standin.put(BUCKET, &name, &bytes.iter().map(|byte| byte ^ 1).collect::<Vec<u8>>());
    }
    afar.kill(&afar.containers()[0]);
    (1..5).for_each(|step| afar.bench.write(&format!("go-{step}"), ""));
    let events = ended(&afar, run);
    assert_eq!((last_line(&events), afar.containers().len()), ("begins at 0", 2));
    let made = afar.objects("data/").pop().unwrap().1;
    assert_eq!(String::from_utf8(made).unwrap(), "1\n2\n3\n4\n5\n");
}

#[cfg(feature = "video")]
mod films {
    use super::{Json, ended, start};
    use crate::afar::{Afar, CLOUD_RUN};
    use crate::bench::wait_until;
    use pipe_fakeweb::Stretched;
    use pipe_standin::Fault;
    use rusqlite::Connection;
    use std::fs;
    use std::path::{Path, PathBuf};
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    const CLIPS: &str = r#"
version = 1
name = "sum"
[stages.plays]
kind = "export"
source = { type = "sqlite", path = "plays.db" }
query = "select id, start_ms, end_ms from plays order by start_ms"
[stages.clips]
kind = "extract-clips"
plays = "plays"
video = "gs://films/game.mp4"
thumbnails = false
resources = { cpu = 1 }
retry = { out_of_memory = 3, failed = 3, backoff = "10ms..20ms" }
PLACE
"#;
    const PLAYS: usize = 8;
    /// After so many reads no more of the film is to be had.
    const READS: usize = 14;

    /// The items of the store that are clips.
    fn clips(afar: &Afar) -> usize {
        let is_clip = |manifest: &Json| {
            manifest["of"] == "item" && manifest["files"][0]["path"].as_str().is_some_and(|path| path.ends_with(".mp4"))
        };
        afar.manifests().iter().filter(|manifest| is_clip(manifest)).count()
    }

    /// The clips that a container has finished: what is whole is read-only.
    fn finished(afar: &Afar) -> usize {
        let containers = afar.containers();
        let Some(container) = containers.first() else { return 0 };
        let is_whole = |path: &Path| {
            let is_clip = path.extension().is_some_and(|ending| ending == "mp4");
            // Links to it lie beside it.
            let is_output = path.components().any(|part| part.as_os_str() == "data");
            is_clip && is_output && fs::metadata(path).is_ok_and(|meta| meta.permissions().readonly())
        };
        let scratch = afar.scratch(container);
        below(&scratch).iter().filter(|path| is_whole(path)).count()
    }

    fn below(folder: &Path) -> Vec<PathBuf> {
        let entries = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
        entries.flat_map(|path| if path.is_dir() { below(&path) } else { vec![path] }).collect()
    }

    /// A film whose bytes lie far apart, and plays in it.
    fn filmed() -> Afar {
        let afar = Afar::with(&CLOUD_RUN, CLIPS);
        let (noise, film) = (afar.bench.path("noise.mp4"), afar.bench.path("game.mp4"));
        pipe_testdata::noise(&noise, 20).unwrap();
        let stretched = Stretched::of(fs::read(&noise).unwrap(), 200_000_000, 20);
        stretched.write(&fs::File::create(&film).unwrap()).unwrap();
        afar.standin.make_bucket("films");
        afar.standin.lay("films", &["game.mp4".to_owned()], &film);
        let plays = Connection::open(afar.bench.path("plays.db")).unwrap();
        plays.execute_batch("create table plays (id text, start_ms integer, end_ms integer)").unwrap();
        for n in 0..PLAYS as i64 {
            let row = (n.to_string(), n * 2400 + 300, n * 2400 + 1700);
            plays.execute("insert into plays values (?1, ?2, ?3)", row).unwrap();
        }
        afar
    }

    #[test]
    fn clips_of_a_machine_that_is_lost_are_there_for_the_next() {
        let afar = filmed();
        let reads = Arc::new(AtomicUsize::new(0));
        let counts = reads.clone();
        afar.standin.befalls(move |asked| {
            let is_read = asked.method == "storage.objects.get" && asked.about == "game.mp4";
            (is_read && counts.fetch_add(1, Ordering::Relaxed) >= READS).then_some(Fault::Stall)
        });
        let run = start(&afar, "here");
        wait_until("the worker to hang amid its clips", || reads.load(Ordering::Relaxed) > READS);
        wait_until("what is finished to be in the bucket", || finished(&afar) > 0 && clips(&afar) == finished(&afar));
        let whole = finished(&afar);
        afar.kill(&afar.containers()[0]);
        let there = clips(&afar);
        afar.standin.befalls(|_| None);
        let events = ended(&afar, run);
        let items: Vec<[u64; 2]> = events
            .iter()
            .filter(|event| event["type"] == "attempt_ended" && event["task"] == "clips")
            .map(|event| ["made", "reused"].map(|name| event["items"][name].as_u64().unwrap_or_default()))
            .collect();
        assert!(there >= whole && there < PLAYS, "{there} of {whole} finished clips were there");
        assert_eq!(items.last(), Some(&[(PLAYS - there) as u64, there as u64]), "{items:?}");
        assert_eq!((clips(&afar), afar.containers().len()), (PLAYS, 2));
    }
}

#[cfg(all(feature = "video", feature = "trainer"))]
mod trainings {
    use super::{Json, ended, start};
    use crate::afar::STORE;
    use crate::bench::wait_until;
    use crate::jobs::digests;
    use crate::quick::{Quick, WHERE};

    /// Long enough for a machine to be lost amid it.
    const TRAINER: &str = "trainer = { type = \"builtin\", epochs = 120, seed = 1 }\n\
                           retry = { out_of_memory = 3, failed = 3, backoff = \"10ms..20ms\" }";

    /// Only the training runs elsewhere, if anything does.
    fn write(quick: &Quick, place: &str, store: &str) {
        let spec = quick.spec("", &quick.videos(), store).replace(WHERE, &format!("{TRAINER}\n{place}"));
        quick.write(&format!("{spec}\n{}", quick.afar.settings()));
    }

    #[test]
    fn a_training_whose_machine_is_lost_goes_on_after_its_last_epoch_and_makes_the_same_model() {
        let quick = Quick::small();
        let afar = &quick.afar;
        write(&quick, "", "here");
        let whole = digests(&afar.run("first", &[]));
        write(&quick, "backend = \"there\"\ntimeout = \"20m\"", STORE);
        ["frames", "dataset"].iter().for_each(|stage| drop(afar.run("second", &["--until", stage])));
        let run = start(afar, "second");
        let is_list = |(name, _): &(String, Vec<u8>)| name.ends_with(".json");
        wait_until("the run to send the training away", || !afar.containers().is_empty());
        wait_until("an epoch to be saved", || afar.objects("checkpoints/").iter().any(is_list));
        afar.kill(&afar.containers()[0]);
        let events = ended(afar, run);
        let losses = events.iter().filter(|event| event["type"] == "metric" && event["name"] == "train_loss");
        let losses: Vec<(&Json, u64)> =
            losses.map(|event| (&event["attempt"], event["step"].as_u64().unwrap())).collect();
        let (last, _) = *losses.last().unwrap();
        let (_, first) = losses.iter().find(|(attempt, _)| *attempt == last).unwrap();
        assert!(*first > 1, "it goes on after an epoch: {losses:?}");
        assert_eq!(afar.containers().len(), 2);
        let made = events.iter().find(|event| event["type"] == "task_succeeded" && event["task"] == "model").unwrap();
        assert_eq!(made["digest"].as_str(), whole.get("model").map(String::as_str));
    }
}
