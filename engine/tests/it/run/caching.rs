//! What runs again and what does not.

use super::project::{BY_WORKER, Project};
use pipe_engine::event::Body;
use pipe_engine::stamp::FileStamp;
use pipe_engine::state::{Hints, Known, StateFolder};
use std::fs::{self, File, Permissions};
use std::os::unix::fs::PermissionsExt;

const CHAIN: &str = r#"
[stages.first]
kind = "script"
script = "cut -c1-3 tool.txt > $PIPE_OUTPUT/a.txt"
files = ["tool.txt"]
outputs = ["a.txt"]
[stages.second]
kind = "script"
script = "cat $PIPE_INPUT_FROM_0_/a.txt > $PIPE_OUTPUT/b.txt"
from = ["first"]
outputs = ["b.txt"]
"#;

fn chain() -> Project {
    let project = Project::new();
    project.write("spec/tool.txt", "abcdef\n");
    let ran = project.run(CHAIN);
    assert_eq!(ran.ends(), [2, 0, 0, 0, 0], "{:?}", ran.failures());
    assert_eq!(project.texts(), ["abc\n", "abc\n"]);
    project
}

#[test]
fn a_second_run_is_all_hits_and_starts_nothing() {
    let project = chain();
    let ran = project.run(CHAIN);
    assert_eq!((ran.ends(), ran.attempts()), ([0, 2, 0, 0, 0], vec![]));
}

#[test]
fn a_second_run_elsewhere_shares_the_hits_of_the_store() {
    let project = chain();
    let ran = project.run_in("other-state", CHAIN, |_| None);
    assert_eq!((ran.ends(), ran.attempts()), ([0, 2, 0, 0, 0], vec![]));
}

#[test]
fn the_journal_and_the_listener_hear_the_same_without_gaps() {
    let project = Project::new();
    project.write("spec/tool.txt", "abcdef\n");
    let ran = project.run(CHAIN);
    let durable: Vec<_> = ran.events.iter().filter(|e| e.seq.is_some()).cloned().collect();
    assert_eq!(ran.journaled(), durable);
    let seqs: Vec<u64> = durable.iter().filter_map(|e| e.seq).collect();
    assert_eq!(seqs, (1..=seqs.len() as u64).collect::<Vec<_>>());
}

#[test]
fn an_upstream_that_reran_to_the_same_bytes_reruns_nothing() {
    let project = chain();
    project.write("spec/tool.txt", "abcXYZ\n");
    let ran = project.run(CHAIN);
    assert_eq!(ran.ends(), [1, 1, 0, 0, 0]);
    assert_eq!(ran.attempts(), [("first".to_owned(), "1 of 5 fields changed: `files[0]` has other bytes".to_owned())]);
}

#[test]
fn a_changed_file_reruns_what_its_bytes_reach() {
    let project = chain();
    project.write("spec/tool.txt", "xyzdef\n");
    let ran = project.run(CHAIN);
    let reasons = [
        ("first", "1 of 5 fields changed: `files[0]` has other bytes"),
        ("second", "1 of 5 fields changed: `from[0]` gives another result"),
    ];
    assert_eq!(ran.attempts(), reasons.map(|(task, why)| (task.to_owned(), why.to_owned())));
    assert_eq!(project.texts().iter().filter(|text| *text == "xyz\n").count(), 2);
}

#[test]
fn a_file_that_was_touched_and_not_changed_reruns_nothing() {
    let project = chain();
    project.write("spec/tool.txt", "abcdef\n");
    assert_eq!(project.run(CHAIN).ends(), [0, 2, 0, 0, 0]);
}

#[test]
fn a_renamed_stage_is_a_hit() {
    let project = chain();
    let renamed = CHAIN.replace("[stages.first]", "[stages.start]").replace("[\"first\"]", "[\"start\"]");
    assert_eq!(project.run(&renamed).ends(), [0, 2, 0, 0, 0]);
}

#[test]
fn a_manifest_that_cannot_be_read_is_put_aside_and_costs_a_rerun() {
    for damage in ["", "{", "[]", "{\"version\": 1}", "\u{0}\u{0}\u{0}"] {
        let project = chain();
        for manifest in project.store("results") {
            fs::write(&manifest, damage).unwrap();
        }
        assert_eq!(project.run(CHAIN).ends(), [2, 0, 0, 0, 0], "{damage:?}");
        assert_eq!(project.store("quarantine").len(), 2, "{damage:?}");
        assert_eq!(project.run(CHAIN).ends(), [0, 2, 0, 0, 0], "{damage:?}");
    }
}

#[test]
fn a_manifest_under_another_key_is_not_believed() {
    let project = chain();
    let manifests = project.store("results");
    fs::copy(&manifests[0], &manifests[1]).unwrap();
    assert_eq!(project.run(CHAIN).ends(), [1, 1, 0, 0, 0]);
}

