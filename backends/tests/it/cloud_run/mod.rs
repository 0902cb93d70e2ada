//! Attempts as jobs of Cloud Run, made and followed over the wire, each request held against Google's definitions.

mod beforehand;
mod bench;
mod ends;
mod lost;
mod regions;
mod sent;
mod told;
