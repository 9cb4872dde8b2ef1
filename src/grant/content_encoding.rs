//! Decodes a response that is compressed although the request does not accept that. Some gateways
//! compress everything; without this, the token in such a response would be lost.

use crate::error::printable;
use miniz_oxide::inflate::TINFLStatus;
use miniz_oxide::inflate::core::DecompressorOxide;
use miniz_oxide::inflate::core::decompress;
use miniz_oxide::inflate::core::inflate_flags::TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF;
use reqwest::header::{CONTENT_ENCODING, CONTENT_LENGTH, HeaderMap};
use zeroize::Zeroizing;

/// The flags of a gzip header (RFC 1952 section 2.3.1).
const HEADER_CRC: u8 = 2;
const EXTRA: u8 = 4;
const NAME: u8 = 8;
const COMMENT: u8 = 16;

/// The size of the check sum and length after the compressed data.
const TRAILER: usize = 8;

/// Decodes `body` as its `Content-Encoding` requires, up to `limit` bytes, and removes the headers
/// that describe the encoded body. Returns `None` for a body that is not encoded. The error is a
/// problem for a message about the response.
pub(super) fn decode(body: &[u8], headers: &mut HeaderMap, limit: usize) -> Result<Option<Zeroizing<Vec<u8>>>, String> {
    let names: Vec<_> = headers.get_all(CONTENT_ENCODING).iter().map(|value| String::from_utf8_lossy(value.as_bytes())).collect();
    let names = names.join(",").to_ascii_lowercase();
    let names: Vec<&str> = names.split(',').map(str::trim).filter(|name| !matches!(*name, "" | "identity")).collect();
    match names.as_slice() {
        [] => Ok(None),
        _ if body.is_empty() => Ok(None),
        ["gzip" | "x-gzip"] => {
            let decoded = gunzip(body, limit)?;
            headers.remove(CONTENT_ENCODING);
            headers.remove(CONTENT_LENGTH);
            Ok(Some(decoded))
        }
        names => Err(format!(
            "its body is compressed ({}), which tokenwell did not request and does not support",
            printable(&names.join(", "), 64)
        )),
    }
}

fn gunzip(bytes: &[u8], limit: usize) -> Result<Zeroizing<Vec<u8>>, String> {
    let damaged = || "its body is not valid gzip".to_owned();
    let deflated = after_header(bytes).ok_or_else(damaged)?;
    let inflated = inflate(deflated, limit)?.ok_or_else(damaged)?;
    let (decoded, used) = (inflated.bytes, inflated.used);
    let trailer = deflated.get(used..).filter(|rest| rest.len() == TRAILER).ok_or_else(damaged)?;
    let expected = [crc32(&decoded).to_le_bytes(), length(&decoded).to_le_bytes()].concat();
    if trailer == expected { Ok(decoded) } else { Err(damaged()) }
}

/// The bytes after the gzip header. `None` if there is no complete one.
fn after_header(bytes: &[u8]) -> Option<&[u8]> {
    let (header, mut rest) = bytes.split_at_checked(10)?;
    let flags = header[3];
    if header[..3] != [0x1f, 0x8b, 8] || flags & !(HEADER_CRC | EXTRA | NAME | COMMENT | 1) != 0 {
        return None;
    }
    if flags & EXTRA != 0 {
        let (length, after) = rest.split_first_chunk()?;
        rest = after.get(usize::from(u16::from_le_bytes(*length))..)?;
    }
    for flag in [NAME, COMMENT] {
        if flags & flag != 0 {
            rest = &rest[rest.iter().position(|byte| *byte == 0)? + 1..];
        }
    }
    if flags & HEADER_CRC != 0 { rest.get(2..) } else { Some(rest) }
}

struct Inflated {
    bytes: Zeroizing<Vec<u8>>,
    /// The number of compressed bytes.
    used: usize,
}

