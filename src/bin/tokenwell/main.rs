//! The `tokenwell` command: one file per subcommand, each with its `Args` and a `run` that ends in `Ok` or in the error whose
//! status is the exit code.
//!
//! A new command is its `mod` and one line of [`commands!`] below.

mod api;
mod bench;
mod cache;
mod completions;
mod doctor;
#[cfg(feature = "emulator")]
mod emulator;
mod env;
mod exec;
mod failure;
mod form;
mod harden;
mod header;
mod invalidate;
mod log;
mod login;
mod logout;
mod man;
mod output;
mod prompt;
mod revoke;
mod session;
mod settings;
mod sink;
#[path = "../../ffi/standard_output.rs"]
mod standard_output;
mod status;
mod stop;
mod token;
mod wanted;

use clap::error::ErrorKind;
use clap::{ArgMatches, FromArgMatches, Parser, Subcommand};
use failure::Failure;
use std::ffi::OsString;
use std::io::{self, Write as _};
use std::process::ExitCode;

/// One shared cache of OAuth 2.0 bearer tokens for MongoDB Atlas Service Accounts.
///
/// tokenwell trades a service account's client id and secret for an access token, keeps the token for every process on this
/// host, and renews it before it expires, so that a hundred processes cost one token request an hour and not a hundred.
#[derive(Parser)]
#[command(name = "tokenwell", version, after_long_help = AFTER_HELP, subcommand_required = true, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,

    /// Show on standard error what is done; twice for all there is to show
    #[arg(short, long, action = clap::ArgAction::Count, global = true)]
    verbose: u8,
}

const AFTER_HELP: &str = "\
Examples:
  A token for a script, from the credentials in MONGODB_ATLAS_CLIENT_ID and MONGODB_ATLAS_CLIENT_SECRET
    tokenwell token

  A program with a token in its environment, and without the secret
    tokenwell exec -- terraform plan

  What is wrong?
    tokenwell doctor

  Try it without an account: run Atlas in a box and use the credentials that it prints
    rm -f emulator.env
    tokenwell emulator > emulator.env &
    until [ -s emulator.env ]; do sleep 0.1; done
    set -a; . ./emulator.env; set +a

Exit codes:
  0  done
  1  a bug in tokenwell, or the client was closed
  2  the call or a flag is wrong
  3  no usable credential, or settings that contradict each other
  4  the server rejected the client: trying again cannot help
  5  network, server or protocol error
  6  too many live tokens, or too many requests
  7  no trusted TLS connection
  8  refused for safety
  9  no token in the time that was allowed";

/// Makes the enum of commands and the call of each from one line per command. A command's name is that of its module.
macro_rules! commands {
    ($($(#[$attribute:meta])* $name:ident => $module:ident,)*) => {
        enum Command {
            $($(#[$attribute])* $name($module::Args),)*
        }

        impl Subcommand for Command {
            fn augment_subcommands(mut all: clap::Command) -> clap::Command {
                let only = only_command();
                $($(#[$attribute])* {
                    const NAME: &str = stringify!($module);
                    if only.as_ref().is_none_or(|only| only == NAME) {
                        all = all.subcommand(<$module::Args as clap::Args>::augment_args(clap::Command::new(NAME)));
                    }
                })*
                all
            }

            fn augment_subcommands_for_update(all: clap::Command) -> clap::Command {
                Self::augment_subcommands(all)
            }

            fn has_subcommand(name: &str) -> bool {
                COMMANDS.contains(&name)
            }
        }

        impl FromArgMatches for Command {
            fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
                match matches.subcommand() {
                    $($(#[$attribute])* Some((stringify!($module), matches)) => {
                        <$module::Args as FromArgMatches>::from_arg_matches(matches).map(Command::$name)
                    })*
                    _ => Err(clap::Error::raw(ErrorKind::MissingSubcommand, "a command is missing")),
                }
            }

            fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
                Self::from_arg_matches(matches).map(|command| *self = command)
            }
        }

        const COMMANDS: &[&str] = &[$($(#[$attribute])* stringify!($module),)*];

        fn run(command: Command) -> Result<(), Failure> {
            match command {
                $($(#[$attribute])* Command::$name(args) => $module::run(args).map_err(Failure::from),)*
            }
        }
    };
}

/// The command that the first argument names, where that is all there is to know: making the flags of all the others takes a good part of the time
/// of a `token` from the cache. Completions and manual pages are about all commands.
fn only_command() -> Option<OsString> {
    let first = std::env::args_os().nth(1)?;
    // The arguments of a test run are not the command's.
    let alone = !cfg!(test) && COMMANDS.iter().any(|name| first == *name) && first != "completions" && first != "man";
    alone.then_some(first)
}

commands! {
    Token => token,
    Header => header,
    Env => env,
    Exec => exec,
    Api => api,
    Sink => sink,
    Status => status,
    Doctor => doctor,
    Login => login,
    Logout => logout,
    Invalidate => invalidate,
    Revoke => revoke,
    Cache => cache,
    Bench => bench,
    #[cfg(feature = "emulator")] Emulator => emulator,
    Completions => completions,
    Man => man,
}

fn main() -> ExitCode {
    harden::process();
    let done = match Cli::try_parse() {
        Ok(cli) => {
            log::start(cli.verbose);
            run(cli.command)
        }
        // Help and version are answers too: clap itself would not tell when they cannot be written.
        Err(answer) if !answer.use_stderr() => output::bytes(answer.to_string().as_bytes()),
        Err(wrong) => wrong.exit(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            if let Some(message) = failure.message() {
                // Nobody is left to tell when this fails; the exit code still does.
                let _ = writeln!(io::stderr(), "{message}");
            }
            failure.settle();
            failure.exit_code()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Cli;
    use clap::{Command, CommandFactory as _};

    fn each(command: &Command, visit: &mut dyn FnMut(&Command)) {
        visit(command);
        command.get_subcommands().for_each(|subcommand| each(subcommand, visit));
    }

    #[test]
    fn the_commands_and_flags_do_not_contradict_each_other() {
        Cli::command().debug_assert();
    }

    #[test]
    fn i22_no_flag_takes_a_secret_as_its_value() {
        // These take the name of a file, a URL and numbers.
        const HARMLESS: [&str; 4] = ["client_secret_file", "token_url", "token_lifetime", "token_cap"];
        const SECRET: [&str; 6] = ["secret", "token", "password", "passphrase", "key", "credential"];
        let mut values = 0;
        let mut secrets = Vec::new();

        each(&Cli::command(), &mut |command| {
            for argument in command.get_arguments().filter(|argument| argument.get_action().takes_values()) {
                let name = argument.get_id().as_str();
                values += 1;
                if SECRET.iter().any(|word| name.contains(word)) && !HARMLESS.contains(&name) {
                    secrets.push(format!("{} {name}", command.get_name()));
                }
            }
        });

        assert!(values > 50, "the scan saw only {values} flags with a value");
        assert_eq!(secrets, Vec::<String>::new());
    }

    #[test]
    fn every_command_shows_an_example() {
        each(&Cli::command(), &mut |command| {
            if command.get_name() != "help" {
                let help = command.clone().render_long_help().to_string();
                assert!(help.contains("Examples:\n"), "{}: {help}", command.get_name());
            }
        });
    }
}
