//! A container that is told that its machine is taken away: it is gone in time, and has said so, also where what it has started
//! does not heed the signal.

use crate::afar::{Afar, CLOUD_RUN, VERTEX};
use crate::bench::wait_until;
use pipe_engine::world::World;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value as Json;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

/// The first time it hears no signal and never ends.
const SPEC: &str = r#"
version = 1
name = "stubborn"
[stages.stubborn]
kind = "command"
shell = "if [ -e @/begun ]; then echo done > $PIPE_OUTPUT/made; exit; fi; trap '' TERM; echo begun > @/begun; while :; do sleep 1; done"
outputs = ["made"]
retry = { backoff = "10ms..20ms" }
PLACE
"#;
/// What places give a container between the first signal and the last is ten seconds; it is to be gone in so many.
const IN_TIME: Duration = Duration::from_secs(8);

#[test]
fn a_container_that_is_told_to_end_is_gone_in_eight_seconds_whatever_it_has_started() {
    for place in [&CLOUD_RUN, &VERTEX] {
        let afar = Afar::with(place, SPEC);
        let run = afar.command("here", &[]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        afar.bench.wait_for("begun");
        let worker = afar.containers()[0][0].clone();
        let (world, process) = (World::real(), Path::new("/proc").join(&worker));
        let told = world.now();
        kill_process(Pid::from_raw(worker.parse().unwrap()).unwrap(), Signal::TERM).unwrap();
        let outcomes = || {
            let objects = afar.objects("attempts/").into_iter();
            objects.filter(|(name, _)| name.ends_with("/outcome.json")).map(|(_, bytes)| bytes).collect::<Vec<_>>()
        };
        wait_until("it to be gone", || !process.exists());
        let took = world.now().since(told);
        assert!(took < IN_TIME, "{}: {took:?}", place.name);
        let outcome: Json = serde_json::from_slice(&outcomes()[0]).unwrap();
        assert_eq!(outcome["failure"]["class"], "preempted", "{}", place.name);
        let said = run.wait_with_output().unwrap();
        assert_eq!(said.status.code(), Some(0), "{}: the next attempt does it: {said:?}", place.name);
        assert_eq!(afar.containers().len(), 2, "{}", place.name);
    }
}
