//! Why a program ended, as far as it can be known: by its stage's own rules, by the kernel, by the disk.

use super::project::{BY_WORKER, Project, Ran};
use pipe_engine::event::Body;
use pipe_engine::failure::{Class, Failure};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

fn stage(script: &str, more: &str) -> String {
    format!("[stages.work]\nkind = \"script\"\nscript = '''{script}'''\nretry.backoff = \"1ms..1ms\"\n{more}")
}

fn failure_of(project: &Project, script: &str, more: &str) -> Failure {
    let ran = project.run(&stage(script, more));
    ran.failures().first().unwrap_or_else(|| panic!("it did not fail: {:?}", ran.ends())).clone()
}

fn attempts(ran: &Ran) -> usize {
    ran.events.iter().filter(|event| matches!(event.body, Body::AttemptStarted { .. })).count()
}

#[test]
fn the_first_rule_that_holds_gives_a_failure_its_class_and_its_retries() {
    let rules = "classes = [{ exit = 3, pattern = \"overloaded\", class = \"throttled\" }, \
                 { exit = [3, 75], class = \"preempted\" }, { pattern = \"^lost \", class = \"transient\" }]\n\
                 task_timeout = \"1m\"\n\
                 retry.preempted = 1\nretry.transient = 2\nretry.throttled = 3\n";
    let cases = [
        ("exit 75", Class::Preempted, 2),
        ("exit 3", Class::Preempted, 2),
        ("echo the server is overloaded >&2; exit 3", Class::Throttled, 4),
        ("echo lost the connection; echo bye; exit 9", Class::Transient, 3),
        ("echo we lost it; exit 9", Class::Failed, 1),
    ];
    for (script, class, tries) in cases {
        let ran = Project::new().run(&stage(script, rules));
        assert_eq!((ran.failures()[0].class, attempts(&ran)), (class, tries), "{script}");
    }
}

#[test]
fn a_failure_says_which_rule_gave_it_its_class() {
    let failure = failure_of(&Project::new(), "exit 75", "classes = [{ exit = 75, class = \"out-of-disk\" }]\n");
    let told = "ended with exit code 75: out-of-disk, as `classes[0]` says, ";
    assert!(failure.message.starts_with(told) && failure.message.ends_with(" free now"), "{failure:?}");
}

#[test]
fn rules_are_not_part_of_what_decides_a_result() {
    let project = Project::new();
    assert_eq!(project.run(&stage("true", "")).ends(), [1, 0, 0, 0, 0]);
    let with_rules = stage("true", "classes = [{ exit = 75, class = \"transient\" }]\n");
    assert_eq!(project.run(&with_rules).ends(), [0, 1, 0, 0, 0]);
}

#[test]
fn a_rule_can_hold_for_a_signal() {
    let rules = "classes = [{ exit = 143, class = \"preempted\" }]\nretry.preempted = 0\n";
    assert_eq!(failure_of(&Project::new(), "kill -TERM $$", rules).class, Class::Preempted);
}

#[test]
fn a_kill_that_nobody_explains_is_a_failure_of_the_work() {
    let failure = failure_of(&Project::new(), "kill -9 $$", "");
    assert_eq!((failure.class, failure.message.as_str()), (Class::Failed, "was killed by signal 9"));
}

#[test]
fn a_kill_is_out_of_memory_when_the_kernel_counted_one_meanwhile() {
    let project = Project::new();
    let count = project.write("oom", "oom 1\noom_kill 4\n");
    for ending in ["kill -9 $$", "exit 137"] {
        let script = format!("n=$(sed -n 's/oom_kill //p' @); echo oom_kill $((n + 1)) > @; {ending}");
        let kill = script.replace('@', &count.display().to_string());
        let ran = project.run(&stage(&kill, "resources.memory = \"64 MiB\"\n"));
        let failure = &ran.failures()[0];
        assert_eq!((failure.class, failure.code.as_str()), (Class::OutOfMemory, "out_of_memory"), "{ending}");
        assert_eq!(attempts(&ran), 2, "once more, with twice the memory");
        assert!(failure.help.as_deref().unwrap().contains("128 MiB"), "{failure:?}");
    }
}

#[test]
fn an_ordinary_failure_is_not_out_of_memory_because_another_was() {
    let project = Project::new();
    let count = project.write("oom", "oom_kill 4\n");
    let failure = failure_of(&project, &format!("echo oom_kill 5 > {}; exit 1", count.display()), "");
    assert_eq!(failure.class, Class::Failed);
}

#[expect(clippy::print_stderr, reason = "whoever reads the tests' output is to see what they did not try")]
fn skipped(why: &str) {
    eprintln!("skipped: {why}");
}

#[test]
fn a_worker_that_gets_no_memory_says_so_and_is_tried_with_more() {
    let project = Project::new();
    // What every Rust program writes when an allocation fails, before it aborts.
    let last_words = "echo memory allocation of 8589934592 bytes failed >&2";
    project.worker(&format!("{last_words}; kill -ABRT $$"));
    let ran = project.run(&stage(BY_WORKER, ""));
    assert_eq!((ran.failures()[0].class, attempts(&ran)), (Class::OutOfMemory, 2));

    // A worker that aborts for another reason, and a program that only says the words.
    project.worker("echo something else >&2; kill -ABRT $$");
    assert_eq!(project.run(&stage(BY_WORKER, "")).failures()[0].class, Class::Failed);
    assert_eq!(failure_of(&project, &format!("{last_words}; exit 1"), "").class, Class::Failed);
}

