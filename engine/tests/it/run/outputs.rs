//! What a program may leave, and what is never damaged whatever it does.

use super::project::{Project, Ran};
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

fn stage(script: &str) -> String {
    format!("[stages.job]\nkind = \"script\"\nscript = '''{script}'''\n")
}

fn code(ran: &Ran) -> String {
    ran.failures().first().map(|f| f.code.clone()).unwrap_or_default()
}

#[test]
fn a_failed_attempt_leaves_no_file_even_a_read_only_one() {
    let project = Project::new();
    let ran = project.run(&stage("cd $PIPE_OUTPUT; echo half > a; mkdir d; echo b > d/b; chmod 444 d/b; exit 3"));
    assert_eq!((ran.ends(), code(&ran).as_str()), ([0, 0, 1, 0, 0], "exit_3"));
    assert_eq!(project.data(), []);
    assert!(project.store("results").is_empty());
}

#[test]
fn each_try_of_a_task_has_a_name_and_a_log_of_its_own() {
    let project = Project::new();
    let tries = stage("echo try >> ../../../tries; wc -l < ../../../tries; test $(wc -l < ../../../tries) -ge 3");
    let ran = project.run(&format!("{tries}retry = {{ failed = 2, backoff = \"1ms..1ms\" }}\n"));
    assert_eq!(ran.ends(), [1, 0, 0, 0, 0]);
    let logs: Vec<String> = ran.logs().into_iter().map(|log| String::from_utf8(log).unwrap()).collect();
    assert_eq!(logs, ["1\n", "2\n", "3\n"]);
}

#[test]
fn an_output_that_is_a_link_is_refused_and_its_target_is_left_alone() {
    let project = Project::new();
    let precious = project.write("home/precious", "mine");
    fs::set_permissions(&precious, fs::Permissions::from_mode(0o644)).unwrap();
    for target in [precious.as_path(), precious.parent().unwrap()] {
        let ran = project.run(&stage(&format!("echo x > $PIPE_OUTPUT/a; ln -s {} $PIPE_OUTPUT/b", target.display())));
        assert_eq!(code(&ran), "bad_output", "{target:?}");
        assert_eq!(project.data(), [], "{target:?}");
        assert_eq!(fs::read_to_string(&precious).unwrap(), "mine", "{target:?}");
        assert_eq!(fs::metadata(&precious).unwrap().permissions().mode() & 0o777, 0o644, "{target:?}");
    }
}

#[test]
fn an_output_folder_that_became_a_link_is_refused_and_its_target_is_left_alone() {
    for ending in ["true", "false"] {
        let project = Project::new();
        let precious = project.write("home/precious", "mine");
        fs::set_permissions(&precious, fs::Permissions::from_mode(0o644)).unwrap();
        let home = precious.parent().unwrap().display();
        let ran = project.run(&stage(&format!("rmdir $PIPE_OUTPUT && ln -s {home} $PIPE_OUTPUT && {ending}")));
        assert_eq!(ran.ends(), [0, 0, 1, 0, 0], "{ending}");
        assert_eq!(fs::read_to_string(&precious).unwrap(), "mine", "{ending}");
        assert_eq!(fs::metadata(&precious).unwrap().permissions().mode() & 0o777, 0o644, "{ending}");
        assert_eq!(project.store("data"), Vec::<std::path::PathBuf>::new(), "{ending}");
    }
}

#[test]
fn an_output_that_is_no_file_is_refused_and_not_waited_for() {
    let project = Project::new();
    assert_eq!(code(&project.run(&stage("mkfifo $PIPE_OUTPUT/pipe"))), "bad_output");
}

#[test]
fn an_output_that_was_promised_and_not_written_is_named() {
    let project = Project::new();
    let ran = project.run(&format!("{}outputs = [\"a.txt\", \"b.txt\"]\n", stage("echo > $PIPE_OUTPUT/a.txt")));
    let failure = &ran.failures()[0];
    assert_eq!((failure.code.as_str(), failure.on.as_deref()), ("output_missing", Some("b.txt")));
}

#[test]
fn project_files_above_or_far_from_the_spec_are_read_and_never_written() {
    let project = Project::new();
    let above = project.write("tools/above.txt", "above\n");
    let higher = project.write("../higher.txt", "higher\n");
    let far = project.write("elsewhere/far.txt", "far\n");
    let files = format!("files = [\"../tools/above.txt\", \"../../higher.txt\", \"{}\"]\n", far.display());
    let read = format!("cat ../tools/above.txt ../../higher.txt {} > $PIPE_OUTPUT/all", far.display());
    let ran = project.run(&format!("{}{files}", stage(&read)));
    assert_eq!(ran.ends(), [1, 0, 0, 0, 0], "{:?}", ran.failures());
    assert_eq!(project.texts(), ["above\nhigher\nfar\n"]);
    let texts = [above, higher, far].map(|path| fs::read_to_string(path).unwrap());
    assert_eq!(texts, ["above\n", "higher\n", "far\n"]);
    let attempts: Vec<_> = fs::read_dir(project.path(".pipe/attempts")).unwrap().collect();
    assert_eq!(attempts.len(), 1, "no copy lies beside the attempt's own folder: {attempts:?}");
}

#[test]
fn what_a_dead_engine_left_half_written_is_swept_by_the_next() {
    let project = Project::new();
    let ran = project.run(&stage("echo whole > $PIPE_OUTPUT/a"));
    assert_eq!(ran.ends(), [1, 0, 0, 0, 0]);
    // As an engine leaves it that was killed while its attempt ran: the attempt is there and has no outcome.
    let attempt = fs::read_dir(project.path(".pipe/attempts")).unwrap().next().unwrap().unwrap().path();
    let dead = project.path(".pipe/attempts/0badcafe-1");
    fs::create_dir(&dead).unwrap();
    let text = fs::read_to_string(attempt.join("attempt.json")).unwrap();
    fs::write(dead.join("attempt.json"), text.replace("/job/all@", "/job/dead@")).unwrap();
    let output = project.store("data")[0].parent().unwrap().to_string_lossy().replace("/job/all@", "/job/dead@");
    fs::create_dir_all(&output).unwrap();
    fs::write(format!("{output}/half"), "half").unwrap();
    symlink("/", format!("{output}/link")).unwrap();
    // And one whose program had put a link in the place of its output folder.
    let precious = project.write("home/precious", "mine");
    let linked = project.path(".pipe/attempts/0badcafe-2");
    fs::create_dir(&linked).unwrap();
    fs::write(linked.join("attempt.json"), text.replace("/job/all@", "/job/linked@")).unwrap();
    symlink(precious.parent().unwrap(), output.replace("/job/dead@", "/job/linked@")).unwrap();
    assert_eq!(project.run(&stage("echo whole > $PIPE_OUTPUT/a")).ends(), [0, 1, 0, 0, 0]);
    assert_eq!(project.texts(), ["whole\n"]);
    for attempt in [dead, linked] {
        let outcome = fs::read_to_string(attempt.join("outcome.json")).unwrap();
        assert!(outcome.contains("engine_died"), "{outcome}");
    }
    assert_eq!(fs::read_to_string(precious).unwrap(), "mine");
}
