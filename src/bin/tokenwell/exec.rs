//! `tokenwell exec`: runs a program with the token, but not the secret, in its environment.

use crate::env::VARIABLE;
use crate::failure::Failure;
use crate::ids::ProfileIds;
use crate::server::{BASE_URL, Server};
use crate::settings::Settings;
use crate::wanted::TokenFlags;
use std::ffi::OsString;
use std::io;
use std::process::Command;
use tokenwell::config::settings;
use tokenwell::error::{ExitCode, os_reason, printable};
use tokenwell::{Config, Status};

/// The maximum nesting of `tokenwell exec`, for helpers that are configured to call themselves.
const MAX_DEPTH: u32 = 4;
pub(crate) const DEPTH: &str = "TOKENWELL_EXEC_DEPTH";

/// Run a command with the token in its environment
///
/// Sets MONGODB_ATLAS_ACCESS_TOKEN and the server for which the token is (MONGODB_ATLAS_BASE_URL).
/// Also sets MONGODB_ATLAS_ORG_ID and MONGODB_ATLAS_PROJECT_ID if the profile has them and the
/// environment does not. Removes the client secret, by whatever name a variable contains it, and its
/// client id.
///
/// Searches PATH for the command and starts it without a shell. The command replaces the tokenwell
/// process: it receives signals directly, and its exit code is returned.
#[derive(clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct Args {
    /// The command and its arguments
    #[arg(value_name = "COMMAND", required = true, trailing_var_arg = true)]
    command: Vec<OsString>,

    #[command(flatten)]
    token_flags: TokenFlags,

    #[command(flatten)]
    settings: Settings,
}

const EXAMPLES: &str = "\
Examples:
  tokenwell exec -- terraform plan
  tokenwell exec --min-ttl 30m -- ./a-long-job --verbose
  tokenwell exec -- sh -c 'terraform plan && terraform apply'

Exit codes:
  126  the command cannot be started
  127  the command does not exist

Before the command starts, the exit codes of tokenwell apply (see `tokenwell
--help`). Then the exit code is that of the command.";

pub(crate) fn run(args: Args) -> Result<(), Failure> {
    let depth = next_depth(std::env::var_os(DEPTH))?;
    let session = args.settings.session_until_deadline()?;
    let token = args.token_flags.token(&session, &args.settings)?;
    let Some((program, arguments)) = args.command.split_first() else {
        return Err(Failure::new(Status::InvalidArgument, "no command", "Add the command: tokenwell exec -- COMMAND."));
    };

    let mut command = Command::new(program);
    command.args(arguments);
    for variable in secret_variables(&session.config) {
        command.env_remove(variable);
    }
    if let Some(base) = session.config.api_base() {
        let server = Server::of(base);
        server.other_variables().for_each(|variable| {
            command.env_remove(variable);
        });
        command.env(BASE_URL, server.base_url());
    }
    ProfileIds::of(&session.config).variables().for_each(|(variable, id)| {
        command.env(variable, id);
    });
    command.env(DEPTH, depth.to_string());
    // The copy in the environment cannot be wiped; the command that replaces this process needs it.
    command.env(VARIABLE, token.value());
    // The process is replaced next: what is left of a refresh must be in the cache before that.
    drop((token, session));
    replace_this_process(command).map_err(|error| not_started(program, &error))
}

/// The variables of this process that a program must not get: those of the credential, and those of
/// other names whose value is the secret, because other programs read it by names of their own.
pub(crate) fn secret_variables(config: &Config) -> Vec<OsString> {
    let named = credential_variables(|name| std::env::var_os(name).is_some()).into_iter().map(OsString::from);
    let is_secret = |value: &OsString| !value.is_empty() && config.is_client_secret(value.as_encoded_bytes());
    let others = std::env::vars_os().filter(|(_, value)| is_secret(value)).map(|(name, _)| name);
    named.chain(others).collect()
}

