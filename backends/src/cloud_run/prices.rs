//! What a task of a Cloud Run Job costs: the table beside this file, with its sources and the days they were read.

use super::config::{Config, Scratch};
use super::limits;
use crate::money::{self, charged, usd};
use pipe_engine::backend::{Need, Startup};
use pipe_engine::units::{Bytes, Millis, Usd};
use schemars::JsonSchema;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::sync::LazyLock;

/// Time is charged in steps of this many milliseconds.
const STEP: u64 = 100;

/// Other prices than those that `pipe` knows, in US dollars a second.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Prices {
    /// Of one CPU.
    #[schemars(range(min = 0.0))]
    cpu: Option<f64>,
    /// Of one GiB of memory.
    #[schemars(range(min = 0.0))]
    memory: Option<f64>,
    /// Of one GPU.
    #[schemars(range(min = 0.0))]
    gpu: Option<f64>,
    /// Of one GiB of disk.
    #[schemars(range(min = 0.0))]
    disk: Option<f64>,
    /// The time that is charged for at least, such as `"1m"`.
    least: Option<Millis>,
}

#[derive(Deserialize)]
struct Table {
    regions: Vec<String>,
    /// An instance that runs is charged for at least so long.
    least_seconds: u64,
    startup: money::Startup,
    /// US dollars.
    per_cpu_second: f64,
    /// US dollars.
    per_gib_second: f64,
    /// US dollars.
    per_disk_gib_hour: f64,
    /// US dollars, by region.
    per_gpu_second: BTreeMap<String, f64>,
}

static TABLE: LazyLock<Table> =
    LazyLock::new(|| serde_json::from_str(include_str!("prices.json")).expect("the table is part of the program"));

pub(super) fn startup() -> Startup {
    TABLE.startup.told()
}

/// The price, where the table or the spec has all that it is made of.
pub(super) fn price(config: &Config, need: &Need, time: Millis) -> Option<Usd> {
    let (region, own) = (need.region.as_deref().or(config.regions().next())?, &config.prices);
    let is_listed = TABLE.regions.iter().any(|known| known == region);
    let cpu = own.cpu.or(is_listed.then_some(TABLE.per_cpu_second))?;
    let memory = own.memory.or(is_listed.then_some(TABLE.per_gib_second))?;
    let gpu = match &need.gpu {
        None => 0.0,
        Some(gpu) => f64::from(gpu.count) * own.gpu.or(TABLE.per_gpu_second.get(region).copied())?,
    };
    let disk = match need.disk.filter(|_| config.scratch == Scratch::Disk) {
        None => 0.0,
        Some(asked) => gib(asked) * own.disk.or(is_listed.then_some(TABLE.per_disk_gib_hour / 3600.0))?,
    };
    // What is paid for is the instance, and not what was asked of it.
    let shape = limits::shape(&config.of_instance(need));
    let second = f64::from(shape.cpu.0) / 1000.0 * cpu + gib(shape.memory) * memory + gpu + disk;
    let least = own.least.unwrap_or(Millis(TABLE.least_seconds * 1000));
    // What never ran is not charged.
    let time = if time == Millis(0) { time } else { time.max(least) };
    Some(usd(second * charged(time, STEP)))
}

fn gib(bytes: Bytes) -> f64 {
    bytes.0 as f64 / f64::from(1 << 30)
}

#[cfg(test)]
mod tests {
    use super::*;
    use pipe_engine::resources::Gpu;
    use pipe_engine::units::Cpu;
    use serde_json::json;

    fn config(value: serde_json::Value) -> Config {
        serde_json::from_value(value).unwrap()
    }

    fn in_region(region: &str) -> Config {
        config(json!({ "region": region }))
    }

    const HOUR: Millis = Millis(3_600_000);

    #[test]
    fn an_hour_of_two_cpus_and_four_gibibytes_costs_what_the_price_list_says() {
        // 3600 s x (2 x 0.000018 + 4 x 0.000002) = 0.1584 USD, by hand from the list.
        let need = Need { cpu: Cpu(2000), memory: Bytes(4 << 30), ..Need::default() };
        assert_eq!(price(&in_region("us-central1"), &need, HOUR), Some(Usd(158_400)));
    }

