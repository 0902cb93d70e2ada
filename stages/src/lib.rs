//! The stage kinds, one file or folder each: how its settings look, what decides its output, how it works.
//! They know the engine's `StageKind` and nothing of one another but the records they pass on.

#[cfg(feature = "video")]
mod columns;
mod command;
mod export;
#[cfg(feature = "video")]
mod extract_clips;
mod format_jsonl;
#[cfg(feature = "cuda")]
pub mod gpu;
mod jsonl;
#[cfg(feature = "video")]
mod makers;
#[cfg(feature = "video")]
mod preprocess;
mod records;
#[cfg(feature = "video")]
mod side_by_side;
#[cfg(feature = "trainer")]
pub mod train;

use pipe_engine::stage::Registry;

/// Every stage kind of this build.
pub fn all() -> Registry {
    let kinds = Registry::default().with(command::Command).with(export::Export).with(format_jsonl::FormatJsonl);
    #[cfg(feature = "video")]
    let kinds = kinds.with(extract_clips::ExtractClips).with(preprocess::Preprocess);
    #[cfg(feature = "trainer")]
    let kinds = kinds.with(train::Train);
    kinds
}
