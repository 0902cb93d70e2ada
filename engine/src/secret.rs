//! Values that nobody may see: where one comes from, how it is fetched, and how it is kept out of everything that is
//! said. Knows nothing of tasks; who gets a secret is decided elsewhere.

mod redactor;

pub use redactor::Redactor;

use crate::failure::Failure;
use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// The variable by which a worker learns which of its variables are secret: their names, with commas between.
pub const NAMES: &str = "PIPE_SECRETS";
/// The variable by which a worker learns of secrets that it is to fetch itself, since its place gives a job none: their references
/// by the variables that are to hold them, as JSON.
pub const SOURCES: &str = "PIPE_SECRET_SOURCES";
/// A file of a secret is at most this long: a variable cannot hold more.
const LONGEST: u64 = 64 * 1024;

/// Where the value of a secret is. A spec holds this and never the value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A variable of the environment, or of `.env` beside the spec.
    Variable(String),
    /// A file.
    File(PathBuf),
    /// A secret that Google Cloud keeps, as `projects/P/secrets/S/versions/V`.
    Cloud(String),
}

impl Source {
    /// Reads a reference: `env:NAME`, `file:PATH` or `gcp:projects/P/secrets/S/versions/V`. Paths are relative to
    /// `folder`. `None` for anything else, such as the secret itself.
    pub fn parse(text: &str, folder: &Path) -> Option<Self> {
        match text.split_once(':')? {
            ("env", name) if is_variable(name) => Some(Self::Variable(name.to_owned())),
            ("file", path) if !path.is_empty() && !path.contains('\0') => Some(Self::File(folder.join(path))),
            ("gcp", name) if is_cloud_name(name) => Some(Self::Cloud(name.to_owned())),
            _ => None,
        }
    }

    /// The value. `variable` looks into the environment. One line end at the end of a file is not part of it.
    ///
    /// # Errors
    /// `secret_missing` when it is not there, empty or no text; `secret_unreachable` when this build cannot ask for it.
    pub fn fetch<'a>(&self, variable: impl Fn(&str) -> Option<&'a str>) -> Result<Value, Failure> {
        match self {
            Self::Variable(name) => match variable(name) {
                Some(value) => Ok(Value(value.to_owned())),
                None => Err(missing(&format!("the variable `{name}` is not set"))
                    .help(format!("set it: export {name}=..., or write it into `.env` beside the spec"))),
            },
            Self::File(path) => read(path).map(Value),
            Self::Cloud(name) => {
                Err(Failure::failed("secret_unreachable", "this pipe cannot fetch a secret of Google Cloud")
                    .on(name.clone())
                    .help("fetch it before the run into a variable, and name that: env:NAME"))
            }
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Variable(name) => write!(out, "env:{name}"),
            Self::File(path) => write!(out, "file:{}", path.display()),
            Self::Cloud(name) => write!(out, "gcp:{name}"),
        }
    }
}

/// A value that is never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Value(String);

impl Value {
    /// Takes a value into keeping.
    pub fn new(value: impl Into<String>) -> Self {
        Self(value.into())
    }

    /// The value itself, for the one process that is to have it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(redactor::STARS)
    }
}

/// Secrets by the variables that hold them.
pub type Values = BTreeMap<String, Value>;

/// Fetches all of them.
///
/// # Errors
/// Of the first that cannot be had, naming its variable.
pub fn fetch_all<'a, 's>(
    sources: impl IntoIterator<Item = (&'s String, &'s Source)>,
    variable: impl Fn(&str) -> Option<&'a str>,
) -> Result<Values, Failure> {
    let fetched = sources.into_iter().map(|(name, source)| match source.fetch(&variable) {
        Ok(value) => Ok((name.clone(), value)),
        Err(failure) => Err(Failure { message: format!("the secret `{name}`: {}", failure.message), ..failure }),
    });
    fetched.collect()
}

/// The secrets that this process was given; see [`NAMES`].
pub fn given() -> Values {
    let names = std::env::var(NAMES).unwrap_or_default();
    names.split(',').filter_map(|name| Some((name.to_owned(), Value(std::env::var(name).ok()?)))).collect()
}

