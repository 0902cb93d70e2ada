//! A store in a bucket, looked into over the wire: an S3 server on loopback whose bucket is a folder.

use crate::bench::{Bench, SUM, Said, wait_until};
use crate::s3::{Answer, Server};
use s3s::S3ErrorCode;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;

/// A folder with a spec whose store is `s3://bucket/prefix`, and the server of that bucket.
struct Remote {
    bench: Bench,
    server: Server,
}

impl Remote {
    /// The bucket is empty.
    fn empty(spec: &str) -> Self {
        let bench = Bench::with(&format!("{spec}\n[store]\nroot = \"s3://bucket/prefix\"\n"));
        fs::create_dir_all(bench.path("buckets/bucket")).unwrap();
        let server = Server::of(&bench.path("buckets"));
        Self { bench, server }
    }

    /// The bucket holds what a run of `spec` left in a folder.
    fn after(spec: &str) -> Self {
        let bench = Bench::with(&format!("{spec}\n[store]\nroot = \"buckets/bucket/prefix\"\n"));
        fs::create_dir_all(bench.path("buckets/bucket")).unwrap();
        bench.run();
        bench.write("spec.toml", &format!("{spec}\n[store]\nroot = \"s3://bucket/prefix\"\n"));
        let server = Server::of(&bench.path("buckets"));
        Self { bench, server }
    }

    fn pipe(&self, arguments: &[&str]) -> Said {
        self.pipe_with("a-secret", arguments)
    }

    fn pipe_with(&self, secret: &str, arguments: &[&str]) -> Said {
        self.bench.said(&mut self.command(secret, arguments))
    }

    fn command(&self, secret: &str, arguments: &[&str]) -> Command {
        let mut command = self.bench.command(arguments);
        command
            .env("AWS_ENDPOINT_URL", format!("http://{}", self.server.address))
            .env("AWS_REGION", "us-east-1")
            .env("AWS_ACCESS_KEY_ID", "somebody")
            .env("AWS_SECRET_ACCESS_KEY", secret)
            .env_remove("AWS_SESSION_TOKEN");
        command
    }

    /// A run with this state folder, which must end well. Returns how many tasks it has made and how many it has found.
    fn run(&self, state: &str) -> (usize, u64) {
        let said = self.pipe(&["run", "spec.toml", "--json", "--state", state]);
        assert_eq!(said.code, Some(0), "{said:?}");
        let last = said.events().pop().unwrap();
        (said.count("task_succeeded"), last["cached"].as_u64().unwrap())
    }

    /// The objects under a prefix of the store, by their paths.
    fn objects(&self, prefix: &str) -> Vec<PathBuf> {
        let root = self.bench.path("buckets/bucket/prefix").join(prefix);
        self.bytes().into_iter().map(|(path, _)| PathBuf::from(path)).filter(|path| path.starts_with(&root)).collect()
    }

    /// What a file of the result of a stage holds, for each of its results in the bucket.
    fn results(&self, stage: &str, file: &str) -> Vec<String> {
        let files = self.objects("data/sum").into_iter().filter(|path| path.ends_with(file));
        let files = files.filter(|path| path.components().any(|part| part.as_os_str() == stage));
        files.map(|path| fs::read_to_string(path).unwrap()).collect()
    }

    /// Every file of the bucket with its bytes.
    fn bytes(&self) -> Vec<(String, Vec<u8>)> {
        files(&self.bench.path("buckets"))
    }
}

#[test]
fn every_result_in_a_bucket_is_a_hit_also_for_those_who_never_saw_it() {
    let remote = Remote::after(SUM);
    let before = remote.bytes();
    for state in [".pipe", "another", "another"] {
        let said = remote.pipe(&["plan", "spec.toml", "--json", "--state", state]);
        assert_eq!((said.code, said.stderr.as_str()), (Some(0), ""), "{said:?}");
        let plan = said.json();
        let states: Vec<&str> =
            plan["tasks"].as_array().unwrap().iter().map(|t| t["state"].as_str().unwrap()).collect();
        assert_eq!(states, ["hit"; 3]);
    }
    assert!(remote.bytes() == before, "planning writes nothing into the bucket");
}

