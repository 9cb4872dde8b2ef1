//! The `tokenwell` command. Each subcommand has one file with its `Args` and a `run` function,
//! which returns `Ok` or the error whose status becomes the exit code.
//!
//! To add a command, add its `mod` line and one line of [`commands!`] below.

mod api;
mod ask;
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
mod help;
mod ids;
mod invalidate;
mod json;
mod jwt;
mod log;
mod login;
mod login_input;
mod logout;
mod man;
mod output;
mod profile;
mod program;
mod prompt;
mod reminder;
mod revoke;
mod sa;
mod secret_end;
mod server;
mod session;
mod settings;
mod sink;
mod spelling;
#[path = "../../ffi/standard_output.rs"]
mod standard_output;
mod state;
mod status;
mod stop;
mod style;
mod synonyms;
mod terminal;
mod token;
mod usage;
mod wanted;
mod whoami;
mod wiped;

use clap::error::ErrorKind;
use clap::{ArgMatches, CommandFactory as _, FromArgMatches, Parser, Subcommand};
use failure::Failure;
use std::ffi::OsString;
use std::process::ExitCode as ProcessExitCode;
use style::ColorChoice;
use terminal::Stream;
use tokenwell::error::ExitCode;

/// Get and cache OAuth 2.0 access tokens for MongoDB Atlas Service Accounts
///
/// tokenwell exchanges the client id and secret of a service account for an access token. It caches
/// the token for all processes of this user and refreshes it before it expires, so that a hundred
/// processes send one token request an hour instead of a hundred.
#[derive(Parser)]
#[command(name = "tokenwell", version, after_long_help = after_help(), subcommand_required = true, arg_required_else_help = true, disable_help_subcommand = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,

    /// Log each request and each use of the token cache to standard error; -vv also the source of
    /// each setting
    #[arg(short, long, action = clap::ArgAction::Count, global = true, help_heading = "Output", hide_short_help = true)]
    verbose: u8,

    /// Print no notes and warnings; errors are always printed
    #[arg(short, long, global = true, conflicts_with = "verbose", help_heading = "Output", hide_short_help = true)]
    quiet: bool,

    /// When to use colors
    #[arg(long, value_enum, value_name = "WHEN", default_value_t, global = true, help_heading = "Output", hide_short_help = true)]
    color: ColorChoice,

    /// Write an error as one JSON object to standard error
    #[arg(long, global = true, help_heading = "Output", hide_short_help = true)]
    json: bool,
}

const EXAMPLES: &str = "\
Examples:
  Print a token; the credential is in MONGODB_ATLAS_CLIENT_ID and
  MONGODB_ATLAS_CLIENT_SECRET
    tokenwell token

  Run a program with the token, but not the secret, in its environment
    tokenwell exec -- terraform plan

  Find out why it does not work
    tokenwell doctor

  Try it without an account: run the Atlas emulator with its test credential
    eval \"$(tokenwell emulator --background --until-pid $$)\"";

/// The examples, and the exit codes of the commands that exist.
fn after_help() -> String {
    let codes = ExitCode::all().filter(|code| !code.is_planned());
    let lines = codes.map(|code| format!("\n{:>5}  {}", code.number(), code.meaning()));
    format!("{EXAMPLES}\n\nExit codes:{}", lines.collect::<String>())
}

/// Defines the command enum and its dispatch from one line per command. A command has the name of
/// its module.
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
                    _ => Err(clap::Error::raw(ErrorKind::MissingSubcommand, "no command")),
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

/// Returns the command that the first argument names, if only its flags have to be built. Building
/// the flags of all commands takes a large part of the time of a cached `token`. Completions and
/// manual pages need all commands.
fn only_command() -> Option<OsString> {
    let first = std::env::args_os().nth(1)?;
    // The arguments of a test binary are not arguments of the command.
    let alone =
        !cfg!(test) && COMMANDS.iter().any(|name| first == *name) && !["completions", "man", "help"].iter().any(|all| first == *all);
    alone.then_some(first)
}

commands! {
    Token => token,
    Header => header,
    Env => env,
    Exec => exec,
    Api => api,
    Sa => sa,
    Sink => sink,
    Status => status,
    Doctor => doctor,
    Login => login,
    Logout => logout,
    Profile => profile,
    Whoami => whoami,
    Invalidate => invalidate,
    Revoke => revoke,
    Cache => cache,
    Bench => bench,
    #[cfg(feature = "emulator")] Emulator => emulator,
    Completions => completions,
    Man => man,
    Help => help,
}

