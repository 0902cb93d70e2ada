//! What the tasks of a stage read and where that lies -> what of it leaves a bucket for the place where they run, and what that
//! costs at most: who reads by ranges reads less. What is not known is counted, and is never nothing.

use super::{Place, Task};
use crate::backend::{Backends, Reader, Traffic};
use crate::remote::scheme;
use crate::spec::Spec;
use crate::units::Usd;
use std::collections::{BTreeMap, HashSet};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// How many bytes a second go from this machine into a bucket, unless the spec says otherwise: 80 Mbit/s, an assumption of our own.
const UPLINK: u64 = 10_000_000;
/// A GiB.
const GIB: u128 = 1 << 30;
/// Buckets whose bytes somebody pays for when they are read.
const BUCKETS: [&str; 2] = ["gs", "s3"];

/// How large things are, as far as that is known before anything runs.
pub trait Sizes {
    /// The bytes of the result of a task, by its place in the plan.
    fn result(&self, task: usize) -> Option<u64>;

    /// The bytes of what lies at a URI.
    fn source(&self, uri: &str) -> Option<u64>;

    /// The bytes of a file of this machine.
    fn file(&self, path: &Path) -> Option<u64>;
}

/// What leaves buckets for some tasks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Leaving {
    /// Bytes, at most.
    pub bytes: u64,
    /// What they cost.
    pub cost: Usd,
    /// Tasks that read something of which the size is not known, or what reading it costs. Nothing of that is in the others.
    pub unknown: u64,
}

impl Leaving {
    /// Both together.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        let cost = Usd(self.cost.0 + other.cost.0);
        Self { bytes: self.bytes + other.bytes, cost, unknown: self.unknown + other.unknown }
    }

    fn add(&mut self, read: Amount, gib: Option<Usd>) {
        match gib {
            Some(Usd(0)) => {}
            Some(Usd(gib)) => {
                self.bytes += read.bytes;
                self.cost.0 += u64::try_from(u128::from(gib) * u128::from(read.bytes) / GIB).unwrap_or(u64::MAX);
                self.unknown += read.unknown;
            }
            None => self.unknown += read.tasks,
        }
    }
}

/// Where bytes lie, and what the way to a place costs and takes.
#[derive(Clone, Default)]
pub(super) struct Roads {
    prices: Option<Arc<dyn Traffic>>,
    /// The scheme of the bucket that the store is.
    bucket: Option<String>,
    /// Where buckets are, as the spec says; else where whoever reads is, for places elsewhere.
    location: Option<String>,
    /// Bytes a second.
    uplink: Option<u64>,
}

impl Roads {
    pub(super) fn of(spec: &Spec, backends: &Backends) -> Self {
        Self {
            prices: backends.traffic().cloned(),
            bucket: scheme(&spec.store).map(str::to_owned),
            location: spec.location.clone(),
            uplink: spec.uplink.map(|bytes| bytes.0),
        }
    }

    /// What leaves buckets when tasks that read this run at a place.
    pub(super) fn leaving(&self, reads: &Reads, place: &Place) -> Leaving {
        let there = place.location().filter(|_| place.capability.is_remote);
        let is_outside = !place.capability.is_remote;
        let gib = |scheme: &str| {
            let reader = match &there {
                _ if is_outside => Reader::Outside,
                Some(region) => Reader::In(region),
                None => return None,
            };
            self.prices.as_ref()?.gib(scheme, self.location.as_deref().or(there.as_deref()), reader)
        };
        let mut leaving = Leaving::default();
        if let Some(scheme) = &self.bucket {
            // What was made here is here still, and what was brought is brought once.
            leaving.add(if is_outside { reads.results_from_elsewhere } else { reads.results }, gib(scheme));
        }
        for (scheme, amount) in &reads.sources {
            leaving.add(*amount, gib(scheme));
        }
        // A task with two such inputs is one task.
        Leaving { unknown: leaving.unknown.min(reads.tasks), ..leaving }
    }

    /// How long it takes until the files of this machine are where tasks of a place find them: each is sent once.
    pub(super) fn upload(&self, reads: &Reads, place: &Place) -> Duration {
        let bytes = if place.capability.is_remote { reads.files } else { 0 };
        Duration::from_secs_f64(bytes as f64 / self.uplink.unwrap_or(UPLINK).max(1) as f64)
    }
}

