//! The addresses of an access list.

use std::net::IpAddr;

/// An address and its prefix length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Network {
    pub(super) address: IpAddr,
    pub(super) prefix: u8,
}

impl Network {
    /// Parses `192.0.2.1` or `192.0.2.0/24`.
    pub(super) fn parse(value: &str) -> Option<Self> {
        let Some((address, prefix)) = value.split_once('/') else {
            let address: IpAddr = value.parse().ok()?;
            return Some(Self { address, prefix: bits(address) });
        };
        let address: IpAddr = address.parse().ok()?;
        let prefix: u8 = prefix.parse().ok()?;
        (prefix <= bits(address)).then_some(Self { address, prefix })
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
            Network::parse(network).zip(address.parse().ok()).is_some_and(|(network, address)| network.contains(address))
        };

        assert!(contains("192.0.2.0/24", "192.0.2.255"));
        assert!(!contains("192.0.2.0/24", "192.0.3.0"));
        assert!(contains("0.0.0.0/0", "203.0.113.9"));
        assert!(contains("::/0", "2001:db8::1"));
        assert!(!contains("::/0", "192.0.2.1"));
        assert!(contains("192.0.2.1", "192.0.2.1"));
        assert!(!contains("192.0.2.1", "192.0.2.2"));
        assert!(Network::parse("192.0.2.0/33").is_none());
        assert!(Network::parse("192.0.2").is_none());
    }
}