#[test]
fn a_worker_that_was_killed_by_nobody_knows_whom_has_failed() {
    let project = Project::new();
    project.worker("kill -9 $$");
    let failure = &project.run(&stage(BY_WORKER, "")).failures()[0];
    assert_eq!((failure.class, failure.message.as_str()), (Class::Failed, "was killed by signal 9"));
}

#[test]
fn a_worker_that_reports_a_full_disk_is_told_with_what_there_is_and_what_was_asked_for() {
    let project = Project::new();
    let outcome =
        r#"{"version":1,"id":"ID","failure":{"class":"out-of-disk","code":"disk_full","message":"writing failed"}}"#;
    project.worker(&format!("id=$(basename $2); echo '{outcome}' | sed s/ID/$id/ > $2/outcome.json; exit 1"));
    let failure = &project.run(&stage(BY_WORKER, "resources.disk = \"5 GB\"\n")).failures()[0];
    assert_eq!(failure.class, Class::OutOfDisk);
    assert!(failure.message.starts_with("writing failed, ") && failure.message.contains(" free now, "), "{failure:?}");
    assert!(failure.message.ends_with("`resources.disk` asked for 5 GB"), "{failure:?}");
}

/// A cgroup with little memory, if we may make one; gone with this value.
struct SmallMemory {
    folder: PathBuf,
    control: PathBuf,
}

impl SmallMemory {
    /// Makes one below the cgroup of this process.
    fn of(bytes: u64) -> Option<Self> {
        let membership = fs::read_to_string("/proc/self/cgroup").ok()?;
        let own = |line: &str, before: &str| line.strip_prefix(before).map(|path| path.trim_matches('/').to_owned());
        let first = membership.lines().find_map(|line| line.split_once(":memory:").map(|(_, path)| path.to_owned()));
        let (root, path, limit, control) = match first {
            Some(path) => ("/sys/fs/cgroup/memory", path, "memory.limit_in_bytes", "memory.oom_control"),
            None => {
                let path = membership.lines().find_map(|line| own(line, "0::"))?;
                ("/sys/fs/cgroup", path, "memory.max", "memory.events")
            }
        };
        let folder = Path::new(root).join(path.trim_matches('/')).join(format!("pipe-test-{}", std::process::id()));
        fs::create_dir(&folder).ok()?;
        let made = Self { control: folder.join(control), folder };
        fs::write(made.folder.join(limit), bytes.to_string()).ok()?;
        made.control.exists().then_some(made)
    }
}

impl Drop for SmallMemory {
    fn drop(&mut self) {
        let _ = fs::remove_dir(&self.folder);
    }
}

#[test]
fn what_the_kernel_kills_in_a_small_cgroup_is_out_of_memory() {
    let Some(small) = SmallMemory::of(32 << 20) else {
        skipped("no cgroup can be made here");
        return;
    };
    let project = Project::new();
    std::os::unix::fs::symlink(&small.control, project.path("oom")).unwrap();
    // `tail` keeps all it is given until its input ends.
    let enter = format!("echo $$ > {}/cgroup.procs", small.folder.display());
    let greedy = format!("{enter} && head -c 500000000 /dev/zero | tail -c 500000000 > /dev/null");
    let ran = project.run(&stage(&greedy, "retry.out_of_memory = 0\n"));
    let failure = &ran.failures()[0];
    assert_eq!(
        (failure.class, failure.message.as_str()),
        (Class::OutOfMemory, "ended with exit code 137: memory ran out")
    );
}

/// A small file system in memory at a folder, if we may mount one; gone with this value.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn at(folder: PathBuf, options: &str) -> Option<Self> {
        fs::create_dir_all(&folder).unwrap();
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", options, "tmpfs"]).arg(&folder).output().ok()?;
        mounted.status.success().then_some(Self(folder))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).output();
    }
}

#[test]
fn a_program_that_dies_on_a_full_disk_says_what_there_was_and_what_it_asked_for() {
    for (options, left) in [("size=1m", "0 B free"), ("size=8m,nr_inodes=9", "no more files can be made")] {
        let project = Project::new();
        let Some(_disk) = SmallDisk::at(project.path("spec/out/data"), options) else {
            skipped("nothing can be mounted here");
            return;
        };
        let script = "cd $PIPE_OUTPUT; for n in 1 2 3 4 5 6 7 8 9; do head -c 300000 /dev/zero > $n || exit 1; done";
        let failure = failure_of(&project, script, "resources.disk = \"20 GB\"\n");
        assert_eq!((failure.class, failure.code.as_str()), (Class::OutOfDisk, "out_of_disk"), "{failure:?}");
        let told =
            format!("ended with exit code 1 when the disk was full, {left}, and `resources.disk` asked for 20 GB");
        assert_eq!(failure.message, told);
        assert!(failure.source.unwrap().contains("No space left on device"));
        assert_eq!(project.data(), [], "what it had written is gone");

        let failure = failure_of(&project, &format!("{script}; true"), "");
        assert!(failure.help.unwrap().contains("resources.disk"), "who has not asked is told how to");
    }
}

