//! Attempts as custom jobs of Vertex AI, made and followed over the wire, each request held against Google's definitions.

mod beforehand;
mod bench;
mod ends;
mod lost;
mod regions;
mod sent;
mod told;
