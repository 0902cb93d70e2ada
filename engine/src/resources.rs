//! What an attempt needs of its machine.

mod limits;

pub use limits::Limits;

use crate::units::{Bytes, Cpu};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What an attempt needs of its machine.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Resources {
    /// CPU slots: threads it keeps busy, such as `2` or `"4000m"`. Default: 1. More than the machine has is taken as all
    /// it has.
    #[serde(default)]
    pub cpu: Option<Cpu>,
    /// Memory, such as `"2 GiB"`. Attempts on one machine together reserve at most 80 % of it. Default: `"512 MiB"`.
    #[serde(default)]
    pub memory: Option<Bytes>,
    /// Space for its work and results, such as `"20 GB"`.
    #[serde(default)]
    pub disk: Option<Bytes>,
    /// GPUs: their number, or `{ type = "nvidia-l4", count = 1, memory = "24 GB" }`.
    #[serde(default)]
    pub gpu: Option<GpuSpec>,
}

/// The number of GPUs, or more about them.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum GpuSpec {
    /// So many, of any type.
    Count(u32),
    /// What they must be.
    Wanted(Gpu),
}

/// GPUs an attempt needs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Gpu {
    /// Their type as the cloud names it, such as `nvidia-l4`. Default: any.
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// How many. Default: 1.
    #[serde(default = "one")]
    #[schemars(range(min = 1, max = 16))]
    pub count: u32,
    /// The memory each has at least.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<Bytes>,
}

fn one() -> u32 {
    1
}

impl GpuSpec {
    /// As what is needed; nothing for a count of 0.
    pub fn wanted(&self) -> Option<Gpu> {
        match self {
            Self::Count(0) => None,
            Self::Count(count) => Some(Gpu { model: None, count: *count, memory: None }),
            Self::Wanted(gpu) => Some(gpu.clone()),
        }
    }
}

impl Resources {
    /// What is said here, and where nothing is, what `usual` says.
    #[must_use]
    pub fn or(&self, usual: &Self) -> Self {
        Self {
            cpu: self.cpu.or(usual.cpu),
            memory: self.memory.or(usual.memory),
            disk: self.disk.or(usual.disk),
            gpu: self.gpu.clone().or_else(|| usual.gpu.clone()),
        }
    }
}
