//! An address or a network of an access list, in one form.

use crate::error::{Error, printable};
use serde_json::{Value, json};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// An address (`192.0.2.1`) or a network (`192.0.2.0/24`) of IPv4 or IPv6. `192.0.2.1` and
/// `192.0.2.1/32` are equal, and so are two spellings of one IPv6 address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Network {
    address: IpAddr,
    prefix: u8,
}

impl Network {
    /// Parses an address or CIDR notation.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] that names the part that is wrong. If the address is not the first one
    /// of its network, the hint has the network that was probably meant.
    pub fn parse(text: &str) -> Result<Self, Error> {
        const HINT: &str = "Write an address such as 192.0.2.1, or a network such as 192.0.2.0/24 or 2001:db8::/32.";
        let shown = printable(text, 80);
        let invalid = |problem: String, hint: String| Error::invalid("address", format!("`{shown}` {problem}"), hint);
        if let Some(character) = text.chars().find(|character| !character.is_ascii_hexdigit() && !".:/".contains(*character)) {
            let character =
                if character == ' ' { "a space".to_owned() } else { format!("the character `{}`", printable(&character.to_string(), 4)) };
            return Err(invalid(format!("contains {character}"), HINT.to_owned()));
        }
        let (address, prefix) = text.split_once('/').map_or((text, None), |(address, prefix)| (address, Some(prefix)));
        let address = parse_address(address).map_err(|problem| invalid(problem, HINT.to_owned()))?;
        let bits = bits(address);
        let Some(prefix) = prefix else { return Ok(Self { address, prefix: bits }) };
        let is_number = !prefix.is_empty() && prefix.len() <= 3 && prefix.bytes().all(|byte| byte.is_ascii_digit());
        let number = prefix.parse::<u8>().ok().filter(|number| is_number && *number <= bits && (prefix == "0" || !prefix.starts_with('0')));
        let prefix = number
            .ok_or_else(|| invalid(format!("has the prefix `/{prefix}`, which is not a number from 0 to {bits}"), HINT.to_owned()))?;
        let network = Self { address: first_address(address, prefix), prefix };
        if network.address != address {
            let problem = format!("is an address within a network: bits after the first {prefix} are set");
            return Err(invalid(problem, format!("For the whole network write {network}, for the address alone {address}.")));
        }
        Ok(network)
    }

    /// The network of one address.
    #[must_use]
    pub fn of(address: IpAddr) -> Self {
        Self { address, prefix: bits(address) }
    }

    /// Whether this is one address.
    #[must_use]
    pub fn is_one_address(self) -> bool {
        self.prefix == bits(self.address)
    }

    /// Whether this is every address of IPv4 or IPv6.
    #[must_use]
    pub fn is_everything(self) -> bool {
        self.prefix == 0
    }

    /// Whether `address` is in this network.
    #[must_use]
    pub fn contains(self, address: IpAddr) -> bool {
        self.address.is_ipv4() == address.is_ipv4() && first_address(address, self.prefix) == self.address
    }

    /// CIDR notation, for one address too: `192.0.2.1/32`.
    #[must_use]
    pub fn cidr(self) -> String {
        format!("{}/{}", self.address, self.prefix)
    }

    /// The entry as the API receives it.
    pub(super) fn entry(self) -> Value {
        if self.is_one_address() { json!({ "ipAddress": self.address.to_string() }) } else { json!({ "cidrBlock": self.cidr() }) }
    }

    /// The segment of a path: `/` is `%2F`.
    pub(super) fn path_segment(self) -> String {
        self.to_string().replace('/', "%2F")
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.address)?;
        if self.is_one_address() { Ok(()) } else { write!(f, "/{}", self.prefix) }
    }
}

fn bits(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

fn first_address(address: IpAddr, prefix: u8) -> IpAddr {
    match address {
        IpAddr::V4(address) => {
            Ipv4Addr::from_bits(address.to_bits() & u32::MAX.checked_shl(u32::from(32 - prefix.min(32))).unwrap_or(0)).into()
        }
        IpAddr::V6(address) => {
            Ipv6Addr::from_bits(address.to_bits() & u128::MAX.checked_shl(u32::from(128 - prefix.min(128))).unwrap_or(0)).into()
        }
    }
}

fn parse_address(text: &str) -> Result<IpAddr, String> {
    let has_leading_zero = |part: &str| part.len() > 1 && part.starts_with('0');
    if !text.contains(':') && text.split('.').any(has_leading_zero) {
        return Err("has a number with a leading zero, which some programs read as octal".to_owned());
    }
    match text.parse() {
        Ok(IpAddr::V6(address)) if address.to_ipv4_mapped().is_some() => {
            Err("is an IPv4 address in the form of IPv6; write the IPv4 address alone".to_owned())
        }
        Ok(address) => Ok(address),
        Err(_) if !text.contains(':') && text.split('.').count() != 4 => Err("has not four numbers".to_owned()),
        Err(_) => Err("is not an address".to_owned()),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Network {
        Network::parse(text).unwrap()
    }

    #[test]
    fn l7_one_address_has_one_form() {
        assert_eq!(parsed("192.0.2.1"), parsed("192.0.2.1/32"));
        assert_eq!(parsed("2001:DB8::1"), parsed("2001:db8:0:0::1/128"));
        assert_eq!(parsed("192.0.2.1/32").to_string(), "192.0.2.1");
        assert_eq!(parsed("2001:DB8:0::/32").to_string(), "2001:db8::/32");
        assert_eq!(parsed("2001:db8::/32").path_segment(), "2001:db8::%2F32");
    }

    #[test]
    fn l7_what_is_wrong_is_named() {
        for (text, part) in [
            ("010.0.0.1", "leading zero"),
            ("1.2.3", "not four numbers"),
            ("::ffff:192.0.2.1", "in the form of IPv6"),
            ("192.0.2.0/33", "prefix `/33`"),
            ("192.0.2.0/", "prefix `/`"),
            ("192.0.2.0/024", "prefix `/024`"),
            ("192.0.2.1 ", "a space"),
            ("192.0.2.x", "the character `x`"),
            ("", "not four numbers"),
            ("2001:db8::g", "the character `g`"),
            ("1.2.3.256", "is not an address"),
        ] {
            let error = Network::parse(text).unwrap_err();
            assert!(error.to_string().contains(part), "{}: {error}", text);
        }
        let error = Network::parse("192.0.2.77/24").unwrap_err();
        assert_eq!(error.hint(), "For the whole network write 192.0.2.0/24, for the address alone 192.0.2.77.");
    }

    #[test]
    fn a_network_contains_its_addresses() {
        let contains = |network: &str, address: &str| parsed(network).contains(address.parse().unwrap());

        assert!(contains("192.0.2.0/24", "192.0.2.255") && !contains("192.0.2.0/24", "192.0.3.0"));
        assert!(contains("0.0.0.0/0", "203.0.113.9") && contains("::/0", "2001:db8::1") && !contains("::/0", "192.0.2.1"));
        assert!(parsed("::/0").is_everything() && !parsed("::/1").is_everything());
    }
}
