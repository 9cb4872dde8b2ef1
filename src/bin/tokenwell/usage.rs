//! Errors in the command line, in the same form as all other errors: what is wrong, and what to
//! write instead.

use crate::failure::Failure;
use crate::{COMMANDS, command_line, only_command, synonyms};
use clap::error::{ContextKind, ContextValue, Error, ErrorKind};
use std::error::Error as _;
use tokenwell::Status;
use tokenwell::error::printable;

/// The failure for an error that clap found in the arguments.
pub(crate) fn failure(error: &Error) -> Failure {
    if is_secret_flag(error) {
        return no_secret_flag();
    }
    let command = command(error);
    let see = format!("See `{command} --help`.");
    let argument = || string(error, ContextKind::InvalidArg).unwrap_or_default();
    let value = || shown(&string(error, ContextKind::InvalidValue).unwrap_or_default());
    let (problem, hint) = match error.kind() {
        ErrorKind::UnknownArgument => unknown_argument(error, &command, &see),
        ErrorKind::InvalidSubcommand => {
            let name = shown(&string(error, ContextKind::InvalidSubcommand).unwrap_or_default());
            let typed = string(error, ContextKind::InvalidSubcommand).unwrap_or_default();
            let synonym = synonyms::command(&typed, &command).map(|ours| format!("Did you mean `{ours}`? "));
            let spelled = || suggestion(error, ContextKind::SuggestedSubcommand);
            (format!("unknown command {name}"), format!("{}{see}", synonym.unwrap_or_else(spelled)))
        }
        ErrorKind::ValueValidation => (invalid_value(error, &argument(), &value()), see),
        ErrorKind::InvalidValue => {
            let allowed = strings(error, ContextKind::ValidValue);
            let hint = if allowed.is_empty() { see } else { format!("Use one of: {}.", allowed.join(", ")) };
            let problem = match string(error, ContextKind::InvalidValue).filter(|value| !value.is_empty()) {
                None => format!("{} needs a value", name(&argument())),
                Some(value) => format!("{}: {} is not an allowed value", name(&argument()), shown(&value)),
            };
            (problem, format!("{}{hint}", suggestion(error, ContextKind::SuggestedValue)))
        }
        ErrorKind::MissingRequiredArgument => {
            let missing: Vec<_> = strings(error, ContextKind::InvalidArg).iter().map(|argument| name(argument)).collect();
            (format!("missing: {}", missing.join(", ")), see)
        }
        ErrorKind::ArgumentConflict => (conflict(error, &name(&argument())), "Leave one of them out.".to_owned()),
        ErrorKind::TooManyValues => (format!("{} does not take the value {}", name(&argument()), value()), see),
        ErrorKind::TooFewValues | ErrorKind::WrongNumberOfValues => (format!("{} has a wrong number of values", name(&argument())), see),
        ErrorKind::NoEquals => (format!("{} needs its value after an equals sign", name(&argument())), see),
        ErrorKind::InvalidUtf8 => ("an argument is not UTF-8".to_owned(), see),
        ErrorKind::MissingSubcommand => {
            ("the command is missing".to_owned(), format!("Use one of: {}.", strings(error, ContextKind::ValidSubcommand).join(", ")))
        }
        _ => ("the arguments are not valid".to_owned(), see),
    };
    Failure::new(Status::InvalidArgument, problem, hint)
}

/// The failure for arguments without a command. Its help would not be JSON.
pub(crate) fn missing_subcommand(error: &Error) -> Failure {
    let command = command(error);
    Failure::new(Status::InvalidArgument, format!("{command}: the arguments are missing"), format!("See `{command} --help`."))
}

fn unknown_argument(error: &Error, command: &str, see: &str) -> (String, String) {
    let argument = string(error, ContextKind::InvalidArg).unwrap_or_default();
    if !argument.starts_with('-') {
        #[cfg(feature = "emulator")]
        if command == "tokenwell emulator" {
            return (format!("unexpected argument {}", shown(&argument)), crate::emulator::forgotten_dashes::hint(&argument));
        }
        return (format!("unexpected argument {}", shown(&argument)), see.to_owned());
    }
    let problem = format!("unknown flag {}", shown(&argument));
    // Only a command has the flags of an account, so the usual mistake is their place.
    let later = std::env::args().skip(1).find(|argument| COMMANDS.contains(&argument.as_str()));
    match later {
        Some(later) if command == "tokenwell" => {
            (problem, format!("Write the flags of a command after its name: `tokenwell {later} {}`.", printable(&argument, 80)))
        }
        _ if command == "tokenwell exec" => {
            (problem, format!("Flags of the program come after `--`: `tokenwell exec -- PROGRAM {}`. {see}", printable(&argument, 80)))
        }
        _ if command == "tokenwell" && is_command(&argument) => {
            let name = printable(argument.trim_start_matches('-'), 40);
            (problem, format!("Did you mean the command `tokenwell {name}`? {see}"))
        }
        _ => {
            let synonym = synonyms::flag(&argument, &flags_of(command)).map(|ours| format!("Did you mean `{ours}`? "));
            (problem, format!("{}{see}", synonym.unwrap_or_else(|| suggestion(error, ContextKind::SuggestedArg))))
        }
    }
}

