//! Buckets behind the engine's Store trait.
