//! Where the store's directory is when nobody says.

use super::super::StoreError;
use crate::error::printable_path;
use crate::platform;
use std::ffi::OsString;
use std::path::PathBuf;

/// The directory that the environment names: `TOKENWELL_CACHE_DIR`, else `tokenwell` in the user's cache directory.
///
/// That is `$XDG_CACHE_HOME` or `~/.cache`; on macOS `~/Library/Caches`, on Windows `%LOCALAPPDATA%`. `variable` looks up one variable of the
/// environment: `|name| std::env::var_os(name)`.
///
/// # Errors
/// `TOKENWELL_CACHE_DIR` is not an absolute path, or there is neither that nor a home directory.
pub fn default_directory(variable: impl Fn(&str) -> Option<OsString>) -> Result<PathBuf, StoreError> {
    let Some(named) = variable("TOKENWELL_CACHE_DIR").filter(|value| !value.is_empty()).map(PathBuf::from) else {
        let folder = platform::cache_folder(&variable).map_err(|missing| {
            StoreError::new(format!("there is no place for it: {missing}. Set TOKENWELL_CACHE_DIR to a directory of your own"))
        })?;
        return Ok(folder.join("tokenwell"));
    };
    if named.is_absolute() {
        return Ok(named);
    }
    // Programs that start in different directories would not share, and whoever chooses the directory would choose the cache.
    Err(StoreError::new(format!("TOKENWELL_CACHE_DIR is not an absolute path: {}", printable_path(&named))))
}

#[cfg(all(test, not(any(windows, target_os = "macos"))))]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn directory(variables: &[(&str, &str)]) -> Result<PathBuf, String> {
        let find = |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| OsString::from(value));
        default_directory(find).map_err(|error| error.to_string())
    }

    #[test]
    fn the_most_particular_variable_names_the_directory() {
        let (own, xdg, home) = (("TOKENWELL_CACHE_DIR", "/own"), ("XDG_CACHE_HOME", "/xdg"), ("HOME", "/home/me"));

        assert_eq!(directory(&[home, xdg, own]).unwrap(), PathBuf::from("/own"));
        assert_eq!(directory(&[home, xdg]).unwrap(), PathBuf::from("/xdg/tokenwell"));
        assert_eq!(directory(&[home]).unwrap(), PathBuf::from("/home/me/.cache/tokenwell"));
    }

    #[test]
    fn an_empty_variable_counts_as_not_set() {
        let found = directory(&[("TOKENWELL_CACHE_DIR", ""), ("XDG_CACHE_HOME", ""), ("HOME", "/home/me")]);

        assert_eq!(found.unwrap(), PathBuf::from("/home/me/.cache/tokenwell"));
    }

    #[test]
    fn a_relative_xdg_directory_is_passed_over() {
        assert_eq!(directory(&[("XDG_CACHE_HOME", "xdg"), ("HOME", "/home/me")]).unwrap(), PathBuf::from("/home/me/.cache/tokenwell"));
    }

    #[test]
    fn i28_a_relative_cache_directory_is_an_error_that_names_it() {
        let error = directory(&[("TOKENWELL_CACHE_DIR", "cache\u{1b}"), ("HOME", "/home/me")]).unwrap_err();

        assert_eq!(error, "TOKENWELL_CACHE_DIR is not an absolute path: cache\\u{1b}");
    }

    #[test]
    fn without_a_home_the_error_names_the_way_out() {
        for variables in [&[][..], &[("HOME", "home")], &[("HOME", "")]] {
            let error = directory(variables).unwrap_err();

            assert!(error.contains("HOME") && error.contains("Set TOKENWELL_CACHE_DIR"), "{error}");
        }
    }
}
