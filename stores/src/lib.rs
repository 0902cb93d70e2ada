//! Buckets behind the engine's [`Store`](pipe_engine::store::Store) trait. Which service it is, and how it is
//! reached, is the business of whoever makes the `opendal` operator.

mod object;

pub use object::ObjectStore;
