//! Clips cut by the binary's own workers, looked at from outside: what is told of one that dies, and what memory one takes.

use crate::bench::{Bench, Said, Started, lives, wait_until};
use crate::bomb::bomb;
use pipe_video::{EncodeOptions, Preset, Ratio, Writer, WriterOptions};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value as Json;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Plays in a database, and a spec that exports them and does more.
fn project(plays: &[(&str, i64, i64)], stages: &str) -> Bench {
    let bench = Bench::with(&format!(
        "version = 1\nname = \"cut\"\n[stages.plays]\nkind = \"export\"\n\
         source = {{ type = \"sqlite\", path = \"plays.db\" }}\nquery = \"select id, start_ms, end_ms from plays order by start_ms\"\n{stages}"
    ));
    let database = rusqlite::Connection::open(bench.path("plays.db")).unwrap();
    database.execute_batch("create table plays (id text, start_ms int, end_ms int)").unwrap();
    for play in plays {
        database.execute("insert into plays values (?1, ?2, ?3)", *play).unwrap();
    }
    bench
}

/// A film of noise such as a camera's, 25 frames a second.
fn film(path: &Path, [width, height]: [u32; 2], frames: u32, loud: u8) {
    let options = WriterOptions {
        width,
        height,
        frame_rate: Ratio { num: 25, den: 1 },
        gop: 50,
        b_frames: 3,
        encode: EncodeOptions { crf: 26, preset: Preset::Ultrafast },
        audio_rate: None,
        matrix: None,
        timecode: None,
    };
    let mut writer = Writer::create(path, options).unwrap();
    let size = (width * height) as usize;
    let (mut state, mut noise) = (1_u32, Vec::with_capacity(size * 2));
    noise.resize_with(size * 2, || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        128 + (state >> 8) as u8 % loud
    });
    let flat = vec![128; size / 4];
    for number in 0..frames as usize {
        // Each frame is another part of the same noise.
        let begin = number * 7919 % size;
        writer.push_yuv420(&noise[begin..begin + size], &flat, &flat).unwrap();
    }
    writer.finish().unwrap();
}

/// The notes of what the worker of a stage is at, once they name this.
fn noted(bench: &Bench, what: &str) -> PathBuf {
    let notes = || {
        let attempts = fs::read_dir(bench.path(".pipe/attempts")).into_iter().flatten().flatten();
        let mut files = attempts.map(|attempt| attempt.path().join("doing"));
        files.find(|file| fs::read_to_string(file).is_ok_and(|text| text.contains(what)))
    };
    wait_until(what, || notes().is_some());
    notes().unwrap_or_else(|| panic!("nobody is at {what} any more"))
}

/// The workers of a bench, by the names of their attempts.
fn workers(bench: &Bench) -> BTreeMap<String, i32> {
    let Ok(attempts) = bench.path(".pipe/attempts").canonicalize() else { return BTreeMap::new() };
    let processes = fs::read_dir("/proc").unwrap().flatten();
    let numbers = processes.filter_map(|process| process.file_name().to_str()?.parse::<i32>().ok());
    let worker = |number: i32| {
        let line = fs::read_to_string(format!("/proc/{number}/cmdline")).ok()?;
        let folder = line.split('\0').skip_while(|word| *word != "worker").nth(1)?;
        let folder = fs::read_link(format!("/proc/{number}/cwd")).ok()?.join(folder).canonicalize().ok()?;
        let attempt = folder.strip_prefix(&attempts).ok()?.to_str()?;
        Some((attempt.to_owned(), number))
    };
    numbers.filter_map(worker).collect()
}

fn failures(said: &Said) -> Vec<Json> {
    said.events()
        .into_iter()
        .filter(|event| event["type"] == "task_failed")
        .map(|mut event| event["failure"].take())
        .collect()
}

