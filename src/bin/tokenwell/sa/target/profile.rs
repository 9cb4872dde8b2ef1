//! `profile:NAME` and `keyring:NAME`: a profile with the account and its server.

use super::super::place::AdminSession;
use super::super::stored::credential_of;
use crate::failure::Failure;
use crate::output;
use tokenwell::Status;
use tokenwell::config::keyring;
use tokenwell::config::profiles::{ConfigFile, Prepared, Profile, SecretLocation, list_profiles, store_profile};
use tokenwell::error::{printable, printable_path};
use tokenwell::secret::Secret;

/// The configuration file, if a target is a profile in it.
#[derive(Default)]
pub(super) struct Profiles {
    file: Option<ConfigFile>,
    /// Until the end: it removes directories that were created for nothing.
    prepared: Vec<Prepared>,
}

impl Profiles {
    /// Checks that the profile can be stored. `account` is the one that gets a secret, or `None` for a new one.
    pub(super) fn prepare(&mut self, name: &str, location: SecretLocation, account: Option<&str>) -> Result<SecretLocation, Failure> {
        if location == SecretLocation::Keyring && !keyring::is_supported() {
            let problem = "--to: this build of tokenwell has no keyring support";
            return Err(Failure::new(Status::InvalidArgument, problem, "Use profile:NAME: the secret is then stored in a private file."));
        }
        let file = match &mut self.file {
            Some(file) => file,
            none => none.insert(ConfigFile::for_current_user()?),
        };
        require_free_profile(name, account)?;
        self.prepared.push(file.prepare(name)?);
        if location == SecretLocation::Keyring {
            file.prepare_keyring(name)?;
        }
        Ok(location)
    }

    pub(super) fn store(
        &self,
        admin: &AdminSession,
        name: &str,
        client_id: &str,
        secret: &Secret,
        location: SecretLocation,
    ) -> Result<String, Failure> {
        let Some(file) = &self.file else { return Err(tokenwell::Error::Internal { problem: "no configuration file".to_owned() }.into()) };
        let (own, _) = Profile::of(&admin.session.config);
        // An account is at the same server as the one that creates it.
        let profile = Profile { client_id: client_id.to_owned(), ..own };
        let stored = store_profile(file, name, &profile, secret, location)?;
        let place = match &stored.secret_file {
            Some(path) => format!("in profile {name}, with the secret in {}", printable_path(path)),
            None => format!("in profile {name}, with the secret in the keyring"),
        };
        let read = credential_of(file, name);
        if !read.is_some_and(|(id, found)| id == client_id && found.expose() == secret.expose()) {
            return Err(Failure::new(
                Status::CannotWrite,
                format!("profile {name} was stored, but cannot be read back"),
                "Check it with `tokenwell profile show`.",
            ));
        }
        output::message(&format!("stored {place}"));
        Ok(place)
    }
}

/// A profile that has another account is not replaced.
fn require_free_profile(name: &str, account: Option<&str>) -> Result<(), Failure> {
    let list = list_profiles();
    let existing = list.find(name).and_then(|profile| profile.setting("client_id"));
    match existing {
        Some(id) if account != Some(id) => Err(Failure::new(
            Status::Refused,
            format!("--to: profile {name} has another account ({})", printable(id, 64)),
            "Use another name, or remove the profile with `tokenwell logout`.",
        )),
        _ => Ok(()),
    }
}