#[test]
fn what_is_not_in_the_bucket_would_run_and_the_change_is_told() {
    let remote = Remote::after(SUM);
    let plan = remote.pipe(&["plan", "spec.toml", "--tasks", "-P", "extra=1"]);
    assert_eq!(plan.code, Some(0), "{plan:?}");
    assert_eq!(plan.stdout.matches("changed: `argv[2]`").count(), 2, "{plan:?}");
    let explained = remote.pipe(&["explain", "spec.toml", "sum"]);
    assert!(explained.stdout.contains("up to date"), "{explained:?}");
    assert!(explained.stdout.contains("s3://bucket/prefix/data/sum/sum/all@"), "{explained:?}");
}

#[test]
fn a_bucket_that_does_not_answer_is_told_and_planned_for_offline() {
    let remote = Remote::after(SUM);
    let said = remote.pipe_with("not-the-secret", &["plan", "spec.toml"]);
    assert_eq!((said.code, said.stdout.as_str()), (Some(3), ""), "{said:?}");
    assert!(said.stderr.contains("cannot look into the store s3://bucket/prefix: "), "{said:?}");
    assert!(said.stderr.contains("`--offline` plans as if it were empty"), "{said:?}");
    assert!(!said.stderr.contains("not-the-secret"), "{said:?}");
    let said = remote.pipe(&["plan", "spec.toml", "--offline"]);
    assert_eq!(said.code, Some(0), "{said:?}");
    assert!(said.stderr.contains("s3://bucket/prefix is not looked at"), "{said:?}");
    assert!(said.stdout.contains("2 to run"), "{said:?}");
}

#[test]
fn a_run_fills_a_bucket_and_whoever_comes_next_makes_nothing() {
    let remote = Remote::empty(SUM);
    assert_eq!(remote.run("here"), (3, 0));
    assert_eq!(remote.results("sum", "all"), ["1\n2\n"]);
    assert_eq!(remote.objects("results").len(), 3, "a manifest for each task, and nothing else");
    let before = remote.bytes();
    assert_eq!(remote.run("here"), (0, 3));
    assert_eq!(remote.run("there"), (0, 3), "another machine");
    assert!(remote.bytes() == before, "who finds everything writes nothing");
    assert!(!remote.bench.path("there/copies").join("bytes").exists());
}

#[test]
fn what_another_machine_made_is_brought_here_where_it_is_needed() {
    let remote = Remote::empty(SUM);
    let said = remote.pipe(&["run", "spec.toml", "--state", "here", "--until", "number"]);
    assert_eq!(said.code, Some(0), "{said:?}");
    assert_eq!(remote.run("there"), (1, 2));
    assert_eq!(remote.results("sum", "all"), ["1\n2\n"]);
}

#[test]
fn a_service_that_does_not_let_us_write_is_told_of_before_anything_runs() {
    let remote = Remote::empty(&counted());
    remote.server.answers(|operation, _| match operation {
        "PutObject" => Answer::Error(S3ErrorCode::AccessDenied),
        _ => Answer::Served,
    });
    let said = remote.pipe(&["run", "spec.toml"]);
    assert_eq!((said.code, said.stdout.as_str()), (Some(3), ""), "{said:?}");
    assert!(said.stderr.starts_with("error: results cannot be put into the store s3://bucket/prefix: "), "{said:?}");
    assert!(!remote.bench.path("made").exists());
}

#[test]
fn a_service_that_does_not_keep_to_conditions_is_refused() {
    let remote = Remote::empty(&counted());
    let object = remote.bench.path("buckets/bucket/prefix/tmp/writable");
    // What was written is gone when it is to be there: the next create says that it was the first.
    remote.server.answers(move |_, _| {
        let _ = fs::remove_file(&object);
        Answer::Served
    });
    let said = remote.pipe(&["run", "spec.toml"]);
    assert_eq!(said.code, Some(3), "{said:?}");
    assert!(
        said.stderr.contains("creates an object only if it is not there yet, and has just replaced one"),
        "{said:?}"
    );
}

#[test]
fn a_service_that_is_not_there_ends_a_run_before_it_begins() {
    let remote = Remote::empty(&counted());
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut command = remote.command("a-secret", &["run", "spec.toml"]);
    let said = remote.bench.said(command.env("AWS_ENDPOINT_URL", format!("http://{nobody}")));
    assert_eq!((said.code, said.stdout.as_str()), (Some(3), ""), "{said:?}");
    assert!(said.stderr.contains("the store s3://bucket/prefix: "), "{said:?}");
    assert!(!remote.bench.path("made").exists());
}

