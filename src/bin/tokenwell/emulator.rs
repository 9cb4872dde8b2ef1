//! `tokenwell emulator`: runs the Atlas emulator until a signal stops it.

use crate::failure::Failure;
use crate::output;
use crate::stop::Stop;
use clap::ValueEnum;
use std::fmt::Display;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use tokenwell::emulator::{Certificate, DEFAULT_ORG_ID, DEFAULT_PROJECT_ID, Emulator, EmulatorOptions, RateLimit};
use tokenwell::error::{Error, Status, printable_path};

/// Run a local emulator of Atlas on 127.0.0.1
///
/// It serves the token and revocation endpoints and the service account API, with the limits of
/// Atlas. It prints one line to standard output: shell assignments with the base URL and the
/// credential of a test account. With -v it logs each request to standard error: address, method,
/// path and status. It runs until SIGINT, SIGTERM or SIGHUP. Tests can set its clock, limits and
/// faults through the control API under /_emulator; see docs/emulator.md.
#[derive(clap::Args)]
#[command(after_long_help = AFTER_HELP)]
pub struct Args {
    /// Port on 127.0.0.1; 0 selects a free port
    #[arg(long, value_name = "N", default_value_t = 0)]
    port: u16,

    /// Serve TLS with a certificate of a test authority; requires --ca-file. For negative tests:
    /// --tls=wrong-name, --tls=expired
    #[arg(long, value_name = "CERTIFICATE", num_args = 0..=1, require_equals = true, default_missing_value = "loopback", requires = "ca_file")]
    tls: Option<Tls>,

    /// Write the certificate of the test authority (PEM) to this file; requires --tls
    #[arg(long, value_name = "FILE", requires = "tls")]
    ca_file: Option<PathBuf>,

    /// Lifetime of a token, at least 1
    #[arg(long, value_name = "SECONDS", default_value_t = 3600, value_parser = lifetime)]
    token_lifetime: u64,

    /// Maximum number of valid tokens per account
    #[arg(long, value_name = "N", default_value_t = 100)]
    token_cap: u64,

    /// Maximum number of token requests per client id and address, and the period in seconds
    #[arg(long, value_name = "REQUESTS/SECONDS", default_value = "10/60", value_parser = rate_limit)]
    rate_limit: RateLimit,

    /// Do not limit the rate of token requests
    #[arg(long, conflicts_with = "rate_limit")]
    no_rate_limit: bool,

    /// Exit when standard input closes, so that the emulator does not outlive a killed test
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
    /// For another host name
    WrongName,
    /// For the right host name, but expired
    Expired,
}

pub fn run(args: Args) -> Result<(), Failure> {
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
        ..EmulatorOptions::default()
    };
    let emulator = Emulator::start(options).map_err(|error| {
        wrong("--port", format!("cannot listen on 127.0.0.1:{}: {error}", args.port), "Choose another port, or 0 to select a free one.")
    })?;
    if let (Some(file), Some(pem)) = (&args.ca_file, emulator.ca_pem()) {
        std::fs::write(file, pem).map_err(|error| {
            Failure::new(
                Status::CannotWrite,
                format!("cannot write {} (--ca-file): {error}", printable_path(file)),
                "Name a file in a writable directory.",
            )
        })?;
    }
    // Before the line is printed: a reader of the line may send a signal.
    let stop = Stop::listen(args.until_stdin_closes).map_err(|error| {
        wrong(
            "emulator",
            format!("cannot wait for signals: {error}"),
            "The system has no free thread or file descriptor. Raise its limits.",
        )
    })?;
    output::line(&assignments(&emulator, args.ca_file.as_deref()))?;
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

/// Returns `value` unchanged if it needs no quotes, otherwise in single quotes.
fn shell_quoted(value: &str) -> String {
    let plain = |character: char| character.is_ascii_alphanumeric() || "/._-+:@%,".contains(character);
    if !value.is_empty() && value.chars().all(plain) { value.to_owned() } else { format!("'{}'", value.replace('\'', r"'\''")) }
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

fn log(line: &str) {
    // A failed log write does not stop the emulator.
    let _ = writeln!(io::stderr(), "{line}");
}

fn wrong(name: &str, problem: impl Display, hint: &str) -> Error {
    Error::InvalidArgument { name: name.to_owned(), problem: problem.to_string(), hint: hint.to_owned() }
}
