//! Runs and what they began -> where that was begun which a run of the same wording left undone. A choice that was made for it
//! stands until it is done, whatever its first attempts have told meanwhile: its jobs are there.

use super::Begun;
use crate::plan::Wording;
use serde_json::{Map, Value as Json};
use std::collections::HashMap;

/// What the newest runs of one wording have begun, of which none came to its end.
#[derive(Debug, Default)]
pub(super) struct Undone {
    digest: String,
    profile: Option<String>,
    params: Map<String, Json>,
    /// Where the newest attempt of each stage was begun.
    places: HashMap<String, String>,
}

impl Undone {
    /// What a run goes on with that begins: of another wording, with nothing.
    pub(super) fn go_on(&mut self, begun: Begun) {
        let Begun { spec_digest: digest, params, asked, .. } = begun;
        let new = Self { digest, profile: asked.and_then(|asked| asked.profile), params, places: HashMap::new() };
        let wording = Wording { digest: &new.digest, profile: new.profile.as_deref(), params: &new.params };
        if !self.is_of(&wording) {
            *self = new;
        }
    }

    /// A task of a stage is begun at a place.
    pub(super) fn begin(&mut self, stage: &str, place: String) {
        match self.places.get_mut(stage) {
            Some(known) => *known = place,
            None => drop(self.places.insert(stage.to_owned(), place)),
        }
    }

    /// A run came to its end, and nothing is left of what it was to do.
    pub(super) fn is_done(&mut self) {
        self.places.clear();
    }

    pub(super) fn place(&self, wording: &Wording<'_>, stage: &str) -> Option<&String> {
        self.places.get(stage).filter(|_| self.is_of(wording))
    }

    fn is_of(&self, wording: &Wording<'_>) -> bool {
        let Self { digest, profile, params, .. } = self;
        Wording { digest, profile: profile.as_deref(), params } == *wording
    }
}
