//! The files that the emulator writes. One that holds something else is not changed.

use super::wrong;
use crate::failure::Failure;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::fs::File;
use std::io::{self, Read as _};
use std::net::IpAddr;
use std::path::Path;
use tokenwell::error::{os_reason, printable_path};

/// More of a file is not read: a certificate and a line of the log are shorter.
const MAX: u64 = 64 * 1024;

/// Checks that the file of `--ca-file` is new, empty or the certificate of an emulator, so that no key
/// and no bundle of certificates is overwritten.
pub(super) fn check_certificate(path: &Path) -> Result<(), Failure> {
    check(path, "--ca-file", "the certificate of an emulator", is_certificate)
}

/// Checks that the file of `--log` is new, empty or the log of an emulator.
pub(super) fn check_log(path: &Path) -> Result<(), Failure> {
    check(path, "--log", "the log of an emulator", is_log)
}

fn check(path: &Path, flag: &str, kind: &str, is_own: impl Fn(&str) -> bool) -> Result<(), Failure> {
    let shown = printable_path(path);
    let start = start(path).map_err(|error| wrong(flag, format!("cannot read {shown}: {}", os_reason(&error)), "Name another file."))?;
    if start.is_empty() || is_own(&String::from_utf8_lossy(&start)) {
        return Ok(());
    }
    let problem = format!("{shown} exists and is not {kind}: it was not changed");
    Err(wrong(flag, problem, "Name another file, or remove this one.").into())
}

/// The start of a regular file; nothing for a file that does not exist, and for a device or a pipe,
/// which writing does not overwrite.
fn start(path: &Path) -> io::Result<Vec<u8>> {
    let mut start = Vec::new();
    match path.metadata() {
        Ok(metadata) if metadata.is_file() && metadata.len() > 0 => {
            File::open(path)?.take(MAX).read_to_end(&mut start)?;
        }
        // Writing reports every other problem of the path.
        _ => {}
    }
    Ok(start)
}

/// Whether it is one certificate, with the name of an authority of the emulator.
fn is_certificate(content: &str) -> bool {
    const NAME: &[u8] = b"tokenwell emulator authority";
    let encoded =
        content.trim().strip_prefix("-----BEGIN CERTIFICATE-----").and_then(|rest| rest.strip_suffix("-----END CERTIFICATE-----"));
    let der = encoded.and_then(|encoded| STANDARD.decode(encoded.split_whitespace().collect::<String>()).ok());
    der.is_some_and(|der| der.windows(NAME.len()).any(|part| part == NAME))
}

/// Whether the first line is one of a request: address, method, path and status.
fn is_log(content: &str) -> bool {
    let mut words = content.lines().next().unwrap_or_default().split(' ');
    let address = words.next().is_some_and(|address| address.parse::<IpAddr>().is_ok());
    let method = words.next().is_some_and(|method| !method.is_empty() && method.bytes().all(|byte| byte.is_ascii_uppercase()));
    address && method && words.next().is_some_and(|path| path.starts_with('/'))
}
