//! Profiles: settings in a file, one table for each account. They are read from our own file
//! (`tokenwell/config.toml`), then from the file of the Atlas CLI.
//!
//! May depend on: the rest of config, atlas, platform, error, secret. Start reading at `sources`,
//! which decides how each profile is used. `file` reads and parses a file, `own` and `atlas_cli`
//! interpret the two formats, `ids` the members that are no settings, `writer` changes our own file. `selected` and `list` are for the
//! command: which profile it is about, and all profiles.
//!
//! `docs/configuration.md` describes the format of the files.

mod atlas_cli;
mod file;
mod ids;
#[cfg(feature = "cli")]
mod list;
mod own;
#[cfg(feature = "cli")]
mod selected;
#[cfg(feature = "cli")]
mod writer;

#[cfg(feature = "cli")]
pub use list::{ProfileEntry, ProfileList, ProfileProgram, SecretPlace, UnusableFile, list_profiles};
#[cfg(feature = "cli")]
pub use selected::SelectedProfile;
#[cfg(feature = "cli")]
pub use writer::{
    ConfigFile, KeyringOutcome, Prepared, Profile, Removed, Renamed, SecretLocation, Stored, remove_profile, rename_profile,
    set_default_profile, store_profile,
};

use super::environment::Environment;
use super::keyring::{self, Keyring};
use super::rules::profile_name;
use super::setting::{FILE_VARIABLE, Key};
use super::sources::{Entry, Found, Origin, Source};
use super::suggestion::nearest;
use crate::error::{Error, os_reason, printable, printable_path};
use crate::platform;
use crate::secret::Secret;
use file::{Contents, ProfileFile, profile_list};
use std::io;
use std::path::{Path, PathBuf};
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
    let mut request = ProfileRequest::find(environment, above)?;
    if !environment.is_read() {
        return Ok(Vec::new());
    }
    let mut ours = our_profile(environment, &mut request)?;
    if request.higher_credential.is_none() && ours.lacks_only_the_secret() {
        ours.read_keyring(keyring, &format!("tokenwell_{}", request.name), &["client_secret"]);
    }
    if request.higher_credential.is_some() && ours.source.has_credential() {
        request.reject_ignored_credential(&ours.source)?;
        ours.drop_account_settings();
    }
    let missing = ours.absence.filter(|_| request.must_exist());
    let mut found = vec![ours.source];
    let has_credential = request.higher_credential.is_some() || found.iter().any(Source::has_credential);
    if has_credential && missing.is_none() {
        return Ok(found);
    }

    let mut theirs = atlas_cli_profile(environment, &request)?;
    if let (Some(ours), Some(theirs)) = (missing, theirs.absence.take()) {
        return Err(request.not_found(&[ours, theirs]));
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
    /// Whether only our own file names it, as its default profile.
    by_file: bool,
    /// A credential that has precedence over those of profiles.
    higher_credential: Option<HigherCredential>,
}

struct HigherCredential {
    /// The options or variables that are set, for example "A and B".
    locations: String,
    count: usize,
    /// How to remove them: "Unset".
    removal: &'static str,
}

impl HigherCredential {
    fn of(source: &Source) -> Option<Self> {
        let locations = source.credential_location_names();
        let removal = if matches!(source.origin, Origin::Variables) { "Unset" } else { "Leave out" };
        (!locations.is_empty()).then(|| Self { locations: locations.join(" and "), count: locations.len(), removal })
    }
}

impl ProfileRequest {
    fn find(environment: &Environment, above: &[Source]) -> Result<Self, Error> {
        let higher_credential = above.iter().find_map(HigherCredential::of);
        let Some((source, entry)) = above.iter().find_map(|source| Some((source, source.get(Key::Profile)?))) else {
            return Ok(Self { name: DEFAULT_PROFILE.to_owned(), named_by: None, by_option: false, by_file: false, higher_credential });
        };
        let name = entry.value()?;
        profile_name(&entry.location, name)?;
        if let Some(unavailable) = environment.unavailable() {
            return Err(Error::NotConfigured {
                problem: format!("{} is set, but profiles are not read, because {}", entry.location, unavailable.reason()),
                hint: format!("Remove {}, and set all settings that the client needs in the program.", entry.location),
            });
        }
        if !environment.is_read() {
            return Err(Error::NotConfigured {
                problem: format!("{} is set, but profiles are read only if the environment is read", entry.location),
                hint: format!("Create the client with its from-environment constructor, or remove {}.", entry.location),
            });
        }
        let by_option = matches!(source.origin, Origin::Options);
        Ok(Self { name: name.to_owned(), named_by: Some(entry.location.to_string()), by_option, by_file: false, higher_credential })
    }

