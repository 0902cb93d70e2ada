//! What a Vertex AI custom job costs, and which of the machines that hold it costs least: the table beside this file, with
//! its sources and the days they were read.

use super::config::Config;
use super::limits::{Fit, disk, fitting};
use crate::money::{self, charged, usd};
use pipe_engine::backend::{Need, Startup};
use pipe_engine::units::{Millis, Usd};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::sync::LazyLock;

/// Time is charged in steps of this many milliseconds.
const STEP: u64 = 30_000;

#[derive(Deserialize)]
struct Table {
    startup: money::Startup,
    /// The part of Compute Engine's price that Vertex AI takes for the management.
    fee: f64,
    disk_gib_hour: f64,
    regions: BTreeMap<String, Region>,
}

#[derive(Deserialize)]
struct Region {
    machines: BTreeMap<String, Family>,
    gpus: BTreeMap<String, GpuPrice>,
}

/// US dollars an hour, for each CPU and each GiB of memory.
#[derive(Deserialize)]
struct Family {
    cpu: f64,
    gib: f64,
    spot_cpu: Option<f64>,
    spot_gib: Option<f64>,
}

/// US dollars an hour.
#[derive(Deserialize)]
struct GpuPrice {
    hour: f64,
    spot: Option<f64>,
}

static TABLE: LazyLock<Table> =
    LazyLock::new(|| serde_json::from_str(include_str!("prices.json")).expect("the table is part of the program"));

pub(super) fn startup() -> Startup {
    TABLE.startup.told()
}

/// The price on the cheapest machine that fits, where that is known of any.
pub(super) fn price(config: &Config, need: &Need, time: Millis) -> Option<Usd> {
    let (_, hour) = cheapest(config, need)?;
    Some(usd(hour? * charged(time, STEP) / 3600.0))
}

/// The machine that an attempt gets: the cheapest that fits; where no price is known, the smallest.
pub(super) fn machine(config: &Config, need: &Need) -> Option<Fit> {
    cheapest(config, need).map(|(fit, _)| fit)
}

fn cheapest(config: &Config, need: &Need) -> Option<(Fit, Option<f64>)> {
    let fitting = fitting(config, need).into_iter().map(|fit| (fit, hour(config, need, fit)));
    // Thousandths of a cent make no difference between machines, and are whole numbers, which have an order.
    let rank = |(fit, hour): &(Fit, Option<f64>)| {
        let price = hour.map_or(u64::MAX, |hour| (hour * 1e6).round() as u64);
        (price, fit.gpus.map_or(0, |(_, count)| count), fit.machine.cpu, fit.machine.memory)
    };
    fitting.min_by_key(rank)
}

/// US dollars an hour, with the disk.
fn hour(config: &Config, need: &Need, fit: Fit) -> Option<f64> {
    let gpus = match fit.gpus {
        None => 0.0,
        Some((model, count)) => f64::from(count) * of_gpu(config, need, model)?,
    };
    let disk = disk(need.disk).0 as f64 / f64::from(1 << 30);
    Some(of_machine(config, need, fit)? + gpus + disk * TABLE.disk_gib_hour)
}

fn region(config: &Config, need: &Need) -> Option<&'static Region> {
    TABLE.regions.get(need.region.as_deref().or(config.regions().next())?)
}

fn of_machine(config: &Config, need: &Need, fit: Fit) -> Option<f64> {
    if let Some(own) = config.prices.get(&fit.machine.name) {
        return Some(*own);
    }
    let family = region(config, need)?.machines.get(&fit.machine.family)?;
    let (cpus, gib) = (f64::from(fit.machine.cpu.0) / 1000.0, fit.machine.memory.0 as f64 / f64::from(1 << 30));
    let usual = cpus * family.cpu + gib * family.gib;
    if !need.spot {
        return Some(managed(usual, usual));
    }
    Some(managed(cpus * family.spot_cpu? + gib * family.spot_gib?, usual))
}

fn of_gpu(config: &Config, need: &Need, model: &str) -> Option<f64> {
    if let Some(own) = config.prices.get(model) {
        return Some(*own);
    }
    let price = region(config, need)?.gpus.get(model)?;
    let paid = if need.spot { price.spot? } else { price.hour };
    Some(managed(paid, price.hour))
}

/// What is paid with the fee on it, which is a part of the usual price on spot machines too.
fn managed(paid: f64, usual: f64) -> f64 {
    paid + TABLE.fee * usual
}

#[cfg(test)]
mod tests {
    use super::*;
    use pipe_engine::resources::Gpu;
    use pipe_engine::units::{Bytes, Cpu};
    use serde_json::json;

    const HOUR: Millis = Millis(3_600_000);

    fn config(value: serde_json::Value) -> Config {
        serde_json::from_value(value).unwrap()
    }

    fn in_region(region: &str) -> Config {
        config(json!({ "region": region }))
    }

    fn need(cpu: u32, gib: u64, gpu: Option<(&str, u32)>) -> Need {
        let gpu = gpu.map(|(model, count)| Gpu { model: Some(model.to_owned()), count, memory: None });
        Need { cpu: Cpu(cpu * 1000), memory: Bytes(gib << 30), gpu, ..Need::default() }
    }

