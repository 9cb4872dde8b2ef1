//! Finds the directories where a user's programs store their settings and caches.

use std::ffi::OsString;
use std::path::PathBuf;

/// Looks up an environment variable: returns its value, or `None` if it is not set.
pub(crate) type Variables<'a> = &'a dyn Fn(&str) -> Option<OsString>;

/// Returns the directory for settings. Each program uses a subdirectory of it.
///
/// # Errors
///
/// Returns a message that names the variable that is missing or is not an absolute path.
#[cfg(unix)]
pub(crate) fn config_dir(variables: Variables<'_>) -> Result<PathBuf, &'static str> {
    // A relative path would depend on the current directory. The XDG Base Directory Specification
    // says to ignore it.
    let absolute = |name| variables(name).map(PathBuf::from).filter(|path| path.is_absolute());
    if let Some(directory) = absolute("XDG_CONFIG_HOME") {
        return Ok(directory);
    }
    let below_home = if cfg!(target_os = "macos") { "Library/Application Support" } else { ".config" };
    absolute("HOME").map(|home| home.join(below_home)).ok_or("neither XDG_CONFIG_HOME nor HOME names an absolute path")
}

/// Returns the directory for settings. Each program uses a subdirectory of it.
///
/// # Errors
///
/// Returns a message that names the variable that is missing or is not an absolute path.
#[cfg(not(unix))]
pub(crate) fn config_dir(variables: Variables<'_>) -> Result<PathBuf, &'static str> {
    variables("APPDATA").map(PathBuf::from).filter(|path| path.is_absolute()).ok_or("APPDATA does not name an absolute path")
}

/// Returns the directory for settings of programs that are written in Go.
///
/// Same as [`config_dir`], except that Go ignores `XDG_CONFIG_HOME` on macOS.
pub(crate) fn go_config_dir(variables: Variables<'_>) -> Result<PathBuf, &'static str> {
    config_dir(&|name| if cfg!(target_os = "macos") && name == "XDG_CONFIG_HOME" { None } else { variables(name) })
}

/// Returns the directory for data that programs can recreate. Each program uses a subdirectory of
/// it.
///
/// # Errors
///
/// Returns a message that names the variable that is missing or is not an absolute path.
pub(crate) fn cache_dir(variables: Variables<'_>) -> Result<PathBuf, &'static str> {
    // A relative path is ignored, as the XDG Base Directory Specification requires.
    let absolute = |name| variables(name).map(PathBuf::from).filter(|path| path.is_absolute());
    if cfg!(windows) {
        return absolute("LOCALAPPDATA").ok_or("LOCALAPPDATA does not name an absolute path");
    }
    if cfg!(target_os = "macos") {
        return absolute("HOME").map(|home| home.join("Library/Caches")).ok_or("HOME does not name an absolute path");
    }
    absolute("XDG_CACHE_HOME")
        .or_else(|| absolute("HOME").map(|home| home.join(".cache")))
        .ok_or("neither XDG_CACHE_HOME nor HOME names an absolute path")
}

#[cfg(all(test, unix))]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::*;

    #[test]
    fn the_config_dir_comes_from_xdg_or_home_and_is_never_relative() {
        let found = |xdg: Option<&str>, home: Option<&str>| {
            config_dir(&|name| match name {
                "XDG_CONFIG_HOME" => xdg.map(OsString::from),
                "HOME" => home.map(OsString::from),
                _ => None,
            })
        };
        let below_home = if cfg!(target_os = "macos") { "/home/x/Library/Application Support" } else { "/home/x/.config" };

        assert_eq!(found(Some("/xdg"), Some("/home/x")), Ok(PathBuf::from("/xdg")));
        for ignored in [None, Some(""), Some("relative")] {
            assert_eq!(found(ignored, Some("/home/x")), Ok(PathBuf::from(below_home)));
            assert!(found(ignored, Some("relative")).unwrap_err().contains("HOME"));
            assert!(found(ignored, None).is_err());
        }
    }
}
