//! Buckets behind the engine's [`Store`](pipe_engine::store::Store) trait: any service that an `opendal` operator speaks
//! to, and those that a URI names.

mod object;
mod open;
mod upload;

pub use object::ObjectStore;
pub use open::{SCHEMES, open};
