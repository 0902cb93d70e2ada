//! Which tasks run after others that failed or were skipped, and which do not want to run at all.

use super::project::Project;
use pipe_engine::event::Body;
use pipe_engine::scheduler::Stop;

/// A stage that runs a script after the stages in `from`.
fn stage(name: &str, from: &str, more: &str) -> String {
    format!("[stages.{name}]\nkind = \"script\"\nscript = \"echo {name} > $PIPE_OUTPUT/a\"\nfrom = [{from}]\n{more}\n")
}

/// A stage that fails as long as the project has no file `ok`.
fn flaky() -> String {
    "[stages.flaky]\nkind = \"script\"\nscript = \"test -s ok && cp ok $PIPE_OUTPUT/a\"\nfiles = [\"ok\"]\n".to_owned()
}

fn pairs<const N: usize>(expected: [(&str, &str); N]) -> Vec<(String, String)> {
    expected.map(|(a, b)| (a.to_owned(), b.to_owned())).to_vec()
}

#[test]
fn what_nobody_wants_is_skipped_with_what_follows_and_nothing_has_failed() {
    let project = Project::new();
    let spec = stage("off", "", "when = false") + &stage("after", "\"off\"", "") + &stage("last", "\"after\"", "");
    let ran = project.run(&spec);
    assert_eq!(ran.ends(), [0, 0, 0, 3, 0]);
    assert_eq!(ran.skipped(), pairs([("off", "When"), ("after", "off"), ("last", "off")]));
}

#[test]
fn a_condition_may_differ_from_cell_to_cell() {
    let project = Project::new();
    let ran = project.run(&stage("some", "", "matrix.n = [1, 2, 3]\nwhen = \"{{ n != 2 }}\""));
    assert_eq!(ran.ends(), [2, 0, 0, 1, 0]);
    assert_eq!(ran.skipped(), pairs([("some[n=2]", "When")]));
}

#[test]
fn a_condition_on_inputs_is_asked_when_they_are_there() {
    let project = Project::new();
    let when = |expression: &str| format!("when = \"{{{{ {expression} }}}}\"");
    let spec = stage("one", "", "")
        + &stage("yes", "\"one\"", &when("inputs.from | length == 1"))
        + &stage("no", "\"one\"", &when("inputs.from | length > 1"))
        + &stage("wrong", "\"one\"", &when("inputs.other.rows > 1"))
        + &stage("neither", "\"one\"", &when("inputs.from | length"));
    let ran = project.run(&spec);
    assert_eq!(ran.ends(), [2, 0, 2, 1, 0]);
    assert_eq!(ran.skipped(), pairs([("no", "When")]));
    let mut said: Vec<String> = ran.failures().into_iter().map(|f| f.source.unwrap()).collect();
    said.sort();
    assert_eq!(said, ["`inputs` has no `other`", "`when` is 1, and not true or false"]);
    assert!(ran.failures().iter().all(|failure| failure.code == "bad_condition"));
}

/// Games that tell their scores, and of each a comparison with all of them.
fn scores(games: &str, when: &str) -> String {
    format!(
        "[stages.game]\nkind = \"script\"\nmatrix.n = {games}\n\
         script = \"echo '{{ \\\"score\\\": {{{{ n }}}} }}' > $PIPE_OUTPUT/result.json\"\n\
         [stages.best]\nkind = \"script\"\nmatrix.n = {games}\nscript = \"echo > $PIPE_OUTPUT/a\"\n\
         inputs = {{ mine = {{ stage = \"game\" }}, every = {{ stage = \"game\", all = true }} }}\n\
         when = \"{{{{ {when} }}}}\"\n"
    )
}

#[test]
fn a_condition_finds_a_list_where_all_results_are_taken_and_one_beside_it() {
    let best = "inputs.mine.score == inputs.every[-1].score and inputs.every | length == COUNT";
    let spec = |games: &str, n: u8| scores(games, &best.replace("COUNT", &n.to_string()));
    let ran = Project::new().run(&spec("[1, 2, 3]", 3));
    assert_eq!((ran.ends(), ran.failures()), ([4, 0, 0, 2, 0], vec![]));
    assert_eq!(ran.skipped(), pairs([("best[n=1]", "When"), ("best[n=2]", "When")]));
    let ran = Project::new().run(&spec("[7]", 1));
    assert_eq!((ran.ends(), ran.failures()), ([2, 0, 0, 0, 0], vec![]), "a list of one is a list");
}

