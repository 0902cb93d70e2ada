//! Requests as tuning jobs of Vertex AI, made and followed over the wire, each held against Google's definitions.

mod bench;
mod ends;
mod lost;
mod sent;