/// Inflates the start of `bytes`. `None` if it is damaged. Every buffer is wiped, because it contains
/// a token.
fn inflate(bytes: &[u8], limit: usize) -> Result<Option<Inflated>, String> {
    let mut state = Box::<DecompressorOxide>::default();
    let mut decoded = Zeroizing::new(vec![0; limit.min(bytes.len().saturating_mul(4).max(1024))]);
    let (mut used, mut filled) = (0, 0);
    loop {
        let (status, read, written) =
            decompress(&mut state, &bytes[used..], &mut decoded, filled, TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF);
        used += read;
        filled += written;
        match status {
            TINFLStatus::Done => {
                decoded.truncate(filled);
                return Ok(Some(Inflated { bytes: decoded, used }));
            }
            TINFLStatus::HasMoreOutput if decoded.len() < limit => {
                let mut larger = Zeroizing::new(vec![0; limit.min(decoded.len().saturating_mul(2))]);
                larger[..filled].copy_from_slice(&decoded[..filled]);
                decoded = larger;
            }
            TINFLStatus::HasMoreOutput => return Err(format!("its body is longer than {} MiB", limit.div_ceil(1024 * 1024))),
            _ => return Ok(None),
        }
    }
}

fn length(bytes: &[u8]) -> u32 {
    // The length is stored modulo 2^32.
    #[allow(clippy::cast_possible_truncation)]
    let length = bytes.len() as u32;
    length
}

/// The check sum of RFC 1952 section 8.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| if crc & 1 == 1 { (crc >> 1) ^ 0xEDB8_8320 } else { crc >> 1 })
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::*;
    use reqwest::header::HeaderValue;

    const LIMIT: usize = 1024 * 1024;

    /// `bytes` as a gzip file with one block.
    fn gzip(bytes: &[u8], flags: u8, fields: &[u8]) -> Vec<u8> {
        let mut file = vec![0x1f, 0x8b, 8, flags, 0, 0, 0, 0, 0, 255];
        file.extend_from_slice(fields);
        file.extend(miniz_oxide::deflate::compress_to_vec(bytes, 6));
        file.extend(crc32(bytes).to_le_bytes());
        file.extend(length(bytes).to_le_bytes());
        file
    }

    fn decoded(encoding: &str, body: &[u8]) -> Result<Vec<u8>, String> {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_ENCODING, HeaderValue::from_str(encoding).unwrap());
        decode(body, &mut headers, LIMIT).map(|decoded| decoded.map_or_else(|| body.to_vec(), |decoded| decoded.to_vec()))
    }

    #[test]
    fn the_check_sum_is_that_of_the_standard() {
        assert_eq!(crc32(b"123456789"), 0xCBF4_3926);
    }

    #[test]
    fn gzip_is_decoded_whatever_its_header_contains() {
        let text = br#"{"access_token":"t"}"#;
        for (flags, fields) in [(0, &b""[..]), (8, b"name\0"), (4, b"\x03\0abc"), (16 | 8 | 4 | 2 | 1, b"\x01\0xname\0comment\0cc")] {
            for encoding in ["gzip", "X-GZIP", "identity, gzip"] {
                assert_eq!(decoded(encoding, &gzip(text, flags, fields)).unwrap(), text, "{flags} {encoding}");
            }
        }
        assert_eq!(decoded("identity", text).unwrap(), text);
        let long: Vec<u8> = (0..LIMIT).map(|position| u8::try_from(position % 251).unwrap()).collect();
        assert_eq!(decoded("gzip", &gzip(&long, 0, b"")).unwrap(), long);
    }

    #[test]
    fn a_body_that_is_longer_than_the_limit_is_refused() {
        let bomb = gzip(&vec![b' '; 64 * LIMIT], 0, b"");

        assert!(bomb.len() < LIMIT);
        assert_eq!(decoded("gzip", &bomb).unwrap_err(), "its body is longer than 1 MiB");
    }

    #[test]
    fn damaged_gzip_is_refused() {
        let whole = gzip(b"a body that is long enough", 8, b"name\0");
        for length in 1..whole.len() {
            assert_eq!(decoded("gzip", &whole[..length]).unwrap_err(), "its body is not valid gzip", "{length}");
        }
        for position in whole.len() - TRAILER..whole.len() {
            let mut other = whole.clone();
            other[position] ^= 1;
            assert_eq!(decoded("gzip", &other).unwrap_err(), "its body is not valid gzip", "{position}");
        }
        assert!(decoded("gzip", &[whole.as_slice(), b"more"].concat()).is_err());
        assert!(decoded("gzip", b"{}").is_err());
    }

    #[test]
    fn another_encoding_is_named() {
        for encoding in ["br", "deflate", "zstd", "gzip, br"] {
            let problem = decoded(encoding, b"x").unwrap_err();

            assert_eq!(problem, format!("its body is compressed ({encoding}), which tokenwell did not request and does not support"));
        }
        assert!(decoded("br", b"").is_ok());
    }
}
