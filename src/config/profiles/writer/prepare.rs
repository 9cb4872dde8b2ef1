//! Checks that a profile can be stored, before its secret is requested or sent.

use super::document;
use super::files::{ensure_private_directory, parent_directory, probe};
use super::{ConfigFile, service};
use crate::config::keyring::{delete_with_timeout, read_with_timeout, write_with_timeout};
use crate::config::rules::profile_name;
use crate::error::Error;
use crate::secret::Secret;
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

    /// Checks that the keyring stores an entry for the profile `name`, with one that is deleted again. A
    /// keyring that is locked may ask its user.
    ///
    /// # Errors
    /// [`Error::NotConfigured`] if the keyring cannot be used.
    pub fn prepare_keyring(&self, name: &str) -> Result<(), Error> {
        const ENTRY: &str = "probe";
        profile_name("profile", name)?;
        let service = service(name);
        let unusable = |problem: String| Error::NotConfigured {
            problem,
            hint: "Start the keyring and unlock it, or store the secret in a file.".to_owned(),
        };
        // A keyring that does not answer is noticed by the read, which waits for a shorter time.
        let read = || read_with_timeout(&self.keyring, &service, &[ENTRY]).map_err(|error| unusable(error.to_string()));
        read()?;
        let written = Secret::from("tokenwell checks that the keyring can be written");
        write_with_timeout(&self.keyring, &service, ENTRY, &written)?;
        let found = read();
        // An entry that remains contains nothing.
        let _ = delete_with_timeout(&self.keyring, &service, ENTRY);
        match found?.first() {
            Some(Some(found)) if found.expose() == written.expose() => Ok(()),
            _ => Err(unusable("the keyring does not return what it has stored".to_owned())),
        }
    }
}
