//! What an attempt needs -> the machine type it gets, and the GPUs on it.

use super::config::Config;
use pipe_engine::attempt::Attempt;
use pipe_engine::failure::Failure;
use pipe_engine::resources::Gpu;
use pipe_engine::units::{Bytes, Cpu};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::sync::LazyLock;

/// A machine type, and the GPUs it is to have: their type as Vertex AI names it, and how many.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Machine {
    pub(super) name: String,
    pub(super) gpus: Option<(String, u32)>,
}

/// The table beside this file, with its sources and the day they were read.
#[derive(Deserialize)]
struct Table {
    disk: Bytes,
    gpus: BTreeMap<String, Accelerator>,
    machines: Vec<Row>,
}

#[derive(Deserialize)]
struct Accelerator {
    memory: Bytes,
}

#[derive(Deserialize)]
struct Row {
    name: String,
    cpu: Cpu,
    memory: Bytes,
    /// The types of GPUs it can have, and how many of each.
    gpus: BTreeMap<String, Vec<u32>>,
    /// Whether it always has them.
    #[serde(default)]
    comes_with_them: bool,
}

static TABLE: LazyLock<Table> =
    LazyLock::new(|| serde_json::from_str(include_str!("machines.json")).expect("the table is part of the program"));

/// The disk that a machine boots from, which is also where an attempt works: what it asked for beside an image and a system, and
/// never less than there is anyway.
pub(super) fn disk(asked: Option<Bytes>) -> Bytes {
    /// What image and system take at the most.
    const TAKEN: u64 = 50 << 30;
    asked.map_or(TABLE.disk, |asked| Bytes(asked.0.saturating_add(TAKEN)).max(TABLE.disk))
}

/// The machine that the settings name, else the smallest that holds the attempt.
///
/// # Errors
/// When no machine of the table does.
pub(super) fn machine(config: &Config, attempt: &Attempt) -> Result<Machine, Failure> {
    let wanted = attempt.provision.as_ref().and_then(|provision| provision.gpu.as_ref());
    if let Some(name) = &config.machine {
        return Ok(named(name, wanted));
    }
    let large = TABLE.machines.iter().filter(|row| row.cpu >= Cpu(attempt.cpu.saturating_mul(1000)));
    let large = large.filter(|row| row.memory >= attempt.memory);
    let fitting = large.filter_map(|row| match wanted {
        None if row.comes_with_them => None,
        None => Some((0, row, None)),
        Some(gpu) => equipped(row, gpu).map(|(model, count)| (count, row, Some((model, count)))),
    });
    let smallest = fitting.min_by_key(|(count, row, _)| (*count, row.cpu, row.memory));
    let (_, row, gpus) = smallest.ok_or_else(|| too_large(attempt, wanted))?;
    Ok(Machine { name: row.name.clone(), gpus: gpus.map(|(model, count)| (accelerator(model), count)) })
}

/// A machine that the settings name has what they say, whether it is in the table or not; and GPUs of its own, which have to be
/// named all the same.
fn named(name: &str, wanted: Option<&Gpu>) -> Machine {
    let row = TABLE.machines.iter().find(|row| row.name == name);
    let own = |row: &'static Row| {
        let (model, counts) = row.gpus.iter().next()?;
        Some((model.as_str(), *counts.first()?))
    };
    let gpus = match (wanted, row) {
        (None, Some(row)) if row.comes_with_them => own(row),
        (None, _) => None,
        (Some(gpu), Some(row)) => equipped(row, gpu).or_else(|| own(row)),
        (Some(gpu), None) => gpu.model.as_deref().map(|model| (model, gpu.count)),
    };
    Machine { name: name.to_owned(), gpus: gpus.map(|(model, count)| (accelerator(model), count)) }
}

/// The GPUs of a machine that somebody gets who wants these. Only certain numbers can be had: three are found among four.
fn equipped(row: &'static Row, wanted: &Gpu) -> Option<(&'static str, u32)> {
    let is_meant = |model: &str| {
        let is_named = wanted.model.as_deref().is_none_or(|asked| asked == model);
        is_named && wanted.memory.is_none_or(|memory| TABLE.gpus.get(model).is_some_and(|gpu| gpu.memory >= memory))
    };
    let meant = row.gpus.iter().filter(|(model, _)| is_meant(model));
    let enough = meant.filter_map(|(model, counts)| {
        let count = counts.iter().copied().filter(|count| *count >= wanted.count).min()?;
        Some((model.as_str(), count))
    });
    enough.min_by_key(|(_, count)| *count)
}

/// Specs name a type as Compute Engine does, `nvidia-l4`, and Vertex AI calls it `NVIDIA_L4`.
fn accelerator(model: &str) -> String {
    model.to_ascii_uppercase().replace('-', "_")
}

fn too_large(attempt: &Attempt, wanted: Option<&Gpu>) -> Failure {
    let gpus =
        wanted.map_or_else(String::new, |gpu| format!(" and {} {}", gpu.count, gpu.model.as_deref().unwrap_or("GPU")));
    let (cpu, memory) = (attempt.cpu, attempt.memory);
    let message = format!("Vertex AI has no machine with {cpu} CPUs, {memory}{gpus} that pipe knows");
    Failure::failed("no_such_machine", message)
        .on(&attempt.task.stage)
        .help("ask for less, or name one: `machine = \"a3-highgpu-8g\"` in the backend")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn equipped_with(name: &str, model: Option<&str>, count: u32) -> Option<(&'static str, u32)> {
        let row = TABLE.machines.iter().find(|row| row.name == name).unwrap();
        equipped(row, &Gpu { model: model.map(str::to_owned), count, memory: None })
    }

    /// Source: the page on machine types of custom jobs, see the table.
    #[test]
    fn only_certain_numbers_of_gpus_can_be_had() {
        assert_eq!(equipped_with("n1-standard-32", Some("nvidia-tesla-t4"), 3), Some(("nvidia-tesla-t4", 4)));
        assert_eq!(equipped_with("n1-standard-32", Some("nvidia-tesla-t4"), 5), None);
        assert_eq!(equipped_with("g2-standard-24", None, 1), Some(("nvidia-l4", 2)));
    }

    #[test]
    fn a_machine_that_is_named_has_the_gpus_it_always_has_and_any_others_that_are_named() {
        let of = |name, model: Option<&str>| {
            let gpu = model.map(|model| Gpu { model: Some(model.to_owned()), count: 2, memory: None });
            named(name, gpu.as_ref()).gpus
        };
        assert_eq!(of("g2-standard-8", None), Some(("NVIDIA_L4".to_owned(), 1)));
        assert_eq!(of("n1-standard-8", None), None);
        assert_eq!(of("n1-standard-8", Some("nvidia-tesla-t4")), Some(("NVIDIA_TESLA_T4".to_owned(), 2)));
        assert_eq!(of("z9-future-8", Some("nvidia-b200")), Some(("NVIDIA_B200".to_owned(), 2)));
        assert_eq!(of("z9-future-8", None), None);
    }

    #[test]
    fn a_disk_holds_what_was_asked_for_beside_an_image_and_a_system() {
        assert_eq!(disk(None), Bytes(100 << 30));
        assert_eq!(disk(Some(Bytes(10 << 30))), Bytes(100 << 30));
        assert_eq!(disk(Some(Bytes(200 << 30))), Bytes(250 << 30));
    }
}
