//! What a stage asks for and what a place has -> what is too much. A stage that its place cannot hold is a problem of the
//! spec, with both lines and with who could, and not a job that fails after forty minutes.

use super::code;
use super::places::{Place, place_of};
use super::settings::Settings;
use crate::backend::{BackendKind, Backends, Beyond, Capability, Need};
use crate::spec::StageSpec;
use crate::text::{Diagnostic, one_of};
use crate::units::Millis;
use serde_json::Value as Json;
use std::time::Duration;

/// What a stage asks for and a place does not have.
pub(super) fn misfits(settings: &Settings, place: &Place) -> Vec<Beyond> {
    let kind = place.kind.as_ref().map(|(kind, config)| (&**kind, config));
    misfits_of(settings, &place.capability, kind)
}

fn misfits_of(settings: &Settings, can: &Capability, kind: Option<(&dyn BackendKind, &Json)>) -> Vec<Beyond> {
    let mut found = Vec::new();
    let mut more =
        |field: &'static str, words: Option<String>| found.extend(words.map(|words| Beyond { field, words }));
    more("backend", other_service(settings.service, kind.and_then(|(kind, _)| kind.service())));
    more("resources.cpu", over("CPUs", &settings.cpu, can.cpu.as_ref()));
    more("resources.memory", over("of memory", &settings.memory, can.memory.as_ref()));
    more("resources.disk", settings.disk.and_then(|disk| over("of disk", &disk, can.disk.as_ref())));
    let timeout = settings.timeout.map(millis);
    more("timeout", timeout.and_then(|time| over("of time", &time, can.timeout.as_ref())));
    more(
        "spot",
        (settings.spot.is_some() && kind.is_some() && !can.has_spot).then(|| "it has no spot machines".to_owned()),
    );
    more("resources.gpu", gpu(settings, can));
    // What it has not at all, it has not together with anything else either.
    if let Some((kind, config)) = kind.filter(|_| found.is_empty()) {
        found.extend(kind.beyond(config, &settings.need(), timeout));
    }
    found
}

/// A service does no other's work, and who runs attempts does not do that of a service.
fn other_service(wanted: Option<&str>, offered: Option<&str>) -> Option<String> {
    match (wanted, offered) {
        _ if wanted == offered => None,
        (Some(wanted), _) => Some(format!("its work is `{wanted}`'s, which this place does not offer")),
        (None, _) => Some(format!("it is `{}` alone, and runs no work of a stage", offered.unwrap_or_default())),
    }
}

fn over<T: PartialOrd + std::fmt::Display>(what: &str, is: &T, most: Option<&T>) -> Option<String> {
    let most = most?;
    (is > most).then(|| format!("{is} {what}, and it has at most {most}"))
}

fn gpu(settings: &Settings, can: &Capability) -> Option<String> {
    let (wanted, there) = (settings.gpu.as_ref()?, can.gpus.as_ref()?);
    if there.is_empty() {
        return Some("it has no GPU".to_owned());
    }
    // A machine that does not tell the type of its GPUs may have any.
    let is_like = |model: &String| model.is_empty() || wanted.model.as_ref().is_none_or(|asked| asked == model);
    let matching = || there.iter().filter(|(model, _)| is_like(model));
    let most = matching().map(|(_, most)| *most).max();
    match (most, &wanted.model) {
        (None, Some(model)) => {
            Some(format!("GPUs of type {model}, and it has {}", one_of(there.iter().map(|(model, _)| model.as_str()))))
        }
        (Some(most), _) if wanted.count > most => Some(format!("{} GPUs, and it has at most {most}", wanted.count)),
        _ => None,
    }
}

/// What is wrong with a stage on a place that it names, and who would hold it.
pub(super) fn problems(
    stage: &StageSpec,
    settings: &Settings,
    place: &Place,
    (places, backends): (&[Place], &Backends),
) -> Vec<Diagnostic> {
    let found = misfits(settings, place);
    if found.is_empty() {
        return Vec::new();
    }
    let source = Some(place.capability.source).filter(|source| !source.is_empty());
    let limits = source.map(|source| format!("its limits: {source}"));
    let help: Vec<String> = limits.into_iter().chain(would_hold(settings, place, places, backends)).collect();
    let told = found.into_iter().map(|Beyond { field, words }| {
        let message = format!("`{}` does not fit the backend `{}`: {words}", stage.name.value, place.name);
        let found = Diagnostic::error(code::DOES_NOT_FIT, message, place_of(stage, field), "asks for more");
        let found = if place.span.is_empty() { found } else { found.and(place.span.clone(), "this backend") };
        if help.is_empty() { found } else { found.help(help.join("; ")) }
    });
    told.collect()
}

/// The places of the spec that would hold what this one cannot, or the kinds of which it could have one.
fn would_hold(settings: &Settings, but: &Place, places: &[Place], backends: &Backends) -> Option<String> {
    let holds = |place: &&Place| place.name != but.name && misfits(settings, place).is_empty();
    let mut named = places.iter().filter(|place| !place.is_local()).filter(holds).peekable();
    if named.peek().is_some() {
        return Some(format!("{} would hold it", one_of(named.map(|place| place.name.as_str()))));
    }
    let own = but.kind.as_ref().map(|(kind, _)| kind.name());
    let other = backends.kinds().filter(|kind| Some(kind.name()) != own).filter(|kind| {
        let can = kind.capability(&Json::Null);
        can.is_remote && misfits_of(settings, &can, Some((&***kind, &Json::Null))).is_empty()
    });
    let kinds: Vec<&str> = other.map(|kind| kind.name()).collect();
    (!kinds.is_empty()).then(|| format!("a backend of kind {} would hold it", one_of(kinds)))
}

pub(super) fn millis(time: Duration) -> Millis {
    Millis(u64::try_from(time.as_millis()).unwrap_or(u64::MAX))
}

impl Settings {
    /// What an attempt asks of its place: the first of a task, of which no machine was taken away.
    pub fn need(&self) -> Need {
        let (gpu, spot) = (self.gpu.clone(), self.spot.is_some());
        Need { cpu: self.cpu, memory: self.memory, disk: self.disk, gpu, spot, region: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::{Bytes, Cpu};

    #[test]
    fn what_is_over_the_limit_is_told_with_both_figures() {
        assert_eq!(
            over("of memory", &Bytes(64 << 30), Some(&Bytes(32 << 30))).unwrap(),
            "64 GiB of memory, and it has at most 32 GiB"
        );
        assert_eq!(over("CPUs", &Cpu(8000), Some(&Cpu(8000))), None);
        assert_eq!(over("CPUs", &Cpu(8000), None), None);
    }
}
