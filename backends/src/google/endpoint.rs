//! Where a service is asked, if a spec says so: over TLS, or on this machine.

use pipe_engine::stage::ConfigProblem;
use std::net::IpAddr;

/// Checks that nobody on the way can read the credentials.
pub(crate) fn check_endpoint(endpoint: Option<&str>) -> Result<(), ConfigProblem> {
    match endpoint {
        Some(endpoint) if !endpoint.starts_with("https://") && !is_on_loopback(endpoint) => {
            let message = format!("its endpoint `{endpoint}` is neither https nor on this machine's loopback");
            Err(ConfigProblem::new("endpoint", message).help("write https://, so that nobody reads the credentials"))
        }
        _ => Ok(()),
    }
}

/// Whether an address leads to this machine whatever a name server says, and without TLS.
pub(crate) fn is_on_loopback(endpoint: &str) -> bool {
    let Some(rest) = endpoint.strip_prefix("http://") else { return false };
    let authority = rest.split(['/', '\\', '?', '#']).next().unwrap_or_default();
    // What stands before this sign is a name to log in with, and the host comes behind it.
    if authority.contains('@') {
        return false;
    }
    let host = match authority.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, _)) => host,
        None => authority.rsplit_once(':').map_or(authority, |(host, _)| host),
    };
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_http_is_for_loopback_alone() {
        for (endpoint, expected) in [
            ("http://127.0.0.1:9105", true),
            ("http://127.8.8.8/x", true),
            ("http://[::1]:80", true),
            ("http://localhost", true),
            ("http://localhost:1/v2", true),
            ("https://127.0.0.1", false),
            ("http://10.0.0.1", false),
            ("http://127.0.0.1.example.com", false),
            ("http://127.0.0.1@example.com", false),
            ("http://127.0.0.1:80@example.com", false),
            ("http://localhost.example.com", false),
            ("http://", false),
            ("127.0.0.1", false),
        ] {
            assert_eq!(is_on_loopback(endpoint), expected, "{endpoint}");
        }
    }
}
