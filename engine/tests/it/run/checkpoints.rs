//! What an attempt had reached, and who goes on from there.

use super::project::{Project, Ran};
use std::fs;

/// Counts one step further at each attempt, and has a result at the third.
const STEPS: &str = "cd \"$PIPE_CHECKPOINTS\"; echo x >> steps; test $(wc -l < steps) -ge 3 || exit 3; \
                     cp steps $PIPE_OUTPUT/a";

fn stage(script: &str, more: &str) -> String {
    format!("[stages.work]\nkind = \"script\"\nscript = '''{script}'''\noutputs = [\"a\"]\n{more}")
}

fn kept(ran: &Ran) -> bool {
    fs::read_dir(ran.state.all_checkpoints()).is_ok_and(|mut keys| keys.next().is_some())
}

#[test]
fn each_attempt_goes_on_from_the_one_before_it_and_the_result_ends_that() {
    let project = Project::new();
    let ran = project.run(&stage(STEPS, "checkpoints = true\nretry = { failed = 5, backoff = \"1ms..1ms\" }\n"));
    assert_eq!(ran.ends(), [1, 0, 0, 0, 0], "{:?}", ran.failures());
    assert_eq!(ran.attempts().len(), 3);
    assert_eq!(project.texts(), ["x\nx\nx\n"]);
    assert!(!kept(&ran), "work that is done has no checkpoints");
}

#[test]
fn the_next_run_goes_on_where_the_last_one_gave_up_and_other_work_does_not() {
    let project = Project::new();
    let steps = stage(STEPS, "checkpoints = true\n");
    assert!(kept(&project.run(&steps)));
    let other = stage(&format!("{STEPS} # another"), "checkpoints = true\n");
    let begins_anew = project.run(&other);
    assert_eq!(begins_anew.failures().len(), 1, "its first step of three");
    assert_eq!(project.run(&steps).failures().len(), 1, "the second of three");
    let done = project.run(&steps);
    assert_eq!(done.ends(), [1, 0, 0, 0, 0]);
    assert!(kept(&done), "those of the other work are still there");
}

#[test]
fn without_a_word_there_is_no_place_for_checkpoints() {
    let project = Project::new();
    let ran = project.run(&stage("echo \"${PIPE_CHECKPOINTS:-none}\" > $PIPE_OUTPUT/a", ""));
    assert_eq!((ran.ends(), project.texts()), ([1, 0, 0, 0, 0], vec!["none\n".to_owned()]));
    assert!(!kept(&ran));
}
