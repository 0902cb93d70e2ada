//! What a task of a Cloud Run Job costs: the table beside this file, with its source and the day it was read.

use super::limits::size;
use pipe_engine::backend::Need;
use pipe_engine::units::{Millis, Usd};
use serde::Deserialize;

const TABLE: &str = include_str!("prices.json");
/// Time is charged in steps of this many milliseconds.
const STEP: u64 = 100;

#[derive(Deserialize)]
struct Table {
    regions: Vec<String>,
    /// US dollars.
    per_cpu_second: f64,
    /// US dollars.
    per_gib_second: f64,
}

/// The price, where the table has the region. It has none of GPUs.
pub(super) fn price(region: &str, need: &Need, time: Millis) -> Option<Usd> {
    let table: Table = serde_json::from_str(TABLE).expect("the table is part of the program");
    if need.gpu.is_some() || !table.regions.iter().any(|known| known == region) {
        return None;
    }
    let seconds = (time.0.div_ceil(STEP) * STEP) as f64 / 1000.0;
    // What is paid for is the instance, and not what was asked of it.
    let size = size(need.cpu.slots(), need.memory, false);
    let cpu = f64::from(size.cpu) * table.per_cpu_second;
    let memory = size.memory.0 as f64 / f64::from(1 << 30) * table.per_gib_second;
    Some(Usd(((cpu + memory) * seconds * 1e6).round() as u64))
}

#[cfg(test)]
mod tests {
    use super::*;
    use pipe_engine::units::{Bytes, Cpu};

    #[test]
    fn an_hour_of_two_cpus_and_four_gibibytes_costs_what_the_price_list_says() {
        // 3600 s x (2 x 0.000018 + 4 x 0.000002) = 0.1584 USD, by hand from the list.
        let need = Need { cpu: Cpu(2000), memory: Bytes(4 << 30), ..Need::default() };
        assert_eq!(price("us-central1", &need, Millis(3_600_000)), Some(Usd(158_400)));
    }

    #[test]
    fn an_attempt_is_charged_for_the_whole_instance_that_holds_it() {
        // Six GiB come with two CPUs: 100 s x (2 x 0.000018 + 6 x 0.000002) = 0.0048 USD.
        let need = Need { cpu: Cpu(500), memory: Bytes(6 << 30), ..Need::default() };
        assert_eq!(price("us-central1", &need, Millis(100_000)), Some(Usd(4_800)));
    }

    #[test]
    fn a_region_that_is_not_in_the_list_has_no_price() {
        assert_eq!(price("moon-north1", &Need::default(), Millis(1000)), None);
    }
}