    /// Uses the default profile of our own file, if no option and no variable names a profile.
    fn use_default_of(&mut self, path: &Path, contents: &Contents) -> Result<(), Error> {
        if self.named_by.is_none()
            && let Some((name, location)) = own::default_profile(path, contents)?
        {
            *self =
                Self { name, named_by: Some(location), by_option: false, by_file: true, higher_credential: self.higher_credential.take() };
        }
        Ok(())
    }

    /// Returns whether it is an error if the profile does not exist. The default profile is not
    /// required by a program that has its credential from elsewhere.
    fn must_exist(&self) -> bool {
        self.named_by.is_some() && !(self.by_file && self.higher_credential.is_some())
    }

    /// Fails if an option requests a profile whose credential would not be used.
    fn reject_ignored_credential(&self, profile: &Source) -> Result<(), Error> {
        let Some(higher) = self.higher_credential.as_ref().filter(|_| self.by_option && profile.has_credential()) else {
            return Ok(());
        };
        let option = self.named_by.as_deref().unwrap_or("profile");
        let verb = if higher.count == 1 { "takes" } else { "take" };
        Err(Error::NotConfigured {
            problem: format!(
                "the option {option} selects {}, but {} {verb} precedence over the client id and secret of a profile",
                profile.description(),
                higher.locations
            ),
            hint: format!("{} {}, or leave out the option {option}.", higher.removal, higher.locations),
        })
    }

    fn not_found(&self, checked: &[Absence]) -> Error {
        let (name, named_by) = (&self.name, self.named_by.as_deref().unwrap_or("profile"));
        let findings: Vec<_> = checked.iter().map(|absence| absence.finding.as_str()).collect();
        let login = format!("`tokenwell login --profile {name}`");
        let hint = match nearest(name, checked.iter().flat_map(|absence| &absence.names).map(String::as_str)) {
            Some(nearest) => format!("Did you mean {}? If not, create the profile with {login}.", printable(nearest, 64)),
            None => format!("Create it with {login}, or correct or remove {named_by}."),
        };
        Error::NotConfigured { problem: format!("there is no profile {name} (set by {named_by}): {}", findings.join("; ")), hint }
    }
}

/// A profile that may become a source.
struct Candidate {
    source: Source,
    /// `None`: the profile exists.
    absence: Option<Absence>,
    is_service_account: bool,
}

/// Why a file does not have a profile.
struct Absence {
    /// "FILE has only default and staging", "FILE does not exist".
    finding: String,
    /// The profiles that the file has.
    names: Vec<String>,
}

impl Candidate {
    fn without_directory(program: &str, profile: &str, why: &str) -> Self {
        Self::absent(
            format!("profile {profile} of {program}"),
            format!("no directory: {why}"),
            format!("{program} has no directory ({why})"),
            vec![],
        )
    }

    fn without_file(path: &Path, profile: &str, error: &io::Error) -> Self {
        let shown = printable_path(path);
        let (remark, finding) = match error.kind() {
            io::ErrorKind::NotFound => (reason(error), format!("{shown} does not exist")),
            _ => {
                let remark = Unreadable::of(path, error).remark;
                let finding = format!("{shown} {remark}");
                (remark, finding)
            }
        };
        Self::absent(format!("profile {profile} in {shown}"), remark, finding, Vec::new())
    }

    fn without_profile(path: &Path, profile: &str, names: Vec<String>) -> Self {
        let (shown, list) = (printable_path(path), profile_list(&names));
        let only = if names.is_empty() { "" } else { "only " };
        let finding = format!("{shown} has {only}{list}");
        Self::absent(format!("profile {profile} in {shown}"), format!("no such profile; the file has {list}"), finding, names)
    }

    fn absent(description: String, remark: String, finding: String, names: Vec<String>) -> Self {
        let source = Source { origin: Origin::File(description), entries: Vec::new(), remark: Some(remark) };
        Self { source, absence: Some(Absence { finding, names }), is_service_account: false }
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
        self.source.entries.retain(|entry| {
            use Key::{CaFile, CaPem, Cache, CacheDir, CacheUnsafe, NoProxy, Proxy, Timeout};
            matches!(entry.key, Timeout | CaFile | CaPem | Proxy | NoProxy | Cache | CacheDir | CacheUnsafe)
        });
        self.source.remark = Some("not used: a source with higher precedence has a credential".to_owned());
    }
}

