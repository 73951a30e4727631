//! The hosts that a registry may redirect to: a public registry must not lead to private addresses.
//!
//! A registry answers with URLs of token services and of blob storage. If it could name any host, it could make a
//! verifier inside a network send requests to internal services, such as a cloud's metadata service.

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::Arc,
};
use url::{Host, Url};

/// The network from which an address can be reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Reach {
    /// The internet.
    Public,
    /// A private network.
    Private,
    /// This machine.
    Loopback,
    /// This link. A cloud's metadata service is here.
    LinkLocal,
}

impl Reach {
    /// Returns the reach of `address`.
    pub(crate) fn of(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(address) => Self::of_v4(address),
            IpAddr::V6(address) => match address.to_ipv4_mapped() {
                Some(mapped) => Self::of_v4(mapped),
                None if address.is_loopback() => Self::Loopback,
                None => match address.segments() {
                    [first, ..] if first & 0xffc0 == 0xfe80 => Self::LinkLocal,
                    // Unique local addresses. Translations of IPv4 addresses (NAT64, 6to4) may lead anywhere.
                    [first, ..] if first & 0xfe00 == 0xfc00 => Self::Private,
                    [0x64, 0xff9b, ..] | [0x2002 | 0, ..] => Self::Private,
                    [first, ..] if first & 0xff00 == 0xff00 => Self::LinkLocal,
                    _ => Self::Public,
                },
            },
        }
    }

    fn of_v4(address: Ipv4Addr) -> Self {
        match address.octets() {
            [127 | 0, ..] => Self::Loopback,
            [169, 254, ..] | [224..=255, ..] => Self::LinkLocal,
            // RFC 1918, and shared addresses of carriers (RFC 6598).
            [10, ..] | [172, 16..=31, ..] | [192, 168, ..] | [100, 64..=127, ..] => Self::Private,
            _ => Self::Public,
        }
    }

    /// Returns whether a registry with this reach may lead to `target`.
    pub(crate) fn may_lead_to(self, target: Self) -> bool {
        target == Self::Public || target == self
    }
}

/// Returns the IP address in `url`. `None` if its host is a name.
pub(crate) fn literal(url: &Url) -> Option<IpAddr> {
    match url.host()? {
        Host::Ipv4(address) => Some(address.into()),
        Host::Ipv6(address) => Some(address.into()),
        // This name is not resolved.
        Host::Domain("localhost") => Some(Ipv4Addr::LOCALHOST.into()),
        Host::Domain(_) => None,
    }
}

/// Returns whether `url` leads to this machine.
pub(crate) fn is_loopback(url: &Url) -> bool {
    literal(url).is_some_and(|address| Reach::of(address) == Reach::Loopback)
}

/// Returns the widest reach of the host of `url`. `None` if it has no address.
pub(crate) async fn reach(url: &Url) -> Option<Reach> {
    if let Some(address) = literal(url) {
        return Some(Reach::of(address));
    }
    let port = url.port_or_known_default()?;
    let found = tokio::net::lookup_host((url.host_str()?, port)).await.ok()?;
    let reaches: Vec<Reach> = found.map(|address| Reach::of(address.ip())).collect();
    // With one public address it is a public registry, which must not lead to private addresses.
    reaches.iter().copied().find(|reach| *reach == Reach::Public).or_else(|| reaches.first().copied())
}

/// Resolves names, and leaves out addresses that a registry with this reach must not lead to. The check is in the
/// resolver, so that the checked address is the one that is connected to: a second look-up could return another one.
pub(crate) struct Guarded(pub(crate) Reach);

impl Resolve for Guarded {
    fn resolve(&self, name: Name) -> Resolving {
        let from = self.0;
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let allowed: Vec<SocketAddr> = found.filter(|address| from.may_lead_to(Reach::of(address.ip()))).collect();
            if allowed.is_empty() {
                return Err(format!("{} has no address that a registry may lead to", name.as_str()).into());
            }
            let allowed: Addrs = Box::new(allowed.into_iter());
            Ok(allowed)
        })
    }
}

impl Guarded {
    /// Makes a resolver for `reqwest`.
    pub(crate) fn new(from: Reach) -> Arc<Self> {
        Arc::new(Self(from))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_have_a_reach() {
        for (address, reach) in [
            ("8.8.8.8", Reach::Public),
            ("10.1.2.3", Reach::Private),
            ("172.31.0.1", Reach::Private),
            ("172.32.0.1", Reach::Public),
            ("100.100.100.200", Reach::Private),
            ("127.8.0.1", Reach::Loopback),
            ("0.0.0.0", Reach::Loopback),
            ("169.254.169.254", Reach::LinkLocal),
            ("224.0.0.1", Reach::LinkLocal),
            ("::1", Reach::Loopback),
            ("::", Reach::Private),
            ("::ffff:169.254.169.254", Reach::LinkLocal),
            ("64:ff9b::a9fe:a9fe", Reach::Private),
            ("fe80::1", Reach::LinkLocal),
            ("fd00:ec2::254", Reach::Private),
            ("2606:4700::1", Reach::Public),
        ] {
            assert_eq!(Reach::of(address.parse().unwrap()), reach, "{address}");
        }
    }

    #[test]
    fn a_registry_leads_outwards_or_to_its_equals() {
        use Reach::{LinkLocal, Loopback, Private, Public};
        for from in [Public, Private, Loopback, LinkLocal] {
            assert!(from.may_lead_to(Public) && from.may_lead_to(from));
        }
        assert!(!Public.may_lead_to(Private) && !Private.may_lead_to(LinkLocal) && !Loopback.may_lead_to(LinkLocal));
        // Other forms of an address that a URL parser accepts.
        for url in ["http://2130706433/", "http://0x7f.1/", "http://localhost:5000/", "http://[::1]/"] {
            assert!(is_loopback(&url.parse().unwrap()), "{url}");
        }
        assert!(!is_loopback(&"http://localhost.example/".parse().unwrap()));
    }
}
