//! `tokenwell completions`: prints a completion script for a shell, and answers the script.
//!
//! The script asks the command for the words that may follow, so that it also offers what only this
//! machine knows, such as the names of profiles. `candidates` are the values of arguments.

mod candidates;

use crate::failure::Failure;
use crate::{Cli, output};
use candidates::with_candidates;
use clap::{CommandFactory as _, ValueEnum};
use clap_complete::engine::{CompletionCandidate, complete};
use clap_complete::env::Shells;
use std::ffi::{OsStr, OsString};
use std::path::Path;
use tokenwell::Status;
use tokenwell::error::{ExitCode, printable};

/// The variable by which a script asks for the words: its value is the shell.
const REQUEST: &str = "_TOKENWELL_COMPLETE";

/// Print the completion script for a shell
///
/// The script runs `tokenwell` for each completion. It therefore also knows the profiles and the
/// programs of this machine. Print it again after an update of tokenwell, unless the shell reads it at
/// each start. `make install` and the packages install the scripts of bash, zsh and fish.
#[derive(clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct Args {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

#[derive(Clone, Copy, ValueEnum)]
enum Shell {
    Bash,
    Elvish,
    Fish,
    Powershell,
    Zsh,
}

const EXAMPLES: &str = "\
Examples:
  bash, in ~/.bashrc
    source <(tokenwell completions bash)

  zsh, in ~/.zshrc after compinit
    source <(tokenwell completions zsh)

  fish, once
    mkdir -p ~/.config/fish/completions
    tokenwell completions fish > ~/.config/fish/completions/tokenwell.fish

  PowerShell, in $PROFILE
    tokenwell completions powershell | Out-String | Invoke-Expression";

/// zsh runs a file of its search path as the function of the same name: it must also answer the
/// first request, not only define the function for the next one.
const ZSH_AUTOLOADED: &str = "\nif [[ \"${funcstack[1]-}\" == _tokenwell ]]; then\n    _clap_dynamic_completer_tokenwell \"$@\"\nfi\n";

pub(crate) fn run(args: Args) -> Result<(), Failure> {
    let name = args.shell.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default();
    let shells = Shells::builtins();
    let shell = shells.completer(&name).ok_or_else(|| unknown_shell(&name))?;
    let mut script = Vec::new();
    shell.write_registration(REQUEST, "tokenwell", "tokenwell", "tokenwell", &mut script).map_err(Failure::Output)?;
    if matches!(args.shell, Shell::Zsh) {
        script.extend_from_slice(ZSH_AUTOLOADED.as_bytes());
    }
    output::bytes(&script)
}

/// The shell that asks for completions, if this process was started for that.
pub(crate) fn request() -> Option<OsString> {
    std::env::var_os(REQUEST).filter(|shell| !shell.is_empty())
}

/// Prints the words that may follow, in the form that the script of `shell` reads. The words of the
/// command line come after `--`.
pub(crate) fn answer(shell: &OsStr) -> Result<(), Failure> {
    let name = shell.to_string_lossy();
    let shells = Shells::builtins();
    let completer = shells.completer(&name).ok_or_else(|| unknown_shell(&name))?;
    let words: Vec<_> = std::env::args_os().skip_while(|word| word != "--").skip(1).collect();
    if words.is_empty() {
        return Err(Failure::Reported { exit_code: ExitCode::Usage });
    }
    let index = number_in("_CLAP_COMPLETE_INDEX").unwrap_or(words.len() - 1);
    let directory = std::env::current_dir().ok();
    let mut answer = Vec::new();
    let written = if completer.name() == "bash" {
        let (words, index) = without_equals_signs(words, index);
        let current = words.get(index).cloned().unwrap_or_default();
        bash(&mut tree(&words, &current), words, index, directory.as_deref(), &mut answer)
    } else {
        let current = words.get(index).cloned().unwrap_or_default();
        completer.write_complete(&mut tree(&words, &current), words, directory.as_deref(), &mut answer)
    };
    // The engine has no words for a line that it does not understand. A message would be written
    // into the line that the user is typing.
    written.map_err(|_| Failure::Reported { exit_code: ExitCode::Usage })?;
    output::bytes(&answer)
}

fn unknown_shell(name: &str) -> Failure {
    let names = Shells::builtins().names().collect::<Vec<_>>().join(", ");
    Failure::new(Status::InvalidArgument, format!("unknown shell `{}`", printable(name, 40)), format!("Use one of: {names}."))
}

fn number_in(variable: &str) -> Option<usize> {
    std::env::var(variable).ok()?.parse().ok()
}

/// All commands, with the candidates of their arguments. `words` are those of the command line.
fn tree(words: &[OsString], current: &OsStr) -> clap::Command {
    let after_separator = words.iter().any(|word| word == "--");
    with_candidates(Cli::command(), !current.as_encoded_bytes().starts_with(b"-"), after_separator)
}

/// Like clap's writer, for words that bash has not split at `=`.
fn bash(
    command: &mut clap::Command,
    words: Vec<OsString>,
    index: usize,
    directory: Option<&Path>,
    answer: &mut Vec<u8>,
) -> std::io::Result<()> {
    let found: Vec<CompletionCandidate> = complete(command, words, index, directory)?;
    let separator = std::env::var("_CLAP_IFS").unwrap_or_else(|_| "\n".to_owned());
    let values: Vec<_> = found.iter().map(|candidate| candidate.get_value().to_string_lossy()).collect();
    answer.extend_from_slice(values.join(&separator).as_bytes());
    Ok(())
}

/// bash splits `--profile=staging` into three words and replaces only the last one. Without the `=`
/// the words have the same meaning.
fn without_equals_signs(words: Vec<OsString>, index: usize) -> (Vec<OsString>, usize) {
    let mut kept: Vec<OsString> = Vec::with_capacity(words.len());
    let mut moved = index;
    for (position, word) in words.into_iter().enumerate() {
        let follows_flag = kept.last().is_some_and(|last| last.as_encoded_bytes().starts_with(b"--") && last.len() > 2);
        if word == "=" && follows_flag && position != index {
            moved -= usize::from(position < index);
        } else {
            kept.push(word);
        }
    }
    (kept, moved)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_of_bash_are_those_of_the_command_line() {
        let joined = |words: &[&str], index| {
            let (words, index) = without_equals_signs(words.iter().map(OsString::from).collect(), index);
            (words.iter().map(|word| word.to_string_lossy().into_owned()).collect::<Vec<_>>(), index)
        };
        let owned = |words: &[&str]| words.iter().map(ToString::to_string).collect::<Vec<_>>();

        assert_eq!(joined(&["t", "token", "--profile", "=", "st"], 4), (owned(&["t", "token", "--profile", "st"]), 3));
        assert_eq!(joined(&["t", "token", "--profile", ""], 3), (owned(&["t", "token", "--profile", ""]), 3));
        assert_eq!(joined(&["t", "exec", "--", "env", "=", "x"], 5), (owned(&["t", "exec", "--", "env", "=", "x"]), 5));
        assert_eq!(joined(&["t", "exec", "--", "=", "x"], 4), (owned(&["t", "exec", "--", "=", "x"]), 4));
    }
}
