//! Events of all runs -> what attempts elsewhere cost: how long each ran, by the price that was known when it was handed over.

use super::journal::{JournalError, read_only};
use crate::attempt::{Terms, at_most};
use crate::event::Doubles;
use crate::ids::{AttemptId, RunId};
use crate::units::Usd;
use crate::world::Timestamp;
use indexmap::IndexMap;
use rusqlite::Row;
use serde::Deserialize;
use serde_json::Value as Json;
use std::path::Path;
use std::time::Duration;

/// All that is told of attempts elsewhere. One of them may go on in a later run than the one that began it.
const SELECT: &str = "select events.run, type, task, attempt, time, json from events join runs on runs.run = events.run
    where type in ('attempt_submitting', 'attempt_started', 'attempt_doubled', 'attempt_ended',
    'attempt_settled', 'task_succeeded')
    and attempt in (select attempt from events where type = 'attempt_submitting') order by started, events.run, seq";

/// What one attempt elsewhere cost.
#[derive(Clone, Debug, PartialEq)]
pub struct Bill {
    /// The attempt.
    pub attempt: AttemptId,
    /// Its task, as it is written.
    pub task: String,
    /// The run that handed it over first.
    pub run: RunId,
    /// Where it ran, by its name in the spec of that run.
    pub backend: String,
    /// What was paid for it; absent where an older version handed it over.
    pub terms: Option<Terms>,
    /// When it was handed over.
    pub submitted: Timestamp,
    /// When it was first heard to run.
    started: Option<Timestamp>,
    /// When it ended, or its job was found to be gone; absent while nobody knows.
    ended: Option<Timestamp>,
    /// The jobs that it had besides the one that did its work.
    pub doubles: Doubles,
    /// What it cost at most with those, as its result says; absent where that is the time of a machine.
    pub at_most: Option<Usd>,
}

impl Bill {
    /// The attempts of all runs of a journal, in the order in which they were handed over; one that is not there has none.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn all(journal: &Path) -> Result<Vec<Self>, JournalError> {
        let Some(connection) = read_only::open(journal)? else { return Ok(Vec::new()) };
        let mut select = connection.prepare(SELECT)?;
        let mut rows = select.query([])?;
        let mut lives = Lives::default();
        while let Some(row) = rows.next()? {
            lives.take(row)?;
        }
        Ok(lives.bills())
    }

    /// Whether it may still run, for all that is known.
    pub fn is_open(&self) -> bool {
        self.ended.is_none()
    }

    /// How long it ran, from when that was first heard. Nothing of one that never ran or may run still.
    pub fn time(&self) -> Duration {
        self.started.zip(self.ended).map_or(Duration::ZERO, |(started, ended)| ended.since(started))
    }

    /// What that cost, with the other jobs that it had, or the most that it may have; `None` where no price was known, or it may run still. What never ran cost
    /// nothing.
    pub fn cost(&self) -> Option<Usd> {
        let doubled = self.doubles.time();
        match (self.started, self.ended) {
            (_, None) => None,
            _ if self.at_most.is_some() => self.at_most,
            (None, Some(_)) if doubled.is_zero() => Some(Usd(0)),
            (started, Some(_)) => {
                let machines = u64::from(started.is_some()) + self.doubles.begun();
                self.terms.as_ref()?.cost(self.time() + doubled, machines)
            }
        }
    }
}

/// The attempts as far as the journal was read, by name.
#[derive(Default)]
struct Lives {
    now: IndexMap<String, Life>,
    /// Those that another of the same name has followed.
    before: Vec<Bill>,
}

struct Life {
    bill: Bill,
    /// It was over, and was handed over once more. Mostly its result was not filed then, and no job is made; in a state folder of two
    /// stores it is another attempt, whose name is made of the same key.
    again: Option<Bill>,
}

