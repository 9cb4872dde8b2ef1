//! `tokenwell exec`: a program with the token in its environment, and without the secret.

use crate::env::VARIABLE;
use crate::failure::Failure;
use crate::settings::Settings;
use crate::wanted::Wanted;
use std::ffi::OsString;
use std::io;
use std::process::Command;
use tokenwell::Status;
use tokenwell::config::settings;
use tokenwell::error::printable;

/// How often `tokenwell exec` may start itself: a helper that is configured to call itself would do so without end.
const DEEPEST: u32 = 4;
const DEPTH: &str = "TOKENWELL_EXEC_DEPTH";

/// The shell's exit codes for a command that is not there, and for one that cannot be started.
const NOT_FOUND: u8 = 127;
const NOT_EXECUTABLE: u8 = 126;

/// Run a command with the token in its environment
///
/// The command gets MONGODB_ATLAS_ACCESS_TOKEN, and none of the variables that hold the client secret, nor the client id that goes with one. It takes the place of tokenwell: signals and
/// the exit code are its own. No shell is involved; it is looked up in PATH.
#[derive(clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct Args {
    #[command(flatten)]
    wanted: Wanted,

    #[command(flatten)]
    settings: Settings,

    /// The command and its arguments
    #[arg(value_name = "COMMAND", required = true, trailing_var_arg = true)]
    command: Vec<OsString>,
}

const EXAMPLES: &str = "\
Examples:
  tokenwell exec -- terraform plan
  tokenwell exec --min-ttl 30m -- ./a-long-job --verbose
  tokenwell exec -- sh -c 'terraform plan && terraform apply'

Exit codes:
  The command's own; 127 where there is no such command, 126 where it cannot be started, and tokenwell's own before that.";

pub(crate) fn run(args: Args) -> Result<(), Failure> {
    let depth = next_depth(std::env::var_os(DEPTH))?;
    let token = args.settings.session()?.token(&args.wanted.options())?;
    let Some((program, arguments)) = args.command.split_first() else {
        return Err(Failure::new(Status::InvalidArgument, "there is no command", "Name one: tokenwell exec -- COMMAND"));
    };

    let mut command = Command::new(program);
    command.args(arguments);
    for variable in variables_of_pairs(|name| std::env::var_os(name).is_some()) {
        command.env_remove(variable);
    }
    command.env(VARIABLE, token.value()).env(DEPTH, depth.to_string());
    replace_this_process(command).map_err(|error| not_started(program, &error))
}

/// The variables that the command shall not have: each secret, and the id beside one that `is_set`. An id without its secret would be half a pair, which
/// is an error to every program that looks for one.
fn variables_of_pairs(is_set: impl Fn(&str) -> bool) -> Vec<String> {
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

/// The depth of the command to be started.
fn next_depth(own: Option<OsString>) -> Result<u32, Failure> {
    let own = match own {
        None => 0,
        // What is no number was not set by tokenwell, and is no reason to go on without end.
        Some(text) => text.to_str().and_then(|text| text.parse().ok()).unwrap_or(DEEPEST),
    };
    if own < DEEPEST {
        return Ok(own + 1);
    }
    Err(Failure::new(
        Status::Refused,
        format!("`tokenwell exec` was started inside of itself {DEEPEST} times ({DEPTH})"),
        format!("A helper that tokenwell starts seems to start tokenwell again. If this is meant, unset {DEPTH} in between."),
    ))
}

/// Returns only where the command could not be started.
#[cfg(unix)]
fn replace_this_process(mut command: Command) -> io::Result<()> {
    use std::os::unix::process::CommandExt as _;

    crate::harden::undo();
    Err(command.exec())
}

/// Other systems cannot put a program in the place of another: this one waits for it and ends as it does.
#[cfg(not(unix))]
fn replace_this_process(mut command: Command) -> io::Result<()> {
    let status = command.status()?;
    std::process::exit(status.code().unwrap_or(1))
}

fn not_started(program: &OsString, error: &io::Error) -> Failure {
    let shown = printable(&program.to_string_lossy(), 200);
    match error.kind() {
        io::ErrorKind::NotFound => Failure::Own {
            exit_code: NOT_FOUND,
            problem: format!("there is no command `{shown}`"),
            hint: "Check its name and PATH. No shell is involved: for pipes or built-in commands use `sh -c '…'`.".to_owned(),
        },
        _ => Failure::Own {
            exit_code: NOT_EXECUTABLE,
            problem: format!("`{shown}` cannot be started: {error}"),
            hint: "Check that it is a program for this machine and that this user may execute it.".to_owned(),
        },
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn i23_an_id_goes_with_its_secret_and_stays_without_one() {
        let removed = variables_of_pairs(|name| name == "MONGODB_ATLAS_CLIENT_SECRET" || name == "TOKENWELL_CLIENT_SECRET_FILE");

        for secret in ["TOKENWELL_CLIENT_SECRET", "TOKENWELL_CLIENT_SECRET_FILE", "MONGODB_ATLAS_CLIENT_SECRET", "MCLI_CLIENT_SECRET"] {
            assert!(removed.iter().any(|name| name == secret), "{secret}: {removed:?}");
        }
        let ids: Vec<_> = removed.iter().filter(|name| name.ends_with("CLIENT_ID")).collect();
        assert_eq!(ids, ["MONGODB_ATLAS_CLIENT_ID", "TOKENWELL_CLIENT_ID"]);
    }

    #[test]
    fn i29_the_depth_grows_to_four_and_no_further() {
        let next = |text: &str| next_depth(Some(OsString::from(text)));

        assert_eq!(next_depth(None).unwrap(), 1);
        assert_eq!(next("3").unwrap(), 4);
        for own in ["4", "5", "-1", "", "many"] {
            assert!(matches!(next(own), Err(Failure::Own { exit_code: 8, .. })), "{own:?}");
        }
    }
}
