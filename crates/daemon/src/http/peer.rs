//! The address at the other end of a connection, as limits and records count it.
//!
//! A provider gives an IPv6 client a /64, so a /64 counts as one address. Behind a proxy every client has the proxy's
//! address: headers in which a proxy names its clients are not read, because any client can write them.

use std::net::{IpAddr, Ipv6Addr};

/// An address, stored in the extensions of each request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Peer(IpAddr);

impl Peer {
    /// The peer with this address.
    #[must_use]
    pub fn of(address: IpAddr) -> Self {
        Self(match address.to_canonical() {
            IpAddr::V6(address) => {
                let [a, b, c, d, ..] = address.segments();
                IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
            }
            address @ IpAddr::V4(_) => address,
        })
    }
}