/// The secrets that this process is to fetch itself; see [`SOURCES`]: their names in Google Cloud.
///
/// # Errors
/// When the variable says something else.
pub fn to_fetch() -> Result<BTreeMap<String, String>, Failure> {
    let Ok(text) = std::env::var(SOURCES) else { return Ok(BTreeMap::new()) };
    // It holds no values, but whoever has put one there by mistake must not find it in a log.
    let unread = || Failure::failed("bad_secrets", format!("{SOURCES} names no secrets of Google Cloud"));
    let references: BTreeMap<String, String> = serde_json::from_str(&text).map_err(|_| unread())?;
    let named = references.into_iter().map(|(name, reference)| match Source::parse(&reference, Path::new("")) {
        Some(Source::Cloud(at)) if is_variable(&name) => Ok((name, at)),
        _ => Err(unread()),
    });
    named.collect()
}

/// Whether a program can have a variable of this name.
pub fn is_variable(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

fn is_cloud_name(name: &str) -> bool {
    let parts: Vec<&str> = name.split('/').collect();
    let [projects, project, secrets, secret, versions, version] = parts[..] else { return false };
    (projects, secrets, versions) == ("projects", "secrets", "versions")
        && [project, secret, version].iter().all(|part| !part.is_empty())
}

fn missing(message: &str) -> Failure {
    Failure::failed("secret_missing", message)
}

fn read(path: &Path) -> Result<String, Failure> {
    let text = || -> io::Result<String> {
        let mut text = String::new();
        File::open(path)?.take(LONGEST + 1).read_to_string(&mut text)?;
        Ok(text)
    };
    let shown = path.display().to_string();
    let mut text = text().map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => missing("its file is not there").on(shown.clone()),
        // The words of this error could quote bytes of the file.
        io::ErrorKind::InvalidData => missing("its file is not text").on(shown.clone()),
        _ => missing("its file cannot be read").on(shown.clone()).source(error),
    })?;
    if text.ends_with('\n') {
        text.pop();
        if text.ends_with('\r') {
            text.pop();
        }
    }
    let wrong = match &text {
        text if text.len() as u64 > LONGEST => "its file is longer than 64 KiB",
        text if text.is_empty() => "its file is empty",
        text if text.contains('\0') => "its file holds a NUL, which no variable can hold",
        _ => return Ok(text),
    };
    Err(missing(wrong).on(shown))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_is_read_and_a_value_is_none() {
        let read = |text| Source::parse(text, Path::new("/spec"));
        assert_eq!(read("env:API_KEY"), Some(Source::Variable("API_KEY".to_owned())));
        assert_eq!(read("file:secrets/token"), Some(Source::File("/spec/secrets/token".into())));
        assert_eq!(read("file:/run/token"), Some(Source::File("/run/token".into())));
        assert_eq!(
            read("gcp:projects/p/secrets/s/versions/3"),
            Some(Source::Cloud("projects/p/secrets/s/versions/3".to_owned()))
        );
        for other in ["hunter2", "env:", "env:a b", "file:", "gcp:s", "vault:x", "sk-live:1", "", "ENV:X"] {
            assert_eq!(read(other), None, "{other}");
        }
    }

    #[test]
    fn a_file_gives_its_text_without_the_last_line_end() {
        let folder = tempfile::tempdir().unwrap();
        for (text, value) in [("abc\n", "abc"), ("abc\r\n", "abc"), ("abc", "abc"), ("a\nb\n\n", "a\nb\n")] {
            std::fs::write(folder.path().join("token"), text).unwrap();
            let source = Source::parse("file:token", folder.path()).unwrap();
            assert_eq!(source.fetch(|_| None).unwrap().reveal(), value);
        }
    }

    #[test]
    fn what_cannot_be_had_is_told_with_the_name_and_no_value() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("bytes"), b"tok\xffen").unwrap();
        std::fs::write(folder.path().join("empty"), "\n").unwrap();
        let said = |text: &str| {
            let name = "TOKEN".to_owned();
            let source = Source::parse(text, folder.path()).unwrap();
            fetch_all([(&name, &source)], |_| None).unwrap_err().message
        };
        assert_eq!(said("env:NOPE"), "the secret `TOKEN`: the variable `NOPE` is not set");
        assert_eq!(said("file:nope"), "the secret `TOKEN`: its file is not there");
        assert_eq!(said("file:bytes"), "the secret `TOKEN`: its file is not text");
        assert_eq!(said("file:empty"), "the secret `TOKEN`: its file is empty");
    }

    #[test]
    fn a_value_is_not_printed() {
        assert_eq!(format!("{:?}", Value::new("hunter2")), "***");
    }
}
