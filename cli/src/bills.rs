//! Attempts elsewhere -> what they cost together. What is not known of one of them makes the sum the least that it can be.

use crate::cost::dollars;
use pipe_engine::state::Bill;
use pipe_engine::units::Usd;
use serde_json::{Value as Json, json};
use std::time::Duration;

/// What several attempts cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sum {
    pub(crate) attempts: u64,
    pub(crate) time: Duration,
    cost: Usd,
    /// Those of which no price was known, and those that may run still: neither is in the sum.
    unpriced: u64,
    open: u64,
    /// Those of which it is in the sum what they cost at most.
    at_most: u64,
    /// Jobs besides the one that did the work; what they cost is in the sum.
    pub(crate) doubles: u64,
}

impl Sum {
    pub(crate) fn add(&mut self, bill: &Bill) {
        self.attempts += 1;
        self.time += bill.time();
        self.doubles += bill.doubles.jobs;
        self.open += u64::from(bill.is_open());
        self.unpriced += u64::from(is_unpriced(bill));
        self.at_most += u64::from(is_at_most(bill));
        self.cost.0 += bill.cost().unwrap_or_default().0;
    }

    /// `0.34 USD`, `> 0.34 USD` where that is not all, `?` where of none it is known.
    pub(crate) fn told(&self) -> String {
        match self.unpriced + self.open {
            0 => self.cost.to_string(),
            unknown if unknown == self.attempts => "?".to_owned(),
            _ => format!("> {}", self.cost),
        }
    }

    pub(crate) fn document(&self) -> Json {
        json!({
            "attempts": self.attempts, "seconds": self.time.as_secs_f64(), "amount": dollars(self.cost),
            "unpriced": self.unpriced, "open": self.open, "at_most": self.at_most, "doubles": self.doubles,
        })
    }
}

/// Whether nobody knows what an attempt cost that has ended.
pub(crate) fn is_unpriced(bill: &Bill) -> bool {
    !bill.is_open() && bill.cost().is_none()
}

/// Whether no more is known of what an attempt cost than the most that it may have.
pub(crate) fn is_at_most(bill: &Bill) -> bool {
    !bill.is_open() && bill.at_most.is_some()
}

/// All of them together.
pub(crate) fn sum<'a>(bills: impl Iterator<Item = &'a Bill>) -> Sum {
    bills.fold(Sum::default(), |mut sum, bill| {
        sum.add(bill);
        sum
    })
}
