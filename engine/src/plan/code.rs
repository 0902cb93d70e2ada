//! The codes of the problems a plan finds. A code never changes its meaning.

/// A stage is named that the spec does not have.
pub const UNKNOWN_STAGE: &str = "P0101";
/// Stages need each other in a circle.
pub const CYCLE: &str = "P0102";
/// A stage is named by a template.
pub const COMPUTED_STAGE: &str = "P0103";
/// A field takes one result and several match.
pub const SEVERAL_RESULTS: &str = "P0201";
/// No cell of the named stage matches.
pub const NO_RESULT: &str = "P0202";
/// A matrix's values cannot make cells.
pub const BAD_MATRIX: &str = "P0203";
/// A setting that its kind refuses.
pub const BAD_SETTING: &str = "P0301";
/// A file that is not there.
pub const MISSING_FILE: &str = "P0302";
/// A parameter is set that the spec does not have.
pub const UNKNOWN_PARAM: &str = "P0401";
/// A parameter is set to what its default's type does not admit.
pub const BAD_PARAM: &str = "P0402";
