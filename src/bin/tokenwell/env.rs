//! `tokenwell env`: prints the token as an assignment for a shell or a CI system.

use crate::failure::Failure;
use crate::ids::ProfileIds;
use crate::output;
use crate::server::{BASE_URL, Server};
use crate::settings::Settings;
use crate::wanted::TokenFlags;
use crate::wiped::Wiped;
use clap::ValueEnum;
use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use tokenwell::Status;
use tokenwell::error::{os_reason, printable};

/// The variable from which the Terraform provider and MongoDB's tools read a token.
pub(crate) const VARIABLE: &str = "MONGODB_ATLAS_ACCESS_TOKEN";

/// Print a shell line that sets MONGODB_ATLAS_ACCESS_TOKEN
///
/// It also sets MONGODB_ATLAS_BASE_URL if the reader would otherwise send the token to another
/// server, and MONGODB_ATLAS_ORG_ID and MONGODB_ATLAS_PROJECT_ID if the profile has them. Prefer `tokenwell exec` where possible: it sets the token in the environment of one program
/// only.
#[derive(clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct Args {
    /// The shell or program that reads the assignment
    #[arg(long, value_enum, default_value_t = Reader::Sh, value_name = "READER")]
    shell: Reader,

    /// Name of the variable for the token
    #[arg(long, value_name = "NAME", default_value = VARIABLE, value_parser = variable_name)]
    variable: String,

    #[command(flatten)]
    token_flags: TokenFlags,

    #[command(flatten)]
    settings: Settings,
}

const EXAMPLES: &str = "\
Examples:
  A step of GitHub Actions: masks the token and sets it for the next steps
    tokenwell env --shell github

  GitLab CI: write a file for artifacts:reports:dotenv
    tokenwell env --shell gitlab > token.env

  sh, bash, zsh. Use two steps: `eval \"$(tokenwell env)\"` discards the exit
  code, and the script continues without a token
    line=$(tokenwell env) || exit; eval \"$line\"

  fish
    set -l line (tokenwell env --shell fish); or exit; eval $line

  PowerShell
    $line = tokenwell env --shell powershell
    if ($LASTEXITCODE) { exit $LASTEXITCODE }; Invoke-Expression $line

  cmd.exe. It discards the exit code of the command in parentheses, so check
  the variable
    set MONGODB_ATLAS_ACCESS_TOKEN=
    for /f \"delims=\" %i in ('tokenwell env --shell cmd') do %i
    if not defined MONGODB_ATLAS_ACCESS_TOKEN exit /b 1";

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Reader {
    /// POSIX shells: sh, bash, zsh, dash
    #[value(aliases = ["bash", "zsh", "dash", "ksh"])]
    Sh,
    /// fish
    Fish,
    /// PowerShell and Windows PowerShell
    #[value(name = "powershell")]
    PowerShell,
    /// The Windows command prompt (cmd.exe)
    Cmd,
    /// A dotenv file: docker --env-file, docker compose, dotenv libraries
    Dotenv,
    /// A step of GitHub Actions: masks the token in the log, then sets it for the next steps
    #[value(name = "github")]
    GitHub,
    /// A dotenv report of GitLab CI
    #[value(name = "gitlab")]
    GitLab,
}

pub(crate) fn run(args: Args) -> Result<(), Failure> {
    // Before a token is requested and anything is printed: a step that fails leaves nothing half done.
    let environment_file = if args.shell == Reader::GitHub { EnvironmentFile::open()? } else { None };
    let session = args.settings.session_until_deadline()?;
    let token = args.token_flags.token(&session, &args.settings)?;
    let mut assignment = assignment(args.shell, &args.variable, token.value())?;
    if let Some(server) = session.config.api_base().map(Server::of).filter(|server| needs_server(args.shell, server)) {
        assignment.push(separator(args.shell));
        assignment.push_all(&assignment_of_plain(args.shell, BASE_URL, server.base_url())?);
    }
    let ids = ProfileIds::of(&session.config);
    // A file is read in another environment than that of this process.
    let ids: Vec<_> = if is_file(args.shell) { ids.all_variables().collect() } else { ids.variables().collect() };
    for (variable, id) in ids {
        assignment.push(separator(args.shell));
        assignment.push_all(&assignment_of_plain(args.shell, variable, id)?);
    }
    if args.shell != Reader::GitHub {
        return output::secret_line(assignment);
    }
    // The mask comes first: the runner hides the token only in output that follows the mask.
    output::secret_line(mask(token.value()))?;
    match environment_file {
        Some(file) => file.append(assignment),
        None => output::secret_line(assignment),
    }
}

