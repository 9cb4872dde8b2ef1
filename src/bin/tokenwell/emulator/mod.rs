//! `tokenwell emulator`: runs the Atlas emulator until a signal stops it.

mod assignments;
#[cfg(unix)]
mod background;
#[cfg(unix)]
mod until_pid;

use crate::failure::Failure;
use crate::output;
use crate::stop::Stop;
use assignments::{Assignments, Format};
use clap::ValueEnum;
use std::fmt::Display;
use std::io::{self, Write as _};
use std::path::PathBuf;
use tempfile::TempDir;
use tokenwell::emulator::{Certificate, DEFAULT_ORG_ID, DEFAULT_PROJECT_ID, Emulator, EmulatorOptions, RateLimit};
use tokenwell::error::{Error, Status, printable_path};

/// Run a local emulator of Atlas on 127.0.0.1
///
/// It serves the token and revocation endpoints and the service account API, with the limits of
/// Atlas. When it accepts connections, it prints the variables of its clients, one assignment a
/// line, and the line `# ready`: the base URL, the credential of a test account and a directory for
/// the token cache, which is removed at the end. With -v it logs each request to standard error:
/// address, method, path and status. It runs until SIGINT, SIGTERM or SIGHUP. Tests can set its
/// clock, limits and faults through the control API under /_emulator; see docs/emulator.md.
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

    /// Form of the printed assignments [default: dotenv; sh with --background]
    #[arg(long, value_enum)]
    format: Option<Format>,

    /// Write the line `ready` to this file descriptor when the emulator accepts connections
    #[cfg(unix)]
    #[arg(long, value_name = "N")]
    ready_fd: Option<u32>,

    /// Continue in the background: print the assignments and return when the emulator accepts
    /// connections
    #[cfg(unix)]
    #[arg(long, conflicts_with_all = ["until_stdin_closes", "ready_fd"])]
    background: bool,

    /// Exit when this process ends; `$$` is the shell
    #[cfg(unix)]
    #[arg(long, value_name = "PID", value_parser = clap::value_parser!(i32).range(1..))]
    until_pid: Option<i32>,

    /// The process that --background starts
    #[cfg(unix)]
    #[arg(long, hide = true)]
    detached: bool,
}

const AFTER_HELP: &str = "\
Examples:
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
enum Tls {
    /// For 127.0.0.1, ::1 and localhost
    Loopback,
    /// For another host name
    WrongName,
    /// For the right host name, but expired
    Expired,
}

pub fn run(args: Args) -> Result<(), Failure> {
    #[cfg(unix)]
    if args.background {
        return background::start(args.format.unwrap_or(Format::Sh), tracing::event_enabled!(tracing::Level::INFO));
    }
    // The signals of the terminal are for the other programs in it.
    #[cfg(unix)]
    if args.detached {
        let _ = nix::unistd::setsid();
    }
    let emulator = start(&args)?;
    let cache = cache_directory()?;
    let format = args.format.unwrap_or(Format::Dotenv);
    let printed = assignments(&emulator, &args, &cache).formatted(format)?;
    // Before the assignments are printed: a reader may send a signal.
    let stop = Stop::listen(args.until_stdin_closes).map_err(|error| no_resources(&error))?;
    #[cfg(unix)]
    if let Some(pid) = args.until_pid {
        until_pid::watch(pid, stop.remote())?;
    }
    output::bytes(printed.as_bytes())?;
    #[cfg(unix)]
    if let Some(descriptor) = args.ready_fd {
        report_ready(descriptor)?;
    }
    stop.wait();
    Ok(())
}

/// Starts the emulator and writes the certificate of its authority.
fn start(args: &Args) -> Result<Emulator, Failure> {
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
    Ok(emulator)
}

/// A cache directory for the clients of this run, which is removed when it is dropped. A token in
/// another cache may come from an earlier run at the same port, which this run does not know.
fn cache_directory() -> Result<TempDir, Failure> {
    let mut builder = tempfile::Builder::new();
    builder.prefix("tokenwell-emulator-");
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o700));
    builder.tempdir().map_err(|error| {
        Failure::new(
            Status::CannotWrite,
            format!("cannot create a cache directory in {}: {error}", printable_path(&std::env::temp_dir())),
            "Set TMPDIR to a writable directory.",
        )
    })
}

/// The variables of a client of this emulator.
fn assignments(emulator: &Emulator, args: &Args, cache: &TempDir) -> Assignments {
    let mut all = Assignments::default();
    all.push("MONGODB_ATLAS_BASE_URL", emulator.base_url());
    all.push("MONGODB_ATLAS_CLIENT_ID", emulator.client_id());
    all.push("MONGODB_ATLAS_CLIENT_SECRET", emulator.client_secret());
    all.push("MONGODB_ATLAS_ORG_ID", DEFAULT_ORG_ID);
    all.push("MONGODB_ATLAS_PROJECT_ID", DEFAULT_PROJECT_ID);
    if let Some(file) = &args.ca_file {
        all.push("TOKENWELL_CA_FILE", file);
    }
    all.push("TOKENWELL_CACHE_DIR", cache.path());
    #[cfg(unix)]
    if args.detached {
        all.push("TOKENWELL_EMULATOR_PID", std::process::id().to_string());
    }
    all
}

/// Writes the line `ready` to the descriptor, which the parent process opened.
#[cfg(unix)]
fn report_ready(descriptor: u32) -> Result<(), Failure> {
    let path = format!("/dev/fd/{descriptor}");
    let written = std::fs::OpenOptions::new().append(true).open(&path).and_then(|mut file| file.write_all(b"ready\n"));
    written.map_err(|error| {
        wrong(
            "--ready-fd",
            format!("cannot write to file descriptor {descriptor}: {error}"),
            "Open it for writing when the command starts, for example 3>ready.",
        )
        .into()
    })
}

fn no_resources(error: &io::Error) -> Failure {
    wrong("emulator", format!("cannot wait for signals: {error}"), "The system has no free thread or file descriptor. Raise its limits.")
        .into()
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
