//! `tokenwell sink`: keeps a valid token in a file, for programs that can only read a file.
//!
//! May depend on: the public API and the command's own settings, session, form and output. Start
//! reading at [`run`]; `file` replaces the file, `pace` computes the pauses.

mod file;
mod pace;

use crate::failure::Failure;
use crate::form::{Form, expiry, json};
use crate::output;
use crate::session::Session;
use crate::settings::Settings;
use crate::stop::{Awaited, Stop};
use crate::wiped::Wiped;
use clap::ValueEnum;
use file::SinkFile;
use pace::Pace;
use std::io;
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant, SystemTime};
use tokenwell::error::Error;
use tokenwell::{Status, Token, TokenOptions};

/// After this time the get is repeated: it joins the same refresh, or replaces one that hangs.
const GET_INTERVAL: Duration = Duration::from_secs(10);

/// Keep a valid token in a file
///
/// Replaces the file before the token expires. The replacement is atomic: a reader gets either the
/// old token or the new one. If a refresh fails, it keeps the file, logs the error to standard
/// error and tries again. It runs until SIGTERM, SIGINT or SIGHUP.
#[derive(clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct Args {
    /// The file to write; a symbolic link or other non-regular file is refused
    file: PathBuf,

    /// Mode of the file: 0600, 0640, 0644, 0400, 0440 or 0444
    #[arg(long, default_value = "0600", value_parser = file::mode)]
    mode: u32,

    /// Format of the file
    #[arg(long, value_enum, default_value_t = SinkFormat::Raw)]
    format: SinkFormat,

    /// Write the file once and exit
    #[arg(long)]
    once: bool,

    /// Remove the file on exit
    #[arg(long, conflicts_with = "once")]
    remove_on_exit: bool,

    #[command(flatten)]
    settings: Settings,
}

const EXAMPLES: &str = "\
Examples:
  tokenwell sink /run/user/1000/atlas-token &
  tokenwell sink --format header --mode 0640 /shared/atlas.header
  tokenwell sink --once token.txt";

#[derive(Clone, Copy, ValueEnum)]
enum SinkFormat {
    /// The token without a newline
    Raw,
    /// A header line, for curl --header @FILE
    Header,
    /// A JSON object: access_token, token_type, expires_at
    Json,
}

impl SinkFormat {
    fn of(self, token: &Token) -> Wiped {
        let (mut text, end) = match self {
            Self::Raw => (Form::Raw.of(token), ""),
            Self::Header => (Form::Header.of(token), "\n"),
            // No expires_in: it would be wrong one second later.
            Self::Json => (json(token, None), "\n"),
        };
        text.push(end);
        text
    }
}

pub(crate) fn run(args: Args) -> Result<(), Failure> {
    let mut file = SinkFile::at(&args.file, args.mode)?;
    let session = args.settings.session()?;
    if args.once {
        return file.replace(args.format.of(&session.token(&TokenOptions::default())?).as_bytes());
    }
    // Before the first token request: a signal must stop that too.
    let stop = Stop::listen(false).map_err(|error| {
        let problem = format!("cannot wait for signals: {error}");
        Failure::new(Status::Internal, problem, "The system has no free thread or file descriptor. Raise its limits.")
    })?;
    let outcome = keep_current(&session, &mut file, args.format, &stop);
    if args.remove_on_exit {
        file.remove_if_unchanged()?;
    }
    outcome
}

/// Keeps the file up to date until the command is stopped or fails permanently.
fn keep_current(session: &Session, file: &mut SinkFile, format: SinkFormat, stop: &Stop) -> Result<(), Failure> {
    let mut pace = Pace::default();
    let mut written: Option<Token> = None;
    loop {
        let started = Instant::now();
        let Some(answer) = next_token(session, written.as_ref(), stop) else { return Ok(()) };
        let replaced = match answer {
            Ok(token) => replace(session, file, format, written.as_ref(), &token).map(|()| token),
            Err(error) if written.is_none() && !is_transient(&error) => return Err(error.into()),
            Err(error) => Err(error.into()),
        };
        let stopped = match replaced {
            Ok(token) => {
                pace.renewed(started.elapsed(), left(&token));
                let stopped = stopped_before_renewal(session, &pace, &token, stop);
                written = Some(token);
                stopped
            }
            // At the start this is a wrong argument or server. Later the disk may be full temporarily.
            Err(failure @ Failure::Own { .. }) if written.is_none() => return Err(failure),
            Err(failure) => {
                let pause = pace.after_failure(requested_pause(session, &failure), written.as_ref().map(left).unwrap_or_default());
                report_failure(file, &failure, pause);
                stopped_within(pause, stop)
            }
        };
        if stopped {
            return Ok(());
        }
    }
}