/// Bytes of one sort that tasks read.
#[derive(Clone, Copy, Debug, Default)]
struct Amount {
    bytes: u64,
    /// Tasks that read any of it, and those of them of which the size is not known.
    tasks: u64,
    unknown: u64,
}

impl Amount {
    /// A task reads as much as that; `None` where its size is not known.
    fn read(&mut self, bytes: Option<u64>) {
        self.tasks += 1;
        self.bytes += bytes.unwrap_or(0);
        self.unknown += u64::from(bytes.is_none());
    }
}

/// What the tasks of a stage read.
#[derive(Clone, Debug, Default)]
pub(super) struct Reads {
    pub(super) tasks: u64,
    /// Results of others, by every task that takes them.
    results: Amount,
    /// Those that are not made on this machine, each once.
    results_from_elsewhere: Amount,
    /// What lies in buckets besides the store, by scheme.
    sources: BTreeMap<String, Amount>,
    /// Bytes of files of this machine, each once.
    files: u64,
}

impl Reads {
    /// Of a stage whose tasks are not known yet: one, of which nothing is known.
    pub(super) fn unknown() -> Self {
        let unknown = Amount { bytes: 0, tasks: 1, unknown: 1 };
        Self { tasks: 1, results: unknown, results_from_elsewhere: unknown, ..Self::default() }
    }

    /// `is_elsewhere`: whether a task is not run on this machine.
    pub(super) fn of<'a>(
        tasks: impl Iterator<Item = &'a Task>,
        is_elsewhere: &dyn Fn(usize) -> bool,
        sizes: &dyn Sizes,
    ) -> Self {
        let (mut reads, mut brought, mut sent) = (Self::default(), HashSet::new(), HashSet::new());
        for task in tasks {
            reads.tasks += 1;
            let needs = || task.inputs.iter().flat_map(|input| input.tasks.iter().map(|need| need.index()));
            if needs().next().is_some() {
                reads.results.read(needs().map(|need| sizes.result(need)).sum());
            }
            let mut new = needs().filter(|need| is_elsewhere(*need) && brought.insert(*need)).peekable();
            if new.peek().is_some() {
                reads.results_from_elsewhere.read(new.map(|need| sizes.result(need)).sum());
            }
            for uri in task.files.iter().filter_map(|file| file.uri()) {
                if let Some(scheme) = scheme(uri).filter(|scheme| BUCKETS.contains(scheme)) {
                    reads.sources.entry(scheme.to_owned()).or_default().read(sizes.source(uri));
                }
            }
            let files = task.files.iter().filter(|file| file.uri().is_none());
            reads.files +=
                files.filter(|file| sent.insert(&file.path)).filter_map(|file| sizes.file(&file.path)).sum::<u64>();
        }
        reads
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::Capability;

    fn place(is_remote: bool) -> Place {
        let capability = Capability { is_remote, ..Capability::default() };
        let (name, startup) = ("x".to_owned(), Default::default());
        Place { name, kind: None, capability, parallel: None, regions: Vec::new(), startup, span: 0..0 }
    }

    #[test]
    fn files_of_this_machine_take_the_time_of_its_uplink_where_they_go_elsewhere() {
        let reads = Reads { files: 600_000_000, ..Reads::default() };
        let usual = Roads::default();
        assert_eq!(usual.upload(&reads, &place(true)), Duration::from_secs(60));
        assert_eq!(usual.upload(&reads, &place(false)), Duration::ZERO);
        let slow = Roads { uplink: Some(1_000_000), ..Roads::default() };
        assert_eq!(slow.upload(&reads, &place(true)), Duration::from_secs(600));
    }

    #[test]
    fn without_a_known_price_every_task_that_reads_from_a_bucket_is_one_of_which_nothing_is_known() {
        let mut results = Amount::default();
        results.read(Some(5));
        results.read(None);
        let reads = Reads { tasks: 3, results, results_from_elsewhere: results, ..Reads::default() };
        let roads = Roads { bucket: Some("s3".to_owned()), ..Roads::default() };
        assert_eq!(roads.leaving(&reads, &place(false)), Leaving { unknown: 2, ..Leaving::default() });
    }
}
