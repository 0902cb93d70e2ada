//! What is never asked, whoever names it: the addresses at which clouds tell a machine who it is, credentials and all. A table
//! of plays may hold URIs that nobody has read, a name may lead there, and so may a server that sends one elsewhere.

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::redirect::Policy;
use reqwest::{ClientBuilder, Url};
use std::error::Error;
use std::fmt::{self, Display, Formatter};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

/// What Google's machines call it.
const NAMES: [&str; 2] = ["metadata.google.internal", "metadata.goog"];
/// Alibaba's, which is no address of the link.
const ALIBABA: Ipv4Addr = Ipv4Addr::new(100, 100, 100, 200);
/// Amazon's and Google's in IPv6: `fd00:ec2::254` and `fd20:ce::254`.
const UNIQUE_LOCAL: [Ipv6Addr; 2] =
    [Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254), Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254)];
/// How often a server may send one elsewhere.
const HOPS: usize = 10;

/// That an address is one of those.
#[derive(Debug)]
pub(super) struct Forbidden;

impl Display for Forbidden {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        out.write_str("this is where a cloud tells its machines their credentials")
    }
}

impl Error for Forbidden {}

/// A client that asks none of them, neither by a name nor because a server says so.
pub(super) fn guarded(builder: ClientBuilder) -> ClientBuilder {
    let policy = Policy::custom(|hop| {
        if is_forbidden(hop.url()) {
            hop.error(Forbidden)
        } else if hop.previous().len() > HOPS {
            hop.error("it is sent from one address to the next without end")
        } else {
            hop.follow()
        }
    });
    builder.redirect(policy).dns_resolver(Arc::new(Guarded))
}

/// Whether an address, as it is written, is one of those. What its name leads to is looked at when it is asked for.
pub(super) fn is_forbidden(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default().trim_end_matches('.');
    // The parser of addresses has turned `2852039166` and `0xa9fea9fe` into the four numbers they stand for.
    let literal = host.trim_matches(['[', ']']).parse::<IpAddr>();
    literal.map_or_else(|_| NAMES.contains(&host), is_metadata)
}

/// Whether an error came of that.
pub(super) fn was_forbidden(error: &reqwest::Error) -> bool {
    std::iter::successors(error.source(), |&error| error.source()).any(|error| error.is::<Forbidden>())
}

struct Guarded;

impl Resolve for Guarded {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let found: Vec<SocketAddr> = found.collect();
            if found.iter().any(|address| is_metadata(address.ip())) {
                return Err(Forbidden.into());
            }
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}

/// Amazon, Google, Azure and others answer on the link alone (`169.254.169.254`), where no video lies.
fn is_metadata(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(four) => four.is_link_local() || four == ALIBABA,
        IpAddr::V6(six) => {
            six.is_unicast_link_local()
                || UNIQUE_LOCAL.contains(&six)
                || inside(six).is_some_and(|four| is_metadata(four.into()))
        }
    }
}

/// The IPv4 address within one of IPv6: mapped, or behind a translator's own prefix (RFC 6052).
fn inside(six: Ipv6Addr) -> Option<Ipv4Addr> {
    let [0x64, 0xff9b, 0, 0, 0, 0, high, low] = six.segments() else { return six.to_ipv4_mapped() };
    Some(Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_addresses_of_credentials_are_known_however_they_are_written() {
        let written = [
            "169.254.169.254",
            "169.254.170.2",
            "2852039166",
            "0xa9fea9fe",
            "0251.0376.0251.0376",
            "100.100.100.200",
            "[::ffff:169.254.169.254]",
            "[64:ff9b::a9fe:a9fe]",
            "[fd00:ec2::254]",
            "[fd20:ce::254]",
            "[fe80::1]",
            "metadata.google.internal",
            "METADATA.google.internal.",
        ];
        for host in written {
            let url = Url::parse(&format!("http://{host}/latest/meta-data/")).unwrap();
            assert!(is_forbidden(&url), "{host}");
        }
    }

    #[test]
    fn others_are_not_among_them() {
        for host in ["127.0.0.1", "10.0.0.7", "[::1]", "[fd00::1]", "videos.example.com", "metadata.example.com"] {
            let url = Url::parse(&format!("http://{host}/v.mp4")).unwrap();
            assert!(!is_forbidden(&url), "{host}");
        }
    }
}