#[test]
fn a_stage_that_always_runs_finds_an_empty_folder_for_what_is_not_there() {
    let project = Project::new();
    let tidy = "[stages.tidy]\nkind = \"script\"\nalways = true\nfrom = [\"bad\", \"good\"]\n\
                script = \"ls $PIPE_INPUT_FROM_0_ $PIPE_INPUT_FROM_1_ | grep -x a > $PIPE_OUTPUT/seen\"\n";
    let bad = stage("bad", "", "").replace("echo bad", "exit 3; echo bad");
    let ran = project.run(&(bad + &stage("good", "", "") + tidy));
    assert_eq!(ran.ends(), [2, 0, 1, 0, 0], "{:?}", ran.failures());
    assert!(project.data().iter().any(|(path, text)| path.ends_with("seen") && text == "a\n"), "{:?}", project.data());
}

#[test]
fn what_was_made_without_an_input_is_no_hit_once_the_input_is_there() {
    let project = Project::new();
    project.write("spec/ok", "");
    let spec = flaky() + &stage("tidy", "\"flaky\"", "always = true");
    assert_eq!(project.run(&spec).ends(), [1, 0, 1, 0, 0]);
    assert_eq!(project.run(&spec).ends(), [0, 1, 1, 0, 0], "the same failure, the same result");
    project.write("spec/ok", "yes\n");
    let ran = project.run(&spec);
    assert_eq!(ran.ends(), [2, 0, 0, 0, 0]);
    let reason = &ran.attempts()[1].1;
    assert!(reason.contains("`from[0]` gives another result"), "{reason}");
}

#[test]
fn a_stage_for_failures_runs_after_one_however_far_and_is_skipped_quietly_otherwise() {
    let project = Project::new();
    project.write("spec/ok", "");
    let spec = flaky() + &stage("middle", "\"flaky\"", "") + &stage("alarm", "\"middle\"", "on_failure = true");
    let ran = project.run(&spec);
    assert_eq!(ran.ends(), [1, 0, 1, 1, 0]);
    assert_eq!(ran.skipped(), pairs([("middle", "flaky")]));
    project.write("spec/ok", "yes\n");
    let ran = project.run(&spec);
    assert_eq!(ran.ends(), [2, 0, 0, 1, 0]);
    assert_eq!(ran.skipped(), pairs([("alarm", "NothingFailed")]));
}

#[test]
fn what_ran_after_a_failure_is_up_to_date_after_the_same_failure_unless_it_is_not_cached() {
    let project = Project::new();
    project.write("spec/ok", "");
    let spec = flaky()
        + &stage("tidy", "\"flaky\"", "always = true")
        + &stage("alarm", "\"flaky\"", "on_failure = true")
        + &stage("tell", "\"flaky\"", "on_failure = true\ncache = false");
    assert_eq!(project.run(&spec).ends(), [3, 0, 1, 0, 0]);
    let ran = project.run(&spec);
    let tasks: Vec<String> = ran.attempts().into_iter().map(|(task, _)| task).collect();
    assert_eq!((ran.ends(), tasks), ([1, 2, 1, 0, 0], vec!["flaky".into(), "tell".into()]));
}

#[test]
fn a_skip_that_nobody_wanted_is_no_failure_to_those_that_wait_for_one() {
    let project = Project::new();
    let spec = stage("off", "", "when = false")
        + &stage("after", "\"off\"", "")
        + &stage("alarm", "\"after\"", "on_failure = true")
        + &stage("tidy", "\"after\"", "always = true");
    let ran = project.run(&spec);
    assert_eq!(ran.ends(), [1, 0, 0, 3, 0]);
}

#[test]
fn a_run_that_is_stopped_starts_nothing_more_not_even_what_always_runs() {
    let project = Project::new();
    let slow = stage("slow", "", "").replace("echo slow", "echo ready; sleep 300; echo slow");
    let spec = slow + &stage("tidy", "\"slow\"", "always = true") + &stage("alarm", "\"slow\"", "on_failure = true");
    let ran = project.run_in(".pipe", &spec, |event| {
        matches!(&event.body, Body::Log { line } if line == "ready").then_some(Stop::Gently)
    });
    assert_eq!(ran.ends(), [0, 0, 0, 0, 3]);
}
