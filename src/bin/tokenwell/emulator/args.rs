//! The flags of `tokenwell emulator`. Each is also a variable, because the services of some CI
//! systems cannot have arguments.

use super::assignments::Format;
use clap::builder::BoolishValueParser;
use clap::{Arg, ArgAction, ValueEnum};
use std::ffi::OsString;
use std::path::PathBuf;
use tokenwell::emulator::RateLimit;

/// Run a local emulator of Atlas
///
/// It serves the token and revocation endpoints and the service account API, with the limits of
/// Atlas. When it accepts connections, it prints the variables for its clients, one assignment a
/// line, and the line `# ready`: the base URL, the credential of a test account and a directory for
/// the token cache, which is removed at the end. It runs until SIGINT, SIGTERM or SIGHUP. Tests can
/// set its clock, limits and faults through the control API under /_emulator; see docs/emulator.md.
///
/// With a command after `--`, it runs the command with these variables and ends with it. The exit
/// code is that of the command, or 128 and the number of the signal that ended it.
#[derive(clap::Args)]
#[command(after_long_help = AFTER_HELP, mut_args(with_variable))]
pub(crate) struct Args {
    /// Port on 127.0.0.1 and ::1; 0 selects a free port
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(super) port: u16,

    /// Address to listen on, instead of 127.0.0.1. One that is not loopback implies --tls
    #[arg(long, value_name = "HOST:PORT", conflicts_with = "port")]
    pub(super) listen: Option<String>,

    /// Base URL as clients see it, if it differs from the address
    #[arg(long, value_name = "URL")]
    pub(super) public_url: Option<String>,

    /// Host name by which the control API may be used too, also from other machines
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub(super) allow_host: Vec<String>,

    /// Serve TLS with a certificate of a test authority; requires --ca-file
    #[arg(long, value_name = "CERTIFICATE", num_args = 0..=1, require_equals = true, default_missing_value = "loopback")]
    pub(super) tls: Option<Tls>,

    /// Write the certificate of the test authority (PEM) to this file; requires --tls
    #[arg(long, value_name = "FILE")]
    pub(super) ca_file: Option<PathBuf>,

    /// JSON file with the organizations, projects and accounts
    #[arg(long, value_name = "FILE")]
    pub(super) seed: Option<PathBuf>,

    /// Lifetime of a token, at least 1
    #[arg(long, value_name = "SECONDS", default_value_t = 3600, value_parser = lifetime)]
    pub(super) token_lifetime: u64,

    /// Maximum number of valid tokens per account
    #[arg(long, value_name = "N", default_value_t = 100)]
    pub(super) token_cap: u64,

    /// Maximum number of token requests per client id and address, and the period in seconds
    #[arg(long, value_name = "REQUESTS/SECONDS", default_value = "10/60", value_parser = rate_limit)]
    pub(super) rate_limit: RateLimit,

    /// Do not limit the rate of token requests
    #[arg(long, conflicts_with = "rate_limit")]
    pub(super) no_rate_limit: bool,

    /// Append one line for each request to this file: address, method, path and status. With -v
    /// they go to standard error
    #[arg(long, value_name = "FILE")]
    pub(super) log: Option<PathBuf>,

    /// Form of the printed assignments [default: dotenv; sh with --background]
    #[arg(long, value_enum)]
    pub(super) format: Option<Format>,

    /// Print one JSON object, like --format json
    #[arg(long, hide_short_help = true, conflicts_with = "format")]
    pub(super) json: bool,

    /// Exit when standard input closes, so that the emulator does not outlive a killed test
    #[arg(long)]
    pub(super) until_stdin_closes: bool,

    /// Exit when this process ends; `$$` is the shell
    #[cfg(unix)]
    #[arg(long, value_name = "PID", value_parser = clap::value_parser!(i32).range(1..))]
    pub(super) until_pid: Option<i32>,

    /// Continue in the background: print the assignments and return when the emulator accepts
    /// connections
    #[cfg(unix)]
    #[arg(long, conflicts_with_all = ["until_stdin_closes", "ready_fd"])]
    pub(super) background: bool,

    /// Write the line `ready` to this file descriptor when the emulator accepts connections
    #[cfg(unix)]
    #[arg(long, value_name = "N")]
    pub(super) ready_fd: Option<u32>,