#[test]
fn a_service_that_is_busy_for_a_moment_is_asked_again() {
    let remote = Remote::empty(SUM);
    let mut busy = 6;
    remote.server.answers(move |operation, object| {
        let is_now = operation == "PutObject" && object.contains("data/") && busy > 0;
        busy -= i32::from(is_now);
        if is_now { Answer::Error(S3ErrorCode::SlowDown) } else { Answer::Served }
    });
    assert_eq!(remote.run("here"), (3, 0));
}

#[test]
fn what_was_made_when_the_service_went_away_is_not_made_again() {
    let remote = Remote::empty(&counted());
    remote.server.answers(|operation, object| match operation {
        "PutObject" if object.contains("results/") => Answer::Error(S3ErrorCode::InternalError),
        _ => Answer::Served,
    });
    let said = remote.pipe(&["run", "spec.toml", "--state", "here"]);
    assert_eq!(said.code, Some(1), "{said:?}");
    assert!(said.stderr.contains("the result did not get into the store"), "{said:?}");
    assert!(said.stderr.contains("it is kept in the state folder"), "{said:?}");
    assert_eq!(remote.bench.read("made").lines().count(), 2, "the two numbers");
    assert_eq!(remote.objects("results"), [] as [PathBuf; 0]);
    remote.server.answers(|_, _| Answer::Served);
    assert_eq!(remote.run("here"), (1, 2));
    assert_eq!(remote.bench.read("made").lines().count(), 3, "and their sum");
    assert_eq!(remote.run("there"), (0, 3));
}

#[test]
fn a_run_that_is_killed_in_the_midst_of_putting_its_results_there_goes_on() {
    for moment in ["data/", "results/"] {
        let remote = Remote::empty(&counted());
        let (tell, told) = channel();
        remote.server.answers(move |operation, object| {
            if operation == "PutObject" && object.contains(moment) {
                let _ = tell.send(());
                return Answer::Silence;
            }
            Answer::Served
        });
        let mut command = remote.command("a-secret", &["run", "spec.toml", "--state", "here"]);
        let mut run = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        told.iter().take(2).for_each(drop);
        run.kill().unwrap();
        run.wait().unwrap();
        assert_eq!(remote.objects("results"), [] as [PathBuf; 0], "nothing is promised yet");
        remote.server.answers(|_, _| Answer::Served);
        assert_eq!(remote.run("here"), (1, 2), "{moment}");
        assert_eq!(remote.bench.read("made").lines().count(), 3, "{moment}: nothing is made twice");
        assert_eq!(remote.run("there"), (0, 3));
        assert_eq!(remote.results("sum", "all"), ["1\n2\n"]);
    }
}

#[test]
fn of_two_machines_that_race_one_is_first_and_both_have_the_result() {
    let wait = r"echo > @/began.$$; while [ ! -e @/go ]; do sleep 0.02; done; echo $((";
    let spec = SUM.replace("echo $((", wait);
    let remote = Remote::empty(&spec);
    let folder = remote.bench.path("");
    let began = || fs::read_dir(&folder).unwrap().filter(|e| is_named(e.as_ref().unwrap(), "began.")).count();
    let runs = ["here", "there"].map(|state| {
        let mut command = remote.command("a-secret", &["run", "spec.toml", "--state", state, "--cpu", "2"]);
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    });
    wait_until("all four tasks to begin", || began() == 4);
    remote.bench.write("go", "");
    for run in runs {
        let ended = run.wait_with_output().unwrap();
        assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
    }
    assert_eq!(remote.objects("results").len(), 3);
    assert_eq!(remote.run("third"), (0, 3));
    for sum in remote.results("sum", "all") {
        assert_eq!(sum, "1\n2\n");
    }
}

#[test]
fn a_result_that_was_spoilt_in_the_bucket_is_made_anew_where_it_is_needed() {
    let remote = Remote::empty(SUM);
    let said = remote.pipe(&["run", "spec.toml", "--state", "here", "--until", "number"]);
    assert_eq!(said.code, Some(0), "{said:?}");
    let spoilt = remote.objects("data/sum/number").into_iter().find(|path| fs::read_to_string(path).unwrap() == "1\n");
    fs::write(spoilt.unwrap(), "7\n").unwrap();
    let said = remote.pipe(&["run", "spec.toml", "--state", "there"]);
    assert_eq!(said.code, Some(0), "{said:?}");
    assert!(said.stderr.contains("`number` is not what was filed"), "{said:?}");
    assert_eq!(remote.results("sum", "all"), ["1\n2\n"]);
    assert_eq!(remote.objects("quarantine").len(), 1);
    assert_eq!(remote.run("third"), (0, 3));
}

