//! What a bug report says about the machine. No program is started.

use std::fs;
use tokenwell::config::settings;

const UNKNOWN: &str = "unknown";

/// The kernel and its version: "Linux 6.1.0-18-amd64".
pub(super) fn kernel() -> String {
    let found = if cfg!(target_os = "macos") {
        fs::read_to_string("/System/Library/CoreServices/SystemVersion.plist").ok().as_deref().and_then(macos_version)
    } else {
        let read = |name: &str| fs::read_to_string(format!("/proc/sys/kernel/{name}")).ok();
        read("ostype").zip(read("osrelease")).map(|(system, release)| format!("{} {}", system.trim(), release.trim()))
    };
    found.unwrap_or_else(|| UNKNOWN.to_owned())
}

/// The version in the property list of macOS.
fn macos_version(list: &str) -> Option<String> {
    let (_, rest) = list.split_once("<key>ProductVersion</key>")?;
    let version = rest.split_once("<string>")?.1.split_once("</string>")?.0;
    Some(format!("macOS {version}"))
}

/// The C library that this build uses.
pub(super) fn c_library() -> String {
    if cfg!(target_env = "musl") {
        return "musl".to_owned();
    }
    if !cfg!(target_env = "gnu") || !cfg!(target_os = "linux") {
        return "that of the system".to_owned();
    }
    let maps = fs::read_to_string("/proc/self/maps").unwrap_or_default();
    let path = loaded_file(&maps, "libc.so.6").or_else(|| loaded_file(&maps, "libc-"));
    path.and_then(|path| glibc_version(&fs::read(path).ok()?)).unwrap_or_else(|| "glibc, unknown version".to_owned())
}

/// The path of the file in `maps`, the memory map of a process, whose name begins with `name`.
fn loaded_file<'a>(maps: &'a str, name: &str) -> Option<&'a str> {
    let paths = maps.lines().filter_map(|line| line.find('/').map(|start| &line[start..]));
    paths.into_iter().find(|path| path.rsplit('/').next().is_some_and(|file| file.starts_with(name)))
}

/// The line with the version in the file of glibc: "GNU C Library (Debian GLIBC 2.36-9+deb12u4) stable
/// release version 2.36.".
fn glibc_version(file: &[u8]) -> Option<String> {
    const START: &[u8] = b"GNU C Library (";
    let start = file.windows(START.len()).position(|window| window == START)?;
    let line = file[start..].split(|byte| matches!(byte, b'\n' | 0)).next()?;
    Some(String::from_utf8_lossy(line).trim_end_matches('.').to_owned())
}

/// The variables of settings that are set, without their values.
pub(super) fn set_variables() -> String {
    let is_set = |name: &&str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    let names: Vec<_> = settings().flat_map(|setting| setting.variables()).filter(is_set).collect();
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_of_glibc_is_in_its_file() {
        let file = b"\0\x7fELF\0GNU C Library (Debian GLIBC 2.36-9) stable release version 2.36.\nCopyright\0";

        assert_eq!(glibc_version(file).as_deref(), Some("GNU C Library (Debian GLIBC 2.36-9) stable release version 2.36"));
        assert_eq!(glibc_version(b"another file"), None);
        let maps = "7f00-7f01 r--p 0 08:01 42    /usr/lib/x/libcrypt.so.1\n7f02-7f03 r--p 0 08:01 43    /usr/lib/x/libc.so.6\n7f04 rw-p 0 0 0 [stack]";
        assert_eq!(loaded_file(maps, "libc.so.6"), Some("/usr/lib/x/libc.so.6"));
        assert_eq!(loaded_file("", "libc.so.6"), None);
    }

    #[test]
    fn the_version_of_macos_is_in_a_property_list() {
        let list = "<dict><key>ProductName</key><string>macOS</string><key>ProductVersion</key>\n\t<string>14.5</string></dict>";

        assert_eq!(macos_version(list).as_deref(), Some("macOS 14.5"));
        assert_eq!(macos_version("<dict/>"), None);
    }
}
