//! A stage and the places of its plan -> where its tasks run; and why there, when the stage leaves that to the plan.

use super::code;
use super::experience::{Experience, Wording};
use super::fit::{misfits, problems};
use super::places::{Place, place_of};
use super::secrets::out_of_reach;
use super::settings::Settings;
use super::takes::Takes;
use super::times::Basis;
use super::traffic::{Leaving, Reads, Roads};
use crate::backend::Backends;
use crate::spec::node::{Node, Value};
use crate::spec::{Spec, StageSpec};
use crate::text::{Diagnostic, closest, one_of};
use crate::units::Usd;
use std::time::Duration;

/// Lets the plan choose.
pub(super) const AUTO: &str = "auto";

/// What is asked for a price of, where nobody knows how long a task takes.
const AN_HOUR: Duration = Duration::from_secs(3600);

/// Why a stage that leaves it to the plan runs where it does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// In words: `the cheapest that can hold it`.
    pub reason: String,
    /// How long one of its tasks takes, on average; absent where nobody knows.
    pub time: Option<Duration>,
    /// How that is known.
    pub basis: Basis,
    /// Every place that was looked at, in the order of the plan's places.
    pub offers: Vec<Offer>,
}

/// What a place would be for the tasks of a stage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// The place, by its name in the spec.
    pub place: String,
    /// What a task costs there, with its share of what leaves buckets; where nobody knows how long it takes, what an hour costs.
    /// Absent where no price is known.
    pub price: Option<Usd>,
    /// What leaves buckets for all of its tasks.
    pub leaving: Leaving,
    /// How long a task waits there before its work begins.
    pub startup: Duration,
    /// When the last task would be done, from the beginning of the run; absent where nobody knows how long one takes.
    pub done: Option<Duration>,
    /// Why it cannot be taken.
    pub why_not: Option<String>,
}

/// Where the tasks of a stage run.
pub(super) struct Placed {
    /// Index into the places.
    pub(super) place: usize,
    pub(super) choice: Option<Choice>,
    /// When they are done, from the beginning of the run, as far as that is known.
    pub(super) done: Duration,
}

/// A stage that is to be given a place.
pub(super) struct Seeking<'a> {
    pub(super) stage: &'a StageSpec,
    pub(super) settings: &'a Settings,
    pub(super) places: &'a [Place],
    pub(super) backends: &'a Backends,
    /// Whether the store lies where places elsewhere can reach it.
    pub(super) in_bucket: bool,
    /// How many tasks it has. One, where rows decide: rows that come to be known must not move what was placed.
    pub(super) tasks: usize,
    /// How long they take.
    pub(super) takes: Option<Takes>,
    /// What they read, and what the way of that costs.
    pub(super) reads: (Reads, &'a Roads),
    /// What earlier runs tell, and of which wording of the spec.
    pub(super) experience: (&'a dyn Experience, Wording<'a>),
    /// When what it needs is done, from the beginning of the run.
    pub(super) begins: Duration,
}

/// Whether any stage of a spec may leave its place to the plan, and there is more than one: what earlier runs tell is asked for
/// only then.
pub(super) fn is_open(spec: &Spec) -> bool {
    let tables = spec.stages.iter().map(|stage| &stage.common).chain(&spec.defaults);
    let may_be = |node: &Node| matches!(&node.value, Value::String(text) if text == AUTO || text.contains("{{"));
    !spec.backends.is_empty() && tables.filter_map(|table| table.get("backend")).any(may_be)
}

