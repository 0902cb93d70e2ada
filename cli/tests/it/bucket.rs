//! A store in a bucket, looked into over the wire: an S3 server, and a stand-in for Cloud Storage.

use crate::bench::{Bench, SUM, Said, wait_until};
use crate::service::{Answer, Doing, Kind, Service, files};
use std::fs;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;

/// Each case for each kind of bucket.
macro_rules! on_each {
    ($($case:ident)*) => {
        mod s3 {
            $(#[test] fn $case() { super::$case(super::Kind::S3); })*
        }
        mod gs {
            $(#[test] fn $case() { super::$case(super::Kind::Gs); })*
        }
    };
}

on_each! {
    every_result_in_a_bucket_is_a_hit_also_for_those_who_never_saw_it
    what_is_not_in_the_bucket_would_run_and_the_change_is_told
    a_bucket_that_does_not_answer_is_told_and_planned_for_offline
    a_run_fills_a_bucket_and_whoever_comes_next_makes_nothing
    what_another_machine_made_is_brought_here_where_it_is_needed
    a_service_that_does_not_let_us_write_is_told_of_before_anything_runs
    a_service_that_does_not_keep_to_conditions_is_refused
    a_service_that_is_not_there_ends_a_run_before_it_begins
    a_service_that_is_busy_for_a_moment_is_asked_again
    what_was_made_when_the_service_went_away_is_not_made_again
    a_run_that_is_killed_in_the_midst_of_putting_its_results_there_goes_on
    of_two_machines_that_race_one_is_first_and_both_have_the_result
    a_result_that_was_spoilt_in_the_bucket_is_made_anew_where_it_is_needed
    what_is_made_anew_takes_the_place_of_what_was_there
    a_large_file_goes_as_its_service_likes_it_and_comes_back_whole
    stages_of_our_own_write_into_the_copy_and_read_what_another_machine_made
    rows_are_read_out_of_the_bucket_and_made_anew_where_they_were_spoilt
    what_is_published_comes_out_of_the_bucket
    who_looks_after_folders_says_so_of_a_bucket_and_leaves_it_alone
}

/// A folder with a spec whose store is in a bucket, as `s3://bucket/prefix`, and the service of that bucket.
struct Remote {
    bench: Bench,
    service: Service,
}

impl Remote {
    /// The bucket is empty.
    fn empty(kind: Kind, spec: &str) -> Self {
        let bench = Bench::with(&format!("{spec}\n[store]\nroot = \"{}\"\n", kind.root()));
        let service = Service::of(kind, &bench.path("buckets"));
        Self { bench, service }
    }

    /// The bucket holds what a run of `spec` left in a folder.
    fn after(kind: Kind, spec: &str) -> Self {
        let bench = Bench::with(&format!("{spec}\n[store]\nroot = \"folder\"\n"));
        bench.run();
        bench.write("spec.toml", &format!("{spec}\n[store]\nroot = \"{}\"\n", kind.root()));
        let service = Service::of(kind, &bench.path("buckets"));
        let folder = bench.path("folder");
        for (path, bytes) in files(&folder) {
            let name = path.strip_prefix(&folder).unwrap().to_str().unwrap().to_owned();
            service.write(&format!("prefix/{name}"), &bytes);
        }
        Self { bench, service }
    }

    fn pipe(&self, arguments: &[&str]) -> Said {
        self.bench.said(&mut self.command(arguments))
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.bench.command(arguments);
        self.service.tell(&mut command);
        command
    }

    /// A run with this state folder, which must end well. Returns how many tasks it has made and how many it has found.
    fn run(&self, state: &str) -> (usize, u64) {
        let said = self.pipe(&["run", "spec.toml", "--json", "--state", state]);
        assert_eq!(said.code, Some(0), "{said:?}");
        let last = said.events().pop().unwrap();
        (said.count("task_succeeded"), last["cached"].as_u64().unwrap())
    }

    /// The objects under a prefix of the store, by their names in the bucket.
    fn objects(&self, prefix: &str) -> Vec<String> {
        let start = format!("prefix/{prefix}/");
        self.bytes().into_iter().map(|(name, _)| name).filter(|name| name.starts_with(&start)).collect()
    }

    fn read(&self, name: &str) -> String {
        let (_, bytes) = self.bytes().into_iter().find(|(known, _)| known == name).unwrap();
        String::from_utf8(bytes).unwrap()
    }

    /// What a file of the result of a stage holds, for each of its results in the bucket.
    fn results(&self, stage: &str, file: &str) -> Vec<String> {
        let files = self.objects("data/sum").into_iter().filter(|name| name.ends_with(&format!("/{file}")));
        let files = files.filter(|name| name.split('/').any(|part| part == stage));
        files.map(|name| self.read(&name)).collect()
    }

    /// Every object of the bucket with its bytes.
    fn bytes(&self) -> Vec<(String, Vec<u8>)> {
        self.service.objects()
    }
}

fn every_result_in_a_bucket_is_a_hit_also_for_those_who_never_saw_it(kind: Kind) {
    let remote = Remote::after(kind, SUM);
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

fn what_is_not_in_the_bucket_would_run_and_the_change_is_told(kind: Kind) {
    let remote = Remote::after(kind, SUM);
    let plan = remote.pipe(&["plan", "spec.toml", "--tasks", "-P", "extra=1"]);
    assert_eq!(plan.code, Some(0), "{plan:?}");
    assert_eq!(plan.stdout.matches("changed: `argv[2]`").count(), 2, "{plan:?}");
    let explained = remote.pipe(&["explain", "spec.toml", "sum"]);
    assert!(explained.stdout.contains("up to date"), "{explained:?}");
    assert!(explained.stdout.contains(&format!("{}/data/sum/sum/all@", kind.root())), "{explained:?}");
}

fn a_bucket_that_does_not_answer_is_told_and_planned_for_offline(kind: Kind) {
    let remote = Remote::after(kind, SUM);
    remote.service.answers(|_, _| Answer::Denied);
    let said = remote.pipe(&["plan", "spec.toml"]);
    assert_eq!((said.code, said.stdout.as_str()), (Some(3), ""), "{said:?}");
    assert!(said.stderr.contains(&format!("cannot look into the store {}: ", kind.root())), "{said:?}");
    assert!(said.stderr.contains("`--offline` plans as if it were empty"), "{said:?}");
    let said = remote.pipe(&["plan", "spec.toml", "--offline"]);
    assert_eq!(said.code, Some(0), "{said:?}");
    assert!(said.stderr.contains(&format!("{} is not looked at", kind.root())), "{said:?}");
    assert!(said.stdout.contains("2 to run"), "{said:?}");
}

fn a_run_fills_a_bucket_and_whoever_comes_next_makes_nothing(kind: Kind) {
    let remote = Remote::empty(kind, SUM);
    assert_eq!(remote.run("here"), (3, 0));
    assert_eq!(remote.results("sum", "all"), ["1\n2\n"]);
    assert_eq!(remote.objects("results").len(), 3, "a manifest for each task, and nothing else");
    let before = remote.bytes();
    assert_eq!(remote.run("here"), (0, 3));
    assert_eq!(remote.run("there"), (0, 3), "another machine");
    assert!(remote.bytes() == before, "who finds everything writes nothing");
    assert!(!remote.bench.path("there/copies").join("bytes").exists());
}

fn what_another_machine_made_is_brought_here_where_it_is_needed(kind: Kind) {
    let remote = Remote::empty(kind, SUM);
    let said = remote.pipe(&["run", "spec.toml", "--state", "here", "--until", "number"]);
    assert_eq!(said.code, Some(0), "{said:?}");
    assert_eq!(remote.run("there"), (1, 2));
    assert_eq!(remote.results("sum", "all"), ["1\n2\n"]);
}

fn a_service_that_does_not_let_us_write_is_told_of_before_anything_runs(kind: Kind) {
    let remote = Remote::empty(kind, &counted());
    remote.service.answers(|doing, _| match doing {
        Doing::Writing => Answer::Denied,
        _ => Answer::Served,
    });
    let said = remote.pipe(&["run", "spec.toml"]);
    assert_eq!((said.code, said.stdout.as_str()), (Some(3), ""), "{said:?}");
    assert!(
        said.stderr.starts_with(&format!("error: results cannot be put into the store {}: ", kind.root())),
        "{said:?}"
    );
    assert!(!remote.bench.path("made").exists());
}

fn a_service_that_does_not_keep_to_conditions_is_refused(kind: Kind) {
    let remote = Remote::empty(kind, &counted());
    remote.service.forgets_conditions();
    let said = remote.pipe(&["run", "spec.toml"]);
    assert_eq!(said.code, Some(3), "{said:?}");
    assert!(
        said.stderr.contains("creates an object only if it is not there yet, and has just replaced one"),
        "{said:?}"
    );
}

fn a_service_that_is_not_there_ends_a_run_before_it_begins(kind: Kind) {
    let remote = Remote::empty(kind, &counted());
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut command = remote.bench.command(&["run", "spec.toml"]);
    remote.service.tell_of(&format!("http://{nobody}"), &mut command);
    let said = remote.bench.said(&mut command);
    assert_eq!((said.code, said.stdout.as_str()), (Some(3), ""), "{said:?}");
    assert!(said.stderr.contains(&format!("the store {}: ", kind.root())), "{said:?}");
    assert!(!remote.bench.path("made").exists());
}

#[test]
fn whoever_waits_for_a_service_that_says_nothing_is_told_so() {
    let remote = Remote::empty(Kind::S3, SUM);
    // Connections are taken by the system, and nobody ever reads what comes through them.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let said = remote.bench.path("said");
    let mut command = remote.command(&["plan", "spec.toml"]);
    command.env("AWS_ENDPOINT_URL", format!("http://{}", silent.local_addr().unwrap()));
    let mut child = command.stdout(Stdio::null()).stderr(fs::File::create(&said).unwrap()).spawn().unwrap();
    wait_until("it to say whom it waits for", || {
        fs::read_to_string(&said).unwrap().contains("the store s3://bucket/prefix has not answered for 5 s")
    });
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn where_there_are_no_credentials_it_is_told_where_they_would_be() {
    let remote = Remote::empty(Kind::S3, SUM);
    for verb in ["run", "plan"] {
        let mut command = remote.command(&[verb, "spec.toml"]);
        for name in ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE", "AWS_WEB_IDENTITY_TOKEN_FILE"] {
            command.env_remove(name);
        }
        // Not those of whoever tests this, and no question to the machine's own service.
        let said =
            remote.bench.said(command.env("HOME", remote.bench.path("")).env("AWS_EC2_METADATA_DISABLED", "true"));
        assert_eq!(said.code, Some(3), "{said:?}");
        assert!(said.stderr.contains("there are no credentials for it"), "{said:?}");
        assert!(said.stderr.contains("help: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"), "{said:?}");
    }
}

fn a_service_that_is_busy_for_a_moment_is_asked_again(kind: Kind) {
    let remote = Remote::empty(kind, SUM);
    let mut busy = 6;
    remote.service.answers(move |doing, object| {
        let is_now = doing == Doing::Writing && object.contains("data/") && busy > 0;
        busy -= i32::from(is_now);
        if is_now { Answer::Busy } else { Answer::Served }
    });
    assert_eq!(remote.run("here"), (3, 0));
}

fn what_was_made_when_the_service_went_away_is_not_made_again(kind: Kind) {
    let remote = Remote::empty(kind, &counted());
    remote.service.answers(|doing, object| match doing {
        Doing::Writing if object.contains("results/") => Answer::Broken,
        _ => Answer::Served,
    });
    let said = remote.pipe(&["run", "spec.toml", "--state", "here"]);
    assert_eq!(said.code, Some(1), "{said:?}");
    assert!(said.stderr.contains("the result did not get into the store"), "{said:?}");
    assert!(said.stderr.contains("it is kept in the state folder"), "{said:?}");
    assert_eq!(remote.bench.read("made").lines().count(), 2, "the two numbers");
    assert_eq!(remote.objects("results"), [] as [String; 0]);
    remote.service.answers(|_, _| Answer::Served);
    assert_eq!(remote.run("here"), (1, 2));
    assert_eq!(remote.bench.read("made").lines().count(), 3, "and their sum");
    assert_eq!(remote.run("there"), (0, 3));
}

fn a_run_that_is_killed_in_the_midst_of_putting_its_results_there_goes_on(kind: Kind) {
    for moment in ["data/", "results/"] {
        let remote = Remote::empty(kind, &counted());
        let (tell, told) = channel();
        remote.service.answers(move |doing, object| {
            if doing == Doing::Writing && object.contains(moment) {
                let _ = tell.send(());
                return Answer::Silence;
            }
            Answer::Served
        });
        let mut command = remote.command(&["run", "spec.toml", "--state", "here"]);
        let mut run = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        told.iter().take(2).for_each(drop);
        run.kill().unwrap();
        run.wait().unwrap();
        assert_eq!(remote.objects("results"), [] as [String; 0], "nothing is promised yet");
        remote.service.answers(|_, _| Answer::Served);
        assert_eq!(remote.run("here"), (1, 2), "{moment}");
        assert_eq!(remote.bench.read("made").lines().count(), 3, "{moment}: nothing is made twice");
        assert_eq!(remote.run("there"), (0, 3));
        assert_eq!(remote.results("sum", "all"), ["1\n2\n"]);
    }
}

fn of_two_machines_that_race_one_is_first_and_both_have_the_result(kind: Kind) {
    let wait = r"echo > @/began.$$; while [ ! -e @/go ]; do sleep 0.02; done; echo $((";
    let spec = SUM.replace("echo $((", wait);
    let remote = Remote::empty(kind, &spec);
    let folder = remote.bench.path("");
    let began = || fs::read_dir(&folder).unwrap().filter(|e| is_named(e.as_ref().unwrap(), "began.")).count();
    let runs = ["here", "there"].map(|state| {
        let mut command = remote.command(&["run", "spec.toml", "--state", state, "--cpu", "2"]);
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

fn a_result_that_was_spoilt_in_the_bucket_is_made_anew_where_it_is_needed(kind: Kind) {
    let remote = Remote::empty(kind, SUM);
    let said = remote.pipe(&["run", "spec.toml", "--state", "here", "--until", "number"]);
    assert_eq!(said.code, Some(0), "{said:?}");
    let spoilt = remote.objects("data/sum/number").into_iter().find(|name| remote.read(name) == "1\n");
    remote.service.write(&spoilt.unwrap(), b"7\n");
    let said = remote.pipe(&["run", "spec.toml", "--state", "there"]);
    assert_eq!(said.code, Some(0), "{said:?}");
    assert!(said.stderr.contains("`number` is not what was filed"), "{said:?}");
    assert_eq!(remote.results("sum", "all"), ["1\n2\n"]);
    assert_eq!(remote.objects("quarantine").len(), 1);
    assert_eq!(remote.run("third"), (0, 3));
}

fn what_is_made_anew_takes_the_place_of_what_was_there(kind: Kind) {
    let spec = SUM.replace("$(({{ n }} + {{ params.extra }}))", "$(cat @/drawn)");
    let remote = Remote::empty(kind, &spec);
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

fn a_large_file_goes_as_its_service_likes_it_and_comes_back_whole(kind: Kind) {
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
    let remote = Remote::empty(kind, spec);
    let parts = Arc::new(AtomicUsize::new(0));
    let counts = parts.clone();
    remote.service.answers(move |doing, object| {
        let is_part = doing == Doing::Writing && object.ends_with("/large");
        counts.fetch_add(usize::from(is_part), Ordering::Relaxed);
        Answer::Served
    });
    let said = remote.pipe(&["run", "spec.toml", "--state", "here", "--until", "large"]);
    assert_eq!(said.code, Some(0), "{said:?}");
    let requests = match kind {
        Kind::S3 => 3, // 22,888,896 bytes in parts of 8 MiB.
        Kind::Gs => 1, // In one, which would go on where it broke.
    };
    assert_eq!(parts.load(Ordering::Relaxed), requests);
    assert_eq!(remote.run("there"), (1, 1));
    assert_eq!(remote.results("last", "last"), ["3000000\n"]);
}

fn stages_of_our_own_write_into_the_copy_and_read_what_another_machine_made(kind: Kind) {
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
    let remote = Remote::empty(kind, spec);
    remote.bench.write("play.jinja", "{\"text\": {{ row.label | json }}}");
    let clip = r#"{"id":"1","play":"1","cell":{},"path":"1.mp4","start_ms":0,"end_ms":9,"frames":1,"mode":"copied","row":{"label":"a goal"}}"#;
    remote.bench.write("clips.jsonl", clip);
    let said = remote.pipe(&["run", "spec.toml", "--state", "here", "--until", "clips"]);
    assert_eq!(said.code, Some(0), "{said:?}");
    assert_eq!(remote.run("there"), (1, 1));
    let records: Vec<String> = remote.objects("data/sum/dataset").iter().map(|name| remote.read(name)).collect();
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

fn rows_are_read_out_of_the_bucket_and_made_anew_where_they_were_spoilt(kind: Kind) {
    let remote = Remote::empty(kind, GAMES);
    assert_eq!(remote.run("here"), (3, 0));
    assert_eq!(remote.run("there"), (0, 3));
    let rows = remote.objects("data/sum/games").pop().unwrap();
    remote.service.write(&rows, remote.read(&rows).replace("g2", "g3").as_bytes());
    let said = remote.pipe(&["run", "spec.toml", "--state", "third"]);
    assert!(said.stderr.contains("`rows.json` is not what was filed"), "{said:?}");
    assert_eq!((said.code, said.stderr.matches("running again").count()), (Some(0), 1), "{said:?}");
    assert_eq!(remote.objects("quarantine").len(), 1);
    assert_eq!(remote.run("third"), (0, 3));
    let mut clips = remote.results("clips", "clip");
    clips.sort();
    assert_eq!(clips, ["clip of g1\n", "clip of g2\n"], "nothing is made of what was spoilt");
}

fn what_is_published_comes_out_of_the_bucket(kind: Kind) {
    let spec = SUM.replace("[stages.sum]", "[stages.sum]\npublish = { all = \"all.txt\" }");
    let remote = Remote::empty(kind, &spec);
    assert_eq!(remote.run("here"), (3, 0));
    assert_eq!(remote.bench.read("all.txt"), "1\n2");
    fs::remove_file(remote.bench.path("all.txt")).unwrap();
    assert_eq!(remote.run("there"), (0, 3));
    assert_eq!(remote.bench.read("all.txt"), "1\n2");
}

fn who_looks_after_folders_says_so_of_a_bucket_and_leaves_it_alone(kind: Kind) {
    let remote = Remote::empty(kind, SUM);
    assert_eq!(remote.run(".pipe"), (3, 0));
    let before = remote.bytes();
    for verb in [&["ls"][..], &["du"], &["verify"], &["pin", "sum"], &["unpin", "sum"], &["adopt", "sum", "."]] {
        let said = remote.pipe(&[&["cache", verb[0], "spec.toml"], &verb[1..]].concat());
        assert_eq!((said.code, said.stdout.as_str()), (Some(3), ""), "{verb:?}: {said:?}");
        assert!(said.stderr.contains(&format!("the store is {}, and not a folder", kind.root())), "{verb:?}: {said:?}");
    }
    let said = remote.pipe(&["cache", "gc", "spec.toml", "--min-age", "0s", "--keep", "0", "--older-than", "0s"]);
    assert!(said.code == Some(0) && said.stdout.contains("results stay"), "{said:?}");
    assert!(remote.bytes() == before);
    let explained = remote.pipe(&["explain", "spec.toml", "sum"]);
    assert!(explained.stdout.contains("up to date"), "{explained:?}");
    let status = remote.pipe(&["status", "spec.toml"]);
    assert_eq!(status.code, Some(0), "{status:?}");
}

#[test]
fn who_has_another_secret_is_refused_and_it_is_not_told() {
    let remote = Remote::empty(Kind::S3, SUM);
    let mut command = remote.command(&["plan", "spec.toml"]);
    let said = remote.bench.said(command.env("AWS_SECRET_ACCESS_KEY", "not-the-secret"));
    assert_eq!((said.code, said.stdout.as_str()), (Some(3), ""), "{said:?}");
    assert!(!said.stderr.contains("not-the-secret"), "{said:?}");
}

#[test]
fn the_credentials_are_written_nowhere() {
    let remote = Remote::empty(Kind::S3, SUM);
    let mut command = remote.command(&["run", "spec.toml", "--state", "here"]);
    let said = remote.bench.said(command.env("PIPE_LOG", "debug"));
    assert_eq!(said.code, Some(0), "{said:?}");
    assert!(said.stderr.contains("s3://bucket/prefix/data/sum/sum/all@"), "where the results are: {said:?}");
    assert!(!said.stderr.contains("a-secret") && !said.stdout.contains("a-secret"));
    let here = files(&remote.bench.path("here")).into_iter().map(|(path, bytes)| (path.display().to_string(), bytes));
    let kept = here.chain(remote.bytes());
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