/// Returns the path of our own file, and whether a variable names it.
fn our_path(environment: &Environment) -> Result<(PathBuf, bool), &'static str> {
    if let Some(unavailable) = environment.unavailable() {
        return Err(unavailable.reason());
    }
    let variables = |name: &str| environment.lookup(name);
    if let Some(path) = environment.lookup(FILE_VARIABLE).filter(|path| !path.is_empty()) {
        return Ok((PathBuf::from(path), true));
    }
    Ok((platform::config_dir(&variables)?.join("tokenwell").join("config.toml"), false))
}

fn our_profile(environment: &Environment, request: &mut ProfileRequest) -> Result<Candidate, Error> {
    let (path, named) = match our_path(environment) {
        Ok(found) => found,
        Err(why) => return Ok(Candidate::without_directory("tokenwell", &request.name, why)),
    };
    let file = match ProfileFile::read(&path)? {
        Ok(file) => file,
        Err(error) if error.kind() != io::ErrorKind::NotFound && request.must_exist() => {
            return Err(Unreadable::of(&path, &error).into_error(&path));
        }
        Err(error) if named => {
            return Err(Error::NotConfigured {
                problem: format!("cannot open the file {} (set by {FILE_VARIABLE}): {}", printable_path(&path), reason(&error)),
                hint: format!("Correct the path in {FILE_VARIABLE}, or unset the variable."),
            });
        }
        Err(error) => return Ok(Candidate::without_file(&path, &request.name, &error)),
    };
    let mut contents = file.contents(&request.name)?;
    request.use_default_of(&path, &contents)?;
    if request.by_file {
        contents = file.contents(&request.name)?;
    }
    let name = &request.name;
    let description = format!("profile {name} in {}", printable_path(&path));
    let names = contents.names.clone();
    match own::entries(file.path(), name, contents)? {
        None => Ok(Candidate::without_profile(&path, name, names)),
        Some(entries) => {
            let source = Source { origin: Origin::File(description), entries, remark: None };
            Ok(Candidate { source, absence: None, is_service_account: false })
        }
    }
}

fn atlas_cli_profile(environment: &Environment, request: &ProfileRequest) -> Result<Candidate, Error> {
    let name = &request.name;
    let variables = |name: &str| environment.lookup(name);
    let path = match platform::go_config_dir(&variables) {
        Ok(directory) => directory.join("atlascli").join("config.toml"),
        Err(why) => return Ok(Candidate::without_directory("the Atlas CLI", name, why)),
    };
    let description = format!("profile {name} in {}", printable_path(&path));
    let file = match ProfileFile::read(&path)? {
        Ok(file) => file,
        Err(error) => return Ok(Candidate::without_file(&path, name, &error)),
    };
    let contents = file.contents(name)?;
    let Some(fields) = contents.fields else {
        return Ok(Candidate::without_profile(&path, name, contents.names));
    };
    let (entries, remark, is_service_account) = match atlas_cli::read(file.path(), name, fields) {
        atlas_cli::Use::ServiceAccount(entries) => (entries, None, true),
        atlas_cli::Use::Ignored(reason) => (Vec::new(), Some(reason), false),
    };
    let source = Source { origin: Origin::File(description), entries, remark };
    Ok(Candidate { source, absence: None, is_service_account })
}

/// Why an existing file with profiles cannot be read.
struct Unreadable {
    /// "cannot be read: permission denied; it belongs to user 0 …".
    remark: String,
    hint: String,
}

impl Unreadable {
    fn of(path: &Path, error: &io::Error) -> Self {
        let reason = os_reason(error);
        let denial = (error.kind() == io::ErrorKind::PermissionDenied).then(|| platform::denied_by(path)).flatten();
        match denial {
            Some(denial) => Self {
                remark: format!("cannot be read: {reason}; {}", denial.explanation),
                hint: format!(
                    "Run the command as the owner, or give {} to this user: sudo chown {} {}",
                    denial.path,
                    denial.user,
                    platform::quoted(&denial.path)
                ),
            },
            None => Self {
                remark: format!("cannot be read: {reason}"),
                hint: "Check the path, and that this user may read the file.".to_owned(),
            },
        }
    }

    fn into_error(self, path: &Path) -> Error {
        Error::NotConfigured { problem: format!("{} {}", printable_path(path), self.remark), hint: self.hint }
    }
}

fn reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "no such file".to_owned(),
        _ => os_reason(error),
    }
}
