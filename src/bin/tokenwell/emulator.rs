//! `tokenwell emulator`: Atlas in a box until it is told to stop.

use crate::stop::Stop;
use clap::ValueEnum;
use std::fmt::Display;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use tokenwell::emulator::{Certificate, DEFAULT_ORG_ID, DEFAULT_PROJECT_ID, Emulator, EmulatorOptions, RateLimit};
use tokenwell::error::Error;

/// Run Atlas in a box on 127.0.0.1, with its limits
///
/// It serves the token endpoint, revocation and the service account API.
/// The first line on standard output is a line of shell assignments with the base URL and the credentials of an account.
/// With -v it writes one line for each request to standard error: address, method, path, status. It ends on SIGINT and SIGTERM, or with --until-stdin-closes when its standard input does. Tests set its clock, its limits
/// and its faults through the control API under /_emulator: see docs/emulator.md.
#[derive(clap::Args)]
#[command(after_long_help = AFTER_HELP)]
pub struct Args {
    /// The port on 127.0.0.1; 0 takes a free one
    #[arg(long, value_name = "N", default_value_t = 0)]
    port: u16,

    /// Speak TLS with a certificate of a made-up authority; wrong-name and expired are for tests of what must be refused
    #[arg(long, value_name = "CERTIFICATE", num_args = 0..=1, require_equals = true, default_missing_value = "loopback", requires = "ca_file")]
    tls: Option<Tls>,

    /// Where to write the made-up authority's certificate (PEM)
    #[arg(long, value_name = "FILE", requires = "tls")]
    ca_file: Option<PathBuf>,

    /// For how long a token lives
    #[arg(long, value_name = "SECONDS", default_value_t = 3600)]
    token_lifetime: u64,

    /// How many live tokens an account may have
    #[arg(long, value_name = "N", default_value_t = 100)]
    token_cap: u64,

    /// How many token requests an address may send for a client id in how many seconds
    #[arg(long, value_name = "REQUESTS/SECONDS", default_value = "10/60", value_parser = rate_limit)]
    rate_limit: RateLimit,

    /// Answer any number of token requests
    #[arg(long, conflicts_with = "rate_limit")]
    no_rate_limit: bool,

    /// End when standard input closes, so that a killed test leaves no server behind
    #[arg(long)]
    until_stdin_closes: bool,
}

const AFTER_HELP: &str = "\
Examples:
  tokenwell emulator > emulator.env &
  tokenwell emulator --port 8080 --token-lifetime 60 -v
  tokenwell emulator --tls --ca-file ca.pem";

#[derive(Clone, Copy, ValueEnum)]
enum Tls {
    /// For 127.0.0.1, ::1 and localhost
    Loopback,
    /// For another host
    WrongName,
    /// For the right host, but no longer
    Expired,
}

pub fn run(args: Args) -> Result<(), Error> {
    let options = EmulatorOptions {
        port: args.port,
        certificate: args.tls.map(|tls| match tls {
            Tls::Loopback => Certificate::Loopback,
            Tls::WrongName => Certificate::WrongName,
            Tls::Expired => Certificate::Expired,
        }),
        token_lifetime_s: args.token_lifetime,
        token_cap: args.token_cap,
        rate_limit: (!args.no_rate_limit).then_some(args.rate_limit),
        // With -v: one line for each request.
        log: tracing::event_enabled!(tracing::Level::INFO).then_some(log),
    };
    let emulator = Emulator::start(options).map_err(|error| {
        wrong("--port", format!("cannot listen on 127.0.0.1:{}: {error}", args.port), "Choose another port, or 0 for a free one.")
    })?;
    if let (Some(file), Some(pem)) = (&args.ca_file, emulator.ca_pem()) {
        std::fs::write(file, pem).map_err(|error| {
            wrong("--ca-file", format!("cannot write {}: {error}", file.display()), "Name a file in a directory that you may write to.")
        })?;
    }
    // Before the line is printed: whoever has read it may send a signal.
    let stop = Stop::listen(args.until_stdin_closes)
        .map_err(|error| wrong("emulator", format!("cannot wait for signals: {error}"), "The system is out of threads or descriptors."))?;
    writeln!(io::stdout(), "{}", assignments(&emulator, args.ca_file.as_deref()))
        .and_then(|()| io::stdout().flush())
        .map_err(|error| wrong("standard output", error, "The emulator prints its address and credentials there."))?;
    stop.wait();
    Ok(())
}

fn assignments(emulator: &Emulator, ca_file: Option<&Path>) -> String {
    let mut line = format!(
        "MONGODB_ATLAS_BASE_URL={} MONGODB_ATLAS_CLIENT_ID={} MONGODB_ATLAS_CLIENT_SECRET={} MONGODB_ATLAS_ORG_ID={DEFAULT_ORG_ID} MONGODB_ATLAS_PROJECT_ID={DEFAULT_PROJECT_ID}",
        emulator.base_url(),
        emulator.client_id(),
        emulator.client_secret(),
    );
    if let Some(file) = ca_file {
        line.push_str(" TOKENWELL_CA_FILE=");
        line.push_str(&shell_quoted(&file.display().to_string()));
    }
    line
}

/// As it is where the shell takes it so, else in single quotes.
fn shell_quoted(text: &str) -> String {
    let plain = |character: char| character.is_ascii_alphanumeric() || "/._-+:@%,".contains(character);
    if !text.is_empty() && text.chars().all(plain) { text.to_owned() } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

fn rate_limit(text: &str) -> Result<RateLimit, String> {
    let parsed = text.split_once('/').and_then(|(requests, seconds)| Some((requests.parse().ok()?, seconds.parse().ok()?)));
    match parsed {
        Some((requests, window_s)) if requests > 0 && window_s > 0 => Ok(RateLimit { requests, window_s, ..RateLimit::default() }),
        _ => Err("expected REQUESTS/SECONDS, both at least 1, like 10/60; --no-rate-limit lifts the limit".to_owned()),
    }
}

fn log(line: &str) {
    // A log that cannot be written is no reason to stop serving.
    let _ = writeln!(io::stderr(), "{line}");
}

fn wrong(name: &str, problem: impl Display, hint: &str) -> Error {
    Error::InvalidArgument { name: name.to_owned(), problem: problem.to_string(), hint: hint.to_owned() }
}
