//! Source text, byte spans, and the problems that point into them.
//!
//! The files of a spec become [`Sources`]; readers report [`Diagnostic`]s against their bytes; [`render`] shows them to
//! a person and [`to_json`] to a program. Nothing here knows what the text means.

mod catalogue;
mod closest;
pub mod code;
mod diagnostic;
mod json;
mod render;
mod source;
mod sources;

pub use catalogue::{CATALOGUE, Entry, page_of};
pub use closest::{closest, listed, one_of};
pub use diagnostic::{Diagnostic, Edit, Label, MOST_PROBLEMS, Severity, keep_few, sort_by_position};
pub use json::{DiagnosticJson, EditJson, to_json};
pub use render::render;
pub use source::{Position, SourceText, Span, Spanned};
pub use sources::{Place, Sources, asterisks, moved};
