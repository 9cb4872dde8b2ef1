//! All profiles of this user, for `tokenwell profile`. No secret is read, and no keyring.

use super::file::{Field, ProfileFile, Value};
use super::{DEFAULT_PROFILE, FILE_VARIABLE, Unreadable, atlas_cli, ids, our_path, own};
use crate::atlas;
use crate::config::credential::client_id_to_show;
use crate::config::environment::Environment;
use crate::config::proxy::proxy_to_show;
use crate::config::setting::{Key, settings};
use crate::config::sources::Entry;
use crate::error::{Error, printable, printable_path};
use crate::platform;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// The program that a profile belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProfileProgram {
    /// tokenwell: `tokenwell/config.toml`.
    Tokenwell,
    /// The Atlas CLI: `atlascli/config.toml`. tokenwell never changes it.
    AtlasCli,
}

/// Where the secret of a profile is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecretPlace {
    /// In a file of its own.
    File(PathBuf),
    /// In the profile itself.
    Profile,
    /// In the keyring, if it exists: neither the profile nor a file has it.
    Keyring {
        /// The service of the entry: `tokenwell_staging`.
        service: String,
    },
    /// The profile has no account.
    None,
}

/// One profile, without its secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProfileEntry {
    /// The name.
    pub name: String,
    /// The program whose file has it.
    pub program: ProfileProgram,
    /// The file.
    pub file: PathBuf,
    /// Where its secret is.
    pub secret: SecretPlace,
    /// Why tokenwell cannot use it, as the end of a sentence.
    pub problem: Option<String>,
    settings: Vec<(&'static str, String)>,
}

/// A file whose profiles cannot be listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnusableFile {
    /// The file.
    pub file: PathBuf,
    /// The reason, as a sentence.
    pub problem: String,
    /// What to do.
    pub hint: String,
}

/// The result of [`list_profiles`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProfileList {
    /// The profiles: ours first, each file in alphabetical order.
    pub profiles: Vec<ProfileEntry>,
    /// The name of the default profile, whether it exists or not.
    pub default: String,
    /// The files that cannot be used.
    pub unusable: Vec<UnusableFile>,
}

impl ProfileEntry {
    /// Returns its settings without the secret, in the order of [`settings`], and its `org_id` and
    /// `project_id`. A value that must not be
    /// shown is replaced, and paths are absolute.
    #[must_use]
    pub fn settings(&self) -> &[(&'static str, String)] {
        &self.settings
    }

    /// Returns the value of one setting, if the profile has it.
    #[must_use]
    pub fn setting(&self, name: &str) -> Option<&str> {
        self.settings.iter().find(|(setting, _)| *setting == name).map(|(_, value)| value.as_str())
    }

    /// Returns the base URL or the token endpoint that its secret is sent to.
    #[must_use]
    pub fn server(&self) -> &str {
        self.setting("token_url").or_else(|| self.setting("base_url")).unwrap_or(atlas::CLOUD)
    }
}

impl ProfileList {
    /// Returns the profile that tokenwell uses for this name.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<&ProfileEntry> {
        self.profiles.iter().find(|profile| profile.name == name)
    }
}

/// Lists the profiles of our own file and of the file of the Atlas CLI.
///
/// A file that does not exist has no profiles. One that cannot be used is part of the result, so that
/// the profiles of the other one are listed all the same.
#[must_use]
pub fn list_profiles() -> ProfileList {
    let environment = Environment::of_the_process();
    let mut list = ProfileList { default: DEFAULT_PROFILE.to_owned(), ..ProfileList::default() };
    if let Ok((path, named)) = our_path(&environment) {
        let found = match read(&path) {
            Ok(Some(file)) => ours(&path, &file, &mut list),
            Ok(None) if named => Err(missing_file(&path)),
            Ok(None) => Ok(()),
            Err(error) => Err(error),
        };
        list.add_problem(&path, found);
    }
    if let Ok(directory) = platform::go_config_dir(&|name: &str| environment.lookup(name)) {
        let path = directory.join("atlascli").join("config.toml");
        let found = read(&path).and_then(|file| file.map(|file| theirs(&path, &file, &mut list)).transpose());
        list.add_problem(&path, found);
    }
    list
}

impl ProfileList {
    fn add_problem<T>(&mut self, path: &Path, found: Result<T, Error>) {
        if let Err(error) = found {
            self.unusable.push(UnusableFile { file: path.to_owned(), problem: error.to_string(), hint: error.hint() });
        }
    }
}

fn read(path: &Path) -> Result<Option<ProfileFile>, Error> {
    match ProfileFile::read(path)? {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Unreadable::of(path, &error).into_error(path)),
    }
}

