//! What earlier runs tell, as far as a plan asks for it. Whoever reads the journal hands it in, so that a plan is made of what it
//! is given and of nothing else.

use serde_json::{Map, Value as Json};
use std::time::Duration;

/// What earlier runs of a pipeline tell.
pub trait Experience: Send + Sync {
    /// How long the newest attempts took of a task, by its written name; of one without any, those of its stage. The name of a
    /// stage stands for a task of it that is not known yet.
    fn lately(&self, task: &str) -> Option<Lately>;

    /// How long the newest attempts waited at a place, by its name, from when they were handed over until they were heard to run.
    fn startup(&self, place: &str) -> Option<Duration>;

    /// The bytes of the newest result of a task, by its written name.
    fn bytes(&self, task: &str) -> Option<u64>;

    /// Where tasks of a stage were begun that a run of this very wording has left undone.
    fn begun(&self, wording: &Wording<'_>, stage: &str) -> Option<String>;
}

/// How long the newest attempts took, each as if it had done all of the work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lately {
    /// Half of them took less.
    pub median: Duration,
    /// The quickest.
    pub shortest: Duration,
    /// The slowest.
    pub longest: Duration,
    /// How many they are.
    pub attempts: usize,
}

/// What a plan is made of besides what earlier runs tell: of one wording, the same is meant.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Wording<'a> {
    /// BLAKE3 of the spec's texts.
    pub digest: &'a str,
    /// The profile that is laid over the spec.
    pub profile: Option<&'a str>,
    /// The parameters after all overrides.
    pub params: &'a Map<String, Json>,
}

/// Nothing ran before, or nobody is to be asked.
pub struct NoExperience;

impl Experience for NoExperience {
    fn lately(&self, _: &str) -> Option<Lately> {
        None
    }

    fn startup(&self, _: &str) -> Option<Duration> {
        None
    }

    fn bytes(&self, _: &str) -> Option<u64> {
        None
    }

    fn begun(&self, _: &Wording<'_>, _: &str) -> Option<String> {
        None
    }
}
