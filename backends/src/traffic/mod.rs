//! What it costs that bytes leave a bucket of Cloud Storage: the table beside this file, with its sources and the days they were
//! read. Of other buckets no price is known.

use crate::money::usd;
use pipe_engine::backend::{Reader, Traffic};
use pipe_engine::units::Usd;
use serde::Deserialize;
use std::sync::LazyLock;

/// The prices of Cloud Storage.
pub(crate) struct Buckets;

#[derive(Deserialize)]
struct Table {
    gs: Prices,
}

/// US dollars a GiB.
#[derive(Deserialize)]
struct Prices {
    internet_gib: f64,
    continents: Vec<Continent>,
}

/// Locations of a continent, and the price between two of them.
#[derive(Deserialize)]
struct Continent {
    /// Names of multi-regions, and how those of regions and pairs of regions begin.
    locations: Vec<String>,
    gib: f64,
}

static TABLE: LazyLock<Table> =
    LazyLock::new(|| serde_json::from_str(include_str!("prices.json")).expect("the table is part of the program"));

impl Traffic for Buckets {
    fn gib(&self, scheme: &str, location: Option<&str>, reader: Reader<'_>) -> Option<Usd> {
        let prices = Some(&TABLE.gs).filter(|_| scheme == "gs")?;
        let region = match reader {
            Reader::Outside => return Some(usd(prices.internet_gib)),
            Reader::In(region) => region.to_lowercase(),
        };
        let location = location?.to_lowercase();
        if location == region {
            return Some(Usd(0));
        }
        let both = prices.continents.iter().find(|continent| continent.has(&location) && continent.has(&region));
        both.map(|continent| usd(continent.gib))
    }
}

impl Continent {
    fn has(&self, location: &str) -> bool {
        let is_it = |known: &String| match known.strip_suffix('-') {
            Some(_) => location.starts_with(known.as_str()),
            // A multi-region, or a pair such as `nam4`.
            None => location.strip_prefix(known.as_str()).is_some_and(|rest| rest.chars().all(|c| c.is_ascii_digit())),
        };
        self.locations.iter().any(is_it)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_leaves_for_the_internet_costs_and_what_stays_in_its_location_does_not() {
        let gib = |location, reader| Buckets.gib("gs", location, reader);
        assert_eq!(gib(None, Reader::Outside), Some(Usd(120_000)));
        assert_eq!(gib(Some("us-central1"), Reader::Outside), Some(Usd(120_000)));
        assert_eq!(gib(Some("US-CENTRAL1"), Reader::In("us-central1")), Some(Usd(0)));
    }

    #[test]
    fn between_locations_of_a_continent_there_is_a_price_and_else_none_is_known() {
        let gib = |location, region| Buckets.gib("gs", Some(location), Reader::In(region));
        for (location, region) in [
            ("us-central1", "us-east1"),
            ("us", "us-central1"),
            ("nam4", "us-east1"),
            ("northamerica-northeast1", "us-west1"),
            ("europe-west4", "europe-west1"),
            ("eu", "europe-west1"),
            ("eur4", "europe-north1"),
        ] {
            assert_eq!(gib(location, region), Some(Usd(20_000)), "{location} to {region}");
        }
        for (location, region) in [("us", "europe-west1"), ("asia-east1", "asia-east2"), ("moon", "us-east1")] {
            assert_eq!(gib(location, region), None, "{location} to {region}");
        }
        assert_eq!(Buckets.gib("gs", None, Reader::In("us-east1")), None);
        assert_eq!(Buckets.gib("s3", None, Reader::Outside), None, "no price of Amazon's was read");
    }
}
