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
        let mut bills: IndexMap<String, Self> = IndexMap::new();
        while let Some(row) = rows.next()? {
            take(&mut bills, row)?;
        }
        Ok(bills.into_values().collect())
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
            _ => self.terms.as_ref()?.cost(self.time() + doubled),
        }
    }
}

fn take(bills: &mut IndexMap<String, Bill>, row: &Row<'_>) -> Result<(), JournalError> {
    let (kind, attempt): (String, String) = (row.get(1)?, row.get(3)?);
    let time = Timestamp(row.get::<_, i64>(4)?.cast_unsigned());
    if kind == "attempt_submitting" {
        let said: Submitting = serde_json::from_str(row.get_ref(5)?.as_str().unwrap_or_default())?;
        let (task, run) = (row.get::<_, Option<String>>(2)?.unwrap_or_default(), RunId(row.get(0)?));
        let bill = bills.entry(attempt.clone()).or_insert_with(|| Bill {
            attempt: AttemptId(attempt),
            task,
            run,
            backend: said.backend,
            terms: None,
            submitted: time,
            started: None,
            ended: None,
            doubles: Doubles::default(),
            at_most: None,
        });
        // Whoever takes it up again looks for its job first, so an end that was told before was none.
        bill.ended = None;
        bill.terms = said.terms.or(bill.terms.take());
        return Ok(());
    }
    let Some(bill) = bills.get_mut(&attempt) else { return Ok(()) };
    match kind.as_str() {
        "attempt_started" => {
            bill.started.get_or_insert(time);
        }
        // Told once more where the engine died after that, so the last word counts.
        "attempt_doubled" => bill.doubles = serde_json::from_str(row.get_ref(5)?.as_str().unwrap_or_default())?,
        "task_succeeded" => {
            let said: Succeeded = serde_json::from_str(row.get_ref(5)?.as_str().unwrap_or_default())?;
            let is_by_time = bill.terms.as_ref().is_some_and(|terms| terms.hour.is_some());
            bill.at_most = at_most(&said.result).filter(|_| !is_by_time);
        }
        "attempt_ended" => {
            let said: Ended = serde_json::from_str(row.get_ref(5)?.as_str().unwrap_or_default())?;
            bill.ended = (!said.is_open).then_some(time);
        }
        _ => bill.ended = Some(time),
    }
    Ok(())
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
