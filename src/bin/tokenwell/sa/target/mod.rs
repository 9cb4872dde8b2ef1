//! `--to` and `--show-secret`: the places of a new secret. All are checked before anything is created, and
//! each that can be read is read back.
//!
//! Start reading at [`Targets::parse`] and [`Delivery::prepare`]; there is one file for each kind of place.

mod command;
mod delivery;
mod file;
mod printed;
mod profile;
mod redactor;

pub(super) use delivery::Delivery;

use super::stored::SHOWN;
use crate::failure::Failure;
use crate::program;
use crate::terminal::Stream;
use crate::wanted::duration;
use std::time::Duration;
use tokenwell::Status;
use tokenwell::config::profiles::SelectedProfile;
use tokenwell::error::printable;

#[derive(clap::Args)]
pub(super) struct Targets {
    /// Where the secret goes: profile:NAME, file:PATH, 'stdin-of:COMMAND' and others; repeat it for several
    ///
    /// profile:NAME (in a private file), keyring:NAME (a profile with the secret in the keyring),
    /// file:PATH (mode 0600), 'stdin-of:COMMAND ARGUMENT…' (the standard input of a command, without a
    /// newline and without a shell), and on standard output json:terraform, json:aws-managed or
    /// k8s-secret:NAME.
    #[arg(long, value_name = "TARGET")]
    to: Vec<String>,

    /// Print the client id and the secret as two assignments
    #[arg(long)]
    show_secret: bool,

    /// Time after which a command of stdin-of: is terminated
    #[arg(long, hide_short_help = true, value_name = "DURATION", default_value = "60s", value_parser = duration)]
    command_timeout: Duration,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Target {
    Profile(String),
    Keyring(String),
    File(String),
    /// The command line, and its words.
    StandardInputOf(String, Vec<String>),
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

    /// The order of the targets: commands, which may take long, after what is stored by this process. The
    /// last one is standard output, whose reader expects nothing after it.
    fn rank(&self) -> u8 {
        match self {
            Self::Profile(_) | Self::Keyring(_) | Self::File(_) => 0,
            Self::StandardInputOf(..) => 1,
            Self::Shown | Self::Terraform | Self::AwsManaged | Self::Kubernetes(_) => 2,
        }
    }

    /// The target as `--to` names it, from any directory: for a record of what a command was to do.
    fn recorded(&self) -> String {
        match self {
            Self::File(path) => {
                let absolute = std::path::absolute(path).map_or_else(|_| path.clone(), |path| path.to_string_lossy().into_owned());
                format!("file:{absolute}")
            }
            Self::Shown => SHOWN.to_owned(),
            other => other.value(),
        }
    }

    /// The flag of this target, as a shell reads it.
    fn flag(&self) -> String {
        if *self == Self::Shown {
            return format!("--{SHOWN}");
        }
        // An argument of a process has no null character.
        format!("--to {}", shlex::try_quote(&self.value()).unwrap_or_default())
    }

    /// The value of `--to`.
    fn value(&self) -> String {
        match self {
            Self::Profile(name) => format!("profile:{name}"),
            Self::Keyring(name) => format!("keyring:{name}"),
            Self::File(path) => format!("file:{path}"),
            Self::StandardInputOf(line, _) => format!("stdin-of:{line}"),
            Self::Shown => String::new(),
            Self::Terraform => "json:terraform".to_owned(),
            Self::AwsManaged => "json:aws-managed".to_owned(),
            Self::Kubernetes(name) => format!("k8s-secret:{name}"),
        }
    }
}

/// The targets in the arguments.
pub(super) struct Wanted {
    targets: Vec<Target>,
    command_timeout: Duration,
}

impl Targets {
    /// The targets in the arguments. `json` says that the command prints an object of its own.
    pub(super) fn parse(&self, json: bool) -> Result<Wanted, Failure> {
        const LIST: &str =
            "Use profile:NAME, keyring:NAME, file:PATH, stdin-of:COMMAND, json:terraform, json:aws-managed or k8s-secret:NAME.";
        let mut targets = Vec::new();
        for text in &self.to {
            let wrong = || Failure::new(Status::InvalidArgument, format!("--to: `{}` is not a target", printable(text, 200)), LIST);
            let (kind, value) = text.split_once(':').ok_or_else(wrong)?;
            let target = match (kind, value) {
                (_, "") => return Err(wrong()),
                ("profile", name) => Target::Profile(SelectedProfile::find(Some(name), "--to")?.name),
                ("keyring", name) => Target::Keyring(SelectedProfile::find(Some(name), "--to")?.name),
                ("file", path) => Target::File(path.to_owned()),
                ("stdin-of", line) => Target::StandardInputOf(line.to_owned(), program::words("--to stdin-of", line)?),
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
        Ok(Wanted { targets, command_timeout: self.command_timeout })
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
