//! A job elsewhere that will not be done by the end of its time: whoever waits for it is told while it runs.

use crate::afar::{Afar, BUCKET, CLOUD_RUN};
use std::fs::{self, File};
use std::process::Stdio;
use std::time::Duration;

const SPEC: &str = r#"
version = 1
name = "slow"
[stages.slow]
kind = "command"
shell = "echo begun > @/begun; until [ -e @/go ]; do sleep 0.05; done; echo done > $PIPE_OUTPUT/made"
outputs = ["made"]
backend = "there"
timeout = "100s"
"#;
/// How often the job says how far it is, at most: for longer than it takes until its pace is known.
const WORDS: u64 = 600;

#[test]
fn a_job_whose_rate_will_miss_its_time_limit_is_warned_of_while_it_runs() {
    let afar = Afar::with(&CLOUD_RUN, SPEC);
    let told = afar.bench.path("told");
    let mut run = afar.command("here", &[]);
    let mut run = run.stdout(Stdio::null()).stderr(File::create(&told).unwrap()).spawn().unwrap();
    afar.bench.wait_for("begun");
    let (described, _) =
        afar.objects("attempts/").into_iter().find(|(name, _)| name.ends_with("/attempt.json")).unwrap();
    let attempt = described.trim_end_matches("attempt.json");
    let warnings = || fs::read_to_string(&told).unwrap().matches("will not be done in time").count();
    // A hundred-thousandth in a tenth of a second, as its worker would tell it.
    for done in 1..WORDS {
        let line = format!(r#"{{"time":{done},"type":"progress","done":{done},"total":100000,"unit":"clips"}}"#);
        afar.standin.put(BUCKET, &format!("{attempt}segments/{done:06}.jsonl"), format!("{line}\n").as_bytes());
        std::thread::sleep(Duration::from_millis(100));
        if warnings() > 0 {
            break;
        }
    }
    assert_eq!(warnings(), 1, "{}", fs::read_to_string(&told).unwrap());
    assert!(fs::read_to_string(&told).unwrap().contains("raise the stage's `timeout`"));
    afar.bench.write("go", "");
    assert!(run.wait().unwrap().success());
    assert_eq!(warnings(), 1, "it is told once");
}
