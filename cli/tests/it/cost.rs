//! What a plan says of money: sums that were reckoned by hand from the tables, ranges, choices, and the limit of a run.

use crate::bench::{Bench, SUM};

const JOBS: &str = "[store]\nroot = \"gs://bucket/x\"\n[backends.jobs]\nkind = \"cloud-run\"\nproject = \"p\"\n\
                    region = \"us-central1\"\n[params]";

/// The sum of three numbers: those are made on Cloud Run, and put together here.
fn numbers_elsewhere(stage: &str) -> Bench {
    let spec = SUM.replace("[params]", JOBS).replace("numbers = [1, 2]", "numbers = [1, 2, 3]");
    let stage = format!("outputs = [\"number\"]\nbackend = \"jobs\"\n{stage}\n");
    Bench::with(&spec.replace("outputs = [\"number\"]\n", &stage))
}

const PLAN: [&str; 4] = ["plan", "spec.toml", "--offline", "--cost"];

#[test]
fn a_plan_costs_the_sum_of_its_tasks() {
    let bench = numbers_elsewhere("timeout = \"1h\"\nexpect = \"10m\"\nresources = { cpu = 2, memory = \"4 GiB\" }");
    let cost = bench.pipe(&[&PLAN[..], &["--json"]].concat()).json()["cost"].clone();
    // 600 s x (2 x 0.000018 + 4 x 0.000002) = 0.0264 USD for each; an hour of it is 0.1584.
    let sum = |of: &serde_json::Value, key: &str| of[key].as_f64().unwrap();
    assert_eq!(cost["tasks"].as_array().unwrap().len(), 4);
    assert_eq!(sum(&cost["tasks"][0], "amount"), 0.0264);
    let stage = &cost["stages"][0];
    assert_eq!((stage["count"].as_u64(), stage["machine"].as_str()), (Some(3), Some("2 CPUs, 4 GiB")));
    for of in [stage, &cost["run"]] {
        let sums = ["amount", "low", "high", "at_timeout"].map(|key| sum(of, key));
        assert_eq!(sums, [0.0792, 0.0792, 0.0792, 0.4752], "{of}");
    }
    let text = bench.pipe(&PLAN).stdout;
    assert!(text.contains("  price  0.0792 USD; 0.4752 USD when every attempt runs into its timeout\n"), "{text}");
    let row = |text: &str, name: &str| text.lines().find(|line| line.starts_with(name)).unwrap().to_owned();
    let words: Vec<String> = row(&text, "number").split_whitespace().map(str::to_owned).collect();
    assert_eq!(words.join(" "), "number jobs 2 CPUs, 4 GiB 3 10 min as it says 0.0792 USD");
    assert!(row(&text, "sum").ends_with(" free"), "{text}");
    let tasks = bench.pipe(&[&PLAN[..], &["--tasks"]].concat()).stdout;
    assert!(row(&tasks, "number[n=2]").ends_with(" 0.0264 USD"), "{tasks}");
}

#[test]
fn a_time_that_nobody_knows_is_half_the_timeout_and_is_told_as_a_guess() {
    let bench = numbers_elsewhere("timeout = \"1h\"\nresources = { cpu = 1, memory = \"512 MiB\" }");
    let cost = bench.pipe(&[&PLAN[..], &["--json"]].concat()).json()["cost"].clone();
    // Half an hour of 0.000018 + 0.5 x 0.000002 is 0.0342 USD; three of them, from nothing to twice as much.
    let sums = ["amount", "low", "high"].map(|key| cost["run"][key].as_f64().unwrap());
    assert_eq!(sums, [0.1026, 0.0, 0.2052]);
    assert_eq!((&cost["tasks"][0]["basis"], &cost["run"]["guessed"]), (&"guess".into(), &3.into()));
    let text = bench.pipe(&PLAN).stdout;
    assert!(text.contains("0.1026 USD, 0.00 to 0.2052 USD"), "{text}");
    assert!(text.contains("the time of 3 tasks is a guess: `expect` can say"), "{text}");
}

#[test]
fn what_has_no_published_price_is_not_free() {
    let bench = numbers_elsewhere("timeout = \"1h\"\nexpect = \"10m\"");
    let spec = bench.read("spec.toml").replace("us-central1", "moon-north1");
    bench.write("spec.toml", &spec);
    let cost = bench.pipe(&[&PLAN[..], &["--json"]].concat()).json()["cost"].clone();
    assert_eq!((cost["run"]["unknown"].as_u64(), cost["tasks"][0]["amount"].as_f64()), (Some(3), None));
    let text = bench.pipe(&PLAN).stdout;
    assert!(text.contains("  price  ?\n") && text.contains("3 tasks without a known price or time"), "{text}");
    let priced = spec.replace("[params]", "prices = { cpu = 0.001, memory = 0 }\n[params]");
    bench.write("spec.toml", &priced);
    let cost = bench.pipe(&[&PLAN[..], &["--json"]].concat()).json()["cost"].clone();
    assert_eq!(cost["run"]["amount"].as_f64(), Some(1.8), "3 x 600 s x 0.001 USD");
}

