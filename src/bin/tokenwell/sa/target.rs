//! `--to` and `--show-secret`: the places of a new secret. All are checked before anything is created, and
//! each is read back.

use super::delete::organization_of;
use super::place::AdminSession;
use crate::failure::{Code, Facts, Failure};
use crate::output;
use crate::settings::is_variable_of;
use crate::sink::file::SinkFile;
use crate::terminal::Stream;
use crate::wiped::Wiped;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::path::Path;
use tokenwell::admin::service_accounts::{CreatedSecret, Level};
use tokenwell::config::keyring;
use tokenwell::config::profiles::{ConfigFile, Prepared, Profile, SecretLocation, SelectedProfile, list_profiles, store_profile};
use tokenwell::error::{printable, printable_path};
use tokenwell::{Config, Status};
use zeroize::Zeroizing;

#[derive(clap::Args)]
pub(super) struct Targets {
    /// Where the secret goes: profile:NAME, file:PATH and others; repeat it for several
    ///
    /// profile:NAME (in a private file), keyring:NAME (a profile with the secret in the keyring),
    /// file:PATH (mode 0600), and on standard output json:terraform, json:aws-managed or
    /// k8s-secret:NAME.
    #[arg(long, value_name = "TARGET")]
    to: Vec<String>,

    /// Print the client id and the secret as two assignments
    #[arg(long)]
    show_secret: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Target {
    Profile(String),
    Keyring(String),
    File(String),
    Shown,
    Terraform,
    AwsManaged,
    Kubernetes(String),
}

impl Target {
    fn is_standard_output(&self) -> bool {
        matches!(self, Self::Shown | Self::Terraform | Self::AwsManaged | Self::Kubernetes(_))
    }