#[test]
fn a_worker_that_crashes_amid_a_clip_names_the_play_and_its_angle_and_keeps_what_was_whole() {
    let plays = [("short", 0, 400), ("long", 1000, 39_000)];
    // To encode so long a clip takes far longer than to find its worker.
    let bench = project(
        &plays,
        "[stages.clips]\nkind = \"extract-clips\"\nplays = \"plays\"\nvideos = { FAR_LEFT = \"film.mp4\" }\nmode = \"encode\"\n\
         preset = \"slow\"\nthumbnails = false\n",
    );
    film(&bench.path("film.mp4"), [320, 180], 1000, 64);
    let engine = bench.start(&["run", "spec.toml", "--json"]);
    let notes = noted(&bench, "play `long` of FAR_LEFT");
    let attempt = notes.parent().unwrap().file_name().unwrap().to_str().unwrap().to_owned();
    let worker = workers(&bench)[&attempt];
    wait_until("the end of the worker", || {
        // The first of these is caught by Rust, which looks for a stack that was too small, and lets go of the second.
        let _ = kill_process(Pid::from_raw(worker).unwrap(), Signal::SEGV);
        !lives(&worker.to_string())
    });
    let said = engine.wait();
    assert_eq!(said.code, Some(1), "{said:?}");
    let failure = failures(&said).remove(0);
    assert_eq!((&failure["code"], &failure["class"]), (&"crashed".into(), &"failed".into()), "{failure}");
    assert_eq!(
        failure["message"],
        "the worker was killed by signal 11 (SIGSEGV): it crashed, while it worked on play `long` of FAR_LEFT"
    );
    assert!(!notes.exists());
    // The play is left out, and the clip that was whole is there.
    rusqlite::Connection::open(bench.path("plays.db"))
        .unwrap()
        .execute("delete from plays where id = 'long'", [])
        .unwrap();
    let ended = bench.run().events().into_iter().rfind(|event| event["type"] == "attempt_ended").unwrap();
    assert_eq!((&ended["items"]["made"], &ended["items"]["reused"]), (&0.into(), &1.into()), "{ended}");
}

#[test]
fn a_video_that_wants_more_memory_than_there_is_fails_its_task_names_the_play_and_nothing_else() {
    let bench = project(
        &[("p", 0, 400)],
        "[stages.clips]\nkind = \"extract-clips\"\nplays = \"plays\"\nthumbnails = false\n\
         videos = { A = \"a.mp4\", BOMB = \"bomb.h264\", C = \"c.mp4\" }\n\
         resources = { cpu = 1, memory = \"16 MiB\" }\nretry = { out_of_memory = 0 }\n\
         [stages.others]\nkind = \"extract-clips\"\nplays = \"plays\"\nvideo = \"other.mp4\"\n",
    );
    for (number, name) in ["a.mp4", "c.mp4", "other.mp4"].into_iter().enumerate() {
        film(&bench.path(name), [64, 64], 50, 32 + number as u8);
    }
    // Half a megabyte, for which a decoder wants more than two gigabytes: the worker has 1 GiB and 64 MiB.
    bomb(&bench.path("bomb.h264"));
    let said = bench.pipe(&["run", "spec.toml", "--json"]);
    assert_eq!(said.code, Some(1), "{said:?}");
    let failed = failures(&said);
    assert_eq!(failed.len(), 1, "{failed:?}");
    assert_eq!(failed[0]["class"], "out-of-memory", "{failed:?}");
    let message = failed[0]["message"].as_str().unwrap();
    assert!(message.contains("play `p` of BOMB") && message.contains("memory ran out"), "{message}");
    let of = |kind: &str, task: &str| said.events().into_iter().find(|e| e["type"] == kind && e["task"] == task);
    assert_eq!(of("attempt_ended", "clips").unwrap()["items"]["made"], 2, "clips of the angles before and behind it");
    assert!(of("task_succeeded", "others").is_some(), "{said:?}");
}

/// The engine knows a video by its bytes alone: what is in it, only a worker looks at.
#[test]
fn a_video_that_is_none_is_planned_like_any_other_and_fails_in_its_worker() {
    let bench = project(
        &[("p", 0, 400)],
        "[stages.clips]\nkind = \"extract-clips\"\nplays = \"plays\"\nmatrix.angle = [\"GOOD\", \"NONE\"]\n\
         video = \"{{ angle }}.mp4\"\n",
    );
    film(&bench.path("GOOD.mp4"), [64, 64], 50, 32);
    // It begins as an MP4 does.
    fs::write(bench.path("NONE.mp4"), [&b"\0\0\0\x14ftypmp42\0\0\0\0mp42"[..], &[0xa7; 5000]].concat()).unwrap();
    for verb in ["validate", "plan", "graph"] {
        let said = bench.pipe(&[verb, "spec.toml"]);
        assert_eq!(said.code, Some(0), "{verb}: {said:?}");
    }
    let said = bench.pipe(&["run", "spec.toml", "--json"]);
    assert_eq!(said.code, Some(1), "{said:?}");
    let failed = failures(&said);
    assert_eq!((failed.len(), &failed[0]["code"]), (1, &"not_a_video".into()), "{failed:?}");
    let of = |kind: &str, task: &str| said.events().into_iter().find(|e| e["type"] == kind && e["task"] == task);
    assert!(of("attempt_ended", "clips[angle=NONE]").is_some(), "{said:?}");
    assert!(of("task_succeeded", "clips[angle=GOOD]").is_some(), "{said:?}");
}