fn main() -> ProcessExitCode {
    harden::process();
    let result = match completions::request() {
        Some(shell) => completions::answer(&shell),
        None => parse().and_then(run),
    };
    match result {
        Ok(()) => ExitCode::Success.into(),
        Err(failure) => {
            failure.report();
            failure.wait_for_late_token();
            failure.exit_code().into()
        }
    }
}

/// All commands that the arguments need, with their help for the terminal.
fn command_line() -> clap::Command {
    for_terminal(Cli::command(), asks_for_short_help()).term_width(Stream::Out.width())
}

/// Whether `-h` is one of tokenwell's own arguments.
fn asks_for_short_help() -> bool {
    std::env::args_os().skip(1).take_while(|argument| argument != "--").any(|argument| argument == "-h")
}

/// Parses the arguments and applies the flags of all commands.
fn parse() -> Result<Command, Failure> {
    let matches = command_line().try_get_matches_from(std::env::args_os());
    failure::set_json(matches.as_ref().map_or_else(|_| json::is_in_arguments(), json::is_requested));
    match matches.and_then(|matches| Cli::from_arg_matches(&matches)) {
        Ok(cli) => {
            style::choose(cli.color);
            output::set_quiet(cli.quiet);
            log::start(if cli.quiet { log::QUIET } else { cli.verbose }, matches!(cli.command, Command::Doctor(_)));
            Ok(cli.command)
        }
        Err(answer) if is_overview(&answer) => {
            style::choose(color_in_arguments());
            Err(overview(&answer))
        }
        Err(answer) => {
            // clap stops at the first error, at --help and at --version.
            style::choose(color_in_arguments());
            Err(answer_of_clap(&answer))
        }
    }
}

/// Help and version as a result, and an error in the arguments as a failure.
fn answer_of_clap(answer: &clap::Error) -> Failure {
    let is_missing = answer.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand;
    if answer.use_stderr() && !is_missing {
        return usage::failure(answer);
    }
    if is_missing && failure::is_json() {
        return usage::missing_subcommand(answer);
    }
    if is_missing {
        // The help takes the place of an error message.
        output::to_standard_error(&printed(&answer.render(), Stream::Err));
        return Failure::Reported { exit_code: ExitCode::Usage };
    }
    // clap itself does not report that help or version cannot be written.
    match output::line(&printed(&answer.render(), Stream::Out)) {
        Ok(()) => Failure::Reported { exit_code: ExitCode::Success },
        Err(failure) => failure,
    }
}

/// A help page as it is printed, without blanks at the ends of lines.
fn printed(page: &clap::builder::StyledStr, stream: Stream) -> String {
    let page = if style::is_on(stream) { page.ansi().to_string() } else { page.to_string() };
    page.replace(FIXED_SPACE, " ").trim_end().lines().map(str::trim_end).collect::<Vec<_>>().join("\n")
}

/// Whether the arguments are `tokenwell -h`, or nothing.
fn is_overview(answer: &clap::Error) -> bool {
    match answer.kind() {
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => std::env::args_os().len() == 1,
        ErrorKind::DisplayHelp => std::env::args_os().skip(1).eq(["-h"]),
        _ => false,
    }
}

/// The commands that the overview only names, so that it fits on one screen.
const LESS_USED: [&str; 6] = ["header", "cache", "bench", "completions", "man", "help"];

/// The short help of tokenwell itself: the commands on one screen.
fn overview(answer: &clap::Error) -> Failure {
    let stream = if answer.use_stderr() { Stream::Err } else { Stream::Out };
    let command = Cli::command();
    let bold = |words: &str| style::paint(stream, style::Style::Bold, words).into_owned();
    let about = |command: &clap::Command| command.get_about().map(ToString::to_string).unwrap_or_default();
    let mut table = terminal::Table::default();
    for command in command.get_subcommands().filter(|command| !LESS_USED.contains(&command.get_name())) {
        table.row([format!("  {}", command.get_name()).into(), about(command).into()]);
    }
    let page = format!(
        "{}\n\n{} tokenwell COMMAND [FLAGS]\n\n{}\n{}\n\nAlso: {}.\nMore: `tokenwell --help`, `tokenwell COMMAND -h`, \
         `tokenwell help settings`.",
        about(&command),
        bold("Usage:"),
        bold("Commands:"),
        table.render(stream),
        LESS_USED.join(", ")
    );
    if answer.use_stderr() && failure::is_json() {
        return usage::missing_subcommand(answer);
    }
    if answer.use_stderr() {
        output::to_standard_error(&page);
        return Failure::Reported { exit_code: ExitCode::Usage };
    }
    match output::line(&page) {
        Ok(()) => Failure::Reported { exit_code: ExitCode::Success },
        Err(failure) => failure,
    }
}

