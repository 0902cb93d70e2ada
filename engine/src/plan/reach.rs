//! How far the sources of tasks reach: only to what the spec names, where it names something.

use super::{TaskFile, code};
use crate::remote::{host, scheme, shown};
use crate::spec::model::path_parts;
use crate::spec::{Reach, StageSpec};
use crate::text::Diagnostic;
use std::collections::BTreeMap;

/// The sources of a stage's tasks that the spec does not let be read: one problem for each field.
pub(super) fn beyond<'a>(
    stage: &StageSpec,
    reach: &Reach,
    files: impl Iterator<Item = &'a TaskFile>,
) -> Vec<Diagnostic> {
    let mut first: BTreeMap<&str, Diagnostic> = BTreeMap::new();
    for file in files {
        let Some((message, help)) = file.uri().and_then(|uri| refused(reach, uri)) else { continue };
        first.entry(&file.field).or_insert_with(|| {
            let span = stage.body.at(&path_parts(&file.field)).span.clone();
            Diagnostic::error(code::UNREAD_SOURCE, message, span, "named here").help(help)
        });
    }
    first.into_values().collect()
}

/// Why nothing is read at a URI, and what would change that.
fn refused(reach: &Reach, uri: &str) -> Option<(String, String)> {
    let (scheme, host) = (scheme(uri)?, host(uri)?);
    let told = |what: String, field: &str, named: &[String], more: &str| {
        let message = format!("the spec lets nothing be read at {what}, which is where `{}` lies", shown(uri));
        let all: Vec<String> = named.iter().map(String::as_str).chain([more]).map(|one| format!("\"{one}\"")).collect();
        (message, format!("add it to `sources`: {field} = [{}]", all.join(", ")))
    };
    match reach {
        Reach { schemes: Some(named), .. } if !named.iter().any(|one| one == scheme) => {
            Some(told(format!("`{scheme}://`"), "schemes", named, scheme))
        }
        Reach { hosts: Some(named), .. } if !named.iter().any(|one| is_of(one, &host)) => {
            Some(told(format!("`{host}`"), "hosts", named, &host))
        }
        _ => None,
    }
}

/// Whether a host is the one that is named, or below it.
fn is_of(named: &str, host: &str) -> bool {
    let named = named.to_ascii_lowercase();
    match named.strip_prefix("*.") {
        Some(above) => host.strip_suffix(above).is_some_and(|below| below.len() > 1 && below.ends_with('.')),
        None => host == named,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_what_is_below_a_host_and_not_for_the_host() {
        assert!(is_of("*.example.com", "a.example.com") && is_of("*.Example.com", "a.b.example.com"));
        for other in ["example.com", ".example.com", "badexample.com", "example.com.evil.net"] {
            assert!(!is_of("*.example.com", other), "{other}");
        }
        assert!(is_of("Example.com", "example.com") && !is_of("example.com", "a.example.com"));
    }
}
