//! What a completion offers as the value of an argument. No candidate needs a request, a secret or a
//! keyring, and a directory that does not answer is left out.

use clap::{Arg, ArgAction, Command, ValueHint};
use clap_complete::engine::{ArgValueCandidates, ArgValueCompleter, CompletionCandidate, PathCompleter, ValueCompleter};
use std::ffi::OsStr;
use std::path::{MAIN_SEPARATOR, Path};
use std::sync::mpsc::{Sender, channel};
use std::thread;
use std::time::{Duration, Instant};
use tokenwell::config::ClientAuthentication;
use tokenwell::config::profiles::{ProfileEntry, list_profiles};

/// How long a completion waits for files that it did not choose: a home directory and the
/// directories in `PATH` can be on a file server. A person types on while it waits.
const LIMIT: Duration = Duration::from_millis(50);

/// Adds the candidates to all arguments. `hides_flags`: flags are offered only if nothing else
/// fits. `after_separator`: the command line has a `--`.
pub(super) fn with_candidates(command: Command, hides_flags: bool, after_separator: bool) -> Command {
    let topics: Vec<_> = command.get_subcommands().map(topic).collect();
    let with_topics = |command: Command, more: Option<Command>| {
        let about = command.get_about().map(ToString::to_string).unwrap_or_default();
        topic(&Command::new(command.get_name().to_owned()).about(about)).subcommands(topics.clone()).subcommands(more)
    };
    let settings = topic(&Command::new("settings").about("All settings, with their flags and variables"));
    below(command, hides_flags, after_separator)
        .mut_subcommand("man", |man| with_topics(man, None))
        .mut_subcommand("help", |help| with_topics(help, Some(settings)))
}

/// The name of a command and of those below it, as topics of `man` and `help`. A topic has no flags.
fn topic(command: &Command) -> Command {
    let about = command.get_about().map(ToString::to_string).unwrap_or_default();
    let bare = Command::new(command.get_name().to_owned()).about(about).disable_help_subcommand(true).disable_help_flag(true);
    bare.subcommands(command.get_subcommands().map(topic))
}

fn below(command: Command, hides_flags: bool, after_separator: bool) -> Command {
    let name = command.get_name().to_owned();
    // Flags that clap adds when it builds a command cannot be hidden.
    let is_root = name == "tokenwell";
    let mut own = vec![Arg::new("help").short('h').long("help").help("Print help").action(ArgAction::Help)];
    own.extend(is_root.then(|| Arg::new("version").short('V').long("version").help("Print version").action(ArgAction::Version)));
    with_arguments_apart(command)
        .disable_help_flag(true)
        .disable_version_flag(true)
        .args(own)
        .mut_args(|arg| {
            let is_hidden = arg.is_hide_set() || (hides_flags && !arg.is_positional());
            with_candidate(&name, arg.hide(is_hidden), after_separator)
        })
        .mut_subcommands(|command| below(command, hides_flags, after_separator))
}

/// Makes the first word of a command line, and that of a request, an argument of its own: clap does
/// not tell which of several values is completed.
fn with_arguments_apart(command: Command) -> Command {
    let (first, rest) = match command.get_name() {
        "exec" | "emulator" => ("command", Arg::new("arguments").num_args(0..)),
        "api" => ("request", Arg::new("path")),
        _ => return command,
    };
    command.mut_arg(first, |arg| arg.action(ArgAction::Set).num_args(1).last(false).trailing_var_arg(false)).arg(rest)
}

fn with_candidate(command: &str, arg: Arg, after_separator: bool) -> Arg {
    let is_flag = !arg.is_positional();
    match (command, arg.get_id().as_str()) {
        (_, "profile" | "as_profile") if is_flag => arg.add(ArgValueCandidates::new(profiles)),
        ("show" | "use" | "remove", "name") | ("rename", "old") => arg.add(ArgValueCandidates::new(profiles)),
        (_, "auth_method") => arg.add(ArgValueCandidates::new(methods)),
        ("exec", "command") => arg.add(ArgValueCompleter::new(programs)),
        ("emulator", "command") if after_separator => arg.add(ArgValueCompleter::new(programs)),
        ("exec" | "emulator", "arguments") => arg.value_hint(ValueHint::AnyPath),
        ("api", "request") => arg.add(ArgValueCandidates::new(|| METHODS.iter().chain(&PATHS).map(CompletionCandidate::new).collect())),
        ("api", "path") => arg.add(ArgValueCandidates::new(|| PATHS.map(CompletionCandidate::new).into())),
        ("api", "method") => arg.add(ArgValueCandidates::new(|| METHODS.map(CompletionCandidate::new).into())),
        ("api", "data") => arg.add(ArgValueCompleter::new(at_file)),
        ("api", "input") => arg.value_hint(ValueHint::FilePath),
        (_, "cache_dir") => arg.value_hint(ValueHint::DirPath),
        _ => arg,
    }
}

