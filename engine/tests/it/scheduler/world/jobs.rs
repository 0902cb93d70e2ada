//! A provider: its jobs live on when an engine dies. What a job does is settled when it is made, so that how it stands is a
//! question of the time alone.

use super::super::case::Try;
use super::super::dice::Dice;
use super::disk::Name;
use pipe_engine::failure::Class;
use std::collections::BTreeMap;

#[derive(Clone, Debug)]
struct Job {
    begins: u64,
    /// When it is over, if it ever is by itself.
    ends: Option<u64>,
    result: Result<(), Class>,
}

/// How a job stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    Waiting,
    Running,
    Over(Result<(), Class>),
}

#[derive(Clone, Debug, Default)]
pub(super) struct Jobs(BTreeMap<Name, Job>);

impl Jobs {
    /// Makes a job. Its machine may be taken away.
    pub(super) fn make(&mut self, name: &Name, does: &Try, now: u64, dice: &mut Dice, is_taken: bool) {
        assert!(!self.0.contains_key(name), "there are two jobs of one attempt: {name:?}");
        assert!(self.live(now).all(|(key, _)| *key != name.0), "two jobs make one result: {name:?}");
        let begins = now + dice.roll(30);
        let ends = Some(begins + 1 + dice.roll(40));
        let (ends, result) = match does {
            _ if is_taken => (ends, Err(Class::Preempted)),
            Try::Hangs => (None, Err(Class::Failed)),
            Try::Fails(class) => (ends, Err(*class)),
            Try::Succeeds | Try::CannotBePublished(_) => (ends, Ok(())),
        };
        self.0.insert(name.clone(), Job { begins, ends, result });
    }

    pub(super) fn standing(&self, name: &Name, now: u64) -> Option<Standing> {
        let job = self.0.get(name)?;
        Some(match job.ends {
            Some(ends) if ends <= now => Standing::Over(job.result),
            _ if job.begins <= now => Standing::Running,
            _ => Standing::Waiting,
        })
    }

    /// For how long a job has run from this moment on, once it is over.
    pub(super) fn took(&self, name: &Name, since: u64, now: u64) -> Option<u64> {
        let job = self.0.get(name)?;
        let ends = job.ends.filter(|ends| *ends <= now)?;
        Some(ends.saturating_sub(job.begins.max(since)))
    }

    /// Ends a job a little later, unless it is over before that.
    pub(super) fn cancel(&mut self, name: &Name, at: u64) {
        if let Some(job) = self.0.get_mut(name).filter(|job| job.ends.is_none_or(|ends| at < ends)) {
            (job.ends, job.result) = (Some(at), Err(Class::Failed));
        }
    }

    /// The attempts whose jobs wait or run.
    pub(super) fn live(&self, now: u64) -> impl Iterator<Item = &Name> {
        self.0.iter().filter(move |(_, job)| job.ends.is_none_or(|ends| now < ends)).map(|(name, _)| name)
    }

    /// Attempts whose workers have written how they ended.
    pub(super) fn over(&self, now: u64) -> impl Iterator<Item = &Name> {
        self.0.iter().filter(move |(_, job)| job.ends.is_some_and(|ends| ends <= now)).map(|(name, _)| name)
    }
}
