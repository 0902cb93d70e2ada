//! Models that were tuned, with their versions.

use super::super::state::State;
use super::spec::Source;
use crate::answer::Refusal;

/// A tuned model.
pub(in super::super) struct Model {
    pub(super) shown: Option<String>,
    pub(super) base: String,
    pub(super) versions: u64,
}

impl State {
    /// A tuned model as it was asked for, with or without a version, and its name without one.
    pub(super) fn model(&mut self, asked: &str) -> Result<(String, &mut Model), Refusal> {
        let missing = || Refusal::new(404, format!("The Model \"{asked}\" does not exist."));
        let asked_for = self.numbered(asked);
        let (name, version) = asked_for.split_once('@').map_or((asked_for.as_str(), None), |(name, v)| (name, Some(v)));
        let model = self.models.get_mut(name).ok_or_else(missing)?;
        let is_there = match version.map(str::parse::<u64>) {
            None => true,
            Some(Ok(version)) => (1..=model.versions).contains(&version),
            Some(Err(_)) => version == Some("default"),
        };
        if is_there { Ok((name.to_owned(), model)) } else { Err(missing()) }
    }

    /// The name of what comes of a tuning, with its version: the next one of the model that was tuned, unless that is to have another
    /// name. Source: the definition of `TunedModel.model`.
    pub(super) fn tuned(&mut self, source: &Source, shown: Option<&str>, parent: &str) -> Result<String, Refusal> {
        let base = match source {
            Source::Base(base) => base.clone(),
            Source::Tuned(asked) => {
                let (name, model) = self.model(asked)?;
                if shown.is_none() || shown == model.shown.as_deref() {
                    model.versions += 1;
                    return Ok(format!("{name}@{}", model.versions));
                }
                model.base.clone()
            }
        };
        let name = format!("{parent}/models/{}", self.unique());
        self.models.insert(name.clone(), Model { shown: shown.map(str::to_owned), base, versions: 1 });
        Ok(format!("{name}@1"))
    }
}
