//! `tokenwell man`: prints the manual pages.
//!
//! clap_mangen writes the parts that describe the flags. The other sections have the names of
//! man-pages(7), which readers search for.

use crate::failure::Failure;
use crate::{Cli, output};
use clap::CommandFactory as _;
use std::fmt::Write as _;
use std::io;
use tokenwell::Status;
use tokenwell::config::settings;
use tokenwell::error::{ExitCode, printable};

/// Print a manual page in roff format
#[derive(clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct Args {
    /// The command to document, such as `exec` or `cache list`; without it, print the page of
    /// tokenwell itself
    #[arg(value_name = "COMMAND")]
    command: Vec<String>,
}

const EXAMPLES: &str = "\
Examples:
  tokenwell man | man -l -
  tokenwell man exec > tokenwell-exec.1
  tokenwell man cache list > tokenwell-cache-list.1";

pub(crate) fn run(args: Args) -> Result<(), Failure> {
    let mut all = Cli::command();
    all.build();
    let mut page = &all;
    for name in &args.command {
        let parent = page;
        page = parent.find_subcommand(name).ok_or_else(|| {
            let known: Vec<_> = parent.get_subcommands().map(|command| command.get_name().to_owned()).collect();
            let problem = format!("unknown command `{}`", printable(name, 80));
            let hint = if known.is_empty() { "See `tokenwell man`.".to_owned() } else { format!("Use one of: {}.", known.join(", ")) };
            Failure::new(Status::InvalidArgument, problem, hint)
        })?;
    }
    output::bytes(&roff(page).map_err(Failure::Output)?)
}

fn roff(command: &clap::Command) -> io::Result<Vec<u8>> {
    let name = command.get_bin_name().unwrap_or("tokenwell").replace(' ', "-");
    let is_root = name == "tokenwell";
    let help = command.get_after_long_help().map(ToString::to_string).unwrap_or_default();
    // clap_mangen leaves out the description of a flag that the short help does not show.
    let shown = command.clone().mut_args(|argument| argument.hide_short_help(false)).after_long_help("").after_help("");
    // The references of clap_mangen have the name of the command too.
    let man = clap_mangen::Man::new(shown.name(name.clone())).source(concat!("tokenwell ", env!("CARGO_PKG_VERSION"))).manual("tokenwell");
    let mut page = Vec::new();
    man.render_title(&mut page)?;
    // Neither hyphens in the names of variables nor wide gaps: names are copied and searched.
    page.extend_from_slice(b".nh\n.ad l\n");
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    if command.get_arguments().any(|argument| !argument.is_hide_set()) {
        man.render_options_section(&mut page)?;
    }
    if command.get_subcommands().next().is_some() {
        man.render_subcommands_section(&mut page)?;
    }
    let has_account = command.get_arguments().any(|argument| argument.get_help_heading() == Some("Account"));
    let mut rest = String::new();
    if is_root || has_account {
        environment(&mut rest);
        files(&mut rest);
    }
    exit_status(&mut rest);
    examples(&mut rest, &help);
    let nested = command.get_subcommands().map(|subcommand| format!("{name}-{}", subcommand.get_name()));
    see_also(&mut rest, &name, nested);
    page.extend_from_slice(rest.as_bytes());
    Ok(ascii(&String::from_utf8_lossy(&page)).into_bytes())
}

/// The page in ASCII: roff reads other characters byte by byte, unless a preprocessor runs first.
fn ascii(page: &str) -> String {
    let mut result = String::with_capacity(page.len());
    for character in page.chars() {
        match character {
            '\u{2026}' => result.push_str("..."),
            ascii if ascii.is_ascii() => result.push(ascii),
            other => {
                let _ = write!(result, "\\[u{:04X}]", u32::from(other));
            }
        }
    }
    result
}