    #[test]
    fn an_attempt_is_charged_for_the_whole_instance_that_holds_it() {
        // Six GiB come with two CPUs: 100 s x (2 x 0.000018 + 6 x 0.000002) = 0.0048 USD.
        let need = Need { cpu: Cpu(500), memory: Bytes(6 << 30), ..Need::default() };
        assert_eq!(price(&in_region("us-central1"), &need, Millis(100_000)), Some(Usd(4_800)));
        // The same where two of the six are scratch space.
        let need = Need { memory: Bytes(4 << 30), disk: Some(Bytes(2 << 30)), ..need };
        let in_memory = config(json!({ "region": "us-central1", "scratch": "memory" }));
        assert_eq!(price(&in_memory, &need, Millis(100_000)), Some(Usd(4_800)));
    }

    #[test]
    fn a_disk_is_charged_for_what_was_asked_of_it() {
        // 0.1584 USD as above, and 10 x 0.000109589.
        let need = Need { cpu: Cpu(2000), memory: Bytes(4 << 30), disk: Some(Bytes(10 << 30)), ..Need::default() };
        assert_eq!(price(&in_region("us-central1"), &need, HOUR), Some(Usd(159_496)));
        let own = json!({ "region": "moon-north1", "prices": { "cpu": 0, "memory": 0, "disk": 0.000001 } });
        assert_eq!(price(&config(own), &need, HOUR), Some(Usd(36_000)));
        let half = json!({ "region": "moon-north1", "prices": { "cpu": 0, "memory": 0 } });
        assert_eq!(price(&config(half), &need, HOUR), None, "of its disk none is known");
    }

    #[test]
    fn an_hour_of_a_gpu_is_charged_with_the_cpus_and_the_memory_that_go_with_it() {
        // 3600 s x (4 x 0.000018 + 16 x 0.000002 + 0.0001867) = 3600 x 0.0002907 = 1.04652 USD, by hand.
        let gpu = Some(Gpu { model: None, count: 1, memory: None });
        let need = Need { cpu: Cpu(1000), memory: Bytes(512 << 20), gpu, ..Need::default() };
        for region in ["us-central1", "europe-west1"] {
            assert_eq!(price(&in_region(region), &need, HOUR), Some(Usd(1_046_520)), "{region}");
        }
        assert_eq!(price(&in_region("europe-west4"), &need, HOUR), None, "no price of its GPUs is known");
    }

    #[test]
    fn time_is_charged_in_tenths_of_a_second_and_a_minute_at_least() {
        // 60 s x (1 x 0.000018 + 0.5 x 0.000002) = 0.00114 USD; 0.1 s more is 0.0000019, and so much is a millisecond more.
        let need = Need { cpu: Cpu(1000), memory: Bytes(512 << 20), ..Need::default() };
        let of = |config: &Config, millis| price(config, &need, Millis(millis));
        let here = in_region("us-east1");
        let times = [0, 1, 60_000, 60_001, 60_101].map(|millis| of(&here, millis));
        assert_eq!(times, [0, 1140, 1140, 1142, 1144].map(|micros| Some(Usd(micros))));
        let shorter = config(json!({ "region": "us-east1", "prices": { "least": 0 } }));
        assert_eq!([of(&shorter, 1), of(&shorter, 101)], [2, 4].map(|micros| Some(Usd(micros))));
    }

    #[test]
    fn a_job_is_taken_to_need_twenty_seconds_to_begin_which_nobody_charges() {
        assert_eq!(startup(), Startup { time: Millis(20_000), is_charged: false });
    }

    #[test]
    fn a_region_that_is_not_in_the_list_has_no_price_unless_the_spec_has_one() {
        let need = Need { cpu: Cpu(1000), memory: Bytes(1 << 30), ..Need::default() };
        assert_eq!(price(&in_region("moon-north1"), &need, HOUR), None);
        let half = json!({ "region": "moon-north1", "prices": { "cpu": 0.0001 } });
        assert_eq!(price(&config(half), &need, HOUR), None, "of its memory none is known");
        let whole = json!({ "region": "moon-north1", "prices": { "cpu": 0.0001, "memory": 0.00001 } });
        // 3600 s x (0.0001 + 0.00001) = 0.396 USD.
        assert_eq!(price(&config(whole), &need, HOUR), Some(Usd(396_000)));
    }
}