    /// Check the emulator at this URL instead of starting one: exit code 0 if it serves. With https,
    /// --ca-file is the authority to trust
    #[arg(long, value_name = "URL")]
    pub(super) health: Option<String>,

    /// Let the command use cloud.mongodb.com too
    #[arg(long, requires = "command")]
    pub(super) allow_live: bool,

    /// The process that --background starts
    #[cfg(unix)]
    #[arg(long, hide = true)]
    pub(super) detached: bool,

    /// Command to run, and its arguments
    #[cfg_attr(unix, arg(conflicts_with_all = ["background", "until_pid", "ready_fd"]))]
    #[arg(value_name = "COMMAND", last = true, conflicts_with_all = ["until_stdin_closes", "format"])]
    pub(super) command: Vec<OsString>,
}

const AFTER_HELP: &str = "\
Examples:
  For one command, such as a test suite
    tokenwell emulator -- npm test

  Until this shell ends (sh, bash, zsh)
    eval \"$(tokenwell emulator --background --until-pid $$)\"

  The same in fish
    tokenwell emulator --background --until-pid $fish_pid --format fish | source

  For the next steps of a job of GitHub Actions
    tokenwell emulator --background --format dotenv >> \"$GITHUB_ENV\"

  In a terminal of its own
    tokenwell emulator --port 8080 --token-lifetime 60 -v
    tokenwell emulator --tls --ca-file ca.pem";

#[derive(Clone, Copy, ValueEnum)]
pub(super) enum Tls {
    /// For 127.0.0.1, ::1, localhost, and the names of --listen, --public-url and --allow-host
    Loopback,
    /// For another host name
    WrongName,
    /// For the right host name, but expired
    Expired,
}

impl Args {
    /// The form of the printed assignments.
    pub(super) fn format(&self, default: Format) -> Format {
        if self.json { Format::Json } else { self.format.unwrap_or(default) }
    }
}

/// The prefix of the variables.
pub(super) const VARIABLES: &str = "TOKENWELL_EMULATOR_";

/// The flags in the short help: what a test or a first try needs.
const SHORT_HELP: [&str; 6] = ["port", "tls", "ca_file", "format", "background", "until_pid"];

pub(super) fn has_variable(flag: &str) -> bool {
    !matches!(flag, "health" | "detached" | "command" | "json")
}

/// Adds the variable of a flag. An empty variable counts as not set.
fn with_variable(arg: Arg) -> Arg {
    let is_short = SHORT_HELP.contains(&arg.get_id().as_str()) || arg.get_long().is_none();
    let arg = arg.hide_short_help(!is_short);
    let flag = arg.get_id().as_str();
    if !has_variable(flag) {
        return arg;
    }
    let variable = format!("{VARIABLES}{}", flag.to_ascii_uppercase());
    // Kubernetes sets TOKENWELL_EMULATOR_PORT to tcp://… beside a service named tokenwell-emulator.
    let is_of_a_service = |value: &std::ffi::OsStr| flag == "port" && value.to_string_lossy().contains("://");
    if std::env::var_os(&variable).is_some_and(|value| value.is_empty() || is_of_a_service(&value)) {
        return arg;
    }
    let is_switch = matches!(arg.get_action(), ArgAction::SetTrue);
    let arg = arg.env(variable).hide_env_values(true);
    if is_switch { arg.value_parser(BoolishValueParser::new()) } else { arg }
}

fn rate_limit(value: &str) -> Result<RateLimit, String> {
    let parsed = value.split_once('/').and_then(|(requests, seconds)| Some((requests.parse().ok()?, seconds.parse().ok()?)));
    match parsed {
        Some((requests, window_s)) if requests > 0 && window_s > 0 => Ok(RateLimit { requests, window_s, ..RateLimit::default() }),
        _ => Err("expected REQUESTS/SECONDS, both at least 1, such as 10/60; --no-rate-limit removes the limit".to_owned()),
    }
}

fn lifetime(value: &str) -> Result<u64, String> {
    value.parse().ok().filter(|seconds| *seconds > 0).ok_or_else(|| "expected a whole number of seconds, at least 1".to_owned())
}
