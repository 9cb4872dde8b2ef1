//! Where a user's programs keep what is theirs.

use std::ffi::OsString;
use std::path::PathBuf;

/// A function from a variable's name to its value.
pub(crate) type Variables<'a> = &'a dyn Fn(&str) -> Option<OsString>;

/// The folder where a user's programs keep their settings, each in a folder of its own; `Err` says which variable is missing.
#[cfg(unix)]
pub(crate) fn settings_folder(variables: Variables<'_>) -> Result<PathBuf, &'static str> {
    // A relative path would be looked up wherever the program happens to be started: the XDG rules say to ignore it.
    let absolute = |name| variables(name).map(PathBuf::from).filter(|path| path.is_absolute());
    if let Some(folder) = absolute("XDG_CONFIG_HOME") {
        return Ok(folder);
    }
    let below_home = if cfg!(target_os = "macos") { "Library/Application Support" } else { ".config" };
    absolute("HOME").map(|home| home.join(below_home)).ok_or("neither XDG_CONFIG_HOME nor HOME names an absolute path")
}

/// The folder where a user's programs keep their settings, each in a folder of its own; `Err` says which variable is missing.
#[cfg(not(unix))]
pub(crate) fn settings_folder(variables: Variables<'_>) -> Result<PathBuf, &'static str> {
    variables("APPDATA").map(PathBuf::from).filter(|path| path.is_absolute()).ok_or("APPDATA names no absolute path")
}

/// As [`settings_folder`], for programs written in Go: on macOS they do not look at `XDG_CONFIG_HOME`.
pub(crate) fn settings_folder_of_go(variables: Variables<'_>) -> Result<PathBuf, &'static str> {
    settings_folder(&|name| if cfg!(target_os = "macos") && name == "XDG_CONFIG_HOME" { None } else { variables(name) })
}

/// The folder where a user's programs keep what they can make anew, each in a folder of its own; `Err` says which variable is missing.
pub(crate) fn cache_folder(variables: Variables<'_>) -> Result<PathBuf, &'static str> {
    // A relative path counts as not set, as the XDG Base Directory Specification has it.
    let absolute = |name| variables(name).map(PathBuf::from).filter(|path| path.is_absolute());
    if cfg!(windows) {
        return absolute("LOCALAPPDATA").ok_or("LOCALAPPDATA is not set to an absolute path");
    }
    if cfg!(target_os = "macos") {
        return absolute("HOME").map(|home| home.join("Library/Caches")).ok_or("HOME is not set to an absolute path");
    }
    absolute("XDG_CACHE_HOME")
        .or_else(|| absolute("HOME").map(|home| home.join(".cache")))
        .ok_or("HOME and XDG_CACHE_HOME are not set to an absolute path")
}

#[cfg(all(test, unix))]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::*;

    #[test]
    fn the_settings_folder_is_that_of_xdg_else_below_home_and_never_relative() {
        let folder = |xdg: Option<&str>, home: Option<&str>| {
            settings_folder(&|name| match name {
                "XDG_CONFIG_HOME" => xdg.map(OsString::from),
                "HOME" => home.map(OsString::from),
                _ => None,
            })
        };
        let below_home = if cfg!(target_os = "macos") { "/home/x/Library/Application Support" } else { "/home/x/.config" };

        assert_eq!(folder(Some("/xdg"), Some("/home/x")), Ok(PathBuf::from("/xdg")));
        for ignored in [None, Some(""), Some("relative")] {
            assert_eq!(folder(ignored, Some("/home/x")), Ok(PathBuf::from(below_home)));
            assert!(folder(ignored, Some("here")).unwrap_err().contains("HOME"));
            assert!(folder(ignored, None).is_err());
        }
    }
}
