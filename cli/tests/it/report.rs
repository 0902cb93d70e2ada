//! `pipe report`: one page about a run, read back as a browser reads it, and the same as data, held against its schema.

use crate::bench::{Bench, SUM, Said};
use crate::schemas::validator;
use rusqlite::Connection;
use rustix::process::Signal;
use serde_json::Value as Json;
use std::fs;
use std::path::Path;

/// One PNG of one pixel, by RFC 2083, as Base64 of coreutils tells it.
const PIXEL: &str = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";

/// `bad` says what nobody should run and fails twice, `after` needs it, `drawn` draws.
fn spec() -> String {
    format!(
        r#"
version = 1
name = "night"
[params]
who = "<script>alert(1)</script>"
[stages.bad]
kind = "command"
matrix.x = ["<script>alert(2)</script>"]
shell = "echo '<script>alert(3)</script>'; printf '\\033[31mred\\033[0m\\n'; exit 4"
retry = {{ failed = 1, backoff = "10ms" }}
outputs = ["x"]
[stages.after]
kind = "command"
argv = ["true"]
inputs = {{ bad = {{ stage = "bad" }} }}
[stages.drawn]
kind = "command"
shell = "mkdir $PIPE_OUTPUT/in; echo {PIXEL} | base64 -d | tee $PIPE_OUTPUT/in/hidden.png > $PIPE_OUTPUT/seen.png; head -c 5000000 /dev/zero > $PIPE_OUTPUT/huge.png"
outputs = ["seen.png"]
"#
    )
}

fn reported(bench: &Bench, arguments: &[&str]) -> (String, Said) {
    let said = bench.pipe(&[&["report", "spec.toml", "-o", "page.html"], arguments].concat());
    assert_eq!(said.code, Some(0), "{said:?}");
    (bench.read("page.html"), said)
}

fn data(bench: &Bench, arguments: &[&str]) -> Json {
    let said = bench.pipe(&[&["report", "spec.toml", "--json"], arguments].concat());
    assert_eq!(said.code, Some(0), "{said:?}");
    let told = said.json();
    validator("report").validate(&told).unwrap_or_else(|error| panic!("{error}: {told}"));
    told
}

