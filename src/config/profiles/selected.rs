//! The profile that a command is about, if the command changes profiles and therefore does not build
//! a configuration first.

use super::DEFAULT_PROFILE;
use super::file::ProfileFile;
use super::{our_path, own};
use crate::config::environment::Environment;
use crate::config::setting::Key;
use crate::error::Error;

/// The selected profile, which may not exist.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SelectedProfile {
    /// Its name, which is valid.
    pub name: String,
    /// What selects it: "--profile", "TOKENWELL_PROFILE" or "default_profile in FILE:1"; `None`: it is
    /// the default.
    pub named_by: Option<String>,
}

impl SelectedProfile {
    /// Returns the profile that `option` selects, otherwise the one of the environment variables,
    /// otherwise the default profile of the configuration file, otherwise `default`. This is the order
    /// of [`Config`](crate::Config). `option_name` is the name of the option in messages.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for an invalid name, or a configuration file that is invalid.
    pub fn find(option: Option<&str>, option_name: &str) -> Result<Self, Error> {
        if let Some(name) = option {
            Key::Profile.setting().check(option_name, name.as_bytes())?;
            return Ok(Self { name: name.to_owned(), named_by: Some(option_name.to_owned()) });
        }
        let environment = Environment::of_the_process();
        for source in environment.sources() {
            if let Some(entry) = source.get(Key::Profile) {
                return Ok(Self { name: entry.value()?.to_owned(), named_by: Some(entry.location.to_string()) });
            }
        }
        // A file that cannot be read is an error of the command that needs it.
        if let Ok((path, _)) = our_path(&environment)
            && let Ok(file) = ProfileFile::read(&path)?
            && let Some((name, location)) = own::default_profile(&path, &file.contents("")?)?
        {
            return Ok(Self { name, named_by: Some(location) });
        }
        Ok(Self { name: DEFAULT_PROFILE.to_owned(), named_by: None })
    }
}

/// "profile staging (set by TOKENWELL_PROFILE)".
impl std::fmt::Display for SelectedProfile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "profile {}", self.name)?;
        self.named_by.as_ref().map_or(Ok(()), |named_by| write!(f, " (set by {named_by})"))
    }
}
