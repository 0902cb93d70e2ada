//! Files of results that are copied into the project: what is put there, what is replaced, and what is left alone.

use super::project::{Project, Ran};
use pipe_engine::event::Body;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

const STAGE: &str = r#"
[stages.report]
kind = "script"
script = "cat words > $PIPE_OUTPUT/report.html"
files = ["words"]
publish = { "report.html" = "site/report.html" }
"#;

fn with(words: &str) -> Project {
    let project = Project::new();
    project.write("spec/words", words);
    project
}

fn published(project: &Project) -> String {
    fs::read_to_string(project.path("spec/site/report.html")).unwrap_or_default()
}

fn code(ran: &Ran) -> Vec<String> {
    ran.failures().into_iter().map(|failure| failure.code).collect()
}

#[test]
fn a_result_is_copied_into_the_project_and_the_copy_can_be_written() {
    let project = with("one");
    assert_eq!(project.run(STAGE).ends(), [1, 0, 0, 0, 0]);
    assert_eq!(published(&project), "one");
    let (copy, result) = (project.path("spec/site/report.html"), &project.store("data/toy/report")[0]);
    let [copy_meta, result_meta] = [fs::metadata(&copy).unwrap(), fs::metadata(result).unwrap()];
    assert_ne!(copy_meta.ino(), result_meta.ino());
    assert!(!copy_meta.permissions().readonly() && copy_meta.nlink() == 1);
    assert_eq!(fs::read_dir(copy.parent().unwrap()).unwrap().count(), 1, "nothing else is left there");
}

#[test]
fn a_file_that_has_not_changed_is_not_written_again() {
    let project = with("one");
    project.run(STAGE);
    let before = fs::metadata(project.path("spec/site/report.html")).unwrap();
    assert_eq!(project.run(STAGE).ends(), [0, 1, 0, 0, 0]);
    let after = fs::metadata(project.path("spec/site/report.html")).unwrap();
    assert_eq!((before.ino(), before.ctime_nsec()), (after.ino(), after.ctime_nsec()));
}

#[test]
fn a_new_result_replaces_what_an_earlier_run_has_put_there() {
    let project = with("one");
    project.run(STAGE);
    project.write("spec/words", "two");
    assert_eq!(project.run(STAGE).ends(), [1, 0, 0, 0, 0]);
    assert_eq!(published(&project), "two");
    project.write("spec/words", "one");
    assert_eq!(project.run(STAGE).ends(), [0, 1, 0, 0, 0], "a hit is published too");
    assert_eq!(published(&project), "one");
}

#[test]
fn a_file_that_was_deleted_is_put_there_again() {
    let project = with("one");
    project.run(STAGE);
    fs::remove_file(project.path("spec/site/report.html")).unwrap();
    assert_eq!(project.run(STAGE).ends(), [0, 1, 0, 0, 0]);
    assert_eq!(published(&project), "one");
}

#[test]
fn a_file_that_somebody_changed_is_left_and_the_task_fails() {
    let project = with("one");
    project.run(STAGE);
    project.write("spec/site/report.html", "mine");
    for words in ["one", "two"] {
        project.write("spec/words", words);
        let ran = project.run(STAGE);
        assert_eq!((ran.counts.failed, code(&ran)), (1, vec!["publish_conflict".to_owned()]), "{words}");
        assert_eq!(published(&project), "mine");
    }
}

#[test]
fn a_file_that_no_run_has_put_there_is_left_unless_it_is_the_same() {
    let project = with("one");
    project.write("spec/site/report.html", "mine");
    assert_eq!(code(&project.run(STAGE)), ["publish_conflict"]);
    assert_eq!(published(&project), "mine");
    project.write("spec/site/report.html", "one");
    assert_eq!(project.run(STAGE).ends(), [0, 1, 0, 0, 0]);
    project.write("spec/words", "two");
    assert_eq!(project.run(STAGE).ends(), [1, 0, 0, 0, 0]);
    assert_eq!(published(&project), "two");
}

