//! What one machine of a Vertex AI custom job can hold: the table of machines beside this file, with its sources and the
//! day they were read.

use super::config::Config;
use pipe_engine::backend::{Beyond, Capability, Need};
use pipe_engine::resources::Gpu;
use pipe_engine::units::{Bytes, Cpu, Millis};
use schemars::JsonSchema;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::sync::LazyLock;

/// Other limits than those that `pipe` knows, where the project has others.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Limits {
    /// The longest a job may run.
    timeout: Option<Millis>,
}

#[derive(Deserialize)]
struct Table {
    timeout: Millis,
    disk: Bytes,
    gpus: BTreeMap<String, Accelerator>,
    machines: Vec<Machine>,
}

#[derive(Deserialize)]
struct Accelerator {
    memory: Bytes,
}

/// A machine type.
#[derive(Deserialize)]
pub(super) struct Machine {
    pub(super) name: String,
    /// Its prices are those of its family.
    pub(super) family: String,
    pub(super) cpu: Cpu,
    pub(super) memory: Bytes,
    /// The types of GPUs it can have, and how many of each.
    gpus: BTreeMap<String, Vec<u32>>,
    /// Whether it always has them.
    #[serde(default)]
    comes_with_them: bool,
}

/// A machine, and the GPUs it is to have.
#[derive(Clone, Copy)]
pub(super) struct Fit {
    pub(super) machine: &'static Machine,
    pub(super) gpus: Option<(&'static str, u32)>,
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

/// The machines to choose from: the one that the settings name, or all there are.
fn machines(config: &Config) -> impl Iterator<Item = &'static Machine> {
    TABLE.machines.iter().filter(|machine| config.machine.as_ref().is_none_or(|name| *name == machine.name))
}

/// The machines that hold an attempt, in the order of the table. GPUs that a machine always has are taken by whoever does
/// not need them only when the settings name the machine.
pub(super) fn fitting(config: &Config, need: &Need) -> Vec<Fit> {
    let large = machines(config).filter(|machine| machine.cpu >= need.cpu && machine.memory >= need.memory);
    let is_named = config.machine.is_some();
    large.flat_map(|machine| equipped(machine, need.gpu.as_ref(), is_named)).collect()
}

fn equipped(machine: &'static Machine, wanted: Option<&Gpu>, is_named: bool) -> Vec<Fit> {
    let own = || machine.gpus.iter().next().and_then(|(model, counts)| Some((model.as_str(), *counts.first()?)));
    let Some(wanted) = wanted else {
        let gpus = if machine.comes_with_them { own() } else { None };
        return if gpus.is_none() || is_named { vec![Fit { machine, gpus }] } else { Vec::new() };
    };
    let is_meant = |model: &String| {
        let is_named = wanted.model.as_ref().is_none_or(|asked| asked == model);
        is_named && wanted.memory.is_none_or(|memory| TABLE.gpus.get(model).is_some_and(|gpu| gpu.memory >= memory))
    };
    let meant = machine.gpus.iter().filter(|(model, _)| is_meant(model));
    // Only certain numbers can be had: three are found on a machine with four.
    let enough = meant.filter_map(|(model, counts)| {
        let count = counts.iter().copied().filter(|count| *count >= wanted.count).min()?;
        Some((model.as_str(), count))
    });
    enough.map(|gpus| Fit { machine, gpus: Some(gpus) }).collect()
}

/// The limits as documented. What there is depends on the machine type; of one that is not in the table nothing is known.
pub(super) fn capability(config: &Config) -> Capability {
    let mut gpus: BTreeMap<&str, u32> = BTreeMap::new();
    for (model, counts) in machines(config).flat_map(|machine| &machine.gpus) {
        let most = gpus.entry(model).or_default();
        *most = counts.iter().copied().max().unwrap_or(0).max(*most);
    }
    let is_known = machines(config).next().is_some();
    Capability {
        cpu: machines(config).map(|machine| machine.cpu).max(),
        memory: machines(config).map(|machine| machine.memory).max(),
        disk: None,
        gpus: is_known.then(|| gpus.into_iter().map(|(model, most)| (model.to_owned(), most)).collect()),
        timeout: Some(config.limits.timeout.unwrap_or(TABLE.timeout)),
        parallel: None,
        slots: None,
        is_remote: true,
        is_priced: true,
        has_spot: true,
        runs_images: true,
        source: "https://cloud.google.com/vertex-ai/docs/training/configure-compute, read 2026-11",
    }
}

/// What no machine has together.
pub(super) fn beyond(config: &Config, need: &Need) -> Vec<Beyond> {
    if machines(config).next().is_none() || !fitting(config, need).is_empty() {
        return Vec::new();
    }
    let gpus = need.gpu.as_ref().map(|gpu| {
        let model = gpu.model.as_deref().unwrap_or("GPU");
        let memory = gpu.memory.map_or_else(String::new, |memory| format!(" with {memory} each"));
        format!(" and {} {model}{memory}", gpu.count)
    });
    let (cpu, memory, gpus) = (need.cpu, need.memory, gpus.unwrap_or_default());
    let words = format!("{cpu} CPUs, {memory}{gpus} in one machine, and it has none such");
    let field = if need.gpu.is_some() { "resources.gpu" } else { "resources.memory" };
    vec![Beyond { field, words }]
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_disk_holds_what_was_asked_for_beside_an_image_and_a_system() {
        assert_eq!(disk(None), Bytes(100 << 30));
        assert_eq!(disk(Some(Bytes(10 << 30))), Bytes(100 << 30));
        assert_eq!(disk(Some(Bytes(200 << 30))), Bytes(250 << 30));
    }

    fn names(config: serde_json::Value, cpu: u32, gib: u64, gpu: serde_json::Value) -> Vec<String> {
        let gpu = serde_json::from_value(gpu).unwrap();
        let need = Need { cpu: Cpu(cpu * 1000), memory: Bytes(gib << 30), gpu, ..Need::default() };
        let config: Config = serde_json::from_value(config).unwrap();
        let named = |fit: Fit| match fit.gpus {
            Some((model, count)) => format!("{} {count} {model}", fit.machine.name),
            None => fit.machine.name.clone(),
        };
        fitting(&config, &need).into_iter().map(named).collect()
    }

    #[test]
    fn a_machine_fits_that_has_the_cpus_the_memory_and_a_number_of_gpus_that_can_be_had() {
        let l4 = json!({ "type": "nvidia-l4", "count": 1 });
        assert_eq!(names(json!({}), 9, 40, l4)[..2], ["g2-standard-12 1 nvidia-l4", "g2-standard-16 1 nvidia-l4"]);
        let three = json!({ "type": "nvidia-tesla-t4", "count": 3 });
        assert_eq!(names(json!({}), 20, 50, three)[0], "n1-standard-32 4 nvidia-tesla-t4", "3 cannot be had");
        let large = json!({ "count": 1, "memory": "60 GB" });
        assert!(names(json!({}), 1, 1, large).iter().all(|name| name.starts_with("a2-ultragpu")));
        assert!(names(json!({}), 4, 8, json!(null)).iter().all(|name| name.starts_with("n1")), "no GPU is wanted");
    }

    #[test]
    fn the_machine_that_the_settings_name_is_the_only_one() {
        let one = json!({ "machine": "g2-standard-8" });
        assert_eq!(names(one.clone(), 1, 1, json!(null)), ["g2-standard-8 1 nvidia-l4"], "it comes with its GPU");
        assert_eq!(names(one.clone(), 9, 1, json!(null)), [""; 0]);
        let config: Config = serde_json::from_value(one).unwrap();
        let can = capability(&config);
        assert_eq!((can.cpu, can.memory), (Some(Cpu(8000)), Some(Bytes(32 << 30))));
        assert_eq!(can.gpus, Some(vec![("nvidia-l4".to_owned(), 1)]));
        let other: Config = serde_json::from_value(json!({ "machine": "c9-future-8" })).unwrap();
        let can = capability(&other);
        assert_eq!((can.cpu, can.gpus), (None, None), "nothing is known of it");
    }

    #[test]
    fn what_no_machine_has_together_is_beyond_it() {
        let need = |gib: u64| Need {
            cpu: Cpu(4000),
            memory: Bytes(gib << 30),
            gpu: Some(Gpu { model: Some("nvidia-l4".to_owned()), count: 1, memory: None }),
            ..Need::default()
        };
        assert_eq!(beyond(&Config::default(), &need(100)), [], "g2-standard-32 has 128 GiB");
        let words = &beyond(&Config::default(), &need(500))[0].words;
        assert_eq!(words, "4 CPUs, 500 GiB and 1 nvidia-l4 in one machine, and it has none such");
    }
}
