//! A URI -> what lies there: how long it is, which one it is, and the bytes of a range. The binary links what speaks to
//! web servers and buckets; the engine knows neither.

use crate::failure::Failure;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::io;
use std::sync::Arc;

/// Opens what lies elsewhere.
pub trait Remotes: Send + Sync {
    /// The schemes it opens, such as `https`.
    fn schemes(&self) -> &'static [&'static str];

    /// What lies at a URI now. Reads a byte at most.
    ///
    /// # Errors
    /// When it cannot be asked, it is not there, or it could not be read by ranges.
    fn look(&self, uri: &str) -> Result<RemoteStat, Failure>;

    /// Opens what was found there. Asks nobody yet.
    ///
    /// # Errors
    /// When it cannot be spoken to by what the environment says.
    fn open(&self, uri: &str, stat: &RemoteStat) -> Result<Arc<dyn RemoteBytes>, Failure>;
}

/// The bytes of something elsewhere, pinned to what it was when it was looked at. Read by several threads at once.
pub trait RemoteBytes: Send + Sync {
    /// Reads bytes from `at` on. May give fewer than there is room for, and gives none at the end only. Tries once.
    ///
    /// # Errors
    /// Whether another try is worth while, and that it is another one by now.
    fn read_at(&self, at: u64, into: &mut [u8]) -> Result<usize, RangeError>;
}

/// What lies at a URI, as long as it is the same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RemoteStat {
    /// Bytes.
    pub size: u64,
    /// Differs when the bytes may differ: an entity tag, or the time of the last change, as the server tells it.
    pub identity: String,
}

/// Why a range was not read.
#[derive(Debug)]
pub enum RangeError {
    /// What lies there is not what was looked at.
    Changed,
    /// The way to it broke; another try may succeed.
    Broken(io::Error),
    /// It cannot be read.
    Lost(io::Error),
}

/// The scheme of a URI; `None` for a path.
pub fn scheme(text: &str) -> Option<&str> {
    let (scheme, _) = text.split_once("://")?;
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "+-.".contains(c);
    (scheme.starts_with(|c: char| c.is_ascii_alphabetic()) && scheme.chars().all(is_plain)).then_some(scheme)
}

/// Whether a URI names a user, perhaps with a password: everybody who sees the URI would have it.
pub fn has_user(uri: &str) -> bool {
    authority(uri).is_some_and(|authority| authority.contains('@'))
}

/// Whether what is in a URI lets whoever has it in.
pub fn has_credentials(uri: &str) -> bool {
    scheme(uri).is_some() && (has_user(uri) || pairs(uri).any(signs))
}

/// A URI as people may see it: without a user and without its query, which may be what lets one in.
pub fn shown(uri: &str) -> String {
    let plain = uri.split(['?', '#']).next().unwrap_or_default();
    match (plain.split_once("://"), authority(plain)) {
        (Some((scheme, rest)), Some(authority)) => {
            let host = authority.rsplit('@').next().unwrap_or_default();
            format!("{scheme}://{host}{}", &rest[authority.len()..])
        }
        _ => plain.to_owned(),
    }
}

/// What stands in keys for the bytes at a URI. Who was let in, and until when, is no part of it: such a URI is signed
/// anew each day.
pub fn digest(uri: &str, stat: &RemoteStat) -> String {
    let asked: Vec<&str> = pairs(uri).filter(|pair| !signs(pair)).collect();
    let text = format!("{}\0{}\0{}\0{}", shown(uri), asked.join("&"), stat.identity, stat.size);
    blake3::Hasher::new_derive_key("pipe 2026-11 bytes at a URI v1")
        .update(text.as_bytes())
        .finalize()
        .to_hex()
        .to_string()
}

/// The host of a URI, or the bucket, in small letters.
pub fn host(uri: &str) -> Option<String> {
    let host = authority(uri)?.rsplit('@').next()?;
    let is_port = |text: &str| text.chars().all(|c| c.is_ascii_digit());
    let host = host.rsplit_once(':').filter(|(_, port)| is_port(port)).map_or(host, |(host, _)| host);
    Some(host.trim_end_matches('.').to_ascii_lowercase())
}

fn authority(uri: &str) -> Option<&str> {
    let (_, rest) = uri.split_once("://")?;
    rest.split(['/', '?', '#']).next()
}

fn pairs(uri: &str) -> impl Iterator<Item = &str> {
    let query = uri.split('#').next().and_then(|uri| uri.split_once('?')).map_or("", |(_, query)| query);
    query.split('&').filter(|pair| !pair.is_empty())
}

/// Whether a pair of a query is part of a signature: of Amazon, Google, CloudFront or Azure.
fn signs(pair: &str) -> bool {
    let name = pair.split('=').next().unwrap_or_default().to_ascii_lowercase();
    let known = ["signature", "sig", "expires", "awsaccesskeyid", "googleaccessid", "key-pair-id", "policy", "se"];
    name.starts_with("x-amz-") || name.starts_with("x-goog-") || known.contains(&name.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(uri: &str, identity: &str) -> String {
        digest(uri, &RemoteStat { size: 7, identity: identity.into() })
    }

    #[test]
    fn what_lets_one_in_is_never_shown() {
        let uri = "https://somebody:secret@host:81/a%20b/v.mp4?X-Amz-Signature=abc&part=1#t=3";
        assert_eq!(shown(uri), "https://host:81/a%20b/v.mp4");
        assert!(has_user(uri) && has_credentials(uri));
        assert!(has_credentials("https://host/v.mp4?x-goog-signature=1"));
        for plain in ["https://host/a@b.mp4?part=1", "s3://bucket/v.mp4", "videos/a@b?sig=1"] {
            assert!(!has_user(plain) && !has_credentials(plain), "{plain}");
        }
    }

    #[test]
    fn a_host_is_what_is_asked_and_not_how() {
        let hosts = [
            ("https://Videos.Example.com/v.mp4", "videos.example.com"),
            ("https://me:secret@example.com.:8443/v.mp4", "example.com"),
            ("http://[::1]:80/v.mp4", "[::1]"),
            ("http://[::1]/v.mp4", "[::1]"),
            ("gs://bucket.of.ours/a@b:7.mp4", "bucket.of.ours"),
        ];
        for (uri, expected) in hosts {
            assert_eq!(host(uri).as_deref(), Some(expected), "{uri}");
        }
        assert_eq!(host("videos/v.mp4"), None);
    }

    #[test]
    fn a_path_has_no_scheme() {
        assert_eq!(scheme("s3://bucket/v.mp4"), Some("s3"));
        for path in ["videos/v.mp4", "/v.mp4", "C:/v.mp4", "://v", "a b://v", "1s://v"] {
            assert_eq!(scheme(path), None, "{path}");
        }
    }

    #[test]
    fn another_object_has_another_key_and_another_signature_has_not() {
        let signed = |day: &str| format!("https://host/v.mp4?part=1&X-Amz-Date={day}&X-Amz-Signature={day}");
        assert_eq!(key(&signed("1"), "etag \"a\""), key(&signed("2"), "etag \"a\""));
        let others = [key(&signed("1"), "etag \"b\""), key("https://host/v.mp4?part=2", "etag \"a\"")];
        assert!(!others.contains(&key(&signed("1"), "etag \"a\"")));
        assert_ne!(key("https://host/v.mp4", "etag \"a\""), key("https://host/w.mp4", "etag \"a\""));
    }
}
