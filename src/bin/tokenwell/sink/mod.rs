//! `tokenwell sink`: keeps a valid token in a file, for programs that can only read a file.
//!
//! May depend on: the public API and the command's own settings, session, form and output. Start
//! reading at [`run`]; `file` replaces the file, `pace` computes the pauses.

mod file;
mod pace;

use crate::failure::Failure;
use crate::form::{Form, expiry};
use crate::output;
use crate::session::Session;
use crate::settings::Settings;
use crate::stop::Stop;
use clap::ValueEnum;
use file::SinkFile;
use pace::Pace;
use std::io;
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::time::{Duration, SystemTime};
use tokenwell::error::Error;
use tokenwell::{Status, Token, TokenOptions};
use zeroize::Zeroizing;

/// The longest time until the command reacts to a signal.
const CALL_DEADLINE: Duration = Duration::from_millis(250);

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
    fn of(self, token: &Token) -> Zeroizing<String> {
        match self {
            Self::Raw => Form::Raw.of(token),
            Self::Header => Zeroizing::new(format!("{}\n", *Form::Header.of(token))),
            // No expires_in: it would be wrong one second later.
            Self::Json => Zeroizing::new(format!(
                "{}\n",
                serde_json::json!({ "access_token": token.value(), "token_type": "Bearer", "expires_at": expiry(token) })
            )),
        }
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
        let Some(answer) = next_token(session, written.as_ref(), stop) else { return Ok(()) };
        let pause = match answer {
            Ok(token) => match file.replace(format.of(&token).as_bytes()) {
                Ok(()) => {
                    output::message(&format!("wrote a token that expires at {}", expiry(&token)));
                    let pause = pace.after_token(session.client.fresh_for(&token), left(&token));
                    written = Some(token);
                    pause
                }
                // At the start this is a wrong argument. Later the disk may be full temporarily.
                Err(failure) if written.is_none() => return Err(failure),
                Err(failure) => report_failure(file, &failure, pace.after_failure(None)),
            },
            Err(error) if written.is_none() && !is_transient(&error) => return Err(error.into()),
            Err(error) => {
                let pause = pace.after_failure(error.retry_after());
                report_failure(file, &error.into(), pause)
            }
        };
        if stopped_within(session, written.as_ref(), pause, stop) {
            return Ok(());
        }
    }
}

/// Waits for the next token to write, or returns `None` if the command must stop. A refresh
/// continues after a call exceeds its deadline, so short deadlines lose nothing.
fn next_token(session: &Session, written: Option<&Token>, stop: &Stop) -> Option<Result<Token, Error>> {
    loop {
        match session.client.token(&next_token_options(written, session).deadline(CALL_DEADLINE)) {
            Err(Error::Deadline { .. }) if stop.wait_for(Duration::ZERO) => return None,
            Err(Error::Deadline { .. }) => {}
            answer => return Some(answer),
        }
    }
}

/// The options that return a token other than `written` once that is due for refresh. While it is
/// fresh, or if the client already has a newer token, the default options do.
fn next_token_options(written: Option<&Token>, session: &Session) -> TokenOptions {
    let generation = session.client.generation().load(Ordering::Acquire);
    let due = |token: &&Token| token.generation() == generation && session.client.fresh_for(token).is_zero();
    TokenOptions::default().force_refresh(written.filter(due).is_some())
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

fn report_failure(file: &SinkFile, failure: &Failure, pause: Duration) -> Duration {
    if let Some(message) = failure.explanation() {
        output::message(&format!("{}; the next attempt is in {} s:", file.not_replaced(), pause.as_secs()));
        // A failed write cannot be reported.
        let _ = io::Write::write_fmt(&mut io::stderr().lock(), format_args!("{message}\n"));
    }
    pause
}

/// Waits for `pause` and returns whether the command was stopped. It waits in parts, because during
/// a suspend of the machine the clock advances but the timer does not.
fn stopped_within(session: &Session, written: Option<&Token>, pause: Duration, stop: &Stop) -> bool {
    let is_fresh = || written.is_some_and(|token| !session.client.fresh_for(token).is_zero());
    let was_fresh = is_fresh();
    for part in pace::parts(pause) {
        if stop.wait_for(part) {
            return true;
        }
        if was_fresh && !is_fresh() {
            return false;
        }
    }
    false
}