#[test]
fn a_result_whose_file_is_gone_or_cut_short_is_made_again() {
    let harm: [fn(&std::path::Path); 2] = [
        |file| fs::remove_file(file).unwrap(),
        |file| {
            fs::set_permissions(file, Permissions::from_mode(0o644)).unwrap();
            fs::write(file, "a").unwrap();
        },
    ];
    for harm in harm {
        let project = chain();
        harm(&project.store("data/toy/first")[0]);
        let ran = project.run(CHAIN);
        assert_eq!(ran.ends(), [1, 1, 0, 0, 0]);
        assert_eq!(ran.attempts(), [("first".to_owned(), "its result is gone".to_owned())]);
        assert_eq!(project.store("quarantine").len(), 1);
    }
}

#[test]
fn a_volatile_task_runs_once_in_every_run_and_what_follows_is_a_hit_while_its_bytes_are_the_same() {
    let project = chain();
    let volatile = CHAIN.replace("files = [\"tool.txt\"]", "files = [\"tool.txt\"]\ncache = false");
    for _ in 0..2 {
        let ran = project.run(&volatile);
        assert_eq!(ran.ends(), [1, 1, 0, 0, 0]);
        assert_eq!(ran.attempts(), [("first".to_owned(), "cache = false".to_owned())]);
    }
    project.write("spec/tool.txt", "xyzdef\n");
    assert_eq!(project.run(&volatile).ends(), [2, 0, 0, 0, 0]);
}

#[test]
fn the_result_of_a_volatile_task_is_no_hit_for_anybody() {
    let project = Project::new();
    let twins = "[stages.a]\nkind = \"script\"\nscript = \"true\"\ncache = false\n\
                 [stages.b]\nkind = \"script\"\nscript = \"true\"\ncache = false\n";
    assert_eq!(project.run(twins).ends(), [2, 0, 0, 0, 0]);
    assert_eq!(project.store("results").len(), 2, "each has filed its own");
    assert_eq!(project.run(&twins.replace("cache = false\n", "")).ends(), [2, 0, 0, 0, 0]);
}