impl Lives {
    fn take(&mut self, row: &Row<'_>) -> Result<(), JournalError> {
        let (kind, attempt): (String, String) = (row.get(1)?, row.get(3)?);
        let time = Timestamp(row.get::<_, i64>(4)?.cast_unsigned());
        let json = row.get_ref(5)?.as_str().unwrap_or_default();
        if kind == "attempt_submitting" {
            let (task, run) = (row.get::<_, Option<String>>(2)?.unwrap_or_default(), RunId(row.get(0)?));
            let Submitting { backend, terms } = serde_json::from_str(json)?;
            self.submitting(Bill {
                attempt: AttemptId(attempt),
                task,
                run,
                backend,
                terms,
                submitted: time,
                started: None,
                ended: None,
                doubles: Doubles::default(),
                at_most: None,
            });
            return Ok(());
        }
        let Some(life) = self.now.get_mut(&attempt) else { return Ok(()) };
        match kind.as_str() {
            "attempt_started" => {
                self.before.extend(life.goes_on_as_another());
                life.bill.started.get_or_insert(time);
            }
            // Told once more where the engine died after that, so the last word counts.
            "attempt_doubled" => life.bill.doubles = serde_json::from_str(json)?,
            "task_succeeded" => {
                let said: Succeeded = serde_json::from_str(json)?;
                let is_by_time = life.bill.terms.as_ref().is_some_and(|terms| terms.hour.is_some());
                life.bill.at_most = at_most(&said.result).filter(|_| !is_by_time);
            }
            "attempt_ended" => {
                let Ended { is_open } = serde_json::from_str(json)?;
                if is_open {
                    self.before.extend(life.goes_on_as_another());
                }
                life.end((!is_open).then_some(time));
            }
            _ => life.end(Some(time)),
        }
        Ok(())
    }

    fn submitting(&mut self, bill: Bill) {
        let name = bill.attempt.0.clone();
        let Some(life) = self.now.get_mut(&name) else {
            self.now.insert(name, Life { bill, again: None });
            return;
        };
        if life.bill.is_open() {
            life.bill.terms = bill.terms.or(life.bill.terms.take());
        } else {
            life.again = Some(bill);
        }
    }

    /// All of them, in the order in which they were handed over.
    fn bills(self) -> Vec<Bill> {
        let now = self.now.into_values().flat_map(|life| [Some(life.bill), life.again]).flatten();
        let mut bills: Vec<Bill> = self.before.into_iter().chain(now).collect();
        bills.sort_by_key(|bill| bill.submitted);
        bills
    }
}

impl Life {
    /// A job is heard of, or may be there: that of another attempt, where this one was over. Returns this one then.
    fn goes_on_as_another(&mut self) -> Option<Bill> {
        let again = self.again.take()?;
        Some(std::mem::replace(&mut self.bill, again))
    }

    /// It is told that it ended; `None` where nobody knows. What was over, and had no job since, ended when it did.
    fn end(&mut self, time: Option<Timestamp>) {
        if self.again.take().is_none() {
            self.bill.ended = time;
        }
    }
}

// The few fields of events that are needed here.

#[derive(Deserialize)]
struct Submitting {
    backend: String,
    #[serde(default)]
    terms: Option<Terms>,
}

#[derive(Deserialize)]
struct Succeeded {
    #[serde(default)]
    result: Json,
}

#[derive(Deserialize)]
struct Ended {
    #[serde(default)]
    is_open: bool,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attempt::ItemCount;
    use crate::event::{Body, RunEvent, VERSION};
    use crate::failure::Failure;
    use crate::ids::Fingerprint;
    use crate::state::Journal;

    fn submitting(hour: Option<u64>) -> Body {
        let terms = Terms { hour: hour.map(Usd), ..Terms::default() };
        let (fingerprint, backend) = (Fingerprint("f".into()), "jobs".to_owned());
        let (reason, terms) = ("new".to_owned(), Some(terms.into()));
        Body::AttemptSubmitting { fingerprint, number: 1, backend, reason, page: None, terms }
    }

    fn started() -> Body {
        let (fingerprint, backend) = (Fingerprint("f".into()), "jobs".to_owned());
        Body::AttemptStarted { fingerprint, number: 1, backend, reason: "new".into() }
    }