/// Whether the flag is the name of a command: `--token`.
fn is_command(flag: &str) -> bool {
    flag.strip_prefix("--").is_some_and(|name| COMMANDS.contains(&name))
}

/// The long flags of `command`, for example "tokenwell cache list".
fn flags_of(command: &str) -> Vec<String> {
    let mut all = command_line();
    all.build();
    let found = command.split(' ').skip(1).try_fold(&all, |found, name| found.find_subcommand(name));
    let long = |argument: &clap::Arg| argument.get_long().map(|name| format!("--{name}"));
    found.map(|found| found.get_arguments().filter(|argument| !argument.is_hide_set()).filter_map(long).collect()).unwrap_or_default()
}

/// The messages of our own parsers already quote the value.
fn invalid_value(error: &Error, argument: &str, value: &str) -> String {
    let cause = error.source().map(ToString::to_string).unwrap_or_default();
    if cause.starts_with('`') {
        return format!("{}: {cause}", name(argument));
    }
    format!("{}: {value} is not valid: {cause}", name(argument))
}

fn conflict(error: &Error, argument: &str) -> String {
    let prior = strings(error, ContextKind::PriorArg);
    let others: Vec<_> = prior.iter().map(|prior| name(prior)).filter(|prior| prior != argument).collect();
    if others.is_empty() {
        return format!("{argument} may be used only once");
    }
    format!("{argument} cannot be used with {}", others.join(", "))
}

/// "Did you mean `exec`? ", or nothing.
fn suggestion(error: &Error, kind: ContextKind) -> String {
    let names = strings(error, kind);
    let quoted: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
    if quoted.is_empty() { String::new() } else { format!("Did you mean {}? ", quoted.join(" or ")) }
}

/// The command that the user wrote, as in `tokenwell cache list`.
fn command(error: &Error) -> String {
    let usage = string(error, ContextKind::Usage).unwrap_or_default();
    let usage = usage.trim_start_matches("Usage:").trim_start();
    let words: Vec<_> = usage.split_whitespace().take_while(|word| !word.starts_with(['[', '<', '-'])).collect();
    // Not every error has a usage.
    if words.is_empty() { command_in_arguments() } else { words.join(" ") }
}

fn command_in_arguments() -> String {
    let all = command_line();
    let (mut found, mut words) = (&all, vec![all.get_name()]);
    for argument in std::env::args_os().skip(1).take_while(|argument| argument != "--") {
        if let Some(below) = found.find_subcommand(argument) {
            words.push(below.get_name());
            found = below;
        }
    }
    words.join(" ")
}

/// The name of a flag or argument without its value: `--format`, FILE.
fn name(argument: &str) -> String {
    let first = argument.split(' ').next().unwrap_or_default();
    first.trim_matches(['<', '>', '[', ']', '.']).split('=').next().unwrap_or_default().to_owned()
}

/// `value` in quotes. What may be a secret is not shown: it was probably pasted into the wrong place,
/// and error messages are copied into logs and bug reports.
fn shown(value: &str) -> String {
    const SECRET: [&str; 3] = ["mdb_sa_sk_", "eyJ", "Bearer "];
    if SECRET.iter().any(|sign| value.contains(sign)) {
        return "(not shown: it may be a secret)".to_owned();
    }
    format!("`{}`", printable(value, 200))
}

fn string(error: &Error, kind: ContextKind) -> Option<String> {
    match error.get(kind)? {
        ContextValue::String(value) => Some(value.clone()),
        ContextValue::Strings(values) => values.first().cloned(),
        ContextValue::StyledStr(value) => Some(value.to_string()),
        _ => None,
    }
}

fn strings(error: &Error, kind: ContextKind) -> Vec<String> {
    match error.get(kind) {
        Some(ContextValue::String(value)) => vec![value.clone()],
        Some(ContextValue::Strings(values)) => values.clone(),
        _ => Vec::new(),
    }
}

/// Whether the user passed the secret as an argument. clap would suggest --client-secret-file, whose
/// value is not a secret.
fn is_secret_flag(error: &Error) -> bool {
    let flag = ContextValue::String("--client-secret".to_owned());
    error.kind() == ErrorKind::UnknownArgument && error.get(ContextKind::InvalidArg) == Some(&flag)
}

fn no_secret_flag() -> Failure {
    let hint = if only_command().is_some_and(|command| command == "login") {
        "Use --client-secret-stdin, or leave it out to get a prompt."
    } else {
        "Set TOKENWELL_CLIENT_SECRET, or use --client-secret-stdin or --client-secret-file FILE."
    };
    Failure::new(Status::InvalidArgument, "there is no flag for the secret, because other users can read command lines", hint)
}
