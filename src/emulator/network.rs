//! The addresses of an access list.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// An address and its prefix length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Network {
    pub(super) address: IpAddr,
    pub(super) prefix: u8,
}

impl Network {
    /// Parses `192.0.2.1` or `192.0.2.0/24`. On an error, returns what is wrong with it.
    pub(super) fn parse(value: &str) -> Result<Self, String> {
        let (written, prefix) = value.split_once('/').map_or((value, None), |(address, prefix)| (address, Some(prefix)));
        let Ok(address) = written.parse::<IpAddr>() else {
            return Err("it is not an address such as 192.0.2.1 or 192.0.2.0/24".to_owned());
        };
        if matches!(address, IpAddr::V6(address) if address.to_ipv4_mapped().is_some()) {
            return Err("it is an IPv4 address in the form of an IPv6 address: write the IPv4 address".to_owned());
        }
        let bits = bits(address);
        let Some(prefix) = prefix else { return Ok(Self { address, prefix: bits }) };
        let is_plain = prefix.bytes().all(|byte| byte.is_ascii_digit()) && (prefix == "0" || !prefix.starts_with('0'));
        let network = prefix.parse().ok().filter(|prefix| is_plain && *prefix <= bits).map(|prefix| Self { address, prefix });
        let network = network.ok_or_else(|| format!("the prefix length must be a number from 0 to {bits}"))?;
        let first = network.first();
        if first.address != address {
            return Err(format!("the address has bits after the prefix: the network is {}", first.cidr()));
        }
        Ok(network)
    }

    /// The same network with its first address.
    fn first(self) -> Self {
        let clear = |bits: u128, width: u8| {
            let free = u32::from(width - self.prefix);
            bits.checked_shr(free).unwrap_or(0).checked_shl(free).unwrap_or(0)
        };
        let address = match self.address {
            IpAddr::V4(address) => IpAddr::V4(Ipv4Addr::from_bits(u32::try_from(clear(u128::from(address.to_bits()), 32)).unwrap_or(0))),
            IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(clear(address.to_bits(), 128))),
        };
        Self { address, ..self }
    }

    pub(super) fn is_one_address(self) -> bool {
        self.prefix == bits(self.address)
    }

    pub(super) fn cidr(self) -> String {
        format!("{}/{}", self.address, self.prefix)
    }

    pub(super) fn contains(self, address: IpAddr) -> bool {
        let same_prefix =
            |network: u128, other: u128, width: u8| (network ^ other).checked_shr(u32::from(width - self.prefix)).unwrap_or(0) == 0;
        match (self.address, address) {
            (IpAddr::V4(network), IpAddr::V4(other)) => same_prefix(u128::from(network.to_bits()), u128::from(other.to_bits()), 32),
            (IpAddr::V6(network), IpAddr::V6(other)) => same_prefix(network.to_bits(), other.to_bits(), 128),
            _ => false,
        }
    }
}

fn bits(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

#[cfg(test)]
mod tests {
    use super::Network;

    #[test]
    fn a_network_contains_the_addresses_that_share_its_prefix() {
        let contains = |network: &str, address: &str| {
            Network::parse(network).ok().zip(address.parse().ok()).is_some_and(|(network, address)| network.contains(address))
        };

        assert!(contains("192.0.2.0/24", "192.0.2.255"));
        assert!(!contains("192.0.2.0/24", "192.0.3.0"));
        assert!(contains("0.0.0.0/0", "203.0.113.9"));
        assert!(contains("::/0", "2001:db8::1"));
        assert!(!contains("::/0", "192.0.2.1"));
        assert!(contains("192.0.2.1", "192.0.2.1"));
        assert!(!contains("192.0.2.1", "192.0.2.2"));
    }

    #[test]
    fn only_the_usual_form_of_an_address_is_accepted_and_the_reason_is_given() {
        for valid in ["192.0.2.0/24", "0.0.0.0/0", "::/0", "2001:db8::1", "2001:DB8:0::1/128", "192.0.2.1/32", "128.0.0.0/1"] {
            assert!(Network::parse(valid).is_ok(), "{valid}");
        }
        for (wrong, reason) in [
            ("192.0.2", "not an address"),
            ("010.0.0.1", "not an address"),
            ("192.0.2.1 ", "not an address"),
            ("[2001:db8::1]", "not an address"),
            ("", "not an address"),
            ("192.0.2.0/33", "from 0 to 32"),
            ("192.0.2.0/", "from 0 to 32"),
            ("192.0.2.0/+24", "from 0 to 32"),
            ("192.0.2.0/024", "from 0 to 32"),
            ("::/129", "from 0 to 128"),
            ("192.0.2.1/24", "the network is 192.0.2.0/24"),
            ("2001:db8::1/32", "the network is 2001:db8::/32"),
            ("::1/0", "the network is ::/0"),
            ("::ffff:192.0.2.1", "write the IPv4 address"),
        ] {
            let problem = Network::parse(wrong).err().unwrap_or_default();
            assert!(problem.contains(reason), "{wrong}: {problem}");
        }
    }
}
