//! How much memory clips take: that of the threads that cut, however many clips there are and however many videos.

use crate::bench::{Bench, Given};
use crate::clips::film;
use pipe_engine::attempt::Input;
use serde_json::{Value as Json, json};
use std::fs;
use std::path::PathBuf;

/// The most memory this process has had so far, in MiB, as the kernel counts it. Each test has a process of its own.
fn most_memory() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() / 1024
}

/// So many plays of a third of a second, which all overlap others.
fn plays(bench: &Bench, count: u64) -> Input {
    let database = bench.path("plays.db");
    rusqlite::Connection::open(&database).unwrap().execute_batch("create table if not exists t (a)").unwrap();
    let query = format!(
        "with recursive n(i) as (select 0 union all select i + 1 from n where i + 1 < {count}) \
         select 'p' || i as id, i * 2 + 1 as start_ms, i * 2 + 334 as end_ms from n"
    );
    let config = json!({ "source": { "type": "sqlite", "path": "x" }, "query": query });
    let outcome = bench.run("export", Given { config, files: vec![("source.path", database)], ..Given::default() });
    bench.input(&outcome, &[])
}

#[expect(clippy::print_stderr, reason = "the figures are worth reading when the tests are run by hand")]
fn told(what: &str) {
    eprintln!("{what}: {} MiB at most", most_memory());
}

#[test]
fn a_thousand_clips_take_hardly_more_memory_than_a_dozen() {
    let bench = Bench::new();
    film(&bench.path("v.mp4"), None);
    let cut = |count: u64| {
        let config = json!({ "plays": "plays", "video": "v.mp4" });
        let inputs = vec![("plays", vec![plays(&bench, count)])];
        let files = vec![("video", bench.path("v.mp4"))];
        let outcome = bench.run("extract-clips", Given { config, inputs, files, cpu: 2, ..Given::default() });
        assert_eq!(outcome.failure, None);
        assert_eq!(outcome.items.made + outcome.items.reused, count);
        told(&format!("{count} clips"));
        most_memory()
    };
    let dozen = cut(12);
    cut(120);
    let thousand = cut(1000);
    // Some 160 of them are written side by side, since they overlap; 59 MiB more were measured.
    assert!(thousand < dozen + 120, "{dozen} MiB for 12 clips, {thousand} for 1000");
    // What is allowed whatever the number of clips: 250 MB, and 150 for each encoder that runs.
    assert!(thousand < (250 + 2 * 150) * 1_000_000 / (1 << 20), "{thousand} MiB");
}

#[test]
fn four_angles_take_hardly_more_memory_than_one() {
    let bench = Bench::new();
    // Their bytes differ, so that none takes the clips of another.
    let videos: Vec<PathBuf> = (0..4).map(|n| bench.path(&format!("{n}.mp4"))).collect();
    (0..4).for_each(|n| film(&videos[n], Some(&format!("0{n}:00:00:00"))));
    let cut = |count: usize| {
        let names: Vec<(String, Json)> = (0..count).map(|n| (format!("a{n}"), json!(format!("{n}.mp4")))).collect();
        let config = json!({ "plays": "plays", "videos": names.into_iter().collect::<serde_json::Map<_, _>>() });
        let inputs = vec![("plays", vec![plays(&bench, 60)])];
        let fields = ["videos.a0", "videos.a1", "videos.a2", "videos.a3"];
        let files = fields.into_iter().zip(videos.clone()).take(count).collect();
        let outcome = bench.run("extract-clips", Given { config, inputs, files, cpu: 2, ..Given::default() });
        assert_eq!((outcome.failure, outcome.items.made), (None, if count == 1 { 60 } else { 180 }));
        told(&format!("{count} angles"));
        most_memory()
    };
    let one = cut(1);
    let four = cut(4);
    assert!(four < one + 40, "{one} MiB for one angle, {four} for four");
}