#[test]
fn a_plan_says_what_its_limit_of_cost_has_no_room_for() {
    let bench = numbers_elsewhere("timeout = \"1h\"\nexpect = \"10m\"\nresources = { cpu = 2, memory = \"4 GiB\" }");
    let spec = bench.read("spec.toml");
    let limited = |most: &str| {
        bench.write("spec.toml", &spec.replace("version = 1\n", &format!("version = 1\nmax_cost = \"{most}\"\n")));
        bench.pipe(&PLAN).stdout
    };
    // An attempt may cost 0.1584 and is expected to cost 0.0264: with 0.22 there is room for all, one after the other.
    assert!(!limited("0.22 USD").contains("  limit  "));
    let text = limited("0.10 USD");
    assert!(text.contains("  limit  its max_cost of 0.10 USD has no room for 4 tasks\n"), "{text}");
}

#[test]
fn a_stage_that_leaves_its_place_to_the_plan_is_told_where_it_runs_and_why() {
    let two = "[backends.gpus]\nkind = \"vertex\"\nproject = \"p\"\nregion = \"us-central1\"\n[params]";
    let bench = numbers_elsewhere(
        "timeout = \"2h\"\nresources = { cpu = 4, memory = \"16 GiB\", gpu = { type = \"nvidia-l4\" } }",
    );
    let spec = bench.read("spec.toml").replace("[params]", two).replace("backend = \"jobs\"", "backend = \"auto\"");
    bench.write("spec.toml", &spec);
    // What this machine has is not looked at offline, so it holds anything.
    let document = bench.pipe(&["plan", "spec.toml", "--offline", "--json"]).json();
    let stage = &document["stages"][0];
    assert_eq!(stage["place"], "local", "{stage}");
    let offers = stage["choice"]["offers"].as_array().unwrap();
    assert_eq!(offers[1]["why_not"], "2h of time with a GPU, and it has at most 1h");
    // An hour: (4 x 0.03669792 + 0.56004) x 1.15 + 100 x 0.0002678 = 0.839636; with the three minutes before it 0.881618.
    assert_eq!(offers[2]["price"].as_f64(), Some(0.881_618));
    assert_eq!((&offers[1]["startup"], &offers[2]["startup"]), (&20.0.into(), &180.0.into()));
    let text = bench.pipe(&["plan", "spec.toml", "--offline"]).stdout;
    let why = "this machine can hold it, and it has no deadline (local: free; jobs: 2h of time with a GPU, and it has at \
               most 1h; gpus: 0.881618 USD a task)";
    assert!(text.contains(&format!("  place  number runs on local, {why}\n")), "{text}");
}

#[test]
fn a_short_job_of_cloud_run_costs_a_minute() {
    let bench = numbers_elsewhere("timeout = \"1h\"\nexpect = \"5s\"\nresources = { cpu = 1, memory = \"512 MiB\" }");
    let cost = || bench.pipe(&[&PLAN[..], &["--json"]].concat()).json()["cost"].clone();
    // 60 s x (1 x 0.000018 + 0.5 x 0.000002) = 0.00114 USD; five seconds of it are 0.000095.
    assert_eq!(cost()["tasks"][0]["amount"].as_f64(), Some(0.001_14));
    assert_eq!(cost()["tasks"][0]["startup_seconds"].as_f64(), Some(20.0));
    let spec = bench.read("spec.toml").replace("[params]", "prices = { least = 0 }\nstartup = \"45s\"\n[params]");
    bench.write("spec.toml", &spec);
    assert_eq!(cost()["tasks"][0]["amount"].as_f64(), Some(0.000_095));
    assert_eq!(cost()["tasks"][0]["startup_seconds"].as_f64(), Some(45.0));
}

#[test]
fn what_a_task_reads_out_of_a_bucket_is_told_even_where_nobody_knows_how_much_it_is() {
    let bench = numbers_elsewhere("timeout = \"1h\"\nexpect = \"10m\"");
    let cost = bench.pipe(&[&PLAN[..], &["--json"]].concat()).json()["cost"].clone();
    let nothing_known = serde_json::json!({ "bytes": 0, "amount": 0.0, "unknown": 1 });
    assert_eq!((&cost["traffic"], &cost["stages"][1]["traffic"]), (&nothing_known, &nothing_known));
    assert_eq!(cost["stages"][0]["traffic"]["unknown"], 0, "what is written there costs nothing");
    let text = bench.pipe(&PLAN).stdout;
    let told = "  reads  without what 1 task reads out of buckets, of which size or price is not known\n";
    assert!(text.contains(told), "{text}");
}

#[test]
fn a_long_task_with_a_gpu_on_cloud_run_is_told_of_vertex() {
    let bench = numbers_elsewhere("timeout = \"7h\"\nresources = { gpu = 1 }");
    let said = bench.pipe(&["validate", "spec.toml"]);
    assert_eq!(said.code, Some(2));
    let text = format!("{}{}", said.stdout, said.stderr);
    assert!(text.contains("P0502") && text.contains("7h of time with a GPU, and it has at most 1h"), "{text}");
    assert!(text.contains("a backend of kind `vertex` would hold it"), "{text}");
}