/// Writes `token` unless it is what the file contains.
fn replace(session: &Session, file: &mut SinkFile, format: SinkFormat, written: Option<&Token>, token: &Token) -> Result<(), Failure> {
    session.require_lifetime(token)?;
    if written.is_some_and(|written| written.value() == token.value() && written.expires_at() == token.expires_at()) {
        return Ok(());
    }
    file.replace(format.of(token).as_bytes())?;
    output::message(&format!("wrote a token that expires at {}", expiry(token)));
    Ok(())
}

/// Waits for the next token to write, or returns `None` if the command must stop.
///
/// It is one get from start to end: a get with a short deadline that is repeated would tell the
/// cache to be impatient with other processes.
fn next_token(session: &Session, written: Option<&Token>, stop: &Stop) -> Option<Result<Token, Error>> {
    loop {
        let options = next_token_options(written, session);
        match stop.wait_for_result(std::pin::pin!(session.client.token_async(&options)), GET_INTERVAL) {
            Awaited::Ready(answer) => return Some(answer),
            Awaited::Late => {}
            Awaited::Stopped => return None,
        }
    }
}

/// The options that return a token other than `written`, which has to be replaced. If the client
/// already has a newer token, the default options do.
fn next_token_options(written: Option<&Token>, session: &Session) -> TokenOptions {
    let generation = session.client.generation().load(Ordering::Acquire);
    TokenOptions::default().force_refresh(written.is_some_and(|token| token.generation() == generation))
}

/// Whether a later attempt can succeed. A wrong setting is a permanent error.
fn is_transient(error: &Error) -> bool {
    matches!(
        error.status(),
        Status::Network | Status::Server | Status::Protocol | Status::RateLimited | Status::TokenLimit | Status::Deadline
    )
}

fn left(token: &Token) -> Duration {
    token.expires_at().duration_since(SystemTime::now()).unwrap_or_default()
}

/// The pause that the server requested, or the end of the cache's cooldown: an earlier attempt would
/// fail without a request.
fn requested_pause(session: &Session, failure: &Failure) -> Option<Duration> {
    let Failure::Library(error) = failure else { return None };
    error.retry_after().or_else(|| session.client.cached_state().ok()?.cooldown?.retry_after())
}

fn report_failure(file: &SinkFile, failure: &Failure, pause: Duration) {
    if let Some(message) = failure.explanation() {
        output::message(&format!("{}; the next attempt is in {} s:", file.not_replaced(), pause.as_secs_f64().ceil()));
        // A failed write cannot be reported.
        let _ = io::Write::write_fmt(&mut io::stderr().lock(), format_args!("{message}\n"));
    }
}

/// Waits until `token` must be replaced, and returns whether the command was stopped. It reads the
/// clocks at intervals: they may be set, and a timer does not run while the machine is suspended.
fn stopped_before_renewal(session: &Session, pace: &Pace, token: &Token, stop: &Stop) -> bool {
    let remaining = || pace.until_renewal(session.client.fresh_for(token), left(token));
    if remaining().is_zero() {
        return stop.wait_for(Pace::if_already_due(session.client.fresh_for(token), left(token)));
    }
    loop {
        let remaining = remaining();
        if remaining.is_zero() {
            return false;
        }
        if stop.wait_for(pace::next_wait(remaining)) {
            return true;
        }
    }
}

/// Waits for `pause` by the wall clock, which advances during a suspend, and returns whether the
/// command was stopped.
fn stopped_within(pause: Duration, stop: &Stop) -> bool {
    let (started, started_wall) = (Instant::now(), SystemTime::now());
    loop {
        let elapsed = started.elapsed().max(started_wall.elapsed().unwrap_or_default());
        let remaining = pause.saturating_sub(elapsed);
        if remaining.is_zero() {
            return false;
        }
        if stop.wait_for(pace::next_wait(remaining)) {
            return true;
        }
    }
}
