//! Text that must not be seen: wiped when dropped, redacted when printed.
//!
//! May depend on: nothing. Start reading at [`Secret`].

use secrecy::{ExposeSecret, SecretString};
use std::fmt;
use zeroize::Zeroizing;

/// A client secret or another text that must never reach a log, an error or a core file.
///
/// `Debug` prints `[redacted]`, there is no `Display`, and the memory is overwritten on drop.
/// Reading the text is explicit: [`Secret::expose`].
#[derive(Clone)]
pub struct Secret(SecretString);

impl Secret {
    /// Keeps a copy of `text` in an allocation of exactly its size, and wipes the one that was given.
    #[must_use]
    pub fn new(text: String) -> Self {
        let given = Zeroizing::new(text);
        let mut exact = String::with_capacity(given.len());
        exact.push_str(&given);
        Self(SecretString::from(exact))
    }

    /// The text itself. Do not store, format or log what this returns.
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
    fn from(text: String) -> Self {
        Self::new(text)
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Self::new(text.to_owned())
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