/// The value of `--color` if the arguments are wrong or ask for help.
fn color_in_arguments() -> ColorChoice {
    let arguments: Vec<_> = std::env::args().skip(1).take_while(|argument| argument != "--").collect();
    let value = arguments.iter().enumerate().find_map(|(index, argument)| match argument.strip_prefix("--color")? {
        "" => arguments.get(index + 1).map(String::as_str),
        value => value.strip_prefix('='),
    });
    value.and_then(|value| <ColorChoice as clap::ValueEnum>::from_str(value, false).ok()).unwrap_or_default()
}

/// Replaces a space at which clap must not wrap a line.
const FIXED_SPACE: &str = "\u{a0}";

/// Protects the examples of all commands: clap would wrap a long command like prose, and it could
/// not be pasted. The short help leaves out the variables of flags, so that it fits on one screen.
fn for_terminal(mut command: clap::Command, is_short: bool) -> clap::Command {
    if is_short {
        command = command.mut_args(|argument| argument.hide_env(true));
    }
    let fixed = |help: &clap::builder::StyledStr| help.to_string().replace(' ', FIXED_SPACE);
    if let Some(examples) = command.get_after_long_help().map(fixed) {
        command = command.after_long_help(examples);
    }
    let is_of_account = |argument: &clap::Arg| argument.is_hide_short_help_set() && argument.get_help_heading() == Some("Account");
    let settings = if command.get_arguments().any(is_of_account) { "; `tokenwell help settings`: the account" } else { "" };
    if command.get_name() != "tokenwell" {
        command = command.after_help(format!("More: --help (all flags, examples){settings}."));
    }
    command.mut_subcommands(|command| for_terminal(command, is_short))
}

#[cfg(test)]
mod tests {
    use super::Cli;
    use clap::{Command, CommandFactory as _};

    fn for_each_command(command: &Command, visit: &mut dyn FnMut(&Command)) {
        visit(command);
        command.get_subcommands().for_each(|subcommand| for_each_command(subcommand, visit));
    }

    #[test]
    fn the_commands_and_flags_do_not_contradict_each_other() {
        Cli::command().debug_assert();
    }

    #[test]
    fn i22_no_flag_takes_a_secret_as_its_value() {
        // The values of these flags are a file name, a URL and numbers.
        const ALLOWED: [&str; 4] = ["client_secret_file", "token_url", "token_lifetime", "token_cap"];
        const SECRET: [&str; 6] = ["secret", "token", "password", "passphrase", "key", "credential"];
        let mut values = 0;
        let mut secrets = Vec::new();

        for_each_command(&Cli::command(), &mut |command| {
            for argument in command.get_arguments().filter(|argument| argument.get_action().takes_values()) {
                let name = argument.get_id().as_str();
                values += 1;
                if SECRET.iter().any(|word| name.contains(word)) && !ALLOWED.contains(&name) {
                    secrets.push(format!("{} {name}", command.get_name()));
                }
            }
        });

        assert!(values > 50, "the scan saw only {values} flags with a value");
        assert_eq!(secrets, Vec::<String>::new());
    }

    #[test]
    fn the_help_of_a_flag_names_all_variables_of_its_setting() {
        let mut command = Cli::command();
        let token = command.find_subcommand_mut("token").map(|token| token.render_long_help().to_string()).unwrap_or_default();
        let flags = tokenwell::config::settings().filter(|setting| token.contains(&format!("--{} <", setting.name().replace('_', "-"))));

        let variables: Vec<_> = flags.flat_map(|setting| setting.variables()).collect();

        assert!(variables.len() > 15, "{variables:?}");
        assert!(variables.iter().all(|variable| token.contains(variable)), "{token}");
    }

    #[test]
    fn every_command_shows_an_example() {
        for_each_command(&Cli::command(), &mut |command| {
            if command.get_name() != "help" {
                let help = command.clone().render_long_help().to_string();
                assert!(help.contains("Examples:\n"), "{}: {help}", command.get_name());
            }
        });
    }
}