    fn needs_organization(&self) -> bool {
        matches!(self, Self::AwsManaged | Self::Kubernetes(_))
    }
}

impl Targets {
    /// The targets in the arguments. `json` says that the command prints an object of its own.
    pub(super) fn parse(&self, json: bool) -> Result<Vec<Target>, Failure> {
        const LIST: &str = "Use profile:NAME, keyring:NAME, file:PATH, json:terraform, json:aws-managed or k8s-secret:NAME.";
        let mut targets = Vec::new();
        for text in &self.to {
            let wrong = || Failure::new(Status::InvalidArgument, format!("--to: `{}` is not a target", printable(text, 200)), LIST);
            let (kind, value) = text.split_once(':').ok_or_else(wrong)?;
            let target = match (kind, value) {
                (_, "") => return Err(wrong()),
                ("profile", name) => Target::Profile(SelectedProfile::find(Some(name), "--to")?.name),
                ("keyring", name) => Target::Keyring(SelectedProfile::find(Some(name), "--to")?.name),
                ("file", path) => Target::File(path.to_owned()),
                ("json", "terraform") => Target::Terraform,
                ("json", "aws-managed") => Target::AwsManaged,
                ("k8s-secret", name) if is_kubernetes_name(name) => Target::Kubernetes(name.to_owned()),
                ("k8s-secret", name) => {
                    let hint = "Use lower case letters, digits, - and ., beginning and ending with a letter or digit (RFC 1123).";
                    return Err(Failure::new(
                        Status::InvalidArgument,
                        format!("--to: `{}` cannot be the name of a Secret", printable(name, 200)),
                        hint,
                    ));
                }
                _ => return Err(wrong()),
            };
            if targets.contains(&target) {
                return Err(Failure::new(
                    Status::InvalidArgument,
                    format!("--to: `{}` is given twice", printable(text, 200)),
                    "Leave one of them out.",
                ));
            }
            targets.push(target);
        }
        let prints = targets.iter().any(Target::is_standard_output);
        if self.show_secret && !prints {
            targets.push(Target::Shown);
        }
        let printed = targets.iter().filter(|target| target.is_standard_output()).count();
        if targets.is_empty() {
            let problem = "the secret would be lost: Atlas shows it only once";
            return Err(Failure::new(
                Status::InvalidArgument,
                problem,
                format!("{LIST} Or --show-secret.").replacen("Use", "Use --to with", 1),
            ));
        }
        if printed > 1 || (printed > 0 && json) {
            return Err(Failure::new(
                Status::InvalidArgument,
                "standard output can have only one result",
                "Leave out --json, or all but one of these targets.",
            ));
        }
        if prints && !self.show_secret && Stream::Out.is_terminal() {
            return Err(Failure::new(
                Status::InvalidArgument,
                "the secret would be shown on the terminal",
                "Redirect standard output, or use --show-secret.",
            ));
        }
        Ok(targets)
    }
}

/// A name of RFC 1123: a subdomain in lower case.
fn is_kubernetes_name(name: &str) -> bool {
    let is_edge = |byte: Option<u8>| byte.is_some_and(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    name.len() <= 253
        && name.split('.').all(|part| {
            is_edge(part.bytes().next())
                && is_edge(part.bytes().next_back())
                && part.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
        })
}

/// The checked targets of one command.
pub(super) struct Delivery {
    targets: Vec<Target>,
    file: Option<ConfigFile>,
    /// Until the end: it removes directories that were created for nothing.
    _prepared: Vec<Prepared>,
    organization: String,
}

impl Delivery {
    /// Checks all targets. `account` is the one that gets a secret, or `None` for a new one.
    pub(super) fn prepare(admin: &AdminSession, targets: Vec<Target>, account: Option<&str>) -> Result<Self, Failure> {
        let (mut file, mut prepared) = (None, Vec::new());
        for target in &targets {
            match target {
                Target::Profile(name) | Target::Keyring(name) => {
                    if matches!(target, Target::Keyring(_)) && !keyring::is_supported() {
                        let problem = "--to: this build of tokenwell has no keyring support";
                        return Err(Failure::new(
                            Status::InvalidArgument,
                            problem,
                            "Use profile:NAME: the secret is then stored in a private file.",
                        ));
                    }
                    let config_file = file.get_or_insert(ConfigFile::for_current_user()?);
                    require_free_profile(name, account)?;
                    prepared.push(config_file.prepare(name)?);
                }
                Target::File(path) => {
                    let file = SinkFile::at(Path::new(path), 0o600)?;
                    if account.is_none() && file.exists() {
                        let problem = format!("--to: `{}` exists", printable_path(Path::new(path)));
                        return Err(Failure::new(
                            Status::Refused,
                            problem,
                            "It may have the secret of another account. Remove it, or use another name.",
                        ));
                    }
                    file.check_writable()?;
                }
                _ => {}
            }
        }
        let organization = match admin.accounts().level() {
            Level::Project(project) if targets.iter().any(Target::needs_organization) => {
                organization_of(admin, project).ok_or_else(|| {
                    Failure::new(
                        Status::Server,
                        format!("the organization of the project {project} is not known, and the target needs it"),
                        "Use --org, or another target.",
                    )
                })?
            }
            level => level.id().to_owned(),
        };
        Ok(Self { targets, file, _prepared: prepared, organization })
    }

    /// Whether the secret is printed, for a reader that expects nothing after it.
    pub(super) fn uses_standard_output(&self) -> bool {
        self.targets.iter().any(Target::is_standard_output)
    }

    /// Stores the secret in all targets, those on standard output last. If one fails, the others are still
    /// tried, and the error says where the secret is.
    pub(super) fn deliver(mut self, admin: &AdminSession, client_id: &str, created: &CreatedSecret) -> Result<(), Failure> {
        let (mut stored, mut failed) = (Vec::new(), Vec::new());
        self.targets.sort_by_key(Target::is_standard_output);
        for target in &self.targets {
            match self.store(admin, target, client_id, created) {
                Ok(place) => stored.push(place),
                Err(failure) => failed.push(failure.message().unwrap_or_default().replace("tokenwell: ", "").replace("\n  hint: ", ". ")),
            }
        }
        if failed.is_empty() {
            return Ok(());
        }
        let id = &created.description.id;
        let problem = failed.join("; ");
        let level = admin.accounts().level().clone();
        let flag = if level.is_project() { "--project" } else { "--org" };
        let (code, problem, hint) = if stored.is_empty() {
            let undo = format!("tokenwell sa secret delete {flag} {} {client_id} {id}", level.id());
            let again = format!("tokenwell sa secret add {flag} {} {client_id} --to", level.id());
            (
                Status::CannotWrite,
                format!("the secret {id} of {client_id} exists, but is stored nowhere: {problem}"),
                format!("Nobody can read it any more. Delete it with `{undo}`, and create another one with `{again} …`."),
            )
        } else {
            (
                Status::CannotWrite,
                format!("the secret {id} of {client_id} is stored {}, but not everywhere: {problem}", stored.join(" and ")),
                "Copy it from there, or create another one.".to_owned(),
            )
        };
        Err(Failure::Own { code: Code::Status(code), problem, hint, facts: Facts::default() })
    }

    fn store(&self, admin: &AdminSession, target: &Target, client_id: &str, created: &CreatedSecret) -> Result<String, Failure> {
        let secret = created.value.expose();
        let shown = |content: Wiped| output::secret(&content).map(|()| "on standard output".to_owned());
        match target {
            Target::Shown => shown(Wiped::of(&["MONGODB_ATLAS_CLIENT_ID=", client_id, "\nMONGODB_ATLAS_CLIENT_SECRET=", secret, "\n"])),
            Target::Terraform => shown(object(&[("client_id", client_id), ("client_secret", secret)])),
            Target::AwsManaged => shown(object(&[("clientId", client_id), ("clientSecret", secret), ("orgId", &self.organization)])),
            Target::Kubernetes(name) => shown(self.manifest(name, client_id, secret)),
            Target::File(path) => store_file(Path::new(path), secret),
            Target::Profile(name) => self.store_profile(admin, name, client_id, created, SecretLocation::File),
            Target::Keyring(name) => self.store_profile(admin, name, client_id, created, SecretLocation::Keyring),
        }
    }

    fn store_profile(
        &self,
        admin: &AdminSession,
        name: &str,
        client_id: &str,
        created: &CreatedSecret,
        location: SecretLocation,
    ) -> Result<String, Failure> {
        let Some(file) = &self.file else { return Err(tokenwell::Error::Internal { problem: "no configuration file".to_owned() }.into()) };
        let (own, _) = Profile::of(&admin.session.config);
        // An account is at the same server as the one that creates it.
        let profile = Profile { client_id: client_id.to_owned(), ..own };
        let stored = store_profile(file, name, &profile, &created.value, location)?;
        let place = match &stored.secret_file {
            Some(path) => format!("in profile {name}, with the secret in {}", printable_path(path)),
            None => format!("in profile {name}, with the secret in the keyring"),
        };
        if !reads_back(file, name, client_id, created.value.expose()) {
            return Err(Failure::new(
                Status::CannotWrite,
                format!("profile {name} was stored, but cannot be read back"),
                "Check it with `tokenwell profile show`.",
            ));
        }
        output::message(&format!("stored {place}"));
        Ok(place)
    }

    /// A manifest for the Atlas operator, which reads only Secrets with this label.
    fn manifest(&self, name: &str, client_id: &str, secret: &str) -> Wiped {
        let mut manifest = Wiped::of(&[
            "apiVersion: v1\nkind: Secret\nmetadata:\n  name: ",
            name,
            "\n  labels:\n    atlas.mongodb.com/type: credentials\ntype: Opaque\ndata:\n",
        ]);
        for (key, value) in [("orgId", self.organization.as_str()), ("clientId", client_id), ("clientSecret", secret)] {
            let encoded = encoded(value);
            manifest.push("  ");
            manifest.push(key);
            manifest.push(": ");
            manifest.push(&encoded);
            manifest.push("\n");
        }
        manifest
    }
}

/// Base64 without a newline, which would become part of the value.
fn encoded(value: &str) -> Zeroizing<String> {
    // Allocated with the final size: a string that grows leaves copies.
    let mut encoded = Zeroizing::new(String::with_capacity(value.len().div_ceil(3) * 4));
    STANDARD.encode_string(value, &mut encoded);
    encoded
}

fn object(members: &[(&str, &str)]) -> Wiped {
    let mut object = Wiped::of(&["{"]);
    for (index, (key, value)) in members.iter().enumerate() {
        object.push(if index == 0 { "" } else { "," });
        // Neither the buffer nor a string can fail.
        let _ = serde_json::to_writer(&mut object, key);
        object.push(":");
        let _ = serde_json::to_writer(&mut object, value);
    }
    object.push("}\n");
    object
}

fn store_file(path: &Path, secret: &str) -> Result<String, Failure> {
    SinkFile::at(path, 0o600)?.replace(Wiped::of(&[secret, "\n"]).as_bytes())?;
    let shown = printable_path(path);
    let read = std::fs::read(path).map(Zeroizing::new);
    if !read.is_ok_and(|read| read.strip_suffix(b"\n") == Some(secret.as_bytes())) {
        return Err(Failure::new(Status::CannotWrite, format!("`{shown}` was written, but cannot be read back"), "Check the file system."));
    }
    output::message(&format!("stored the secret in {shown}"));
    Ok(format!("in {shown}"))
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

/// Reads the profile as a program would, without an account in the environment.
fn reads_back(file: &ConfigFile, name: &str, client_id: &str, secret: &str) -> bool {
    let path = file.path().as_os_str().to_owned();
    let mut builder = Config::builder().environment(move |variable| match variable {
        "TOKENWELL_CONFIG_FILE" => Some(path.clone()),
        "TOKENWELL_EMULATOR" => std::env::var_os(variable),
        variable if is_variable_of(variable, |_| true) => None,
        variable => std::env::var_os(variable),
    });
    let config = builder.set("profile", name.as_bytes()).and_then(|()| builder.build());
    let credential = config.and_then(|config| config.credential());
    credential.is_ok_and(|(id, found)| id == client_id && found.expose() == secret)
}
