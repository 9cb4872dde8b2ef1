//! Checks that a profile can be stored, before its secret is requested or sent.

use super::ConfigFile;
use super::document;
use super::files::{ensure_private_directory, parent_directory, probe};
use crate::config::rules::profile_name;
use crate::error::Error;
use std::fs;
use std::path::PathBuf;

/// The directories that [`ConfigFile::prepare`] has created. They are removed with this value if
/// nothing was stored in them.
#[derive(Debug)]
#[must_use]
pub struct Prepared {
    /// The deepest directory first.
    created: Vec<PathBuf>,
}

impl Drop for Prepared {
    fn drop(&mut self) {
        for directory in &self.created {
            // This fails if a file is in it.
            let _ = fs::remove_dir(directory);
        }
    }
}

impl ConfigFile {
    /// Checks that the profile `name` can be stored: the file is valid, and this user can write to its
    /// directory. The directory is created if it does not exist.
    ///
    /// # Errors
    /// As [`store_profile`](super::store_profile).
    pub fn prepare(&self, name: &str) -> Result<Prepared, Error> {
        profile_name("profile", name)?;
        let directory = parent_directory(self.path());
        let missing = directory.ancestors().take_while(|path| !path.as_os_str().is_empty() && !path.exists());
        let prepared = Prepared { created: missing.map(PathBuf::from).collect() };
        ensure_private_directory(directory)?;
        let mut document = document::read(self.path())?;
        document::table(&mut document, self.path(), name)?;
        probe(directory)?;
        let secrets = directory.join("secrets");
        if secrets.exists() {
            ensure_private_directory(&secrets)?;
            probe(&secrets)?;
        }
        Ok(prepared)
    }
}
