//! A run and what was known before it -> of each stage what its tasks took and cost, beside what was expected of them.

use crate::attempt::at_most;
use crate::backend::LOCAL;
use crate::estimate::{Basis, Said, Times};
use crate::plan::Plan;
use crate::report::{AttemptView, RunView};
use crate::state::History;
use crate::units::Usd;
use crate::world::Timestamp;
use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::Serialize;
use std::time::Duration;

/// What the tasks of a stage took and cost, and what was expected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, JsonSchema)]
pub struct Reckoning {
    /// Tasks that ran.
    pub tasks: u64,
    /// Their attempts.
    pub attempts: u64,
    /// Jobs that these had besides the one that did the work, of a place that takes no names for jobs. They cost what they ran.
    pub doubles: u64,
    /// Seconds that the attempts ran, all together.
    pub seconds: f64,
    /// Seconds that were expected of one attempt at each task, of those of which anything was known.
    pub expected_seconds: f64,
    /// Tasks of which no more was known than how long they may take; half of that counts as expected.
    pub guessed: u64,
    /// Tasks of which nothing was known.
    pub unexpected: u64,
    /// Attempts that somebody pays for.
    pub paid: u64,
    /// Those of them of which no price was known.
    pub unpriced: u64,
    /// What the others cost, by the prices that were known when they were handed over.
    pub cost: Usd,
    /// Those of them of which no more is known than the most that they may have cost, which is in `cost`: a service counts what it
    /// takes by itself.
    pub at_most: u64,
    /// What was expected of one attempt at each task.
    pub expected_cost: Usd,
}

/// Of each stage of which tasks ran. What was expected is what earlier runs told, and what the plan says where it is known.
pub(super) fn of(run: &RunView, history: &History, plan: Option<&Plan>) -> IndexMap<String, Reckoning> {
    let mut stages: IndexMap<String, Reckoning> = IndexMap::new();
    for (name, task) in run.tasks.iter().filter(|(_, task)| !task.attempts.is_empty()) {
        let stage = name.split('[').next().unwrap_or(name);
        let sum = stages.entry(stage.to_owned()).or_default();
        sum.tasks += 1;
        task.attempts.iter().for_each(|attempt| sum.take(attempt, run.heard));
        // Of the attempts at a task, the last has made its result.
        if let (Some(most), Some(last)) = (at_most(&task.result), task.attempts.last()) {
            sum.take_at_most(most, last);
        }
        sum.expect(Times::of(history, name, said(plan, stage)), &task.attempts[0]);
    }
    stages
}

fn said(plan: Option<&Plan>, stage: &str) -> Said {
    let stage = plan.and_then(|plan| plan.stages.iter().find(|known| known.name == stage));
    stage.map_or_else(Said::default, |stage| Said { expect: stage.settings.expect, timeout: stage.settings.timeout })
}

impl Reckoning {
    fn take(&mut self, attempt: &AttemptView, now: Timestamp) {
        // What was handed over and never began took nothing, and cost nothing.
        let ran = if attempt.has_begun { attempt.ended.unwrap_or(now).since(attempt.started) } else { Duration::ZERO };
        let doubles = attempt.doubles.unwrap_or_default();
        self.attempts += 1;
        self.doubles += doubles.jobs;
        self.seconds += ran.as_secs_f64();
        if !is_paid(attempt) {
            return;
        }
        self.paid += 1;
        let machines = u64::from(attempt.has_begun) + doubles.begun();
        match attempt.terms.as_ref().and_then(|terms| terms.cost(ran + doubles.time(), machines)) {
            Some(cost) => self.cost.0 += cost.0,
            None => self.unpriced += u64::from(attempt.has_begun),
        }
    }

    /// A service has told what an attempt took that was taken for one without a price.
    fn take_at_most(&mut self, most: Usd, attempt: &AttemptView) {
        if is_paid(attempt) && attempt.has_begun && attempt.terms.as_ref().is_some_and(|terms| terms.hour.is_none()) {
            self.unpriced -= 1;
            self.at_most += 1;
            self.cost.0 += most.0;
        }
    }

