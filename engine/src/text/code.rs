//! The codes of every problem the front of the spec reader reports. A code never changes its meaning.
//!
//! `S01..` is about the text itself, `S02..` about its shape, `S03..` about templates, `S04..` about the
//! other files that make up a spec. Two of `P..` are here because they are found before there is a plan.

/// The file is larger than a spec may be.
pub const TOO_BIG: &str = "S0101";
/// The text is not TOML, or not YAML.
pub const SYNTAX: &str = "S0102";
/// One table has the same key twice.
pub const DUPLICATE_KEY: &str = "S0103";
/// Tables and lists are nested deeper than a spec may be.
pub const TOO_DEEP: &str = "S0104";
/// The tree has more values, or more text, than a spec may have.
pub const TOO_MANY: &str = "S0105";
/// A YAML feature that has no counterpart in TOML: merge keys, tags, several documents, keys that are not strings.
pub const UNSUPPORTED: &str = "S0106";
/// A number that does not fit 64 bits, or is not a number at all.
pub const BAD_NUMBER: &str = "S0107";
/// A text with NUL, which no path, argument or variable can hold.
pub const NUL: &str = "S0109";

/// Bytes that are not UTF-8 text.
pub const NOT_TEXT: &str = "S0108";

/// A key that its table does not have.
pub const UNKNOWN_KEY: &str = "S0201";
/// A key that its table must have.
pub const MISSING_KEY: &str = "S0202";
/// A value of another type than its place wants.
pub const WRONG_TYPE: &str = "S0203";
/// A value that is not one of those its place knows.
pub const UNKNOWN_VALUE: &str = "S0204";
/// A number outside its range.
pub const OUT_OF_RANGE: &str = "S0205";
/// A text or list that is too short or too long.
pub const WRONG_LENGTH: &str = "S0206";
/// A size or duration that cannot be read.
pub const BAD_UNIT: &str = "S0207";

/// A name that cannot be a folder of the store.
pub const BAD_NAME: &str = "S0208";

/// A version of the language that this build does not read.
pub const NEWER_VERSION: &str = "S0209";

/// A template that is not well formed.
pub const TEMPLATE_SYNTAX: &str = "S0301";
/// A template names something that does not exist.
pub const UNKNOWN_NAME: &str = "S0302";
/// A template was stopped because it works too long or makes too much.
pub const RUNAWAY: &str = "S0303";
/// A template is well formed but has no value: a filter it names does not exist, or a step of it failed.
pub const TEMPLATE_FAILED: &str = "S0304";
/// A template put something into a path that could lead elsewhere.
pub const UNSAFE_PATH: &str = "S0305";

/// A template in a text that a shell will read.
pub const TEMPLATE_IN_CODE: &str = "P0306";
/// A secret that is written down.
pub const WRITTEN_SECRET: &str = "P0602";

/// A file that the spec or the command line names cannot be read.
pub const UNREADABLE_FILE: &str = "S0401";
/// `extends` leads back to itself, or too far.
pub const BAD_BASE: &str = "S0402";
/// A profile that the spec does not have.
pub const UNKNOWN_PROFILE: &str = "S0403";
/// A file of parameters that holds something else.
pub const BAD_PARAMS_FILE: &str = "S0404";
/// A line of `.env` that cannot be read.
pub const BAD_ENV_FILE: &str = "S0405";
