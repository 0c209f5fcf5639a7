//! Which addresses are public.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// What an address is that is not one of a host on the public internet; `None` for one that is.
///
/// From IANA's registries of special-purpose addresses (RFC 6890 and those that update it).
pub(crate) fn not_public(address: IpAddr) -> Option<&'static str> {
    match address {
        IpAddr::V4(address) => v4(address),
        IpAddr::V6(address) => v6(address),
    }
}

fn v4(address: Ipv4Addr) -> Option<&'static str> {
    Some(match address.octets() {
        [0, ..] => "unspecified",
        [127, ..] => "of this machine",
        [10, ..] | [172, 16..=31, ..] | [192, 168, ..] => "of a private network",
        [100, 64..=127, ..] => "of a provider's own network",
        [169, 254, ..] => "of the local link",
        [192, 0, 0, _] | [192, 88, 99, _] => "of a protocol",
        [192, 0, 2, _] | [198, 51, 100, _] | [203, 0, 113, _] => "of documentation",
        [198, 18..=19, ..] => "of measurements",
        [224..=239, ..] => "of many hosts",
        [240..=255, ..] => "reserved",
        _ => return None,
    })
}

fn v6(address: Ipv6Addr) -> Option<&'static str> {
    Some(match address.segments() {
        [0, 0, 0, 0, 0, 0, 0, 0] => "unspecified",
        [0, 0, 0, 0, 0, 0, 0, 1] => "of this machine",
        // What an IPv6 address looks like that is none; the system would connect to the IPv4 one.
        [0, 0, 0, 0, 0, 0 | 0xffff, ..] => "an IPv4 address in disguise",
        // Translated by the network, which may reach what is behind it.
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => {
            let [a, b] = high.to_be_bytes();
            let [c, d] = low.to_be_bytes();
            return v4(Ipv4Addr::new(a, b, c, d));
        }
        [0xfc00..=0xfdff, ..] => "of a private network",
        [0xfe80..=0xfebf, ..] => "of the local link",
        [0xfec0..=0xfeff, ..] => "of a site",
        [0xff00..=0xffff, ..] => "of many hosts",
        [0x2001, 0..=0x1ff, ..] | [0x2002, ..] => "of a protocol",
        [0x2001, 0xdb8, ..] | [0x3fff, 0..=0xfff, ..] => "of documentation",
        [0x2000..=0x3fff, ..] => return None,
        _ => "reserved",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_hosts_on_the_internet_are_public() {
        for (address, expected) in [
            ("0.0.0.0", "unspecified"),
            ("0.1.2.3", "unspecified"),
            ("127.0.0.1", "this machine"),
            ("127.255.255.255", "this machine"),
            ("10.0.0.1", "private"),
            ("172.16.0.1", "private"),
            ("172.31.255.255", "private"),
            ("192.168.1.1", "private"),
            ("100.64.0.1", "provider"),
            ("169.254.169.254", "local link"),
            ("192.0.0.8", "protocol"),
            ("192.0.2.1", "documentation"),
            ("198.18.0.1", "measurements"),
            ("224.0.0.1", "many hosts"),
            ("239.255.255.250", "many hosts"),
            ("240.0.0.1", "reserved"),
            ("255.255.255.255", "reserved"),
            ("::", "unspecified"),
            ("::1", "this machine"),
            ("::ffff:127.0.0.1", "disguise"),
            ("::ffff:8.8.8.8", "disguise"),
            ("::127.0.0.1", "disguise"),
            ("64:ff9b::7f00:1", "this machine"),
            ("64:ff9b::a00:1", "private"),
            ("64:ff9b:1::1", "reserved"),
            ("100::1", "reserved"),
            ("fc00::1", "private"),
            ("fd12:3456::1", "private"),
            ("fe80::1", "local link"),
            ("fec0::1", "site"),
            ("ff02::1", "many hosts"),
            ("2001::1", "protocol"),
            ("2002:7f00:1::", "protocol"),
            ("2001:db8::1", "documentation"),
            ("3fff::1", "documentation"),
            ("4000::1", "reserved"),
        ] {
            let found = not_public(address.parse().unwrap());
            assert!(
                found.is_some_and(|found| found.contains(expected)),
                "{address} {found:?}"
            );
        }
        for address in [
            "8.8.8.8",
            "1.1.1.1",
            "100.63.255.255",
            "100.128.0.1",
            "172.15.0.1",
            "172.32.0.1",
            "192.0.1.1",
            "198.20.0.1",
            "223.255.255.255",
            "2606:4700::1111",
            "2001:4860:4860::8888",
            "2a00:1450::1",
            "64:ff9b::808:808",
        ] {
            assert_eq!(not_public(address.parse().unwrap()), None, "{address}");
        }
    }
}
