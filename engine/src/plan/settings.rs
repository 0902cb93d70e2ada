//! What a stage says besides its kind's own settings, with the defaults of the spec filled in.

use crate::attempt::Provision;
use crate::failure::Class;
use crate::resources::{Gpu, Limits, Resources};
use crate::retry::Retry;
use crate::secret::Source;
use crate::spec::RetrySpec;
use crate::spec::common::{Common, Defaults, Spot};
use crate::units::{Bytes, Cpu, Millis};
use indexmap::IndexMap;
use std::collections::BTreeMap;
use std::time::Duration;

/// Memory a task reserves unless it says otherwise.
const DEFAULT_MEMORY: Bytes = Bytes(512 << 20);

/// What all tasks of a stage have in common.
#[derive(Clone, Debug)]
pub struct Settings {
    /// CPUs an attempt keeps busy.
    pub cpu: Cpu,
    /// Memory it reserves.
    pub memory: Bytes,
    /// Disk it needs.
    pub disk: Option<Bytes>,
    /// GPUs it needs.
    pub gpu: Option<Gpu>,
    /// The longest an attempt may run.
    pub timeout: Option<Duration>,
    /// The longest all attempts of a task and the rests between them may take.
    pub task_timeout: Option<Duration>,
    /// The longest an attempt may say nothing.
    pub silence: Option<Duration>,
    /// When to try again.
    pub retry: Retry,
    /// Where tasks run, as written.
    pub backend: String,
    /// The service that does the work, where that is not a worker's.
    pub service: Option<&'static str>,
    /// Whether a machine may be one that can be taken away, and after how many that were the next is one that stays.
    pub spot: Option<u32>,
    /// Of two tasks that could start, the one with the higher number does.
    pub priority: i32,
    /// How many of its tasks may run at once.
    pub parallel: Option<u32>,
    /// Whether an earlier result may be used.
    pub cache: bool,
    /// Which ends of the stages it needs let it run.
    pub follow: Follow,
    /// How long an attempt should take.
    pub expect: Option<Duration>,
    /// When a task should be done, from the beginning of the run.
    pub deadline: Option<Duration>,
    /// The container image.
    pub image: Option<String>,
    /// Programs and the version of each.
    pub tools: IndexMap<String, String>,
    /// Where the values of its secret variables are.
    pub secrets: IndexMap<String, Source>,
    /// Words to choose stages by.
    pub tags: Vec<String>,
    /// What it is for.
    pub description: Option<String>,
}

/// Which ends of the stages it needs let a stage run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Follow {
    /// All have succeeded.
    #[default]
    Success,
    /// All have ended, however.
    Always,
    /// All have ended, and one of them has failed.
    Failure,
}

impl Settings {
    /// What a place elsewhere is to provide for the first attempt of a task, without what its task carries.
    pub fn provision(&self) -> Provision {
        let in_millis = |time: Duration| Millis(u64::try_from(time.as_millis()).unwrap_or(u64::MAX));
        Provision {
            image: self.image.clone(),
            timeout: self.timeout.map(in_millis),
            gpu: self.gpu.clone(),
            spot: self.spot.is_some(),
            region: None,
            secrets: self.secrets.iter().map(|(name, source)| (name.clone(), source.to_string())).collect(),
            labels: BTreeMap::new(),
        }
    }

    /// What an attempt takes of this machine.
    pub fn takes(&self) -> Limits {
        Limits {
            cpu: self.cpu.slots(),
            memory: self.memory.0,
            disk: self.disk.map_or(0, |disk| disk.0),
            gpus: self.gpu.as_ref().map_or(0, |gpu| gpu.count),
        }
    }

    pub(super) fn of(defaults: &Defaults, own: &Common, secrets: IndexMap<String, Source>) -> Self {
        let nothing = Resources::default();
        let usual = defaults.resources.as_ref().unwrap_or(&nothing);
        let resources = own.resources.as_ref().unwrap_or(&nothing).or(usual);
        let millis = |given: Option<crate::units::Millis>| given.map(Duration::from);
        Self {
            cpu: resources.cpu.unwrap_or(Cpu(1000)),
            memory: resources.memory.unwrap_or(DEFAULT_MEMORY),
            disk: resources.disk,
            gpu: resources.gpu.as_ref().and_then(crate::resources::GpuSpec::wanted),
            timeout: millis(own.timeout.or(defaults.timeout)),
            task_timeout: millis(own.task_timeout.or(defaults.task_timeout)),
            silence: millis(own.silence.or(defaults.silence)),
            retry: retry(defaults.retry.as_ref(), own.retry.as_ref()),
            backend: own.backend.clone().or(defaults.backend.clone()).unwrap_or(crate::backend::LOCAL.to_owned()),
            spot: own.spot.or(defaults.spot).and_then(Spot::preemptions),
            service: None,
            priority: own.priority.or(defaults.priority).unwrap_or(0),
            parallel: own.parallel,
            cache: own.cache.unwrap_or(true),
            follow: match (own.always, own.on_failure) {
                (true, _) => Follow::Always,
                (_, true) => Follow::Failure,
                _ => Follow::Success,
            },
            expect: millis(own.expect),
            deadline: millis(own.deadline),
            image: own.image.clone().or(defaults.image.clone()),
            tools: own.tools.clone(),
            secrets,
            tags: own.tags.clone(),
            description: own.description.clone(),
        }
    }
}

/// The stage's own words first, then the defaults', then the classes' own budgets.
fn retry(defaults: Option<&RetrySpec>, own: Option<&RetrySpec>) -> Retry {
    let mut retry = Retry::default();
    for spec in [defaults, own].into_iter().flatten() {
        let budgets = [
            (Class::Failed, spec.failed),
            (Class::Transient, spec.transient),
            (Class::Throttled, spec.throttled),
            (Class::Capacity, spec.capacity),
            (Class::Preempted, spec.preempted),
            (Class::Timeout, spec.timeout),
            (Class::Stalled, spec.stalled),
            (Class::OutOfMemory, spec.out_of_memory),
            (Class::OutOfDisk, spec.out_of_disk),
        ];
        retry.budgets.extend(budgets.into_iter().filter_map(|(class, budget)| Some((class, budget?))));
        if let Some(backoff) = spec.backoff {
            retry.first = Duration::from_millis(backoff.shortest().0);
            retry.longest = Duration::from_millis(backoff.longest().0);
        }
    }
    retry
}
