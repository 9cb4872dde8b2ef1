//! A secret string: wiped when dropped, redacted when printed.
//!
//! May depend on: nothing. Start reading at [`Secret`].

use secrecy::{ExposeSecret, SecretString};
use std::fmt;
use zeroize::Zeroizing;

/// A client secret or another string that must never appear in a log, an error or a core file.
///
/// `Debug` prints `[redacted]`, `Display` is not implemented, and the memory is overwritten on
/// drop. [`Secret::expose`] returns the string.
#[derive(Clone)]
pub struct Secret(SecretString);

impl Secret {
    /// Copies `value` into an allocation of exactly its size and wipes the original.
    #[must_use]
    pub fn new(value: String) -> Self {
        let original = Zeroizing::new(value);
        let mut exact = String::with_capacity(original.len());
        exact.push_str(&original);
        Self(SecretString::from(exact))
    }

    /// Returns the string. Do not store, format or log it.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

impl From<String> for Secret {
    fn from(value: String) -> Self {
        Self::new(value)
    }
}

impl From<&str> for Secret {
    fn from(value: &str) -> Self {
        Self::new(value.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::Secret;

    #[test]
    fn a_secret_prints_as_redacted() {
        let printed = format!("{:?} {:#?}", Secret::from("canary"), Some(Secret::from("canary")));

        assert!(!printed.contains("canary"), "{printed}");
        assert!(printed.contains("[redacted]"), "{printed}");
    }
}