/// A worker whose task goes without so many of its items.
fn worker_without(project: &Project, failed: u64) {
    let outcome = format!(r#"{{"version":1,"id":"ID","items":{{"made":2,"reused":0,"failed":{failed}}}}}"#);
    project.worker(&format!("id=$(basename $2); echo '{outcome}' | sed s/ID/$id/ > $2/outcome.json"));
}

#[test]
fn a_result_that_lacks_items_is_made_again_by_every_run_until_it_is_whole() {
    let project = Project::new();
    let stages = format!(
        "[stages.clips]\nkind = \"script\"\nscript = \"{BY_WORKER}\"\n\
         [stages.after]\nkind = \"script\"\nscript = \"true\"\nfrom = [\"clips\"]\n"
    );
    worker_without(&project, 3);
    assert_eq!(project.run(&stages).ends(), [2, 0, 0, 0, 0]);
    let ran = project.run(&stages);
    // What follows is a hit, since the bytes are the same.
    assert_eq!(ran.ends(), [1, 1, 0, 0, 0]);
    assert_eq!(ran.attempts(), [("clips".to_owned(), "some of its items failed before".to_owned())]);
    let told = ran.events.iter().find_map(|event| match &event.body {
        Body::AttemptEnded { items, .. } => Some(items.failed),
        _ => None,
    });
    assert_eq!(told, Some(3));
    // Whoever asks for what follows alone goes on with what there is.
    let other = stages.replace("true", "true;");
    assert_eq!(project.run_only(".pipe", &other, "after").ends(), [1, 1, 0, 0, 0]);
    worker_without(&project, 0);
    assert_eq!(project.run(&stages).ends(), [1, 1, 0, 0, 0]);
    assert_eq!(project.run(&stages).ends(), [0, 2, 0, 0, 0]);
}

#[test]
fn two_runs_that_race_end_well_with_one_result() {
    // Each writes something else, so a mixture would show.
    const RACE: &str = r#"
[stages.race]
kind = "script"
script = "echo $$ > $PIPE_OUTPUT/a; sleep 0.3; echo $$ > $PIPE_OUTPUT/b"
[stages.after]
kind = "script"
script = "cat $PIPE_INPUT_FROM_0_/a $PIPE_INPUT_FROM_0_/b > $PIPE_OUTPUT/c"
from = ["race"]
"#;
    let project = Project::new();
    let runs = std::thread::scope(|scope| {
        let runs = ["one", "two"].map(|state| scope.spawn(|| project.run_in(state, RACE, |_| None)));
        runs.map(|run| run.join().unwrap())
    });
    for ran in runs {
        assert_eq!(ran.counts.succeeded + ran.counts.cached, 2, "{:?}", ran.failures());
    }
    assert_eq!(project.store("results").len(), 2);
    let mut after: Vec<String> = project.data().into_iter().filter(|(p, _)| p.contains("after")).map(|f| f.1).collect();
    after.dedup();
    assert_eq!(after.len(), 1, "both went on from the one result: {after:?}");
    let lines: Vec<&str> = after[0].lines().collect();
    assert_eq!(lines[0], lines[1], "one attempt's files, not a mixture of two");
}

#[test]
fn two_projects_that_do_the_same_at_once_leave_each_others_children_alone() {
    // The same spec gives the same keys, so the attempts in the two stores have the same names. The second to
    // come here goes on until the first one's attempt has ended and what it left behind was looked for.
    const SAME: &str = r#"
[stages.same]
kind = "script"
script = "cd ../../../..; if mkdir ../first; then sleep 0.1; else sleep 1; fi; echo done > $PIPE_OUTPUT/a"
"#;
    let shared = tempfile::tempdir().unwrap();
    let projects = ["a", "b"].map(|name| Project::at(&shared.path().join(name)));
    let runs = std::thread::scope(|scope| {
        let runs = projects.each_ref().map(|project| scope.spawn(|| project.run(SAME)));
        runs.map(|run| run.join().unwrap())
    });
    for ran in runs {
        assert_eq!(ran.ends(), [1, 0, 0, 0, 0], "{:?}", ran.failures());
    }
}

#[test]
fn each_of_all_results_that_are_taken_is_in_the_key_with_its_cell() {
    let spec = |games: &str| {
        format!(
            "[stages.game]\nkind = \"script\"\nmatrix.n = {games}\nfiles = [\"game{{{{ n }}}}\"]\n\
             script = \"cat game{{{{ n }}}} > $PIPE_OUTPUT/a\"\n\
             [stages.best]\nkind = \"script\"\nmatrix.n = [2]\nscript = \"cat $PIPE_INPUT_EVERY/*/a > $PIPE_OUTPUT/b\"\n\
             inputs.every = {{ stage = \"game\", all = true }}\n"
        )
    };
    let project = Project::new();
    for (file, text) in [("spec/game1", "one"), ("spec/game2", "two"), ("spec/game3", "one")] {
        project.write(file, text);
    }
    assert_eq!(project.run(&spec("[1, 2]")).ends(), [3, 0, 0, 0, 0]);
    project.write("spec/game1", "other");
    let ran = project.run(&spec("[1, 2]"));
    assert_eq!(ran.ends(), [2, 1, 0, 0, 0], "the first game and what takes all of them");
    assert!(ran.attempts()[1].1.contains("`every[n=1]` gives another result"), "{:?}", ran.attempts());
    project.write("spec/game1", "one");
    assert_eq!(project.run(&spec("[1, 2]")).ends(), [0, 3, 0, 0, 0]);
    // The same bytes of another cell lie in another folder.
    assert_eq!(project.run(&spec("[2, 3]")).ends(), [2, 1, 0, 0, 0]);
}

/// Bytes that this process and its children have asked to read so far.
fn bytes_read() -> u64 {
    let told = fs::read_to_string("/proc/self/io").unwrap();
    told.lines().find_map(|line| line.strip_prefix("rchar: ")).unwrap().parse().unwrap()
}

#[test]
fn an_input_of_10_gb_that_did_not_change_is_not_read() {
    const STAGE: &str = "[stages.cut]\nkind = \"script\"\nscript = \"true\"\ndata = [\"video.mp4\"]\n";
    let project = Project::new();
    let video = project.path("spec/video.mp4");
    File::create(&video).unwrap().set_len(10 << 30).unwrap();
    // As if it had been read once: a digest that no reading would give.
    let told = "the digest that is remembered";
    let known = Known { stamp: FileStamp::of(&fs::metadata(&video).unwrap()), blake3: told.to_owned() };
    let state = StateFolder::at(project.path(".pipe"));
    fs::create_dir_all(state.root()).unwrap();
    let mut hints = Hints::load(&state.hints());
    hints.remember_file(&video.canonicalize().unwrap(), known);
    hints.save();
    let before = bytes_read();
    assert_eq!(project.run(STAGE).ends(), [1, 0, 0, 0, 0]);
    assert_eq!(project.run(STAGE).ends(), [0, 1, 0, 0, 0]);
    assert!(bytes_read() - before < 1 << 30, "{} bytes were read", bytes_read() - before);
    let manifest = fs::read_to_string(&project.store("results")[0]).unwrap();
    assert!(manifest.contains(told), "the key was made of what is remembered: {manifest}");
}

#[test]
fn two_machines_share_results_through_the_store_wherever_their_projects_lie() {
    let folder = tempfile::tempdir().unwrap();
    let store = format!("[store]\nroot = \"{}\"\n{CHAIN}", folder.path().join("shared").display());
    let one = Project::at(&folder.path().join("home/ann/football"));
    let two = Project::at(&folder.path().join("srv/builds/7"));
    for project in [&one, &two] {
        project.write("spec/tool.txt", "abcdef\n");
    }
    assert_eq!(one.run(&store).ends(), [2, 0, 0, 0, 0]);
    let ran = two.run(&store);
    assert_eq!((ran.ends(), ran.attempts()), ([0, 2, 0, 0, 0], vec![]));
    // What only one of them has changed is made there, and found by the other when it comes to it.
    two.write("spec/tool.txt", "xyzdef\n");
    assert_eq!(two.run(&store).ends(), [2, 0, 0, 0, 0]);
    assert_eq!(one.run(&store).ends(), [0, 2, 0, 0, 0]);
    one.write("spec/tool.txt", "xyzdef\n");
    assert_eq!(one.run(&store).ends(), [0, 2, 0, 0, 0]);
}
