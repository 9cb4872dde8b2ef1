//! Profiles: settings in a file, one table for each account. They are read from our own file
//! (`tokenwell/config.toml`), then from the file of the Atlas CLI.
//!
//! May depend on: the rest of config, atlas, platform, error, secret. Start reading at `sources`,
//! which decides how each profile is used. `file` reads and parses a file, `own` and `atlas_cli`
//! interpret the two formats, `writer` changes our own file.
//!
//! `docs/configuration.md` describes the format of the files.

mod atlas_cli;
mod file;
mod own;
#[cfg(feature = "cli")]
mod writer;

#[cfg(feature = "cli")]
pub use writer::{ConfigFile, KeyringOutcome, Profile, Removed, SecretLocation, Stored, remove_profile, store_profile};

use super::environment::Environment;
use super::keyring::{self, Keyring};
use super::rules::profile_name;
use super::setting::{FILE_VARIABLE, Key};
use super::sources::{Entry, Found, Origin, Source};
use crate::error::{Error, printable_path};
use crate::platform;
use crate::secret::Secret;
use file::{ProfileFile, profile_list};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

const DEFAULT_PROFILE: &str = "default";

/// Returns the sources with lower precedence than the environment: the profile of our own file,
/// then the profile of the Atlas CLI. `above` are the sources with higher precedence.
///
/// Three rules prevent surprises:
/// - A profile that is requested by name must exist.
/// - If a profile has its own credential, its server is never used with a credential from another
///   source.
/// - The file of the Atlas CLI is opened only if a credential is missing, or if our own file does
///   not have the requested profile.
pub(super) fn sources(environment: &Environment, above: &[Source], keyring: &Arc<dyn Keyring>) -> Result<Vec<Source>, Error> {
    let request = ProfileRequest::find(environment, above)?;
    if !environment.is_read() {
        return Ok(Vec::new());
    }
    let mut ours = our_profile(environment, &request)?;
    if request.higher_credential.is_none() && ours.lacks_only_the_secret() {
        ours.read_keyring(keyring, &format!("tokenwell_{}", request.name), &["client_secret"]);
    }
    if request.higher_credential.is_some() && ours.source.has_credential() {
        request.reject_ignored_credential(&ours.source)?;
        ours.drop_account_settings();
    }
    let missing = request.named_by.is_some() && !ours.exists;
    let mut found = vec![ours.source];
    let has_credential = request.higher_credential.is_some() || found.iter().any(Source::has_credential);
    if has_credential && !missing {
        return Ok(found);
    }

    let mut theirs = atlas_cli_profile(environment, &request)?;
    if missing && !theirs.exists {
        return Err(request.not_found(&[&found[0], &theirs.source]));
    }
    if has_credential {
        // The file was opened only to check that the profile exists: it sets nothing but an
        // account.
        request.reject_ignored_credential(&theirs.source)?;
        return Ok(found);
    }
    if theirs.is_service_account {
        let accounts: Vec<_> = [(Key::ClientId, "client_id"), (Key::ClientSecret, "client_secret")]
            .into_iter()
            .filter(|(key, _)| !theirs.has(*key))
            .map(|(_, name)| name)
            .collect();
        if !accounts.is_empty() {
            theirs.read_keyring(keyring, &format!("atlascli_{}", request.name), &accounts);
        }
    }
    found.push(theirs.source);
    Ok(found)
}

/// The requested profile, and the source that requests it.
struct ProfileRequest {
    name: String,
    /// The option or variable that names the profile; `None`: the default profile.
    named_by: Option<String>,
    by_option: bool,
    /// The location of a credential that has precedence over those of profiles.
    higher_credential: Option<String>,
}

impl ProfileRequest {
    fn find(environment: &Environment, above: &[Source]) -> Result<Self, Error> {
        let higher_credential = above.iter().find_map(Source::credential_location).map(str::to_owned);
        let Some((source, entry)) = above.iter().find_map(|source| Some((source, source.get(Key::Profile)?))) else {
            return Ok(Self { name: DEFAULT_PROFILE.to_owned(), named_by: None, by_option: false, higher_credential });
        };
        let name = entry.value()?;
        profile_name(&entry.location, name)?;
        if !environment.is_read() {
            return Err(Error::NotConfigured {
                problem: format!("{} is set, but profiles are read only if the environment is read", entry.location),
                hint: format!("Create the client with its from-environment constructor, or remove {}.", entry.location),
            });
        }
        let by_option = matches!(source.origin, Origin::Options);
        Ok(Self { name: name.to_owned(), named_by: Some(entry.location.to_string()), by_option, higher_credential })
    }

    /// Fails if an option requests a profile whose credential would not be used.
    fn reject_ignored_credential(&self, profile: &Source) -> Result<(), Error> {
        if !self.by_option || !profile.has_credential() {
            return Ok(());
        }
        let option = self.named_by.as_deref().unwrap_or("profile");
        let higher = self.higher_credential.as_deref().unwrap_or("another source");
        Err(Error::NotConfigured {
            problem: format!(
                "the option {option} selects {}, but {higher} takes precedence over the client id and secret of a profile",
                profile.description()
            ),
            hint: format!("Remove {higher} (both the client id and the secret), or remove the option {option}."),
        })
    }

    fn not_found(&self, locations: &[&Source]) -> Error {
        let named_by = self.named_by.as_deref().unwrap_or("profile");
        let checked: Vec<_> = locations.iter().map(|source| source.summary()).collect();
        Error::NotConfigured {
            problem: format!("there is no profile {} (set by {named_by}); checked: {}", self.name, checked.join("; ")),
            hint: format!("Create it with `tokenwell login --profile {}`, or correct or remove {named_by}.", self.name),
        }
    }
}