#[test]
fn what_is_made_anew_takes_the_place_of_what_was_there() {
    let spec = SUM.replace("$(({{ n }} + {{ params.extra }}))", "$(cat @/drawn)");
    let remote = Remote::empty(&spec);
    remote.bench.write("drawn", "5");
    assert_eq!(remote.run("here"), (3, 0));
    remote.bench.write("drawn", "6");
    assert_eq!(remote.run("there"), (0, 3));
    let said = remote.pipe(&["run", "spec.toml", "--state", "there", "--force", "--json"]);
    assert_eq!((said.code, said.count("task_succeeded")), (Some(0), 3), "{said:?}");
    assert_eq!(remote.run("here"), (0, 3), "its sum is that of the new numbers");
    let mut sums = remote.results("sum", "all");
    sums.sort();
    assert_eq!(sums, ["5\n5\n", "6\n6\n"], "nothing that is there is written over");
}

#[test]
fn a_large_file_goes_in_parts_and_comes_back_whole() {
    let spec = r#"
        version = 1
        name = "sum"
        [stages.large]
        kind = "command"
        argv = ["sh", "-c", "seq 1 3000000 > $PIPE_OUTPUT/large"]
        outputs = ["large"]
        [stages.last]
        kind = "command"
        argv = ["sh", "-c", "tail -n 1 $PIPE_INPUT_LARGE/large > $PIPE_OUTPUT/last"]
        inputs = { large = { stage = "large" } }
        outputs = ["last"]
    "#;
    let remote = Remote::empty(spec);
    let parts = Arc::new(AtomicUsize::new(0));
    let counts = parts.clone();
    remote.server.answers(move |operation, _| {
        counts.fetch_add(usize::from(operation == "UploadPart"), Ordering::Relaxed);
        Answer::Served
    });
    let said = remote.pipe(&["run", "spec.toml", "--state", "here", "--until", "large"]);
    assert_eq!(said.code, Some(0), "{said:?}");
    assert_eq!(parts.load(Ordering::Relaxed), 3, "22,888,896 bytes in parts of 8 MiB");
    assert_eq!(remote.run("there"), (1, 1));
    assert_eq!(remote.results("last", "last"), ["3000000\n"]);
}

#[test]
fn stages_of_our_own_write_into_the_copy_and_read_what_another_machine_made() {
    let spec = r#"
        version = 1
        name = "sum"
        [stages.clips]
        kind = "command"
        argv = ["sh", "-c", "cp clips.jsonl $PIPE_OUTPUT; echo > $PIPE_OUTPUT/1.mp4"]
        files = ["clips.jsonl"]
        [stages.dataset]
        kind = "format-jsonl"
        from = ["clips"]
        template = "play.jinja"
    "#;
    let remote = Remote::empty(spec);
    remote.bench.write("play.jinja", "{\"text\": {{ row.label | json }}}");
    let clip = r#"{"id":"1","play":"1","cell":{},"path":"1.mp4","start_ms":0,"end_ms":9,"frames":1,"mode":"copied","row":{"label":"a goal"}}"#;
    remote.bench.write("clips.jsonl", clip);
    let said = remote.pipe(&["run", "spec.toml", "--state", "here", "--until", "clips"]);
    assert_eq!(said.code, Some(0), "{said:?}");
    assert_eq!(remote.run("there"), (1, 1));
    let records: Vec<String> =
        remote.objects("data/sum/dataset").iter().map(|path| fs::read_to_string(path).unwrap()).collect();
    assert!(records.iter().any(|text| text.contains("a goal")), "{records:?}");
}

/// A stage that lists games, and one with a task for each.
const GAMES: &str = r#"
    version = 1
    name = "sum"
    [params]
    suffix = ""
    [stages.games]
    kind = "command"
    argv = ["sh", "-c", "echo '[{\"id\": \"g1\"}, {\"id\": \"g2\"}]' > $PIPE_OUTPUT/rows.json"]
    [stages.clips]
    kind = "command"
    foreach = { stage = "games", key = "id" }
    argv = ["sh", "-c", "echo clip of {{ id }}{{ params.suffix }} > $PIPE_OUTPUT/clip"]
    outputs = ["clip"]
"#;

