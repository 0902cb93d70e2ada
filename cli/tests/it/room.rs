//! Who may run beside whom: GPUs, limits of a stage, pools that stages share, priorities.

use crate::bench::{Bench, Said};

/// Tasks of `a` and `b`, each of which holds a folder while it runs: two at once that hold the same one fail.
fn holding(folder: &str, a: &str, b: &str) -> Bench {
    let stage = |name: &str, more: &str| {
        format!(
            "[stages.{name}]\nkind = \"command\"\nmatrix.n = [1, 2, 3]\n{more}\nargv = [\"sh\", \"-c\", \
             \"echo {name} >> @/ran; mkdir @/{folder} && sleep 0.1 && rmdir @/{folder}; echo $? > $PIPE_OUTPUT/x; \
             exit $(cat $PIPE_OUTPUT/x)\"]\noutputs = [\"x\"]\n"
        )
    };
    Bench::with(&format!("version = 1\nname = \"room\"\npools = {{ desk = 1 }}\n{}{}", stage("a", a), stage("b", b)))
}

fn on_four_cpus(bench: &Bench) -> Said {
    bench.said(bench.command(&["run", "spec.toml", "--cpu", "4"]).env("CUDA_VISIBLE_DEVICES", "GPU-x,GPU-y"))
}

#[test]
fn no_two_attempts_share_a_gpu() {
    let bench = holding("$CUDA_VISIBLE_DEVICES", "resources.gpu = 1", "resources = { gpu = { count = 1 } }");
    let said = on_four_cpus(&bench);
    assert_eq!(said.code, Some(0), "{said:?}");
    assert!(said.stderr.contains("6 ran"), "{said:?}");
}

#[test]
fn more_gpus_than_there_are_is_a_mistake_of_the_spec() {
    let bench = holding("x", "resources.gpu = 3", "");
    let said = on_four_cpus(&bench);
    assert_eq!(said.code, Some(2), "{said:?}");
    assert!(said.stderr.contains("error[P0502]") && said.stderr.contains("3 GPUs, and it has at most 2"), "{said:?}");
}

#[test]
fn a_stage_runs_no_more_of_its_tasks_at_once_than_it_says() {
    let bench = holding("a", "parallel = 1", "parallel = 1");
    bench.write("spec.toml", &bench.read("spec.toml").replace("echo b", "exit 0; echo b"));
    let said = on_four_cpus(&bench);
    assert!(said.stderr.contains("a  3 done"), "{said:?}");
}

#[test]
fn stages_that_draw_from_one_pool_wait_for_each_other() {
    let bench = holding("desk", "pools = [\"desk\"]", "pools = [\"desk\"]");
    let said = on_four_cpus(&bench);
    assert_eq!(said.code, Some(0), "{said:?}");
    // Without the pool they do not: the folder is there already for those that come second.
    let bench = holding("desk", "", "");
    assert_eq!(on_four_cpus(&bench).code, Some(1));
}

#[test]
fn of_tasks_that_could_start_those_of_higher_priority_do() {
    let bench = holding("desk", "", "priority = 1");
    let said = bench.pipe(&["run", "spec.toml", "--cpu", "1"]);
    assert_eq!(said.code, Some(0), "{said:?}");
    let ran = bench.read("ran");
    let before = ran.lines().take(4).filter(|line| *line == "b").count();
    // The first to be looked up starts while the others still are.
    assert!(before >= 3, "{ran}");
}

#[test]
fn a_plan_tells_what_attempts_held_and_where_a_reservation_says_less() {
    let bench = Bench::with(
        "version = 1\nname = \"hungry\"\n[params]\nn = 1\n[stages.big]\nkind = \"command\"\nresources.memory = \"1 MiB\"\nenv = { N = \"{{ params.n }}\" }\n\
         argv = [\"sh\", \"-c\", \"{ head -c 80M /dev/zero; sleep 1; } | tail -c 80M | wc -c > $PIPE_OUTPUT/x\"]\noutputs = [\"x\"]\n",
    );
    let plan = |more: &[&str]| bench.pipe(&[&["plan", "spec.toml", "-P", "n=2"], more].concat());
    let before = plan(&["--json"]).json();
    assert_eq!(before["stages"][0]["used"], serde_json::Value::Null);
    assert_eq!(bench.pipe(&["run", "spec.toml"]).code, Some(0));

    let used = plan(&["--json"]).json()["stages"][0]["used"].clone();
    // `tail` held the 80 MiB, and besides it there were a shell and two small programs.
    let memory = used["memory_peak"].as_u64().unwrap();
    assert!((80 << 20..400 << 20).contains(&memory), "{used}");
    assert!(used["cpu_mean"].as_f64().is_some_and(|cpu| cpu >= 0.0), "{used}");
    let told = plan(&[]).stdout;
    assert!(told.contains("MiB of memory and reserves 1.0 MiB: `resources.memory` can say so"), "{told}");
    bench.write("spec.toml", &bench.read("spec.toml").replace("1 MiB", "1 GiB"));
    let told = plan(&[]).stdout;
    assert!(told.contains("memory") && !told.contains("reserves"), "{told}");
}
