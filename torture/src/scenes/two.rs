//! Two engines at once: one works, the other says who does.

use super::Ending;
use crate::bench::Bench;
use crate::engine::{Ended, Engine};
use crate::project::{Project, noted};
use std::collections::BTreeMap;

pub(crate) fn play(bench: &Bench) -> Ending {
    let pairs = if bench.is_short { 3 } else { 20 };
    let mut wrong = Vec::new();
    for pair in 0..pairs {
        let folder = bench.room("pair").expect("a folder for temporary files can be written");
        let project = Project::write(&folder, &bench.notes("pair"), 16).expect("it can be written");
        let engines = [0; 2].map(|_| Engine::start(&bench.pipe, &project, &[], Vec::new()));
        let names = engines.each_ref().map(Engine::id);
        let ended = engines.map(Engine::wait);
        wrong.extend(judge(&project, names, &ended).into_iter().map(|what| format!("pair {pair}: {what}")));
    }
    if wrong.is_empty() {
        Ending::Held(format!("{pairs} pairs: one worked, the other named it and ended with 3"))
    } else {
        Ending::Failed(wrong)
    }
}

fn judge(project: &Project, names: [u32; 2], ended: &[Ended; 2]) -> Vec<String> {
    let mut wrong = Vec::new();
    let codes = ended.each_ref().map(Ended::code);
    let worker = match codes {
        [Some(0), Some(3)] => 0,
        [Some(3), Some(0)] => 1,
        _ => return vec![format!("they ended with {codes:?}: {} {}", ended[0].told(), ended[1].told())],
    };
    let said = &ended[1 - worker].stderr;
    if !said.contains(&format!("process {}", names[worker])) {
        wrong.push(format!("the second did not name the first, process {}: {said}", names[worker]));
    }
    let mut starts = BTreeMap::<String, u32>::new();
    for (_, task) in project.notes_in(0..noted(&project.notes)).into_iter().filter(|(is_start, _)| *is_start) {
        *starts.entry(task).or_default() += 1;
    }
    if starts.len() != project.tasks || starts.values().any(|times| *times != 1) {
        wrong.push(format!("not every task ran once: {starts:?}"));
    }
    wrong
}
