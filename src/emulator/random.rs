//! Made-up ids, secrets and signatures.
//!
//! fastrand is no source of real secrets; these open nothing but an emulator on loopback.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// `digits` lower-case hexadecimal digits.
pub(super) fn hex(digits: usize) -> String {
    (0..digits).map(|_| fastrand::digit(16)).collect()
}

/// `length` characters of `[0-9A-Za-z_-]`.
pub(super) fn url_safe(length: usize) -> String {
    let mut text = URL_SAFE_NO_PAD.encode(bytes(length));
    text.truncate(length);
    text
}

pub(super) fn bytes(length: usize) -> Vec<u8> {
    (0..length).map(|_| fastrand::u8(..)).collect()
}
