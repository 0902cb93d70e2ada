//! The conditions of a request -> whether an object meets them.

use super::object::Version;
use crate::answer::Refusal;
use crate::call::Call;
use hyper::header::{IF_MATCH, IF_NONE_MATCH};

/// The conditions that a request names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Conditions {
    generation: Option<i64>,
    not_generation: Option<i64>,
    metageneration: Option<i64>,
    not_metageneration: Option<i64>,
    tag: Option<String>,
    not_tag: Option<String>,
}

/// The parameters that hold conditions.
pub(super) const PARAMETERS: [&str; 4] =
    ["ifGenerationMatch", "ifGenerationNotMatch", "ifMetagenerationMatch", "ifMetagenerationNotMatch"];

impl Conditions {
    /// Those of a request that writes: tags are not among them.
    pub(super) fn of(call: &Call) -> Self {
        Self {
            generation: call.number("ifGenerationMatch"),
            not_generation: call.number("ifGenerationNotMatch"),
            metageneration: call.number("ifMetagenerationMatch"),
            not_metageneration: call.number("ifMetagenerationNotMatch"),
            tag: None,
            not_tag: None,
        }
    }

    pub(super) fn of_read(call: &Call) -> Self {
        let tag = call.header(&IF_MATCH).map(str::to_owned);
        let not_tag = call.header(&IF_NONE_MATCH).map(str::to_owned);
        Self { tag, not_tag, ..Self::of(call) }
    }

    /// Whether something may be written where this lies. Generation 0 stands for nothing.
    pub(super) fn allow_write(&self, live: Option<&Version>) -> Result<(), Refusal> {
        let generation = live.map_or(0, |version| version.generation);
        let metageneration = live.map_or(0, |version| version.metageneration);
        let is_met = self.generation.is_none_or(|wanted| is(generation, wanted))
            && self.not_generation.is_none_or(|unwanted| live.is_some() && !is(generation, unwanted))
            && self.metageneration.is_none_or(|wanted| live.is_some() && is(metageneration, wanted))
            && self.not_metageneration.is_none_or(|unwanted| live.is_some() && !is(metageneration, unwanted));
        if is_met { Ok(()) } else { Err(not_met()) }
    }

    /// Whether an object may be read.
    pub(super) fn allow_read(&self, version: &Version) -> Result<(), Refusal> {
        let tag = version.etag();
        let matches = self.generation.is_none_or(|wanted| is(version.generation, wanted))
            && self.metageneration.is_none_or(|wanted| is(version.metageneration, wanted))
            && self.tag.as_ref().is_none_or(|wanted| wanted == "*" || *wanted == tag);
        if !matches {
            return Err(not_met());
        }
        let is_known = self.not_generation.is_some_and(|unwanted| is(version.generation, unwanted))
            || self.not_metageneration.is_some_and(|unwanted| is(version.metageneration, unwanted))
            || self.not_tag.as_ref().is_some_and(|unwanted| unwanted == "*" || *unwanted == tag);
        if is_known { Err(Refusal::new(304, "Not Modified")) } else { Ok(()) }
    }
}

fn is(number: u64, wanted: i64) -> bool {
    u64::try_from(wanted) == Ok(number)
}

fn not_met() -> Refusal {
    Refusal::new(412, "At least one of the pre-conditions you specified did not hold.")
}