/// Each variable that a setting is read from, with the setting's description.
fn environment(page: &mut String) {
    page.push_str(".SH ENVIRONMENT\nFlags come before variables, and the first variable of a list that is set wins.\n");
    for setting in settings() {
        let variables: Vec<_> = setting.variables().map(escaped).collect();
        if !variables.is_empty() {
            let _ = write!(page, ".TP\n\\fB{}\\fR\n{}\n", variables.join("\\fR, \\fB"), line(setting.about()));
        }
    }
    for (variable, about) in [
        ("NO_COLOR, CLICOLOR_FORCE", "no colors, or colors also in a file or pipe; --color comes before them"),
        ("TOKENWELL_CHANGE_LOG", "off: tokenwell sa keeps no log of changes, and cannot report what a command made that was killed"),
        ("COLUMNS", "the width to which help and tables are wrapped"),
    ] {
        let _ = write!(page, ".TP\n\\fB{}\\fR\n{}\n", escaped(variable), line(about));
    }
}

fn files(page: &mut String) {
    page.push_str(".SH FILES\n");
    for (path, about) in [
        ("$XDG_CONFIG_HOME/tokenwell/config.toml", "profiles; TOKENWELL_CONFIG_FILE names another file"),
        ("$XDG_CONFIG_HOME/tokenwell/secrets/", "the secrets of the profiles, readable by this user only"),
        ("$XDG_CONFIG_HOME/atlascli/config.toml", "profiles of the Atlas CLI, which are read but never written"),
        ("$XDG_STATE_HOME/tokenwell/changes.jsonl", "the log of what tokenwell sa changed, without secrets"),
        ("$XDG_CACHE_HOME/tokenwell/", "the token cache, which is encrypted; `tokenwell cache path` prints its path"),
        ("$XDG_STATE_HOME/tokenwell/secret-ends/", "when the secrets in use end, without the secrets"),
    ] {
        let _ = write!(page, ".TP\n\\fI{}\\fR\n{}\n", escaped(path), line(about));
    }
}

fn exit_status(page: &mut String) {
    page.push_str(".SH \"EXIT STATUS\"\n");
    for code in ExitCode::all().filter(|code| !code.is_planned()) {
        let _ = write!(page, ".TP\n\\fB{}\\fR\n{}\n", code.number(), line(code.meaning()));
    }
}

/// The examples, which are not filled: they are commands. A paragraph with another heading, such as
/// "Levels:", gets a section of its own; the exit codes are in EXIT STATUS.
fn examples(page: &mut String, help: &str) {
    let mut is_open = false;
    let mut is_skipped = false;
    for text in help.lines() {
        if let Some(heading) = text.strip_suffix(':').filter(|heading| heading.starts_with(char::is_uppercase)) {
            if is_open {
                page.push_str(".fi\n");
            }
            is_skipped = heading == "Exit codes" && !help.contains("Before the command starts");
            is_open = !is_skipped;
            if is_open {
                let _ = write!(page, ".SH \"{}\"\n.nf\n", escaped(&heading.to_uppercase()));
            }
        } else if !is_skipped {
            let _ = writeln!(page, "{}", if text.is_empty() { ".sp".to_owned() } else { line(text) });
        }
    }
    if is_open {
        page.push_str(".fi\n");
    }
}

fn see_also(page: &mut String, name: &str, nested: impl Iterator<Item = String>) {
    let parent = name.rsplit_once('-').map(|(parent, _)| parent.to_owned());
    let pages: Vec<_> = parent.into_iter().chain(nested).map(|page| format!("\\fB{}\\fR(1)", escaped(&page))).collect();
    let _ = write!(page, ".SH \"SEE ALSO\"\n{}\n", pages.join(",\n"));
}

/// A line of prose: a period or quote at its start would be a request to roff.
fn line(prose: &str) -> String {
    let prose = escaped(&prose.replace('`', ""));
    if prose.starts_with(['.', '\'']) { format!("\\&{prose}") } else { prose }
}

fn escaped(prose: &str) -> String {
    let mut result = String::with_capacity(prose.len());
    for character in prose.chars() {
        match character {
            '\\' => result.push_str("\\e"),
            '-' => result.push_str("\\-"),
            '\'' => result.push_str("\\(aq"),
            '"' => result.push_str("\\(dq"),
            '^' => result.push_str("\\(ha"),
            '~' => result.push_str("\\(ti"),
            other => result.push(other),
        }
    }
    result
}
