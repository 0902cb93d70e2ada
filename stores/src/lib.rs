//! Buckets behind the engine's [`Store`](pipe_engine::store::Store) trait: any service that an `opendal` operator speaks
//! to, with Google's own client beside it for Cloud Storage, and those that a URI names. Sources elsewhere behind its
//! [`Remotes`](pipe_engine::remote::Remotes).

mod checksum;
mod google;
mod object;
mod open;
mod refused;
mod remote;
mod upload;

pub use object::ObjectStore;
pub use open::{SCHEMES, open};
pub use refused::{LOG_IN_TO_AMAZON, LOG_IN_TO_GOOGLE, is_about_credentials};
pub use remote::WebAndBuckets;
