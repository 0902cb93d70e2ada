//! A request -> what befalls it. A test says so with a rule of its own; a demonstration sends rules as JSON.

use serde::Deserialize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A request that is about to be answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// The method as Google calls it: `storage.objects.get`. Later requests of one upload have names of ours:
    /// `storage.objects.insert/part`, `.../look`, `.../end`.
    pub method: String,
    /// What it is about: the name of the object, or of the job.
    pub about: String,
    /// The account that asks, where it is one that a job acts as.
    pub by: Option<String>,
}

/// What befalls a request.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum Fault {
    /// Nothing is done, and this status is answered.
    Refuse(u16),
    /// Nothing is done, and this status is answered in these words.
    Say(u16, String),
    /// It is done, and this status is answered.
    DoAndRefuse(u16),
    /// Nothing is done, and the connection is closed without a word.
    HangUp,
    /// It is done, and the connection is closed without a word.
    DoAndHangUp,
    /// It is done whatever its conditions say: some services take them and forget them.
    Forget,
    /// It is answered so many milliseconds later.
    Delay(u64),
    /// Nothing is done, and nothing is ever said.
    Stall,
    /// So many bytes of the answer are sent at most, then the connection breaks.
    Cut(u64),
    /// So many bytes of what was sent arrive, then the connection breaks.
    Lose(u64),
}

/// Says what befalls a request.
type Rule = Box<dyn FnMut(&Asked) -> Option<Fault> + Send>;

/// A rule as JSON: which requests, how many of them are spared first, and how many it befalls then.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Written {
    /// The method, or every one.
    method: Option<String>,
    /// A part of what it is about.
    about: Option<String>,
    #[serde(default)]
    after: u64,
    times: Option<u64>,
    fault: Fault,
}

/// The rule that holds, and what was asked so far.
#[derive(Clone, Default)]
pub(crate) struct Mischief(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    rule: Option<Rule>,
    asked: Vec<Asked>,
}

impl Mischief {
    pub(crate) fn rule(&self, rule: impl FnMut(&Asked) -> Option<Fault> + Send + 'static) {
        self.state().rule = Some(Box::new(rule));
    }

    /// From now on these rules hold, of which the first that fits counts.
    pub(crate) fn written(&self, mut rules: Vec<Written>) {
        self.rule(move |asked| rules.iter_mut().find_map(|rule| rule.fault(asked)));
    }

    pub(crate) fn befalls(&self, asked: Asked) -> Option<Fault> {
        let mut state = self.state();
        let fault = state.rule.as_mut().and_then(|rule| rule(&asked));
        state.asked.push(asked);
        fault
    }

    /// Everything that was asked, in order.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.state().asked.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Written {
    fn fault(&mut self, asked: &Asked) -> Option<Fault> {
        let fits = self.method.as_ref().is_none_or(|method| *method == asked.method)
            && self.about.as_ref().is_none_or(|about| asked.about.contains(about));
        if !fits {
            return None;
        }
        if self.after > 0 {
            self.after -= 1;
            return None;
        }
        match &mut self.times {
            Some(0) => return None,
            Some(times) => *times -= 1,
            None => {}
        }
        Some(self.fault.clone())
    }
}
