//! Decides which addresses an issuer may have. Checks the same address that is then connected to, after the name was
//! resolved: a name that resolves differently a moment later (DNS rebinding) does not pass.

use crate::Access;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The parts of the network that may be reached.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reach {
    loopback: bool,
    private: bool,
}

impl Reach {
    pub(super) const fn of(access: &Access) -> Self {
        Self { loopback: access.loopback_http, private: access.private_addresses }
    }

    /// Returns whether a connection to `address` is allowed. Never allowed are link-local addresses, where clouds keep
    /// their machines' credentials, and addresses that no host can have.
    pub(super) fn permits(self, address: IpAddr) -> bool {
        match address {
            IpAddr::V4(address) => self.permits_v4(address),
            IpAddr::V6(address) => match embedded(address) {
                Some(address) => self.permits_v4(address),
                None => self.permits_v6(address),
            },
        }
    }

    fn permits_v4(self, address: Ipv4Addr) -> bool {
        let [a, b, c, _] = address.octets();
        if address.is_loopback() {
            return self.loopback;
        }
        // RFC 1918, and RFC 6598 for carriers.
        if address.is_private() || (a == 100 && b & 0xc0 == 64) {
            return self.private;
        }
        // «This network», IETF protocol assignments, benchmarking, and everything from class D up.
        let reserved = a == 0 || (a == 192 && b == 0 && c == 0) || (a == 198 && b & 0xfe == 18) || a >= 224;
        !(reserved || address.is_link_local() || address.is_documentation())
    }

    fn permits_v6(self, address: Ipv6Addr) -> bool {
        let [first, second, ..] = address.segments();
        if address.is_loopback() {
            return self.loopback;
        }
        // Unique local (RFC 4193) and the older site-local.
        if first & 0xfe00 == 0xfc00 || first & 0xffc0 == 0xfec0 {
            return self.private;
        }
        let documentation = first == 0x2001 && second == 0xdb8;
        // Outside these ranges only global unicast (2000::/3) is assigned.
        first & 0xe000 == 0x2000 && !documentation
    }
}

/// The IPv4 address inside an IPv6 address that reaches it: mapped, compatible, 6to4, or NAT64 (RFC 6052).
fn embedded(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let [a, b, c, d, e, f, high, low] = address.segments();
    let of = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        Some(Ipv4Addr::new(a, b, c, d))
    };
    match (a, b, c, d, e, f) {
        (0, 0, 0, 0, 0, 0xffff) | (0x64, 0xff9b, 0, 0, 0, 0) => of(high, low),
        (0, 0, 0, 0, 0, 0) if high != 0 => of(high, low),
        (0x2002, ..) => of(b, c),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_reached() {
        let ip = |text: &str| text.parse::<IpAddr>().unwrap();
        let [public, private, development] =
            [(false, false), (false, true), (true, false)].map(|(loopback, private)| Reach { loopback, private });
        for open in ["8.8.8.8", "140.82.112.3", "2606:4700::1", "::ffff:8.8.8.8", "100.128.0.1", "172.32.0.1"] {
            assert!(public.permits(ip(open)), "{open}");
        }
        for inside in [
            "10.0.0.1",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "100.64.0.1",
            "fd00::1",
            "fec0::1",
            "::ffff:10.0.0.1",
            "64:ff9b::a00:1",
            "2002:a00:1::",
        ] {
            assert!(!public.permits(ip(inside)) && private.permits(ip(inside)), "{inside}");
        }
        for own in ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"] {
            assert!(!public.permits(ip(own)) && !private.permits(ip(own)) && development.permits(ip(own)), "{own}");
        }
        for never in [
            "169.254.169.254",
            "fe80::1",
            "::ffff:169.254.169.254",
            "64:ff9b::a9fe:a9fe",
            "0.0.0.0",
            "::",
            "224.0.0.1",
            "ff02::1",
            "255.255.255.255",
            "192.0.2.1",
            "2001:db8::1",
            "198.18.0.1",
        ] {
            for reach in [public, private, development] {
                assert!(!reach.permits(ip(never)), "{never}");
            }
        }
    }
}
