//! The `tokenwell` command: one file per subcommand, each with its `Args` and a `run` that ends in `Ok` or in the error whose
//! status is the exit code.
//!
//! A new command is its `mod` and one line of [`commands!`] below.

mod bench;
#[cfg(feature = "emulator")]
mod emulator;
mod failure;
mod harden;
mod output;
mod settings;
#[cfg(feature = "emulator")]
mod stop;
mod token;

use clap::{Parser, Subcommand};
use failure::Failure;
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
}

const AFTER_HELP: &str = "\
Examples:
  A token for a script, from the credentials in MONGODB_ATLAS_CLIENT_ID and MONGODB_ATLAS_CLIENT_SECRET
    tokenwell token

  Try it without an account: run Atlas in a box and use the credentials that it prints
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

/// Makes the enum of commands and the call of each from one line per command.
macro_rules! commands {
    ($($(#[$attribute:meta])* $name:ident => $module:ident,)*) => {
        #[derive(Subcommand)]
        enum Command {
            $($(#[$attribute])* $name($module::Args),)*
        }

        fn run(command: Command) -> Result<(), Failure> {
            match command {
                $($(#[$attribute])* Command::$name(args) => $module::run(args).map_err(Failure::from),)*
            }
        }
    };
}

commands! {
    Token => token,
    Bench => bench,
    #[cfg(feature = "emulator")] Emulator => emulator,
}

fn main() -> ExitCode {
    harden::process();
    match run(Cli::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            // Nobody is left to tell when this fails; the exit code still does.
            let _ = writeln!(io::stderr(), "{}", failure.message());
            failure.exit_code()
        }
    }
}
