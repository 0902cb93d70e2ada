//! The text of an attempt -> the attempt, once it is sure that this worker understands it and that nobody has altered it. A
//! bucket has many writers, and what an attempt says is run.

use crate::attempt::{Attempt, Input, SourceFile};
use crate::elsewhere::{output_of, place};
use crate::failure::Failure;
use crate::ids::AttemptId;
use crate::key::{Fields, KeyWriter, fingerprint_of};
use crate::manifest::digest;
use crate::remote;
use crate::stage::Registry;
use crate::store::{Store, StoreError, blocking, check_path};
use crate::work::store_failed;
use crate::worker::{ATTEMPT, attempt_of, kind_of};

/// The attempt; or why it is not to be worked on, which is an outcome of it.
///
/// # Errors
/// When it is not there, or the bucket cannot be read: nothing is known of it then.
pub(super) fn read(bucket: &dyn Store, id: &AttemptId, kinds: &Registry) -> Result<Result<Attempt, Failure>, Failure> {
    let at = place(id, ATTEMPT);
    let text = blocking(bucket.get(&at)).map_err(|error| match error {
        StoreError::Missing { .. } => Failure::failed("no_attempt", "there is no such attempt").on(at.clone()),
        error => store_failed(error),
    })?;
    Ok(attempt_of(&text, &at).and_then(|attempt| {
        kind_of(&attempt, kinds)?;
        match altered(&attempt, id) {
            None => Ok(attempt),
            Some(what) => {
                Err(Failure::failed("attempt_altered", format!("the attempt is not what an engine wrote: {what}"))
                    .on(at.clone())
                    .help("look who may write into the store; run again, and the task gets another attempt"))
            }
        }
    }))
}

/// What of an attempt does not fit its key, of which its fingerprint is made.
fn altered(attempt: &Attempt, id: &AttemptId) -> Option<&'static str> {
    let key = &attempt.key;
    let number = id.0.rsplit_once('-').and_then(|(_, number)| number.parse::<u32>().ok());
    let is_named = number.is_some_and(|number| *id == AttemptId::new(&attempt.fingerprint, number));
    let output = output_of(&attempt.pipeline, &attempt.task, &attempt.fingerprint);
    let is_placed = number.is_some_and(|number| attempt.output == format!("{output}-{number}"));
    let same = |name: &str, value: &str| key.get(name).is_some_and(|known| known == value);
    let checks = [
        (fingerprint_of(key) == attempt.fingerprint, "its fingerprint is not that of its key"),
        (attempt.id == *id && is_named, "its name is not that of its key"),
        (is_placed && check_path(&attempt.output).is_ok(), "it writes where no attempt of its task does"),
        (same("kind", &attempt.kind) && same("code", &attempt.code), "its kind is not that of its key"),
        (has_its_cell(attempt), "its cell is not that of its key"),
        (has_its_config(attempt), "its settings are not those of its key"),
        (attempt.inputs.values().flatten().all(|input| is_input(key, input)), "an input is not the one of its key"),
        (attempt.files.iter().all(|(field, file)| is_file(key, field, file)), "a file is not the one of its key"),
    ];
    checks.into_iter().find(|(holds, _)| !holds).map(|(_, what)| what)
}

fn has_its_cell(attempt: &Attempt) -> bool {
    let cell = attempt.task.cell.iter();
    let cell = cell.fold(KeyWriter::default(), |key, (name, value)| key.json(&format!("cell.{name}"), value));
    let known = attempt.key.iter().filter(|(name, _)| name.starts_with("cell."));
    known.eq(cell.finish().fields.iter())
}

/// Whether all settings that are in the key are the same there. The others decide nothing about a result.
fn has_its_config(attempt: &Attempt) -> bool {
    let settings = KeyWriter::default().json("config", &attempt.config).finish().fields;
    let mut known = attempt.key.keys().filter(|name| name.starts_with("config."));
    known.all(|name| settings.contains_key(name))
        && settings.iter().all(|(name, value)| attempt.key.get(name).is_none_or(|known| known == value))
}

fn is_input(key: &Fields, input: &Input) -> bool {
    let is_known = key.iter().any(|(name, value)| name.starts_with("inputs.") && *value == input.digest);
    let is_path = |path: &str| check_path(path).is_ok();
    let are_sound = input.files.iter().all(|file| is_path(&file.path) && is_path(&file.at) && is_digest(&file.blake3));
    is_known && are_sound && digest(&input.files) == input.digest
}

fn is_file(key: &Fields, field: &str, file: &SourceFile) -> bool {
    let values = [file.blake3.clone(), format!("{} {}", file.written, file.blake3)];
    let is_known = key.get(&format!("files.{field}")).is_some_and(|known| values.contains(known));
    let is_whole = match &file.remote {
        Some(source) => remote::digest(&source.uri, &source.stat) == file.blake3,
        // Only its name is told: it is placed beside others.
        None => file.path.file_name().is_some_and(|name| name == file.path.as_os_str()),
    };
    is_known && is_whole && is_digest(&file.blake3)
}

fn is_digest(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}
