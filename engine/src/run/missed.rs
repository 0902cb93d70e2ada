//! What was learned of a task that must run, in as little room as it takes: a hundred thousand may wait for their turn.

use crate::attempt::SourceFile;
use crate::ids::Fingerprint;
use crate::key::{Fields, Key};
use crate::lookup::Looked;
use std::collections::BTreeMap;

/// A task without a result.
pub(super) struct Missed {
    pub(super) fingerprint: Fingerprint,
    /// Its files outside the store, hashed.
    pub(super) files: BTreeMap<String, SourceFile>,
    /// Why there is no result.
    pub(super) why: Box<str>,
    /// The fields of its key, as JSON: a tree of them takes four times as much.
    fields: Box<[u8]>,
}

impl Missed {
    /// `why` there is no result is what looking it up has told.
    pub(super) fn of(looked: Looked, why: String) -> Self {
        let Looked { key: Key { fingerprint, fields }, files, .. } = looked;
        let fields = serde_json::to_vec(&fields).expect("names and texts are JSON");
        Self { fingerprint, files, why: why.into(), fields: fields.into() }
    }

    /// The key the result is filed under.
    pub(super) fn key(&self) -> Key {
        Key { fingerprint: self.fingerprint.clone(), fields: self.fields() }
    }

    /// Everything that decides the result.
    pub(super) fn fields(&self) -> Fields {
        serde_json::from_slice(&self.fields).expect("it was written above")
    }
}