#[test]
fn rows_are_read_out_of_the_bucket_and_made_anew_where_they_were_spoilt() {
    let remote = Remote::empty(GAMES);
    assert_eq!(remote.run("here"), (3, 0));
    assert_eq!(remote.run("there"), (0, 3));
    let rows = remote.objects("data/sum/games").pop().unwrap();
    fs::write(&rows, fs::read_to_string(&rows).unwrap().replace("g2", "g3")).unwrap();
    let said = remote.pipe(&["run", "spec.toml", "--state", "third"]);
    assert!(said.stderr.contains("`rows.json` is not what was filed"), "{said:?}");
    assert_eq!((said.code, said.stderr.matches("running again").count()), (Some(0), 1), "{said:?}");
    assert_eq!(remote.objects("quarantine").len(), 1);
    assert_eq!(remote.run("third"), (0, 3));
    let mut clips = remote.results("clips", "clip");
    clips.sort();
    assert_eq!(clips, ["clip of g1\n", "clip of g2\n"], "nothing is made of what was spoilt");
}

#[test]
fn what_is_published_comes_out_of_the_bucket() {
    let spec = SUM.replace("[stages.sum]", "[stages.sum]\npublish = { all = \"all.txt\" }");
    let remote = Remote::empty(&spec);
    assert_eq!(remote.run("here"), (3, 0));
    assert_eq!(remote.bench.read("all.txt"), "1\n2");
    fs::remove_file(remote.bench.path("all.txt")).unwrap();
    assert_eq!(remote.run("there"), (0, 3));
    assert_eq!(remote.bench.read("all.txt"), "1\n2");
}

#[test]
fn who_looks_after_folders_says_so_of_a_bucket_and_leaves_it_alone() {
    let remote = Remote::empty(SUM);
    assert_eq!(remote.run(".pipe"), (3, 0));
    let before = remote.bytes();
    for verb in [&["ls"][..], &["du"], &["gc"], &["verify"], &["pin", "sum"], &["unpin", "sum"], &["adopt", "sum", "."]]
    {
        let said = remote.pipe(&[&["cache", verb[0], "spec.toml"], &verb[1..]].concat());
        assert_eq!((said.code, said.stdout.as_str()), (Some(3), ""), "{verb:?}: {said:?}");
        assert!(said.stderr.contains("the store is s3://bucket/prefix, and not a folder"), "{verb:?}: {said:?}");
    }
    assert!(remote.bytes() == before);
    let explained = remote.pipe(&["explain", "spec.toml", "sum"]);
    assert!(explained.stdout.contains("up to date"), "{explained:?}");
    let status = remote.pipe(&["status", "spec.toml"]);
    assert_eq!(status.code, Some(0), "{status:?}");
}

#[test]
fn the_credentials_are_written_nowhere() {
    let remote = Remote::empty(SUM);
    let mut command = remote.command("a-secret", &["run", "spec.toml", "--state", "here"]);
    let said = remote.bench.said(command.env("PIPE_LOG", "debug"));
    assert_eq!(said.code, Some(0), "{said:?}");
    assert!(said.stderr.contains("s3://bucket/prefix/data/sum/sum/all@"), "where the results are: {said:?}");
    assert!(!said.stderr.contains("a-secret") && !said.stdout.contains("a-secret"));
    let kept = files(&remote.bench.path("here")).into_iter().chain(remote.bytes());
    let told: Vec<String> = kept.filter(|(_, bytes)| holds(bytes, b"a-secret")).map(|(path, _)| path).collect();
    assert_eq!(told, [] as [String; 0]);
}

/// [`SUM`], where each task that is made leaves a line in `made`.
fn counted() -> String {
    SUM.replace("\"sh\", \"-c\", \"", "\"sh\", \"-c\", \"echo x >> @/made; ")
}

fn is_named(entry: &fs::DirEntry, start: &str) -> bool {
    entry.file_name().to_string_lossy().starts_with(start)
}

fn holds(bytes: &[u8], word: &[u8]) -> bool {
    bytes.windows(word.len()).any(|window| window == word)
}

/// Every file below a folder with its bytes.
fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let (mut folders, mut files) = (vec![folder.to_owned()], Vec::new());
    while let Some(folder) = folders.pop() {
        for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                folders.push(path);
            } else {
                files.push((path.display().to_string(), fs::read(&path).unwrap()));
            }
        }
    }
    files.sort();
    files
}
