//! `tokenwell env`: the token as an assignment that a shell or a CI system reads.

use crate::failure::Failure;
use crate::output;
use crate::settings::Settings;
use crate::wanted::Wanted;
use clap::ValueEnum;
use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use tokenwell::Status;
use zeroize::Zeroizing;

/// The variable that Terraform's provider and MongoDB's own tools take a token from.
pub(crate) const VARIABLE: &str = "MONGODB_ATLAS_ACCESS_TOKEN";

/// Print an assignment of MONGODB_ATLAS_ACCESS_TOKEN
///
/// `tokenwell exec` is the safer way where it will do: there the token is in one program's environment only.
#[derive(clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct Args {
    /// Who will read it
    #[arg(long, value_enum, default_value_t = Reader::Sh)]
    shell: Reader,

    #[command(flatten)]
    wanted: Wanted,

    #[command(flatten)]
    settings: Settings,
}

const EXAMPLES: &str = "\
Examples:
  tokenwell env --shell github                # a step of GitHub Actions: masked, and set for the next steps
  tokenwell env --shell gitlab > token.env    # GitLab CI, as artifacts:reports:dotenv

  Shells, in two steps: in `eval \"$(tokenwell env)\"` nobody sees the exit code, and the script goes on without a token
    line=$(tokenwell env) || exit; eval \"$line\"                    # sh, bash, zsh
    set -l line (tokenwell env --shell fish); or exit; eval $line   # fish
    $line = tokenwell env --shell powershell                        # PowerShell
    if ($LASTEXITCODE) { exit $LASTEXITCODE }; Invoke-Expression $line

  cmd.exe does not tell the exit code of what is in brackets, so look whether the variable is there
    set MONGODB_ATLAS_ACCESS_TOKEN=
    for /f \"delims=\" %i in ('tokenwell env --shell cmd') do %i
    if not defined MONGODB_ATLAS_ACCESS_TOKEN exit /b 1";

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Reader {
    /// POSIX shells: sh, bash, zsh, dash
    Sh,
    Fish,
    #[value(name = "powershell")]
    PowerShell,
    /// The command prompt of Windows
    Cmd,
    /// A file of variables: docker --env-file, docker compose, dotenv libraries
    Dotenv,
    /// A step of GitHub Actions: masks the token in the log, then sets it for the steps that follow
    #[value(name = "github")]
    GitHub,
    /// A dotenv report of GitLab CI
    #[value(name = "gitlab")]
    GitLab,
}

pub(crate) fn run(args: Args) -> Result<(), Failure> {
    let token = args.settings.session()?.token(&args.wanted.options())?;
    let assignment = assignment(args.shell, token.value())?;
    if args.shell != Reader::GitHub {
        return output::line(&assignment);
    }
    // First the mask: what is printed after it is hidden in the log, and what was printed before it is not.
    output::line(&mask(token.value()))?;
    match std::env::var_os("GITHUB_ENV").filter(|path| !path.is_empty()) {
        Some(path) => append(&PathBuf::from(path), &assignment),
        None => output::line(&assignment),
    }
}

fn assignment(shell: Reader, token: &str) -> Result<Zeroizing<String>, Failure> {
    let cannot = || {
        Failure::new(
            Status::InvalidArgument,
            format!("this token holds characters that cannot be written safely for --shell {}", name(shell)),
            "Use `tokenwell exec -- COMMAND`, which needs no quoting.",
        )
    };
    let value = match shell {
        Reader::Sh => format!("export {VARIABLE}='{}'", token.replace('\'', r"'\''")),
        Reader::Fish => format!("set -gx {VARIABLE} '{}'", token.replace('\\', r"\\").replace('\'', r"\'")),
        Reader::PowerShell => format!("$Env:{VARIABLE} = '{}'", token.replace('\'', "''")),
        // In a batch file % and ! mean something inside of quotes too, and at the prompt other rules hold.
        Reader::Cmd if !token.contains(['"', '%', '!', '^']) => format!("set \"{VARIABLE}={token}\""),
        // docker --env-file takes quotes for a part of the value, others need them: plain wherever it can be.
        Reader::Dotenv if is_plain(token) => format!("{VARIABLE}={token}"),
        Reader::Dotenv if !token.contains('\'') => format!("{VARIABLE}='{token}'"),
        Reader::GitHub => format!("{VARIABLE}={token}"),
        Reader::GitLab if is_plain(token) => format!("{VARIABLE}={token}"),
        Reader::Cmd | Reader::Dotenv | Reader::GitLab => return Err(cannot()),
    };
    Ok(Zeroizing::new(value))
}