/// The error for a file that a variable names and that does not exist.
fn missing_file(path: &Path) -> Error {
    Error::NotConfigured {
        problem: format!("cannot open the file {} (set by {FILE_VARIABLE}): no such file", printable_path(path)),
        hint: format!("Correct the path in {FILE_VARIABLE}, or unset the variable."),
    }
}

fn ours(path: &Path, file: &ProfileFile, list: &mut ProfileList) -> Result<(), Error> {
    let mut contents = file.all_contents(|_| true)?;
    if let Some((name, _)) = own::default_profile(path, &contents)? {
        list.default = name;
    }
    let profiles = std::mem::take(&mut contents.profiles);
    own::reject_stray(path, &contents)?;
    list.profiles.extend(profiles.into_iter().map(|(name, fields)| our_entry(path, name, fields)));
    Ok(())
}

fn our_entry(path: &Path, name: String, fields: Vec<Field>) -> ProfileEntry {
    let mut entries = Vec::new();
    let mut problem = None;
    let mut ids = Vec::new();
    for field in fields {
        if let Some(key) = ids::key(&field) {
            match ids::id(path, &name, &field) {
                Ok(id) => ids.push((key, id)),
                Err(error) => {
                    problem.get_or_insert_with(|| error.to_string());
                }
            }
            continue;
        }
        match own::entry(path, &name, field) {
            Ok(entry) => entries.push(entry),
            Err(error) => {
                problem.get_or_insert_with(|| error.to_string());
            }
        }
    }
    let service = format!("tokenwell_{name}");
    with_ids(entry_of(path, name, ProfileProgram::Tokenwell, service, &entries, problem), ids)
}

fn theirs(path: &Path, file: &ProfileFile, list: &mut ProfileList) -> Result<(), Error> {
    let contents = file.all_contents(|_| true)?;
    for (name, fields) in contents.profiles {
        let has_account = fields.iter().any(|field| matches!(field.value, Value::String(_)));
        let service = format!("atlascli_{name}");
        // An empty string is "not set" there, and the Atlas CLI reports what is no id.
        let ids = fields.iter().filter_map(|field| Some((ids::key(field)?, ids::id(path, &name, field).ok()?))).collect();
        let entry = match atlas_cli::read(path, &name, fields) {
            atlas_cli::Use::ServiceAccount(entries) => entry_of(path, name, ProfileProgram::AtlasCli, service, &entries, None),
            atlas_cli::Use::Ignored(reason) if has_account => {
                entry_of(path, name, ProfileProgram::AtlasCli, service, &[], Some(format!("it {reason}")))
            }
            atlas_cli::Use::Ignored(_) => continue,
        };
        list.profiles.push(with_ids(entry, ids));
    }
    Ok(())
}

fn with_ids(mut entry: ProfileEntry, ids: Vec<(&'static str, String)>) -> ProfileEntry {
    entry.settings.extend(ids);
    entry
}

fn entry_of(
    path: &Path,
    name: String,
    program: ProfileProgram,
    service: String,
    entries: &[Entry],
    mut problem: Option<String>,
) -> ProfileEntry {
    let mut values = Vec::new();
    let mut secret = SecretPlace::None;
    for setting in settings() {
        let Some(entry) = entries.iter().find(|entry| entry.key == setting.key) else { continue };
        let value = match entry.value() {
            Ok(value) => value,
            Err(error) => {
                problem.get_or_insert_with(|| error.to_string());
                continue;
            }
        };
        match setting.key {
            Key::ClientSecret => secret = SecretPlace::Profile,
            Key::ClientSecretFile => secret = SecretPlace::File(PathBuf::from(value)),
            Key::ClientId => values.push((setting.name(), client_id_to_show(value))),
            Key::Proxy => values.push((setting.name(), proxy_to_show(value))),
            Key::CaPem => values.push((setting.name(), format!("PEM of {} bytes", value.len()))),
            _ => values.push((setting.name(), printable(value, 1000))),
        }
    }
    let has_id = values.iter().any(|(name, _)| *name == "client_id");
    if secret == SecretPlace::None && (has_id || (program == ProfileProgram::AtlasCli && problem.is_none())) {
        secret = SecretPlace::Keyring { service };
    }
    ProfileEntry { name: printable_name(name), program, file: path.to_owned(), secret, problem, settings: values }
}

/// A name that no command accepts is shown, so it must be printable.
fn printable_name(name: String) -> String {
    if name.chars().all(|character| character.is_ascii_graphic()) { name } else { printable(&name, 64) }
}

/// "FILE", for messages.
impl std::fmt::Display for UnusableFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&printable_path(&self.file))
    }
}
