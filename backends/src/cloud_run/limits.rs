//! What one task of a Cloud Run Job can hold: the table beside this file, with its sources and the day they were read.

use super::config::{Config, Scratch};
use pipe_engine::backend::{Beyond, Capability, Need};
use pipe_engine::resources::Gpu;
use pipe_engine::text::one_of;
use pipe_engine::units::{Bytes, Cpu, Millis};
use schemars::JsonSchema;
use serde::Deserialize;
use std::sync::LazyLock;

/// Other limits than those that `pipe` knows, where the project has others.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Limits {
    /// The longest a task may run.
    timeout: Option<Millis>,
    /// The longest a task with a GPU may run.
    gpu_timeout: Option<Millis>,
    /// The most `resources.disk` that an instance has on a disk.
    disk: Option<Bytes>,
}

#[derive(Deserialize)]
struct Table {
    timeout: Millis,
    disk: Bytes,
    shapes: Vec<Step>,
    gpu: Gpus,
}

/// CPUs, and the memory that goes with them.
#[derive(Deserialize)]
struct Step {
    cpu: Cpu,
    least: Bytes,
    most: Bytes,
}

/// The GPUs there are, and what goes with one.
#[derive(Deserialize)]
struct Gpus {
    #[serde(rename = "type")]
    model: String,
    count: u32,
    memory: Bytes,
    cpu: Cpu,
    least: Bytes,
    timeout: Millis,
    regions: Vec<String>,
}

static TABLE: LazyLock<Table> =
    LazyLock::new(|| serde_json::from_str(include_str!("limits.json")).expect("the table is part of the program"));

/// What an instance has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shape {
    pub(super) cpu: Cpu,
    pub(super) memory: Bytes,
}

/// The smallest instance that holds an attempt, the largest where none does: CPUs come in steps, and each step has the memory
/// that goes with it.
pub(super) fn shape(need: &Need) -> Shape {
    let gpu = &TABLE.gpu;
    let (cpu, memory) = match need.gpu {
        None => (need.cpu, need.memory),
        Some(_) => (need.cpu.max(gpu.cpu), need.memory.max(gpu.least)),
    };
    let step = TABLE.shapes.iter().find(|step| step.cpu >= cpu && step.most >= memory).unwrap_or_else(largest);
    Shape { cpu: step.cpu, memory: memory.clamp(step.least, step.most) }
}

fn largest() -> &'static Step {
    TABLE.shapes.last().expect("the table has shapes")
}

/// The limits as documented. GPUs of jobs: one for each task.
pub(super) fn capability(config: &Config) -> Capability {
    Capability {
        cpu: Some(largest().cpu),
        memory: Some(largest().most),
        // What is in memory is held against the memory.
        disk: (config.scratch == Scratch::Disk).then(|| config.limits.disk.unwrap_or(TABLE.disk)),
        gpus: Some(vec![(TABLE.gpu.model.clone(), TABLE.gpu.count)]),
        timeout: Some(config.limits.timeout.unwrap_or(TABLE.timeout)),
        parallel: Some(config.at_once()),
        slots: None,
        is_remote: true,
        is_priced: true,
        has_spot: false,
        runs_images: true,
        source: "https://docs.cloud.google.com/run/docs/configuring/jobs/cpu, read 2026-11",
    }
}

/// What of an attempt goes beyond that: scratch space may be in memory, and a GPU has limits of its own.
pub(super) fn beyond(config: &Config, need: &Need, time: Option<Millis>) -> Vec<Beyond> {
    let (memory, most) = (config.of_instance(need).memory, largest().most);
    let words = format!("{memory} of memory, its scratch space among it, and it has at most {most}");
    let too_large = (memory > most).then_some(Beyond { field: "resources.disk", words });
    too_large.into_iter().chain(of_gpu(config, need, time)).collect()
}

fn of_gpu(config: &Config, need: &Need, time: Option<Millis>) -> Vec<Beyond> {
    let Some(wanted) = &need.gpu else { return Vec::new() };
    let most = config.limits.gpu_timeout.unwrap_or(TABLE.gpu.timeout);
    let too_long = time.filter(|time| *time > most).map(|time| Beyond {
        field: "timeout",
        words: format!("{time} of time with a GPU, and it has at most {most}"),
    });
    let missing = missing(config, wanted).map(|words| Beyond { field: "resources.gpu", words });
    too_long.into_iter().chain(missing).collect()
}

fn missing(config: &Config, wanted: &Gpu) -> Option<String> {
    let there = &TABLE.gpu;
    if let Some(memory) = wanted.memory.filter(|memory| *memory > there.memory) {
        return Some(format!("GPUs with {memory} of memory, and a {} has {}", there.model, there.memory));
    }
    let region = config.regions().find(|region| there.regions.iter().all(|known| known != region))?;
    let regions = one_of(there.regions.iter().map(String::as_str));
    Some(format!("a GPU in {region}, and it has GPUs in {regions}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn need(cpu: u32, memory: u64, gpu: bool) -> Need {
        let gpu = gpu.then_some(Gpu { model: None, count: 1, memory: None });
        Need { cpu: Cpu(cpu), memory: Bytes(memory << 20), gpu, ..Need::default() }
    }

    #[test]
    fn an_instance_is_the_smallest_step_of_the_list_that_holds_cpus_and_memory() {
        // CPUs in thousandths and memory in MiB: what is asked for, and the row of the list that holds it.
        for (cpu, memory, shape_cpu, shape_memory) in [
            (1000, 128, 1000, 512),
            (500, 512, 1000, 512),
            (1000, 5 << 10, 2000, 5 << 10),
            (3000, 1 << 10, 4000, 2 << 10),
            (2000, 20 << 10, 6000, 20 << 10),
            (8000, 512, 8000, 4 << 10),
        ] {
            let expected = Shape { cpu: Cpu(shape_cpu), memory: Bytes(shape_memory << 20) };
            assert_eq!(shape(&need(cpu, memory, false)), expected, "{cpu} {memory}");
        }
    }

    #[test]
    fn a_disk_has_its_documented_limit_unless_the_project_has_another_or_it_is_memory() {
        let disk = |settings: serde_json::Value| capability(&serde_json::from_value(settings).unwrap()).disk;
        assert_eq!(disk(serde_json::json!({})), Some(Bytes(10 << 30)));
        assert_eq!(disk(serde_json::json!({ "limits": { "disk": "50 GiB" } })), Some(Bytes(50 << 30)));
        assert_eq!(disk(serde_json::json!({ "scratch": "memory" })), None);
    }

    #[test]
    fn what_no_instance_holds_gets_the_largest() {
        let largest = Shape { cpu: Cpu(8000), memory: Bytes(32 << 30) };
        assert_eq!(shape(&need(1000, 33 << 10, false)), largest);
        assert_eq!(shape(&need(9000, 32 << 10, false)), largest);
    }

    #[test]
    fn a_gpu_comes_with_four_cpus_and_sixteen_gibibytes_at_least() {
        assert_eq!(shape(&need(1000, 512, true)), Shape { cpu: Cpu(4000), memory: Bytes(16 << 30) });
        assert_eq!(shape(&need(1000, 20 << 10, true)), Shape { cpu: Cpu(6000), memory: Bytes(20 << 30) });
    }
}