/// The variables to remove: each secret, and the client id of each secret that `is_set`. A client
/// id without its secret is an error for programs that read the pair.
pub(crate) fn credential_variables(is_set: impl Fn(&str) -> bool) -> Vec<String> {
    let mut variables = Vec::new();
    for setting in settings().filter(|setting| setting.is_secret() || setting.name() == "client_secret_file") {
        for variable in setting.variables() {
            let prefix = variable.strip_suffix(&setting.name().to_ascii_uppercase()).filter(|_| is_set(variable));
            variables.extend(prefix.map(|prefix| format!("{prefix}CLIENT_ID")));
            variables.push(variable.to_owned());
        }
    }
    variables
}

/// The nesting depth of the command that is started.
fn next_depth(own: Option<OsString>) -> Result<u32, Failure> {
    let own = match own.filter(|value| !value.is_empty()) {
        None => 0,
        // A value that is not a number was not set by tokenwell. It must not disable the limit.
        Some(value) => value.to_str().and_then(|value| value.parse().ok()).unwrap_or(MAX_DEPTH),
    };
    if own < MAX_DEPTH {
        return Ok(own + 1);
    }
    Err(Failure::new(
        Status::Refused,
        format!("`tokenwell exec` is nested {MAX_DEPTH} times ({DEPTH})"),
        format!("Check whether the command starts `tokenwell exec` again. If this is intended, unset {DEPTH} before it does."),
    ))
}

/// Replaces this process with the command. Returns only if the command cannot be started.
#[cfg(unix)]
fn replace_this_process(mut command: Command) -> io::Result<()> {
    use std::os::unix::process::CommandExt as _;

    crate::harden::undo();
    Err(command.exec())
}

/// Starts the command, waits for it and exits with its exit code. Other systems cannot replace a
/// process.
#[cfg(not(unix))]
fn replace_this_process(mut command: Command) -> io::Result<()> {
    let status = command.status()?;
    std::process::exit(status.code().unwrap_or(1))
}

pub(crate) fn not_started(program: &OsString, error: &io::Error) -> Failure {
    let shown = printable(&program.to_string_lossy(), 200);
    match error.kind() {
        io::ErrorKind::NotFound => Failure::with_exit_code(
            ExitCode::NoSuchCommand,
            format!("command `{shown}` not found"),
            "Check its name and PATH. For pipes and shell built-ins use `sh -c '…'`.",
        ),
        _ => Failure::with_exit_code(
            ExitCode::CannotStart,
            format!("cannot start `{shown}`: {}", os_reason(error)),
            "Check that it is a program for this machine and that this user may execute it.",
        ),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn i23_an_id_goes_with_its_secret_and_stays_without_one() {
        let removed = credential_variables(|name| name == "MONGODB_ATLAS_CLIENT_SECRET" || name == "TOKENWELL_CLIENT_SECRET_FILE");

        for secret in ["TOKENWELL_CLIENT_SECRET", "TOKENWELL_CLIENT_SECRET_FILE", "MONGODB_ATLAS_CLIENT_SECRET", "MCLI_CLIENT_SECRET"] {
            assert!(removed.iter().any(|name| name == secret), "{secret}: {removed:?}");
        }
        let ids: Vec<_> = removed.iter().filter(|name| name.ends_with("CLIENT_ID")).collect();
        assert_eq!(ids, ["MONGODB_ATLAS_CLIENT_ID", "TOKENWELL_CLIENT_ID"]);
    }

    #[test]
    fn i29_the_depth_grows_to_four_and_no_further() {
        let next = |value: &str| next_depth(Some(OsString::from(value)));

        assert_eq!(next_depth(None).unwrap(), 1);
        assert_eq!(next("").unwrap(), 1, "b3: an empty variable counts as not set");
        assert_eq!(next("3").unwrap(), 4);
        for own in ["4", "5", "-1", " ", "many"] {
            assert_eq!(next(own).unwrap_err().exit_code(), ExitCode::Refused, "{own:?}");
        }
    }
}
