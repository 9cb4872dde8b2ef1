//! Random ids, secrets and signatures.
//!
//! fastrand is not cryptographically secure. That is sufficient because only an emulator on
//! loopback accepts these values.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// Returns `digits` random lower-case hexadecimal digits.
pub(super) fn hex(digits: usize) -> String {
    (0..digits).map(|_| fastrand::digit(16)).collect()
}

/// Returns `length` random characters of `[0-9A-Za-z_-]`.
pub(super) fn url_safe(length: usize) -> String {
    let mut encoded = URL_SAFE_NO_PAD.encode(bytes(length));
    encoded.truncate(length);
    encoded
}

pub(super) fn bytes(length: usize) -> Vec<u8> {
    (0..length).map(|_| fastrand::u8(..)).collect()
}
