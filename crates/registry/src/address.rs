//! Which hosts a registry may send us to: never from the open network into a private one.
//!
//! A registry answers with the URLs of token services and of the storage that has its blobs. One that could name any host
//! would make a verifier inside a network ask that network's own services, and a cloud's metadata service first.

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::Arc,
};
use url::{Host, Url};

/// Where an address is reached from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Reach {
    /// Everywhere.
    Public,
    /// In one organisation.
    Private,
    /// On this machine.
    Loopback,
    /// On this link; a cloud's metadata service, too.
    LinkLocal,
}

impl Reach {
    /// Of `address`.
    pub(crate) fn of(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(address) => Self::of_v4(address),
            IpAddr::V6(address) => match address.to_ipv4_mapped() {
                Some(mapped) => Self::of_v4(mapped),
                None if address.is_loopback() => Self::Loopback,
                None => match address.segments() {
                    [first, ..] if first & 0xffc0 == 0xfe80 => Self::LinkLocal,
                    // Unique local, and translations of IPv4 addresses (NAT64, 6to4), which could be any.
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
            // RFC 1918, and what carriers share (RFC 6598).
            [10, ..] | [172, 16..=31, ..] | [192, 168, ..] | [100, 64..=127, ..] => Self::Private,
            _ => Self::Public,
        }
    }

    /// Whether a registry of this reach may send us to `target`.
    pub(crate) fn may_lead_to(self, target: Self) -> bool {
        target == Self::Public || target == self
    }
}

/// The address that `url` names itself; `None` for a name.
pub(crate) fn literal(url: &Url) -> Option<IpAddr> {
    match url.host()? {
        Host::Ipv4(address) => Some(address.into()),
        Host::Ipv6(address) => Some(address.into()),
        // A name no resolver is asked for.
        Host::Domain("localhost") => Some(Ipv4Addr::LOCALHOST.into()),
        Host::Domain(_) => None,
    }
}

/// Whether `url` leads to this machine.
pub(crate) fn is_loopback(url: &Url) -> bool {
    literal(url).is_some_and(|address| Reach::of(address) == Reach::Loopback)
}

/// The widest reach of `url`'s host; `None` where it has no address.
pub(crate) async fn reach(url: &Url) -> Option<Reach> {
    if let Some(address) = literal(url) {
        return Some(Reach::of(address));
    }
    let port = url.port_or_known_default()?;
    let found = tokio::net::lookup_host((url.host_str()?, port)).await.ok()?;
    let reaches: Vec<Reach> = found.map(|address| Reach::of(address.ip())).collect();
    // One public address makes it a public registry, which may then not lead into the network.
    reaches.iter().copied().find(|reach| *reach == Reach::Public).or_else(|| reaches.first().copied())
}

/// Resolves names, without the addresses a registry of some reach must not lead to. What is checked here is what is
/// connected to: a second look-up could have another answer.
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
    /// As `reqwest` takes it.
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
        // Forms of an address that a URL parser knows, too.
        for url in ["http://2130706433/", "http://0x7f.1/", "http://localhost:5000/", "http://[::1]/"] {
            assert!(is_loopback(&url.parse().unwrap()), "{url}");
        }
        assert!(!is_loopback(&"http://localhost.example/".parse().unwrap()));
    }
}