#[test]
fn a_book_whose_last_line_was_cut_off_is_still_read() {
    let project = with("one");
    project.run(STAGE);
    let book = project.path(".pipe/published.jsonl");
    let text = fs::read_to_string(&book).unwrap();
    // An engine that died between the two lines of one file, in the middle of the second.
    let cut = text.find('\n').unwrap() + 20;
    fs::write(&book, &text[..cut]).unwrap();
    project.write("spec/words", "two");
    assert_eq!(project.run(STAGE).ends(), [1, 0, 0, 0, 0]);
    assert_eq!(published(&project), "two");
}

#[test]
fn a_folder_that_became_a_link_leads_nowhere() {
    let project = with("one");
    fs::create_dir_all(project.path("home")).unwrap();
    let outside = project.path("home");
    let stage =
        STAGE.replace("cat words >", &format!("ln -s {} ../../../../spec/site; cat words >", outside.display()));
    let ran = project.run(&stage);
    assert_eq!(code(&ran), ["publish_conflict"]);
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 0);
    assert!(symlink(&outside, project.path("spec/site")).is_err(), "the link was there when it was published");
}

#[test]
fn a_file_that_the_result_has_not_is_a_failure_that_names_those_it_has() {
    let project = with("one");
    let ran = project.run(&STAGE.replace("{ \"report.html\"", "{ \"rapport.html\""));
    assert_eq!(code(&ran), ["publish_missing"]);
    assert!(ran.failures()[0].help.as_ref().is_some_and(|help| help.contains("report.html")));
}

/// Other bytes in the place of a result's file, as many of them: what a disk that fails does.
fn spoil(project: &Project) {
    let file = &project.store("data/toy/report")[0];
    fs::set_permissions(file, fs::Permissions::from_mode(0o644)).unwrap();
    fs::write(file, "onE").unwrap();
}

#[test]
fn a_result_that_is_not_what_was_filed_never_reaches_the_project_and_is_made_again_by_the_same_run() {
    let project = with("one");
    project.run(STAGE);
    spoil(&project);
    fs::remove_file(project.path("spec/site/report.html")).unwrap();
    let ran = project.run(STAGE);
    assert_eq!(ran.ends(), [1, 0, 0, 0, 0], "{:?}", ran.failures());
    let why = "its result was put in quarantine: `report.html` is not what was filed";
    assert_eq!(ran.attempts(), [("report".to_owned(), why.to_owned())]);
    assert_eq!((published(&project).as_str(), project.store("quarantine").len()), ("one", 1));
    assert_eq!(fs::read_dir(project.path("spec/site")).unwrap().count(), 1, "nothing else is left there");
    assert_eq!(project.run(STAGE).ends(), [0, 1, 0, 0, 0]);
}

#[test]
fn what_is_in_the_project_already_is_left_there_whatever_became_of_the_result() {
    let project = with("one");
    project.run(STAGE);
    spoil(&project);
    assert_eq!(project.run(STAGE).ends(), [0, 1, 0, 0, 0]);
    assert_eq!(published(&project), "one");
}

#[test]
fn a_result_that_changes_before_it_is_published_is_made_once_more() {
    let project = with("one");
    let spoils = r#"
[stages.report]
kind = "script"
script = """
cat words > $PIPE_OUTPUT/report.html
if mkdir ../../../../first; then ln $PIPE_OUTPUT/report.html ../../../../linked; fi
"""
files = ["words"]
publish = { "report.html" = "site/report.html" }
"#;
    let linked = project.path("linked");
    let ran = project.run_in(".pipe", spoils, move |event| {
        // Attempts end before their results are filed; the hard link is a way around what `seal` does to the name.
        if matches!(event.body, Body::AttemptEnded { .. }) && linked.exists() {
            fs::set_permissions(&linked, fs::Permissions::from_mode(0o644)).unwrap();
            fs::write(&linked, "onE").unwrap();
            fs::remove_file(&linked).unwrap();
        }
        None
    });
    assert_eq!(ran.ends(), [1, 0, 0, 0, 0], "{:?}", ran.failures());
    assert_eq!((ran.attempts().len(), published(&project).as_str()), (2, "one"));
}
