//! What is paid for an attempt elsewhere: told when it is handed over, so that what it cost is known whatever prices are later.

use crate::units::Usd;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use std::time::Duration;

/// What a result tells of the money that went into it, where that is not the price of a machine's time: an upper bound, in dollars.
pub const USD_AT_MOST: &str = "usd_at_most";

/// What a result cost at most, where it says so.
pub fn at_most(result: &Json) -> Option<Usd> {
    let dollars = result.get(USD_AT_MOST)?.as_f64().filter(|dollars| *dollars >= 0.0)?;
    Some(Usd((dollars * 1e6).ceil() as u64))
}

/// The machine that an attempt is to get, and its price.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Terms {
    /// The machine, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub machine: Option<String>,
    /// Its region, of a place that has several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// Whether it may be one that can be taken away.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub spot: bool,
    /// What an hour of it costs; 0 where nobody pays, and absent where no price is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hour: Option<Usd>,
    /// What it costs at least, once it runs; absent where that is not known, and in journals of older versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub least: Option<Usd>,
    /// How many milliseconds its machine is taken to be charged for before work begins; absent where only the work is charged, and
    /// in journals of older versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub startup_ms: Option<u64>,
}

impl Terms {
    /// What so much time of so many machines costs, with what each is charged for before; `None` where no price is known.
    pub fn cost(&self, time: Duration, machines: u64) -> Option<Usd> {
        let hour = u128::from(self.hour?.0);
        let before = u128::from(self.startup_ms.unwrap_or_default()) * u128::from(machines);
        let cost = (hour * (time.as_millis() + before)).div_ceil(3_600_000);
        let least = self.least.filter(|_| !time.is_zero()).unwrap_or_default();
        Some(Usd(u64::try_from(cost).unwrap_or(u64::MAX)).max(least))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_costs_its_part_of_an_hour() {
        let terms = |hour| Terms { hour, ..Terms::default() };
        // Ten minutes of 0.36 USD an hour are 0.06.
        assert_eq!(terms(Some(Usd(360_000))).cost(Duration::from_secs(600), 1), Some(Usd(60_000)));
        assert_eq!(terms(Some(Usd(1))).cost(Duration::from_millis(1), 1), Some(Usd(1)), "never less than it is");
        assert_eq!(terms(None).cost(Duration::ZERO, 0), None);
    }

    #[test]
    fn what_ran_at_all_costs_the_least_there_is() {
        let terms = Terms { hour: Some(Usd(360_000)), least: Some(Usd(6_000)), ..Terms::default() };
        let costs = [0, 1, 60, 600].map(|seconds| terms.cost(Duration::from_secs(seconds), 1));
        assert_eq!(costs, [0, 6_000, 6_000, 60_000].map(|micros| Some(Usd(micros))));
    }
    #[test]
    fn each_machine_is_charged_for_its_start_where_that_is_charged() {
        // A minute of 0.60 USD an hour is 0.01, and so is each minute before it.
        let terms = Terms { hour: Some(Usd(600_000)), startup_ms: Some(60_000), ..Terms::default() };
        let costs = [0, 1, 2].map(|machines| terms.cost(Duration::from_secs(60), machines));
        assert_eq!(costs, [10_000, 20_000, 30_000].map(|micros| Some(Usd(micros))));
    }
}