    fn ended(is_open: bool) -> Body {
        let failure = is_open.then(|| Failure::failed("lost", "nobody knows"));
        Body::AttemptEnded { failure, items: ItemCount::default(), usage: None, is_open }
    }

    /// The bills of a journal: of each event the run, the second and the attempt.
    fn bills(events: &[(&str, u64, &str, Body)]) -> Vec<Bill> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal.db");
        let journal = Journal::open(&path).unwrap();
        for (seq, (run, second, attempt, body)) in events.iter().enumerate() {
            let runs_before = events[..seq].iter().filter(|(other, ..)| other == run).count() as u64;
            journal.append(vec![RunEvent {
                v: VERSION,
                seq: Some(runs_before + 1),
                time: Timestamp(second * 1000),
                run: RunId((*run).to_owned()),
                task: Some(format!("clips[game={attempt}]")),
                attempt: Some(AttemptId((*attempt).to_owned())),
                body: body.clone(),
            }]);
        }
        futures::executor::block_on(journal.flush()).unwrap();
        Bill::all(&path).unwrap()
    }

    #[test]
    fn an_attempt_costs_the_time_that_it_ran_and_not_the_time_that_it_waited() {
        // 0.72 USD an hour for the 100 s from 50 to 150 are 0.02.
        let found = bills(&[
            ("r1", 0, "a", submitting(Some(720_000))),
            ("r1", 50, "a", started()),
            ("r1", 150, "a", ended(false)),
            ("r1", 0, "here", started()),
            ("r1", 9, "here", ended(false)),
        ]);
        assert_eq!(found.len(), 1, "what runs on this machine costs nothing");
        assert_eq!((found[0].time().as_secs(), found[0].cost()), (100, Some(Usd(20_000))));
    }

    #[test]
    fn an_attempt_that_another_run_went_on_with_is_one_from_its_begin_to_its_end() {
        let found = bills(&[
            ("r1", 0, "a", submitting(Some(3_600_000))),
            ("r1", 10, "a", started()),
            ("r1", 20, "a", ended(true)),
            ("r2", 500, "a", submitting(Some(3_600_000))),
            ("r2", 501, "a", started()),
            ("r2", 610, "a", ended(false)),
        ]);
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].time().as_secs(), found[0].cost()), (600, Some(Usd(600_000))));
        assert_eq!(found[0].run, RunId("r1".into()));
    }

    #[test]
    fn an_attempt_that_was_over_and_is_filed_by_a_later_run_ran_no_longer_than_it_did() {
        let found = bills(&[
            ("r1", 0, "a", submitting(Some(3_600_000))),
            ("r1", 10, "a", started()),
            ("r1", 20, "a", ended(false)),
            ("r2", 5000, "a", submitting(Some(3_600_000))),
            ("r2", 5001, "a", ended(false)),
        ]);
        assert_eq!((found.len(), found[0].time().as_secs(), found[0].cost()), (1, 10, Some(Usd(10_000))));
    }

    #[test]
    fn attempts_of_one_name_in_two_stores_of_a_state_folder_are_two() {
        let attempt = |run, begin: u64, hour| {
            [
                (run, begin, "a", submitting(Some(hour))),
                (run, begin + 10, "a", started()),
                (run, begin + 20, "a", ended(false)),
            ]
        };
        let events: Vec<_> =
            [attempt("r1", 0, 3_600_000), attempt("r2", 9000, 7_200_000)].into_iter().flatten().collect();
        let told = |bill: &Bill| (bill.run.0.clone(), bill.time().as_secs(), bill.cost());
        let found: Vec<_> = bills(&events).iter().map(told).collect();
        assert_eq!(found, [("r1".into(), 10, Some(Usd(10_000))), ("r2".into(), 10, Some(Usd(20_000)))]);
        // The second is handed over, and nobody has heard of it since.
        let found = bills(&events[..4]);
        assert_eq!((found.len(), found[0].cost(), found[1].is_open()), (2, Some(Usd(10_000)), true));
    }

    #[test]
    fn what_is_charged_before_work_begins_is_in_the_price_of_each_machine_that_ran() {
        let terms = Terms { hour: Some(Usd(3_600_000)), startup_ms: Some(180_000), ..Terms::default() };
        let submitting = |attempt| {
            let (fingerprint, backend) = (Fingerprint("f".into()), "jobs".to_owned());
            let (reason, terms) = ("new".to_owned(), Some(terms.clone().into()));
            ("r1", 0, attempt, Body::AttemptSubmitting { fingerprint, number: 1, backend, reason, page: None, terms })
        };
        let doubled = Body::AttemptDoubled { doubles: Doubles { jobs: 1, ran_ms: 5000 } };
        let found = bills(&[
            submitting("a"),
            submitting("never"),
            ("r1", 200, "a", started()),
            ("r1", 220, "a", doubled),
            ("r1", 220, "a", ended(false)),
            ("r1", 220, "never", ended(false)),
        ]);
        // 20 s and 5 s, and 180 s before each, at a thousandth of a dollar a second.
        let costs: Vec<_> = found.iter().map(Bill::cost).collect();
        assert_eq!(costs, [Some(Usd(385_000)), Some(Usd(0))]);
    }

    #[test]
    fn a_second_job_of_an_attempt_costs_what_its_machine_ran_and_is_counted_once() {
        let doubled = || Body::AttemptDoubled { doubles: Doubles { jobs: 1, ran_ms: 36_000 } };
        let found = bills(&[
            ("r1", 0, "a", submitting(Some(1_000_000))),
            ("r1", 0, "a", started()),
            ("r1", 36, "a", doubled()),
            ("r2", 36, "a", submitting(Some(1_000_000))),
            ("r2", 36, "a", doubled()),
            ("r2", 36, "a", ended(false)),
        ]);
        // Two machines for a hundredth of an hour each.
        assert_eq!((found[0].doubles.jobs, found[0].cost()), (1, Some(Usd(20_000))));
        assert_eq!(found[0].time().as_secs(), 36, "the work took no longer");
    }

    #[test]
    fn what_a_service_took_is_what_its_result_says_and_without_that_is_not_known() {
        let succeeded = |result| {
            let fingerprint = Fingerprint("f".into());
            Body::TaskSucceeded { fingerprint, digest: "d".into(), files: 1, bytes: 1, result }
        };
        let doubled = Body::AttemptDoubled { doubles: Doubles { jobs: 1, ran_ms: 0 } };
        let found = bills(&[
            ("r1", 0, "told", submitting(None)),
            ("r1", 1, "told", started()),
            ("r1", 2, "told", doubled),
            ("r1", 2, "told", ended(false)),
            ("r1", 3, "told", succeeded(serde_json::json!({ "usd_at_most": 3.25 }))),
            ("r1", 0, "untold", submitting(None)),
            ("r1", 1, "untold", started()),
            ("r1", 2, "untold", ended(false)),
            ("r1", 3, "untold", succeeded(serde_json::json!({ "billable_tokens": 500 }))),
        ]);
        let told: Vec<(Option<Usd>, Option<Usd>)> = found.iter().map(|bill| (bill.cost(), bill.at_most)).collect();
        assert_eq!(told, [(Some(Usd(3_250_000)), Some(Usd(3_250_000))), (None, None)]);
    }

    #[test]
    fn what_may_run_still_or_has_no_price_is_not_free_and_what_never_ran_is() {
        let found = bills(&[
            ("r1", 0, "open", submitting(Some(1))),
            ("r1", 1, "open", started()),
            ("r1", 2, "open", ended(true)),
            ("r1", 0, "unpriced", submitting(None)),
            ("r1", 1, "unpriced", started()),
            ("r1", 2, "unpriced", ended(false)),
            ("r1", 0, "never", submitting(None)),
            ("r1", 2, "never", ended(false)),
        ]);
        let told: Vec<(bool, Option<Usd>)> = found.iter().map(|bill| (bill.is_open(), bill.cost())).collect();
        assert_eq!(told, [(true, None), (false, None), (false, Some(Usd(0)))]);
    }
}
