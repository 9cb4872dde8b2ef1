//! The settings of the certificate authorities to trust.

use super::environment::Environment;
use super::setting::Key;
use super::sources::Source;
use crate::error::Error;
use std::path::{Path, PathBuf};

/// The value of `ca_file` for the authorities of the operating system.
pub(super) const SYSTEM: &str = "system";

/// The source of the trusted certificate authorities. It is determined once. Its files are read
/// again for each token request, so that an added or removed authority takes effect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Authorities {
    /// Only the file of the setting `ca_file`.
    File(PathBuf),
    /// Only the certificates of the setting `ca_pem`.
    Pem(String),
    /// The file and directories in `SSL_CERT_FILE` and `SSL_CERT_DIR`.
    Environment { file: Option<PathBuf>, directories: Vec<PathBuf> },
    /// The operating system's store.
    System,
}

impl Authorities {
    /// Finds the first of the `sources` that names the authorities, or else the variables that all
    /// programs share.
    pub(super) fn find(sources: &[Source], environment: &Environment) -> Result<Self, Error> {
        let named = |source: &&Source| source.get(Key::CaFile).is_some() || source.get(Key::CaPem).is_some();
        let Some(source) = sources.iter().find(named) else { return Ok(Self::from_variables(environment)) };
        match (source.get(Key::CaFile), source.get(Key::CaPem)) {
            (Some(file), Some(pem)) => Err(Error::NotConfigured {
                problem: format!("{} and {} are both set, but each of them names the trusted authorities", file.location, pem.location),
                hint: format!("Remove {} or {}.", file.location, pem.location),
            }),
            (None, Some(pem)) => Ok(Self::Pem(pem.value()?.to_owned())),
            (Some(file), None) if file.value()? == SYSTEM => Ok(Self::System),
            (Some(file), None) => Ok(Self::File(settled(file.value()?))),
            (None, None) => Ok(Self::System),
        }
    }

    fn from_variables(environment: &Environment) -> Self {
        let file = environment.set("SSL_CERT_FILE").map(settled);
        let directories: Vec<PathBuf> = environment
            .set("SSL_CERT_DIR")
            .map(|paths| std::env::split_paths(&paths).filter(|path| !path.as_os_str().is_empty()).map(settled).collect())
            .unwrap_or_default();
        if file.is_none() && directories.is_empty() { Self::System } else { Self::Environment { file, directories } }
    }

    pub(super) fn file(&self) -> Option<&Path> {
        match self {
            Self::File(file) => Some(file),
            _ => None,
        }
    }
}

/// Returns the path as it is now: a program that changes its working directory later must not change
/// which file is read.
pub(super) fn settled(path: impl AsRef<Path>) -> PathBuf {
    let path = path.as_ref();
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}