impl Seeking<'_> {
    /// Gives the stage its place. What is wrong with that is among the problems.
    pub(super) fn place(&self, problems: &mut Vec<Diagnostic>) -> Placed {
        let (place, choice) = match self.settings.backend.as_str() {
            AUTO => self.automatic(problems),
            name => (self.named(name, problems), None),
        };
        let done = self.done(&self.places[place]).unwrap_or(self.begins);
        Placed { place, choice, done }
    }

    fn named(&self, name: &str, found: &mut Vec<Diagnostic>) -> usize {
        let Some(index) = self.places.iter().position(|place| place.name == name) else {
            found.push(self.unknown(name));
            return 0;
        };
        let (stage, settings, place) = (self.stage, self.settings, &self.places[index]);
        found.extend(problems(stage, settings, place, (self.places, self.backends)));
        if place.capability.is_priced && settings.timeout.is_none() {
            let message =
                format!("`{}` runs on `{}`, which costs money, and has no timeout", stage.name.value, place.name);
            let help =
                "write the longest it may take, such as timeout = \"1h\": an attempt that hangs is paid for until then";
            found.push(Diagnostic::error(code::NO_TIMEOUT, message, stage.name.span.clone(), "").help(help));
        }
        index
    }

    fn unknown(&self, name: &str) -> Diagnostic {
        let names = || self.places.iter().map(|place| place.name.as_str()).chain([AUTO]);
        let help = match closest(name, names()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("it is one of {}", one_of(names())),
        };
        let message = format!("no backend is named `{name}`");
        let span = place_of(self.stage, "backend");
        Diagnostic::error(code::UNKNOWN_BACKEND, message, span, "named here").help(help)
    }

    /// Of the places that can take it, the cheapest that meets the deadline; where there is nothing to choose by, this
    /// machine if it can hold it.
    fn automatic(&self, problems: &mut Vec<Diagnostic>) -> (usize, Option<Choice>) {
        let offers: Vec<Offer> = self.places.iter().map(|place| self.offer(place)).collect();
        let able: Vec<usize> = (0..offers.len()).filter(|place| offers[*place].why_not.is_none()).collect();
        let Some(first) = able.first().copied() else {
            problems.push(self.nowhere(&offers));
            return (0, None);
        };
        let price = |place: &usize| (offers[*place].price, *place);
        if let Some(place) = self.begun().and_then(|name| able.iter().copied().find(|able| offers[*able].place == name))
        {
            return (place, Some(self.choice("a run has begun it there and not come to its end".to_owned(), offers)));
        }
        let (place, reason) = match self.settings.deadline.filter(|_| self.takes.is_some()) {
            Some(deadline) => {
                let shown = super::fit::millis(deadline);
                let in_time = able.iter().copied().filter(|place| offers[*place].done <= Some(deadline));
                match in_time.min_by_key(price) {
                    Some(place) => (place, format!("the cheapest that is done by its deadline of {shown}")),
                    None => {
                        let quickest = able.iter().copied().min_by_key(|place| (offers[*place].done, price(place)));
                        (quickest.unwrap_or(first), format!("the quickest: none is done by its deadline of {shown}"))
                    }
                }
            }
            None if first == 0 && offers[0].price == Some(Usd(0)) => {
                (0, "this machine can hold it, and it has no deadline".to_owned())
            }
            None => {
                let only = if able.len() == 1 { "the only one" } else { "the cheapest" };
                (able.into_iter().min_by_key(price).unwrap_or(first), format!("{only} that can hold it"))
            }
        };
        (place, Some(self.choice(reason, offers)))
    }

    fn choice(&self, reason: String, offers: Vec<Offer>) -> Choice {
        let basis = self.takes.map_or(Basis::Unknown, |takes| takes.basis);
        Choice { reason, time: self.takes.map(|takes| takes.mean), basis, offers }
    }

    /// The place where its tasks were begun by a run that has left some of them undone.
    fn begun(&self) -> Option<String> {
        let (experience, wording) = &self.experience;
        experience.begun(wording, &self.stage.name.value)
    }

    fn offer(&self, place: &Place) -> Offer {
        let price = self.price(place);
        let why_not = misfits(self.settings, place).into_iter().next().map(|misfit| misfit.words);
        let why_not = why_not.or_else(|| out_of_reach(self.settings, place)).or_else(|| {
            let can = &place.capability;
            let why = match price {
                _ if can.is_remote && !self.in_bucket => "it cannot reach the store, which is a folder of this machine",
                _ if can.is_priced && self.settings.timeout.is_none() => "it costs money, and the stage has no timeout",
                None => "no price of it is known, and no price is not free",
                Some(_) => return None,
            };
            Some(why.to_owned())
        });
        let leaving = self.leaving(place);
        Offer {
            place: place.name.clone(),
            price,
            leaving,
            startup: self.startup(place),
            done: self.done(place),
            why_not,
        }
    }

    fn price(&self, place: &Place) -> Option<Usd> {
        let need = self.settings.need();
        let machine = match self.takes {
            _ if !place.capability.is_priced => Usd(0),
            Some(takes) => place.cost(&need, takes.mean, self.startup(place))?,
            None => place.price(&need, AN_HOUR)?,
        };
        let share = self.leaving(place).cost.0.div_ceil(self.reads.0.tasks.max(1));
        Some(Usd(machine.0 + share))
    }

    fn leaving(&self, place: &Place) -> Leaving {
        let (reads, roads) = &self.reads;
        roads.leaving(reads, place)
    }

    fn startup(&self, place: &Place) -> Duration {
        place.startup(self.experience.0)
    }

    fn done(&self, place: &Place) -> Option<Duration> {
        let rounds = u32::try_from(self.tasks.div_ceil(self.at_once(place))).unwrap_or(u32::MAX);
        let Takes { mean, longest, .. } = self.takes?;
        let startup = self.startup(place);
        let all = mean.saturating_add(startup).saturating_mul(rounds).max(longest.saturating_add(startup));
        let (reads, roads) = &self.reads;
        Some(self.begins.saturating_add(all).saturating_add(roads.upload(reads, place)))
    }

    /// How many of its tasks can run there at once.
    fn at_once(&self, place: &Place) -> usize {
        let share = |all: u64, one: u64| usize::try_from(all / one.max(1)).unwrap_or(usize::MAX);
        let can = &place.capability;
        let slots = can.slots.map(|slots| share(slots.into(), self.settings.cpu.slots().into()));
        // What each attempt has for itself elsewhere, attempts share here.
        let memory = can.slots.and(can.memory).map(|memory| share(memory.0, self.settings.memory.0));
        let gpus = can.slots.and(self.settings.gpu.as_ref()).map(|gpu| {
            let there = can.gpus.iter().flatten().map(|(_, count)| *count).sum::<u32>();
            share(there.into(), gpu.count.into())
        });
        let own = self.settings.parallel.iter().chain(&place.parallel).map(|parallel| *parallel as usize);
        let least = [slots, memory, gpus].into_iter().flatten().chain(own).min();
        least.unwrap_or(usize::MAX).max(1)
    }

    fn nowhere(&self, offers: &[Offer]) -> Diagnostic {
        let message = format!("no backend can hold `{}`", self.stage.name.value);
        let why = offers.iter().filter_map(|offer| Some(format!("{}: {}", offer.place, offer.why_not.as_ref()?)));
        let help = why.collect::<Vec<_>>().join("; ");
        Diagnostic::error(code::DOES_NOT_FIT, message, place_of(self.stage, "backend"), "").help(help)
    }
}