/// Whether the reader needs the server too. A file is read in another environment than that of this
/// process, with the default server.
fn needs_server(shell: Reader, server: &Server) -> bool {
    match shell {
        Reader::Dotenv | Reader::GitHub | Reader::GitLab => !server.is_default(),
        Reader::Sh | Reader::Fish | Reader::PowerShell | Reader::Cmd => server.differs_from_environment(),
    }
}

/// What separates two assignments. Fish and PowerShell make a list of several lines, which their
/// `eval` does not accept.
fn separator(shell: Reader) -> &'static str {
    match shell {
        Reader::Sh | Reader::Fish | Reader::PowerShell => "; ",
        Reader::Cmd | Reader::Dotenv | Reader::GitHub | Reader::GitLab => "\n",
    }
}

/// The origin of a server or an id: it has no character that is special in a file, and docker would make
/// quotes part of the value.
fn assignment_of_plain(shell: Reader, variable: &str, value: &str) -> Result<Wiped, Failure> {
    if is_file(shell) { Ok(Wiped::of(&[variable, "=", value])) } else { assignment(shell, variable, value) }
}

fn is_file(shell: Reader) -> bool {
    matches!(shell, Reader::Dotenv | Reader::GitHub | Reader::GitLab)
}

/// A name that every reader accepts.
fn variable_name(name: &str) -> Result<String, String> {
    let is_name = !name.starts_with(|first: char| first.is_ascii_digit())
        && !name.is_empty()
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if !is_name || name == BASE_URL {
        return Err(format!("`{}` is not a name for the token: use letters, digits and _, such as {VARIABLE}", printable(name, 80)));
    }
    Ok(name.to_owned())
}

/// The assignment for a dotenv file.
pub(crate) fn dotenv(token: &str) -> Result<Wiped, Failure> {
    assignment(Reader::Dotenv, VARIABLE, token)
}

fn assignment(shell: Reader, variable: &str, token: &str) -> Result<Wiped, Failure> {
    let cannot = || {
        Failure::new(
            Status::InvalidArgument,
            format!("the token contains characters that cannot be quoted for --shell {}", name(shell)),
            "Use `tokenwell exec -- COMMAND`: it needs no quoting.",
        )
    };
    let unchanged = |before: &str, after: &str| Wiped::of(&[before, token, after]);
    let escaped = |before: &str, replacement: &dyn Fn(char) -> Option<&'static str>, after: &str| {
        let mut line = Wiped::of(&[before]);
        line.push_replaced(token, replacement);
        line.push(after);
        line
    };
    let plain = || unchanged(&format!("{variable}="), "");
    let quote_is = |replacement: &'static str| move |character| (character == '\'').then_some(replacement);
    Ok(match shell {
        Reader::Sh => escaped(&format!("export {variable}='"), &quote_is(r"'\''"), "'"),
        Reader::Fish => escaped(
            &format!("set -gx {variable} '"),
            &|character| match character {
                '\\' => Some(r"\\"),
                '\'' => Some(r"\'"),
                _ => None,
            },
            "'",
        ),
        Reader::PowerShell => escaped(&format!("$Env:{variable} = '"), &quote_is("''"), "'"),
        // In a batch file, % and ! are special inside quotes too. The prompt has other rules.
        Reader::Cmd if !token.contains(['"', '%', '!', '^']) => unchanged(&format!("set \"{variable}="), "\""),
        // docker --env-file treats quotes as part of the value, other readers require them.
        // Therefore a plain value is not quoted.
        Reader::Dotenv if is_plain(token) => plain(),
        // python-dotenv expands ${…} and unescapes backslashes between single quotes too, and godotenv
        // does not end a value at a quote that follows a backslash.
        Reader::Dotenv if !token.contains(['\'', '\\']) && !token.contains("${") => unchanged(&format!("{variable}='"), "'"),
        Reader::GitHub => plain(),
        Reader::GitLab if is_plain(token) => plain(),
        Reader::Cmd | Reader::Dotenv | Reader::GitLab => return Err(cannot()),
    })
}