/// A profile that may become a source.
struct Candidate {
    source: Source,
    exists: bool,
    is_service_account: bool,
}

impl Candidate {
    fn absent(description: String, remark: String) -> Self {
        let source = Source { origin: Origin::File(description), entries: Vec::new(), remark: Some(remark) };
        Self { source, exists: false, is_service_account: false }
    }

    fn has(&self, key: Key) -> bool {
        self.source.get(key).is_some()
    }

    fn lacks_only_the_secret(&self) -> bool {
        self.has(Key::ClientId) && !self.has(Key::ClientSecret) && !self.has(Key::ClientSecretFile)
    }

    fn read_keyring(&mut self, keyring: &Arc<dyn Keyring>, service: &str, accounts: &[&'static str]) {
        let location = |account: &str| format!("the keyring (service {service}, account {account})");
        match keyring::read_with_timeout(keyring, service, accounts) {
            Err(error) => {
                let verb = if accounts.len() == 1 { "is" } else { "are" };
                self.source.remark = Some(format!("{} {verb} not in the profile, and {error}", accounts.join(" and ")));
            }
            Ok(secrets) => {
                let mut missing = Vec::new();
                for (account, secret) in accounts.iter().copied().zip(secrets) {
                    match secret {
                        Some(secret) => self.add_from_keyring(account, location(account), secret),
                        None => missing.push(format!("{account} is neither in the profile nor in {}", location(account))),
                    }
                }
                self.source.remark = (!missing.is_empty()).then(|| missing.join(", "));
            }
        }
    }

    fn add_from_keyring(&mut self, account: &str, location: String, secret: Secret) {
        let key = if account == "client_id" { Key::ClientId } else { Key::ClientSecret };
        self.source.entries.push(Entry { key, location: location.into(), found: Found::Value(secret), in_keyring: true });
    }

    /// Keeps only the settings that are not about an account, for a profile whose credential is not
    /// used.
    fn drop_account_settings(&mut self) {
        self.source.entries.retain(|entry| matches!(entry.key, Key::Timeout | Key::CaFile | Key::Cache | Key::CacheDir | Key::CacheUnsafe));
        self.source.remark = Some("not used: a source with higher precedence has a credential".to_owned());
    }
}

/// Returns the path of our own file, and whether a variable names it.
fn our_path(environment: &Environment) -> Result<(PathBuf, bool), &'static str> {
    let variables = |name: &str| environment.lookup(name);
    if let Some(path) = environment.lookup(FILE_VARIABLE).filter(|path| !path.is_empty()) {
        return Ok((PathBuf::from(path), true));
    }
    Ok((platform::config_dir(&variables)?.join("tokenwell").join("config.toml"), false))
}

fn our_profile(environment: &Environment, request: &ProfileRequest) -> Result<Candidate, Error> {
    let name = &request.name;
    let (path, named) = match our_path(environment) {
        Ok(found) => found,
        Err(why) => return Ok(Candidate::absent(format!("profile {name} of tokenwell"), format!("no directory: {why}"))),
    };
    let description = format!("profile {name} in {}", printable_path(&path));
    let file = match ProfileFile::read(&path)? {
        Ok(file) => file,
        Err(error) if named => {
            return Err(Error::NotConfigured {
                problem: format!("cannot open the file {} (set by {FILE_VARIABLE}): {}", printable_path(&path), reason(&error)),
                hint: format!("Correct the path in {FILE_VARIABLE}, or unset the variable."),
            });
        }
        Err(error) => return Ok(Candidate::absent(description, reason(&error))),
    };
    let contents = file.contents(name)?;
    let names = profile_list(&contents.names);
    match own::entries(file.path(), name, contents)? {
        None => Ok(Candidate::absent(description, format!("no such profile; the file has {names}"))),
        Some(entries) => {
            let source = Source { origin: Origin::File(description), entries, remark: None };
            Ok(Candidate { source, exists: true, is_service_account: false })
        }
    }
}

fn atlas_cli_profile(environment: &Environment, request: &ProfileRequest) -> Result<Candidate, Error> {
    let name = &request.name;
    let variables = |name: &str| environment.lookup(name);
    let path = match platform::go_config_dir(&variables) {
        Ok(directory) => directory.join("atlascli").join("config.toml"),
        Err(why) => return Ok(Candidate::absent(format!("profile {name} of the Atlas CLI"), format!("no directory: {why}"))),
    };
    let description = format!("profile {name} in {}", printable_path(&path));
    let file = match ProfileFile::read(&path)? {
        Ok(file) => file,
        Err(error) => return Ok(Candidate::absent(description, reason(&error))),
    };
    let contents = file.contents(name)?;
    let Some(fields) = contents.fields else {
        return Ok(Candidate::absent(description, format!("no such profile; the file has {}", profile_list(&contents.names))));
    };
    let (entries, remark, is_service_account) = match atlas_cli::read(file.path(), name, fields) {
        atlas_cli::Use::ServiceAccount(entries) => (entries, None, true),
        atlas_cli::Use::Ignored(reason) => (Vec::new(), Some(reason), false),
    };
    let source = Source { origin: Origin::File(description), entries, remark };
    Ok(Candidate { source, exists: true, is_service_account })
}

fn reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "no such file".to_owned(),
        _ => error.to_string(),
    }
}