#[test]
fn the_engine_says_that_its_own_disk_is_full() {
    let project = Project::new();
    // Each attempt needs a few folders and files; here is room for less.
    let Some(_disk) = SmallDisk::at(project.path(".pipe/attempts"), "size=1m,nr_inodes=2") else {
        skipped("nothing can be mounted here");
        return;
    };
    let failure = failure_of(&project, "true", "");
    assert_eq!(failure.class, Class::OutOfDisk, "{failure:?}");
    assert!(failure.message.ends_with("the disk is full, no more files can be made"), "{}", failure.message);
}

#[test]
fn a_failure_is_no_full_disk_when_there_is_room() {
    let failure = failure_of(&Project::new(), "echo No space left on device >&2; exit 1", "");
    assert_eq!(failure.class, Class::Failed);
}

#[test]
fn a_worker_that_writes_more_than_the_disk_it_asked_for_is_out_of_disk() {
    let project = Project::new();
    project.worker("kill -XFSZ $$");
    let failure = &project.run(&stage(BY_WORKER, "resources.disk = \"5 GB\"\n")).failures()[0];
    assert_eq!((failure.class, failure.code.as_str()), (Class::OutOfDisk, "file_too_large"));
    assert!(failure.message.contains("larger than all the disk that was asked for, "), "{failure:?}");
    assert!(failure.message.ends_with("`resources.disk` asked for 5 GB"), "{failure:?}");
}

#[test]
fn a_worker_that_crashes_says_so_and_what_to_look_at() {
    let project = Project::new();
    project.worker("echo at clip 7 >&2; kill -SEGV $$");
    let failure = &project.run(&stage(BY_WORKER, "")).failures()[0];
    assert_eq!((failure.class, failure.code.as_str()), (Class::Failed, "crashed"));
    assert_eq!(failure.message, "the worker was killed by signal 11 (SIGSEGV): it crashed");
    assert!(failure.help.as_deref().unwrap().contains("look at the input"), "{failure:?}");
    assert_eq!(failure.source.as_deref(), Some("at clip 7"));
}

#[test]
fn a_worker_that_dies_amid_its_work_says_which_part_of_it() {
    let project = Project::new();
    let at = |what: &str, end: &str| format!("printf '{what}' > $2/doing; {end}");
    let failure = |worker: String, more: &str| {
        project.worker(&worker);
        let ran = project.run(&stage(BY_WORKER, more));
        let mut left =
            ran.events.iter().filter_map(|event| Some(ran.state.attempt(event.attempt.as_ref()?).join("doing")));
        assert!(left.all(|file| !file.exists()), "it is read once");
        ran.failures()[0].clone()
    };
    let two = "play `a` of FAR\\n\\nplay `b` of FAR\\n";
    let crash = failure(at(two, "kill -SEGV $$"), "");
    let told = "the worker was killed by signal 11 (SIGSEGV): it crashed, while it worked on play `a` of FAR and play `b` of FAR";
    assert_eq!((crash.code.as_str(), crash.message.as_str()), ("crashed", told));
    assert_eq!(
        failure(at("play `a`", "kill -9 $$"), "").message,
        "was killed by signal 9, while it worked on play `a`"
    );
    let starved = "echo memory allocation of 8589934592 bytes failed >&2; kill -ABRT $$";
    let starved = failure(at("play `a`", starved), "retry.out_of_memory = 0\n");
    assert_eq!(starved.class, Class::OutOfMemory);
    assert!(starved.message.ends_with("memory ran out, while it worked on play `a`"), "{starved:?}");
    let late = failure(at("play `a`", "exec sleep 300"), "timeout = \"2s\"\n");
    assert_eq!((late.class, late.source.as_deref()), (Class::Timeout, Some("stopped, while it worked on play `a`")));
    // Who was at nothing says nothing of it, and who has left word has said all.
    assert_eq!(failure(at("", "kill -9 $$"), "").message, "was killed by signal 9");
    let word = r#"{"version":1,"id":"ID","failure":{"class":"failed","code":"x","message":"by itself"}}"#;
    let leave = format!("id=$(basename $2); echo '{word}' | sed s/ID/$id/ > $2/outcome.json; exit 1");
    assert_eq!(failure(at("play `a`", &leave), "").message, "by itself");
}

#[test]
fn a_worker_that_finds_itself_in_a_state_that_cannot_be_has_crashed() {
    let project = Project::new();
    project.worker("kill -ABRT $$");
    let failure = &project.run(&stage(BY_WORKER, "")).failures()[0];
    assert_eq!((failure.class, failure.code.as_str()), (Class::Failed, "crashed"));
    assert_eq!(failure.message, "the worker was killed by signal 6 (SIGABRT): it crashed");
}