/// The names of all profiles, with their server.
fn profiles() -> Vec<CompletionCandidate> {
    within_limit(|found| {
        let profiles = list_profiles().profiles;
        let candidate =
            |profile: &ProfileEntry| CompletionCandidate::new(profile.name.clone()).help(Some(profile.server().to_owned().into()));
        let _ = found.send(profiles.iter().map(candidate).collect());
    })
}

fn methods() -> Vec<CompletionCandidate> {
    use ClientAuthentication::{Auto, Basic, BasicRaw, Post};

    [
        (BasicRaw, "for Atlas"),
        (Basic, "HTTP Basic of RFC 6749"),
        (Post, "in the request body"),
        (Auto, "client_secret_basic, then client_secret_post; not for Atlas"),
    ]
    .map(|(method, about)| CompletionCandidate::new(method.name()).help(Some(about.into())))
    .into()
}

const METHODS: [&str; 5] = ["GET", "POST", "PATCH", "PUT", "DELETE"];

/// Lists that most work with the Admin API begins with. There is no list of all paths: it would be
/// that of one version of the API.
const PATHS: [&str; 6] = ["orgs", "orgs/{org}", "orgs/{org}/serviceAccounts", "groups", "groups/{project}", "groups/{project}/clusters"];

/// The programs of `PATH`, or files that can be started if `current` is a path.
fn programs(current: &OsStr) -> Vec<CompletionCandidate> {
    if current.to_string_lossy().contains(['/', MAIN_SEPARATOR]) {
        return PathCompleter::any().filter(is_program).complete(current);
    }
    let (current, path) = (current.to_owned(), std::env::var_os("PATH").unwrap_or_default());
    let mut programs = within_limit(move |found| {
        // One message for each directory: one that does not answer hides only those after it.
        for directory in std::env::split_paths(&path) {
            if found.send(programs_in(&directory, &current)).is_err() {
                return;
            }
        }
    });
    programs.sort();
    programs.dedup();
    programs
}

fn programs_in(directory: &Path, current: &OsStr) -> Vec<CompletionCandidate> {
    let Ok(entries) = std::fs::read_dir(directory) else { return Vec::new() };
    let matching = entries.flatten().filter(|entry| entry.file_name().as_encoded_bytes().starts_with(current.as_encoded_bytes()));
    matching
        .filter(|entry| is_program(&entry.path()))
        .filter_map(|entry| program_name(&entry.path()))
        .map(CompletionCandidate::new)
        .collect()
}

#[cfg(unix)]
fn is_program(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;

    path.metadata().is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
}

#[cfg(not(unix))]
fn is_program(path: &Path) -> bool {
    let extension = path.extension().map(|extension| extension.to_string_lossy().to_ascii_lowercase()).unwrap_or_default();
    ["exe", "cmd", "bat", "com"].contains(&extension.as_str()) && path.is_file()
}

/// The name by which a program is started: on Windows without its extension.
fn program_name(path: &Path) -> Option<std::ffi::OsString> {
    let name = if cfg!(windows) { path.file_stem() } else { path.file_name() };
    name.map(OsStr::to_owned)
}

/// `@FILE`; JSON itself cannot be completed.
fn at_file(current: &OsStr) -> Vec<CompletionCandidate> {
    let current = current.to_string_lossy();
    let Some(path) = current.strip_prefix('@') else { return Vec::new() };
    PathCompleter::any().complete(OsStr::new(path)).into_iter().map(|file| file.add_prefix("@")).collect()
}

/// What `source` sends within the limit. It has a thread of its own, which is abandoned after that:
/// the process ends when the words are printed.
fn within_limit(source: impl FnOnce(&Sender<Vec<CompletionCandidate>>) + Send + 'static) -> Vec<CompletionCandidate> {
    let deadline = Instant::now() + LIMIT;
    let (sender, receiver) = channel();
    let mut found = Vec::new();
    if thread::Builder::new().name("tokenwell-completions".to_owned()).spawn(move || source(&sender)).is_err() {
        return found;
    }
    while let Ok(more) = receiver.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
        found.extend(more);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_that_does_not_answer_is_left_out_and_what_it_sent_before_is_not() {
        let (release, released) = channel::<()>();
        let (released, mut attempts) = (std::sync::Arc::new(std::sync::Mutex::new(released)), 0);
        // On a busy machine the thread may start after the limit.
        let found = loop {
            let released = std::sync::Arc::clone(&released);
            let found = within_limit(move |found| {
                let _ = found.send(vec![CompletionCandidate::new("first")]);
                let _ = released.lock().map(|released| released.recv());
                let _ = found.send(vec![CompletionCandidate::new("late")]);
            });
            attempts += 1;
            if !found.is_empty() || attempts == 100 {
                break found;
            }
        };

        // The source still waits, so the function returned because of its limit.
        assert_eq!(found.iter().map(CompletionCandidate::get_value).collect::<Vec<_>>(), ["first"]);
        drop(release);
    }
}
