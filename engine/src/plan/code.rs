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
/// An `exclude` that no cell has.
pub const UNUSED_EXCLUDE: &str = "P0204";
/// Rows that cannot make cells.
pub const BAD_ROWS: &str = "P0205";
/// A stage is to be spread over the rows of one that makes none.
pub const NO_ROWS: &str = "P0206";
/// More tasks, links or text than a plan may have.
pub const TOO_BIG: &str = "P0207";
/// A setting that its kind refuses.
pub const BAD_SETTING: &str = "P0301";
/// A file that is not there.
pub const MISSING_FILE: &str = "P0302";
/// A URI at which nothing is read.
pub const UNREAD_SOURCE: &str = "P0309";
/// What a stage would make fails on a sample of what it gets.
pub const BAD_SAMPLE: &str = "P0305";
/// A condition that is neither true nor false.
pub const BAD_CONDITION: &str = "P0303";
/// Two settings that exclude each other.
pub const CONFLICT: &str = "P0304";
/// A file of the project that a program means and does not get.
pub const UNNAMED_FILE: &str = "P0307";
/// A file of the project that is a link out of it.
pub const LINK_OUT: &str = "P0308";
/// A variable that a program cannot get.
pub const BAD_VARIABLE: &str = "P0601";
/// A pool is named that the spec does not have.
pub const UNKNOWN_POOL: &str = "P0507";
/// A secret that is not where the spec says.
pub const MISSING_SECRET: &str = "P0603";
/// A program that is not there.
pub const MISSING_TOOL: &str = "P0604";
/// A program of another version.
pub const OTHER_TOOL: &str = "P0605";
/// A secret that this build cannot fetch.
pub const FAR_SECRET: &str = "P0606";
/// A secret of this machine for a task that runs elsewhere.
pub const NEAR_SECRET: &str = "P0607";
/// Something is published that no result can have.
pub const BAD_PUBLISHED: &str = "P0701";
/// Something is published to a place outside the project.
pub const OUTSIDE_PROJECT: &str = "P0702";
/// Something is published to a place that is not for results.
pub const PROTECTED_TARGET: &str = "P0703";
/// Two tasks publish to one place.
pub const PUBLISHED_TWICE: &str = "P0704";
/// A parameter is set that the spec does not have.
pub const UNKNOWN_PARAM: &str = "P0401";
/// A parameter is set to what its default's type does not admit.
pub const BAD_PARAM: &str = "P0402";
/// A parameter that must be set and is not.
pub const MISSING_PARAM: &str = "P0403";
/// A parameter's value that its declaration does not admit.
pub const PARAM_NOT_ALLOWED: &str = "P0404";
/// A parameter that is a template.
pub const TEMPLATED_PARAM: &str = "P0405";
/// A parameter that nothing uses.
pub const UNUSED_PARAM: &str = "P0406";
/// A backend is named that the spec does not have.
pub const UNKNOWN_BACKEND: &str = "P0501";
/// A stage asks for more than its backend can hold.
pub const DOES_NOT_FIT: &str = "P0502";
/// A setting of a backend that is wrong, or is written nowhere.
pub const BAD_BACKEND: &str = "P0503";
/// A backend elsewhere cannot reach the store.
pub const OUT_OF_REACH: &str = "P0504";
/// A store of a kind that there is not, or that this build does not have.
pub const UNKNOWN_STORE: &str = "P0505";
/// A task that somebody pays for has no end.
pub const NO_TIMEOUT: &str = "P0506";
/// A schedule that never falls due, or cannot be read.
pub const BAD_SCHEDULE: &str = "P0801";