    /// The disk of 100 GiB, an hour: 100 x 0.0002678.
    const DISK: u64 = 26_780;

    #[test]
    fn an_hour_costs_what_the_price_list_says() {
        // n1-standard-4 stands in the published list at 0.21849885, with the fee.
        let here = in_region("us-central1");
        assert_eq!(price(&here, &need(4, 15, None), HOUR), Some(Usd(218_499 + DISK)));
        // With a T4, which stands there at 0.4025: (4 x 0.031611 + 15 x 0.004237 + 0.35) x 1.15 + 0.02678 = 0.64777885.
        let with_gpu = need(4, 15, Some(("nvidia-tesla-t4", 1)));
        assert_eq!(price(&here, &with_gpu, HOUR), Some(Usd(647_779)));
        // a2-highgpu-1g stands in Compute Engine's list at 3.673385: x 1.15 = 4.22439275, + 0.02678.
        assert_eq!(price(&here, &need(4, 16, Some(("nvidia-tesla-a100", 1))), HOUR), Some(Usd(4_251_173)));
    }

    #[test]
    fn on_spot_the_fee_is_of_the_usual_price() {
        // 4 x 0.00882 + 15 x 0.00113 + 0.175 + 0.15 x (4 x 0.031611 + 15 x 0.004237 + 0.35) + 0.02678 = 0.33500985.
        let spot = Need { spot: true, ..need(4, 15, Some(("nvidia-tesla-t4", 1))) };
        assert_eq!(price(&in_region("us-central1"), &spot, HOUR), Some(Usd(335_010)));
        let unknown = Need { spot: true, ..need(4, 15, Some(("nvidia-a100-80gb", 1))) };
        assert_eq!(price(&in_region("us-central1"), &unknown, HOUR), None, "no price on spot is known");
    }

    #[test]
    fn of_several_regions_each_has_its_own_prices_and_the_first_where_none_is_meant() {
        let two = config(json!({ "regions": ["us-central1", "europe-west1"] }));
        let of = |region: Option<&str>| Need { region: region.map(str::to_owned), ..need(4, 15, None) };
        let here = price(&in_region("us-central1"), &of(None), HOUR);
        let there = price(&in_region("europe-west1"), &of(None), HOUR);
        assert!(here.is_some() && there.is_some() && here != there, "{here:?}, {there:?}");
        assert_eq!(price(&two, &of(None), HOUR), here);
        assert_eq!(price(&two, &of(Some("us-central1")), HOUR), here);
        assert_eq!(price(&two, &of(Some("europe-west1")), HOUR), there);
    }

    #[test]
    fn the_cheapest_machine_that_fits_is_taken_and_not_the_first() {
        let name = |cpu, gib, gpu| {
            let fit = machine(&in_region("us-central1"), &need(cpu, gib, gpu)).unwrap();
            (fit.machine.name.as_str(), fit.gpus)
        };
        assert_eq!(name(1, 1, None), ("n1-highmem-2", None));
        // 32 GiB: n1-highmem-8 with 52 costs less than n1-standard-16 with 60.
        assert_eq!(name(8, 32, None), ("n1-highmem-8", None));
        assert_eq!(name(4, 16, Some(("nvidia-l4", 1))), ("g2-standard-4", Some(("nvidia-l4", 1))));
        let any = Need { gpu: Some(Gpu { model: None, count: 1, memory: None }), ..need(2, 8, None) };
        let fit = machine(&in_region("us-central1"), &any).unwrap();
        assert_eq!((fit.machine.name.as_str(), fit.gpus), ("n1-highmem-2", Some(("nvidia-tesla-t4", 1))));
    }

    #[test]
    fn time_is_charged_in_half_minutes() {
        let of = |millis| price(&in_region("us-central1"), &need(4, 15, None), Millis(millis));
        assert_eq!(of(1), of(30_000));
        assert_eq!(of(30_001), of(60_000));
        // 0.24527885 an hour is 0.004087980 a minute.
        assert_eq!(of(60_000), Some(Usd(4088)));
    }

    #[test]
    fn a_job_is_taken_to_need_three_minutes_to_begin_which_are_charged() {
        assert_eq!(startup(), Startup { time: Millis(180_000), is_charged: true });
    }

    #[test]
    fn what_no_list_has_is_never_free_and_the_spec_may_have_it() {
        let v100 = need(4, 15, Some(("nvidia-tesla-v100", 1)));
        assert_eq!(price(&in_region("europe-west1"), &v100, HOUR), None);
        assert_eq!(price(&in_region("moon-north1"), &need(4, 15, None), HOUR), None);
        let fit = machine(&in_region("moon-north1"), &need(4, 15, None)).unwrap();
        assert_eq!(fit.machine.name, "n1-standard-4", "the smallest, where no price is known");
        let own = json!({ "region": "europe-west1", "machine": "n1-standard-4",
            "prices": { "n1-standard-4": 0.2, "nvidia-tesla-v100": 3.0 } });
        assert_eq!(price(&config(own), &v100, HOUR), Some(Usd(3_200_000 + DISK)));
    }
}
