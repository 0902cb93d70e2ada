//! Buckets behind the engine's [`Store`](pipe_engine::store::Store) trait: any service that an `opendal` operator speaks
//! to, and those that a URI names. Sources elsewhere behind its [`Remotes`](pipe_engine::remote::Remotes).

mod object;
mod open;
mod remote;
mod upload;

pub use object::{NO_CREDENTIALS, ObjectStore};
pub use open::{SCHEMES, open};
pub use remote::WebAndBuckets;