fn name(shell: Reader) -> String {
    shell.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
}

/// Whether `token` has only the characters of b64token (RFC 6750), which are special to no reader.
fn is_plain(token: &str) -> bool {
    token.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte))
}

/// The workflow command that hides the token in the log. A percent sign starts an escape in it.
fn mask(token: &str) -> Wiped {
    let mut line = Wiped::of(&["::add-mask::"]);
    line.push_replaced(token, |character| (character == '%').then_some("%25"));
    line
}

/// The file that the runner created and reads after the step.
struct EnvironmentFile {
    path: PathBuf,
    file: File,
}

impl EnvironmentFile {
    /// Opens the file that GITHUB_ENV names; `None` if it is not set.
    fn open() -> Result<Option<Self>, Failure> {
        let Some(path) = std::env::var_os("GITHUB_ENV").filter(|path| !path.is_empty()).map(PathBuf::from) else { return Ok(None) };
        let file = OpenOptions::new().read(true).append(true).open(&path).map_err(|error| cannot_append(&path, &error))?;
        Ok(Some(Self { path, file }))
    }

    fn append(mut self, mut assignment: Wiped) -> Result<(), Failure> {
        let written = (|| {
            if ends_without_newline(&mut self.file)? {
                self.file.write_all(b"\n")?;
            }
            assignment.push("\n");
            self.file.write_all(assignment.as_bytes())
        })();
        written.map_err(|error| cannot_append(&self.path, &error))
    }
}

fn cannot_append(path: &Path, error: &io::Error) -> Failure {
    Failure::new(
        Status::CannotWrite,
        format!("cannot write to the file {} (GITHUB_ENV): {}", path.display(), os_reason(error)),
        "In a step of GitHub Actions, do not change GITHUB_ENV: the runner sets it. Elsewhere, unset it to print the assignment.",
    )
}

/// Whether the file ends without a newline, so that appended data would continue its last line.
fn ends_without_newline(file: &mut File) -> io::Result<bool> {
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

    fn text(line: &Wiped) -> &str {
        std::str::from_utf8(line.as_bytes()).unwrap()
    }

    /// A token may contain any visible ASCII character (RFC 6749 appendix A.12).
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
            assert_eq!(text(&assignment(shell, VARIABLE, AWKWARD).unwrap()), expected, "{shell:?}");
        }
    }

    #[test]
    fn plain_tokens_need_no_quotes() {
        for shell in [Reader::Dotenv, Reader::GitLab, Reader::GitHub] {
            assert_eq!(text(&assignment(shell, VARIABLE, "aZ9-._~+/=").unwrap()), "MONGODB_ATLAS_ACCESS_TOKEN=aZ9-._~+/=");
        }
        assert_eq!(text(&assignment(Reader::Cmd, VARIABLE, "aZ9-._~+/=").unwrap()), "set \"MONGODB_ATLAS_ACCESS_TOKEN=aZ9-._~+/=\"");
        assert_eq!(text(&assignment(Reader::Dotenv, VARIABLE, "a$b#c").unwrap()), "MONGODB_ATLAS_ACCESS_TOKEN='a$b#c'");
    }

    #[test]
    fn a_token_that_cannot_be_quoted_is_refused_and_not_shown() {
        for shell in [Reader::Cmd, Reader::Dotenv, Reader::GitLab] {
            let failure = assignment(shell, VARIABLE, AWKWARD).err().unwrap();

            let message = failure.message().unwrap();
            assert!(message.contains("tokenwell exec") && !message.contains(AWKWARD), "{message}");
        }
    }

    #[test]
    fn i34_the_mask_escapes_what_the_runner_unescapes() {
        assert_eq!(text(&mask("a%0Ab")), "::add-mask::a%250Ab");
    }
}