    fn expect(&mut self, times: Option<Times>, first: &AttemptView) {
        let Some(times) = times else {
            self.unexpected += 1;
            return;
        };
        self.expected_seconds += times.usual.as_secs_f64();
        self.guessed += u64::from(times.basis == Basis::Guess);
        let cost = first.terms.as_ref().and_then(|terms| terms.cost(times.usual, 1));
        self.expected_cost.0 += cost.unwrap_or_default().0;
    }
}

fn is_paid(attempt: &AttemptView) -> bool {
    let is_free = attempt.terms.as_ref().is_some_and(|terms| terms.hour == Some(Usd(0)));
    attempt.backend != LOCAL && !is_free
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attempt::{ItemCount, Terms};
    use crate::event::{Body, RunEvent, VERSION};
    use crate::ids::{AttemptId, Fingerprint, RunId};

    fn event(second: u64, task: &str, body: Body) -> RunEvent {
        let attempt = Some(AttemptId(format!("{task}-1")));
        let (run, task) = (RunId("r".into()), Some(task.to_owned()));
        RunEvent { v: VERSION, seq: Some(1), time: Timestamp(second * 1000), run, task, attempt, body }
    }

    fn begun(backend: &str) -> Body {
        let fingerprint = Fingerprint("f".into());
        Body::AttemptStarted { fingerprint, number: 1, backend: backend.to_owned(), reason: String::new() }
    }

    fn handed_over(hour: Option<u64>) -> Body {
        let terms = Some(Terms { hour: hour.map(Usd), ..Terms::default() }.into());
        let (fingerprint, backend) = (Fingerprint("f".into()), "jobs".to_owned());
        Body::AttemptSubmitting { fingerprint, number: 1, backend, reason: String::new(), page: None, terms }
    }

    fn ended() -> Body {
        Body::AttemptEnded { failure: None, items: ItemCount::default(), usage: None, is_open: false }
    }

    #[test]
    fn what_a_service_took_costs_at_most_what_the_result_says() {
        let succeeded = |result| {
            let fingerprint = Fingerprint("f".into());
            Body::TaskSucceeded { fingerprint, digest: "d".into(), files: 1, bytes: 1, result }
        };
        let tuned = |task: &str, result: serde_json::Value| {
            [
                event(0, task, handed_over(None)),
                event(1, task, begun("tuning")),
                event(9, task, ended()),
                event(9, task, succeeded(result)),
            ]
        };
        let told = tuned("model", serde_json::json!({ "usd_at_most": 2.5 }));
        let untold = tuned("next", serde_json::json!({}));
        let events: Vec<RunEvent> = told.into_iter().chain(untold).collect();
        let stages = of(&RunView::of(&events), &History::default(), None);
        let sums = |stage: &str| (stages[stage].cost, stages[stage].at_most, stages[stage].unpriced);
        assert_eq!([sums("model"), sums("next")], [(Usd(2_500_000), 1, 0), (Usd(0), 0, 1)]);
    }

    #[test]
    fn a_stage_took_and_cost_what_its_attempts_did_from_when_they_began() {
        // 100 s of 0.72 USD an hour are 0.02 USD; the time before is no machine's.
        let events = [
            event(0, "clips[n=1]", handed_over(Some(720_000))),
            event(50, "clips[n=1]", begun("jobs")),
            event(150, "clips[n=1]", ended()),
            event(0, "clips[n=2]", handed_over(None)),
            event(10, "clips[n=2]", begun("jobs")),
            event(20, "clips[n=2]", ended()),
            event(0, "clips[n=3]", handed_over(None)),
            event(9, "clips[n=3]", ended()),
            event(0, "card", begun("local")),
            event(7, "card", ended()),
        ];
        let stages = of(&RunView::of(&events), &History::default(), None);
        let clips = stages["clips"];
        assert_eq!((clips.tasks, clips.attempts, clips.seconds), (3, 3, 110.0));
        assert_eq!((clips.paid, clips.unpriced, clips.cost), (3, 1, Usd(20_000)));
        assert_eq!((clips.unexpected, clips.expected_seconds), (3, 0.0));
        let card = stages["card"];
        assert_eq!((card.seconds, card.paid, card.cost), (7.0, 0, Usd(0)));
    }
}