/// The page without its tags, its style and its pictures: what a person reads.
fn text(page: &str) -> String {
    let body = page.split_once("</style>").unwrap().1;
    let mut text = String::new();
    for part in body.split('<').skip(1) {
        text.push_str(part.split_once('>').unwrap().1);
        text.push(' ');
    }
    let text = ["&lt; <", "&gt; >", "&quot; \"", "&#x2f; /", "&#x27; '", "&amp; &"].iter().fold(text, |text, pair| {
        let (escaped, sign) = pair.split_once(' ').unwrap();
        text.replace(escaped, sign)
    });
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The names of all elements of a page.
fn elements(page: &str) -> Vec<&str> {
    let end = |c: char| c.is_whitespace() || c == '>' || c == '/';
    page.split('<').skip(1).filter_map(|part| part.split(end).next()).filter(|name| !name.is_empty()).collect()
}

#[test]
fn a_page_says_how_a_run_ended_what_failed_and_why() {
    let bench = Bench::with(&spec());
    assert_eq!(bench.pipe(&["run", "spec.toml"]).code, Some(1));
    let (page, said) = reported(&bench, &[]);
    assert!(said.stderr.contains("page.html") && said.stderr.contains("1 picture, 1 picture left out"), "{said:?}");
    let text = text(&page);
    for part in [
        "night failed 1 ran, 1 failed, 1 skipped, in",
        "pipe rerun spec.toml --failed does what failed and what follows it",
        "ended with exit code 4",
        "failed (exit_4), after 2 attempts",
        "miss : not run before",
        "attempt 1",
        "attempt 2",
        "because of bad[x=",
        "Exit code 1",
        "written",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    // The colours of a terminal are no part of what was said.
    assert!(text.contains(" red ") && !page.contains('\u{1b}'), "{text}");
}

#[test]
fn whatever_a_task_is_named_or_says_is_text() {
    let bench = Bench::with(&spec());
    bench.pipe(&["run", "spec.toml"]);
    let (page, _) = reported(&bench, &[]);
    assert!(!elements(&page).contains(&"script"), "{page}");
    let text = text(&page);
    for said in ["alert(1)", "alert(3)"] {
        assert!(text.contains(&format!("<script>{said}</script>")), "{said}: {text}");
    }
    assert!(text.contains("alert(2)"), "the name of a cell: {text}");
}

#[test]
fn a_page_needs_nothing_else_and_runs_nothing() {
    let bench = Bench::with(&spec());
    bench.pipe(&["run", "spec.toml"]);
    let (page, _) = reported(&bench, &[]);
    let policy = "default-src 'none'; style-src 'unsafe-inline'; img-src data:";
    assert!(page.contains(&format!("http-equiv=\"Content-Security-Policy\" content=\"{policy}")));
    let elements = elements(&page);
    for element in ["script", "link", "iframe", "object", "embed", "form", "base"] {
        assert!(!elements.contains(&element), "{element}");
    }
    for address in page.split("src=\"").skip(1).chain(page.split("href=\"").skip(1)) {
        assert!(address.starts_with("data:image/") || address.starts_with('#'), "{:.80}", address);
    }
    assert!(!page.contains("url(") && !page.contains("@import"), "a style of ours alone");
    assert!(page.contains("prefers-color-scheme: dark") && page.contains("@media print"));
    assert!(elements.contains(&"thead") && page.contains("scope=\"col\"") && page.contains("lang=\"en\""));
}

#[test]
fn pictures_at_the_top_of_a_result_are_shown_as_far_as_a_page_takes_them() {
    let bench = Bench::with(&spec());
    bench.pipe(&["run", "spec.toml"]);
    let (page, _) = reported(&bench, &[]);
    assert_eq!(page.matches("<img ").count(), 1);
    assert!(page.contains(&format!("src=\"data:image/png;base64,{PIXEL}\"")), "byte for byte");
    let text = text(&page);
    assert!(text.contains("1 left out: a page takes 4.0 MiB each and 12 MiB together"), "{text}");
    assert!(text.contains("-1/huge.png") && !text.contains("-1/in/hidden.png"), "{text}");
    let told = data(&bench, &[]);
    let paths: Vec<&str> = told["pictures"].as_array().unwrap().iter().map(|p| p["path"].as_str().unwrap()).collect();
    assert_eq!(paths, ["huge.png", "seen.png"]);
    assert!(told["pictures"].as_array().unwrap().iter().all(|p| Path::new(p["file"].as_str().unwrap()).exists()));
}

#[test]
fn the_same_is_told_as_data_and_the_schema_holds_it() {
    let bench = Bench::with(SUM);
    bench.run();
    let told = data(&bench, &[]);
    assert_eq!((told["state"].as_str(), told["exit"].as_u64()), (Some("done"), Some(0)));
    assert_eq!(told["run"]["finished"]["succeeded"], 3);
    assert_eq!(told["knows_needs"], true);
    assert_eq!(told["chain"].as_array().unwrap().last().unwrap(), "sum");
    let (input, task) = (&told["timeline"]["last_inputs"][0][0], &told["timeline"]["last_inputs"][0][1]);
    assert!(input.as_str().unwrap().starts_with("number[") && task == "sum", "{told}");
    assert!(told["results"]["sum"]["state"] == "there" && told["settings"]["sum"]["key"]["kind"] == "command");
    assert!(told["run"]["site"]["host"].as_str().is_some_and(|host| !host.is_empty()), "{told}");
    assert!(!bench.path("report-x.html").exists() && fs::read_dir(bench.path("")).unwrap().count() == 3, "no page");
}

#[test]
fn a_page_of_a_run_in_which_nothing_was_to_be_done_says_so() {
    let bench = Bench::with(SUM);
    bench.run();
    bench.run();
    let (page, _) = reported(&bench, &[]);
    let text = text(&page);
    assert!(text.contains("nothing was to be done: 3 up to date"), "{text}");
    assert!(text.contains("hit : the same key,"), "{text}");
    let (before, _) = reported(&bench, &["latest~1"]);
    assert!(before.contains("3 ran"), "the run before");
}

#[test]
fn a_run_that_goes_on_or_was_killed_is_told_as_far_as_it_came() {
    let bench = Bench::with(
        "version = 1\nname = \"night\"\n[stages.slow]\nkind = \"command\"\n\
         shell = \"echo deep in work; echo > @/mark; sleep 60\"\n[stages.next]\nkind = \"command\"\nargv = [\"true\"]\n\
         inputs = { slow = { stage = \"slow\" } }\n",
    );
    let started = bench.start(&["run", "spec.toml"]);
    bench.wait_for_run("mark");
    let (page, _) = reported(&bench, &[]);
    let going = text(&page);
    assert!(going.contains("running (") && going.contains("1 running, 1 not begun"), "{going}");
    assert!(going.contains("was still going on when this was written"), "{going}");
    assert_eq!(data(&bench, &[]).get("exit"), None);
    started.signal(Signal::KILL);
    started.wait();
    let (page, _) = reported(&bench, &[]);
    let died = text(&page);
    assert!(died.contains("cut short: its engine died") && died.contains("pipe resume spec.toml"), "{died}");
    assert!(died.contains("it was running when its engine died") && died.contains("deep in work"), "{died}");
    assert_eq!(data(&bench, &[])["state"], "died");
}

#[test]
fn a_spec_that_is_wrong_by_now_and_results_that_are_gone_do_no_harm() {
    let bench = Bench::with(SUM);
    bench.run();
    fs::remove_dir_all(bench.path("out/results")).unwrap();
    bench.write("spec.toml", "version = 1\nname = \"sum\"\n[stages.x]\nkind = \"no such kind\"\n");
    let (page, _) = reported(&bench, &[]);
    let text = text(&page);
    assert!(text.contains("3 ran") && text.contains("its result has been removed from the store since"), "{text}");
    assert!(text.contains("What waited for what is not told: the spec is not the one that it was"), "{text}");
    let told = data(&bench, &[]);
    assert!(told["chain"].as_array().unwrap().is_empty() && told["results"]["sum"]["state"] == "removed", "{told}");
    // Attempts still know what they were given.
    assert_eq!(told["settings"]["sum"]["key"]["kind"], "command");
    fs::remove_dir_all(bench.path("out")).unwrap();
    fs::remove_dir_all(bench.path(".pipe/attempts")).unwrap();
    reported(&bench, &[]);
}

#[test]
fn a_run_in_a_journal_of_the_first_layout_is_told_as_far_as_it_tells() {
    let bench = Bench::new();
    fs::create_dir(bench.path(".pipe")).unwrap();
    let old = Path::new(env!("CARGO_MANIFEST_DIR")).join("../testdata/formats/v1/journal.sql");
    let journal = Connection::open(bench.path(".pipe/journal.db")).unwrap();
    journal.execute_batch(&fs::read_to_string(old).unwrap()).unwrap();
    drop(journal);
    let said = bench.pipe(&["report", "week12.toml"]);
    assert_eq!(said.code, Some(0), "{said:?}");
    assert!(said.stderr.contains("report-20261121-230405-9f3c.html"), "{said:?}");
    let text = text(&bench.read("report-20261121-230405-9f3c.html"));
    assert!(text.contains("week12 failed 1 ran, 1 up to date, 1 failed"), "{text}");
}

#[test]
fn a_run_writes_its_page_itself_however_it_ends() {
    let bench = Bench::with(&spec());
    let said = bench.pipe(&["run", "spec.toml", "--report", "night.html"]);
    assert_eq!(said.code, Some(1));
    assert!(said.stderr.contains("report: night.html ("), "{said:?}");
    assert!(text(&bench.read("night.html")).contains("1 ran, 1 failed, 1 skipped"));
    let well = Bench::with(SUM);
    for expected in ["3 ran", "nothing was to be done: 3 up to date"] {
        assert_eq!(well.pipe(&["run", "spec.toml", "--report", "night.html", "--json"]).code, Some(0));
        assert!(text(&well.read("night.html")).contains(expected), "{expected}");
    }
}

#[test]
fn a_page_that_cannot_be_written_is_told_before_anything_runs() {
    let bench = Bench::with(SUM);
    let said = bench.pipe(&["run", "spec.toml", "--report", "nowhere/night.html"]);
    assert_eq!(said.code, Some(3), "{said:?}");
    assert!(said.stderr.contains("nowhere/night.html") && !bench.path(".pipe").exists(), "{said:?}");
    let never = bench.pipe(&["report", "spec.toml"]);
    assert!(never.code == Some(2) && never.stderr.contains("spec.toml was never run"), "{never:?}");
}

#[test]
fn a_page_tells_the_way_to_what_ended_last() {
    // One slot: `short` waits for `long`, and `last` for both.
    let bench = Bench::with(
        "version = 1\nname = \"way\"\n[stages.long]\nkind = \"command\"\nshell = \"sleep 0.5\"\n\
         [stages.short]\nkind = \"command\"\nshell = \"sleep 0.1\"\n[stages.last]\nkind = \"command\"\nargv = [\"true\"]\n\
         inputs = { a = { stage = \"long\" }, b = { stage = \"short\" } }\n",
    );
    assert_eq!(bench.pipe(&["run", "spec.toml", "-j", "1"]).code, Some(0));
    let told = data(&bench, &[]);
    let ran = |task: &str| told["run"]["tasks"][task]["attempts"][0]["started"].as_u64().unwrap();
    let second = if ran("long") < ran("short") { "short" } else { "long" };
    assert_eq!(told["chain"], serde_json::json!([second, "last"]));
    let text = text(&reported(&bench, &[]).0);
    let way = text.split_once("The way to what ended last: ").unwrap().1;
    assert!(way.starts_with(second) && way.contains("of it for room) → last "), "{way}");
}

#[test]
fn an_interrupted_run_says_so_and_what_was_not_begun() {
    let bench = Bench::with(
        "version = 1\nname = \"night\"\n[stages.slow]\nkind = \"command\"\nshell = \"echo > @/mark; exec sleep 60\"\n\
         [stages.next]\nkind = \"command\"\nargv = [\"true\"]\ninputs = { slow = { stage = \"slow\" } }\n",
    );
    let started = bench.start(&["run", "spec.toml", "--report", "night.html"]);
    bench.wait_for_run("mark");
    started.signal(Signal::INT);
    assert_eq!(started.wait().code, Some(130));
    let text = text(&bench.read("night.html"));
    assert!(text.contains("night interrupted 2 stopped or not started, in"), "{text}");
    assert!(text.contains("pipe resume spec.toml") && text.contains("Exit code 130"), "{text}");
}

#[test]
fn a_page_of_hundreds_of_tasks_has_all_of_them_folded_by_stage() {
    let bench = Bench::with(
        "version = 1\nname = \"wide\"\n[stages.a]\nkind = \"command\"\nmatrix.n = \"{{ range(600) }}\"\n\
         argv = [\"true\"]\n",
    );
    assert_eq!(bench.pipe(&["run", "spec.toml", "-j", "16"]).code, Some(0));
    let (page, _) = reported(&bench, &[]);
    assert_eq!(page.matches("<code>a[n=").count(), 600 + data(&bench, &[])["chain"].as_array().unwrap().len());
    assert!(page.len() < 600 * 1500, "{} bytes", page.len());
    assert!(!page.contains("<details class=\"stage\" open"), "stages are folded");
}