fn name(shell: Reader) -> String {
    shell.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
}

/// The characters of RFC 6750's b68token, which no reader gives another meaning.
fn is_plain(token: &str) -> bool {
    token.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte))
}

/// The command that hides a text in the log. A percent sign begins an escape in it.
fn mask(token: &str) -> Zeroizing<String> {
    Zeroizing::new(format!("::add-mask::{}", token.replace('%', "%25")))
}

/// The runner has made the file, and reads it after the step.
fn append(path: &Path, assignment: &str) -> Result<(), Failure> {
    let written = (|| {
        let mut file = OpenOptions::new().read(true).append(true).open(path)?;
        let separator = if ends_inside_of_a_line(&mut file)? { "\n" } else { "" };
        file.write_all(Zeroizing::new(format!("{separator}{assignment}\n")).as_bytes())
    })();
    written.map_err(|error| {
        Failure::new(
            Status::InvalidArgument,
            format!("the file that GITHUB_ENV names cannot be written to: {}: {error}", path.display()),
            "Inside of a step of GitHub Actions the runner sets GITHUB_ENV; elsewhere unset it to have the assignment printed.",
        )
    })
}

/// Whether what is written next would be a part of the line that another program has left without an end.
fn ends_inside_of_a_line(file: &mut File) -> io::Result<bool> {
    if file.metadata()?.len() == 0 {
        return Ok(false);
    }
    let mut last = [0];
    file.seek(SeekFrom::End(-1))?;
    file.read_exact(&mut last)?;
    Ok(last != *b"\n")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    /// A token may hold any visible ASCII character (RFC 6749 appendix A.12).
    const AWKWARD: &str = r#"a'b"c\d$e`f;g%h!i^j&k|l"#;

    #[test]
    fn each_shell_gets_its_own_quoting() {
        let cases = [
            (Reader::Sh, r#"export MONGODB_ATLAS_ACCESS_TOKEN='a'\''b"c\d$e`f;g%h!i^j&k|l'"#),
            (Reader::Fish, r#"set -gx MONGODB_ATLAS_ACCESS_TOKEN 'a\'b"c\\d$e`f;g%h!i^j&k|l'"#),
            (Reader::PowerShell, r#"$Env:MONGODB_ATLAS_ACCESS_TOKEN = 'a''b"c\d$e`f;g%h!i^j&k|l'"#),
            (Reader::GitHub, r#"MONGODB_ATLAS_ACCESS_TOKEN=a'b"c\d$e`f;g%h!i^j&k|l"#),
        ];
        for (shell, expected) in cases {
            assert_eq!(*assignment(shell, AWKWARD).unwrap(), expected, "{shell:?}");
        }
    }

    #[test]
    fn plain_tokens_need_no_quotes() {
        for shell in [Reader::Dotenv, Reader::GitLab, Reader::GitHub] {
            assert_eq!(*assignment(shell, "aZ9-._~+/=").unwrap(), "MONGODB_ATLAS_ACCESS_TOKEN=aZ9-._~+/=");
        }
        assert_eq!(*assignment(Reader::Cmd, "aZ9-._~+/=").unwrap(), "set \"MONGODB_ATLAS_ACCESS_TOKEN=aZ9-._~+/=\"");
        assert_eq!(*assignment(Reader::Dotenv, "a$b#c").unwrap(), "MONGODB_ATLAS_ACCESS_TOKEN='a$b#c'");
    }

    #[test]
    fn what_cannot_be_quoted_is_refused_and_not_shown() {
        for shell in [Reader::Cmd, Reader::Dotenv, Reader::GitLab] {
            let failure = assignment(shell, AWKWARD).unwrap_err();

            let message = failure.message().unwrap();
            assert!(message.contains("tokenwell exec") && !message.contains(AWKWARD), "{message}");
        }
    }

    #[test]
    fn i34_the_mask_escapes_what_the_runner_unescapes() {
        assert_eq!(*mask("a%0Ab"), "::add-mask::a%250Ab");
    }
}
