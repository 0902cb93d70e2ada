//! What is paid for an attempt elsewhere: told when it is handed over, so that what it cost is known whatever prices are later.

use crate::units::Usd;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::time::Duration;

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
}

impl Terms {
    /// What so much time costs; `None` where no price is known.
    pub fn cost(&self, time: Duration) -> Option<Usd> {
        let hour = u128::from(self.hour?.0);
        let cost = (hour * time.as_millis()).div_ceil(3_600_000);
        Some(Usd(u64::try_from(cost).unwrap_or(u64::MAX)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_costs_its_part_of_an_hour() {
        let terms = |hour| Terms { hour, ..Terms::default() };
        // Ten minutes of 0.36 USD an hour are 0.06.
        assert_eq!(terms(Some(Usd(360_000))).cost(Duration::from_secs(600)), Some(Usd(60_000)));
        assert_eq!(terms(Some(Usd(1))).cost(Duration::from_millis(1)), Some(Usd(1)), "never less than it is");
        assert_eq!(terms(None).cost(Duration::ZERO), None);
    }
}
