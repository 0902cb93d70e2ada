//! What it costs that bytes leave a bucket. What comes in is free, and so are single calls for all that anybody would notice.

use crate::units::Usd;

/// Who reads from a bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reader<'a> {
    /// A machine that is none of the bucket's provider, over the internet.
    Outside,
    /// A machine of the provider's in this region.
    In(&'a str),
}

/// The prices of buckets.
pub trait Traffic: Send + Sync {
    /// What a GiB costs that is read from a bucket of this scheme, such as `gs`, in this location; `None` where no price is known.
    fn gib(&self, scheme: &str, location: Option<&str>, reader: Reader<'_>) -> Option<Usd>;
}