#[test]
fn a_page_about_a_run_shows_the_contact_sheets_of_its_clips() {
    let bench = project(
        &[("a", 0, 400), ("b", 800, 1600)],
        "[stages.clips]\nkind = \"extract-clips\"\nplays = \"plays\"\nmatrix.angle = [\"LEFT\", \"RIGHT\"]\n\
         video = \"{{ angle }}.mp4\"\n",
    );
    film(&bench.path("LEFT.mp4"), [64, 64], 50, 32);
    film(&bench.path("RIGHT.mp4"), [64, 64], 50, 33);
    let said = bench.pipe(&["run", "spec.toml", "--report", "page.html"]);
    assert_eq!(said.code, Some(0), "{said:?}");
    let page = bench.read("page.html");
    // One for each task, byte for byte: none of the thumbnails beside them.
    assert_eq!(page.matches("src=\"data:image/jpeg;base64,").count(), 2);
    assert!(page.contains("clips[angle=LEFT]") && page.contains("contact-sheet.jpg"), "{said:?}");
}

/// The most memory that each worker of a run has had, in kB, as the kernel counts it, and how the run ended.
fn most_memory(bench: &Bench, engine: Started) -> (BTreeMap<String, u64>, Said) {
    let mut most = BTreeMap::new();
    let run = std::thread::spawn(move || engine.wait());
    while !run.is_finished() {
        for (attempt, number) in workers(bench) {
            let status = fs::read_to_string(format!("/proc/{number}/status")).unwrap_or_default();
            let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
            let found = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok());
            let most = most.entry(attempt).or_insert(0);
            *most = found.unwrap_or(0).max(*most);
        }
        std::thread::sleep(Duration::from_millis(30));
    }
    (most, run.join().unwrap())
}

#[expect(clippy::print_stderr, reason = "the figures are worth reading when the tests are run by hand")]
#[test]
fn four_angles_of_1080p_in_one_task_take_the_memory_of_its_encoders_and_no_more() {
    // The last has a key frame inside, at two seconds.
    let plays = [("a", 100, 700), ("b", 500, 1200), ("c", 1600, 2500)];
    let bench = project(
        &plays,
        "[stages.clips]\nkind = \"extract-clips\"\nmatrix.mode = [\"smart\", \"encode\"]\nmode = \"{{ mode }}\"\n\
         plays = \"plays\"\nvideos = { A = \"a.mp4\", B = \"b.mp4\", C = \"c.mp4\", D = \"d.mp4\" }\nresources = { cpu = 2 }\n",
    );
    film(&bench.path("a.mp4"), [1920, 1080], 65, 6);
    let bytes = fs::read(bench.path("a.mp4")).unwrap();
    for name in ["b", "c", "d"] {
        // A box that means nothing: other bytes, so none takes the clips of another.
        let other = [&bytes, &[0, 0, 0, 12][..], b"free", name.repeat(4).as_bytes()].concat();
        fs::write(bench.path(&format!("{name}.mp4")), other).unwrap();
    }
    let engine = bench.start(&["run", "spec.toml", "--json", "--cpu", "2"]);
    let (most, said) = most_memory(&bench, engine);
    assert_eq!(said.code, Some(0), "{said:?}");
    let made: u64 = said.events().iter().filter_map(|event| event["items"]["made"].as_u64()).sum();
    assert_eq!(made, 2 * 4 * 3, "{said:?}");
    eprintln!("{most:?} kB");
    // Two encoders run side by side in each.
    let limit = (250 + 2 * 150) * 1_000_000 / 1024;
    assert!(most.values().all(|most| *most < limit), "{most:?} kB, and no more than {limit} is allowed");
    // Looked at often enough: two workers have cut, and 1080p is not to be had for less.
    assert!(most.values().filter(|most| **most > 60_000).count() >= 2, "{most:?} kB");
}
