//! `tokenwell sink`: keeps a file that always holds a live token, for programs that can only read a file.
//!
//! May depend on: the public API and the command's own settings, session, form and output. Start reading at [`run`]; `file` replaces the file, `pace`
//! says when to look again.

mod file;
mod pace;

use crate::failure::Failure;
use crate::form::{Form, ends_at};
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

/// For how long the command does not hear that it shall stop.
const LONGEST_CALL: Duration = Duration::from_millis(250);

/// Keep a file that holds a live token
///
/// Whoever reads the file finds a whole token, the old one or the new one. It is replaced before the token ends; where that fails the old one stays, a
/// line on standard error says so, and it is tried again. It runs until SIGTERM, SIGINT or SIGHUP.
#[derive(clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct Args {
    /// The file; a link or anything that is not a regular file is refused
    file: PathBuf,

    /// Who may read it: 0600, 0640 or 0644, or the same without the right to write
    #[arg(long, default_value = "0600", value_parser = file::mode)]
    mode: u32,

    /// What to write
    #[arg(long, value_enum, default_value_t = Written::Raw)]
    format: Written,

    /// Write it once and end
    #[arg(long)]
    once: bool,

    /// Remove the file at the end
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
enum Written {
    /// The token alone, without a line end
    Raw,
    /// A header line, for curl --header @FILE
    Header,
    /// An object with access_token, token_type and expires_at
    Json,
}

impl Written {
    fn of(self, token: &Token) -> Zeroizing<String> {
        match self {
            Self::Raw => Form::Raw.of(token),
            Self::Header => Zeroizing::new(format!("{}\n", *Form::Header.of(token))),
            // No expires_in: it would be wrong a second after it was written.
            Self::Json => Zeroizing::new(format!(
                "{}\n",
                serde_json::json!({ "access_token": token.value(), "token_type": "Bearer", "expires_at": ends_at(token) })
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
    // Before the first token: a signal in the meantime must end this too.
    let stop = Stop::listen(false).map_err(|error| {
        let problem = format!("cannot wait for signals: {error}");
        Failure::new(Status::Internal, problem, "The system is out of threads or descriptors.")
    })?;
    let kept = keep(&session, &mut file, args.format, &stop);
    if args.remove_on_exit {
        file.remove_what_is_ours()?;
    }
    kept
}

/// Until the command is stopped, or going on is useless.
fn keep(session: &Session, file: &mut SinkFile, format: Written, stop: &Stop) -> Result<(), Failure> {
    let mut pace = Pace::default();
    let mut written: Option<Token> = None;
    loop {
        let Some(answer) = next_token(session, written.as_ref(), stop) else { return Ok(()) };
        let pause = match answer {
            Ok(token) => match file.replace(format.of(&token).as_bytes()) {
                Ok(()) => {
                    output::hint(&format!("wrote a token that ends {}", ends_at(&token)));
                    let pause = pace.after_token(session.client.fresh_for(&token), left(&token));
                    written = Some(token);
                    pause
                }
                // At the start it is a mistake in the call; later the disk may be full for a while.
                Err(failure) if written.is_none() => return Err(failure),
                Err(failure) => told(&failure, pace.after_failure(None)),
            },
            Err(error) if written.is_none() && !can_pass(&error) => return Err(error.into()),
            Err(error) => {
                let pause = pace.after_failure(error.retry_after());
                told(&error.into(), pause)
            }
        };
        if stopped_within(session, written.as_ref(), pause, stop) {
            return Ok(());
        }
    }
}

/// The token to write next; `None`: the command shall stop. The refresh goes on behind calls that give up, so a short one each time loses nothing.
fn next_token(session: &Session, written: Option<&Token>, stop: &Stop) -> Option<Result<Token, Error>> {
    loop {
        match session.client.token(&another_than(written, session).deadline(LONGEST_CALL)) {
            Err(Error::Deadline { .. }) if stop.wait_for(Duration::ZERO) => return None,
            Err(Error::Deadline { .. }) => {}
            answer => return Some(answer),
        }
    }
}

/// While the token is fresh the cache's own rule holds. Once it is due the next one is wanted, and not the old one a last time. Where the client has
/// another one already, that is the next one.
fn another_than(written: Option<&Token>, session: &Session) -> TokenOptions {
    let generation = session.client.generation().load(Ordering::Acquire);
    let due = |token: &&Token| token.generation() == generation && session.client.fresh_for(token).is_zero();
    TokenOptions::default().force_refresh(written.filter(due).is_some())
}

/// Whether waiting can help. A wrong setting stays wrong.
fn can_pass(error: &Error) -> bool {
    matches!(
        error.status(),
        Status::Network | Status::Server | Status::Protocol | Status::RateLimited | Status::TokenLimit | Status::Deadline
    )
}

fn left(token: &Token) -> Duration {
    token.expires_at().duration_since(SystemTime::now()).unwrap_or_default()
}

fn told(failure: &Failure, pause: Duration) -> Duration {
    if let Some(message) = failure.message() {
        output::hint(&format!("the next attempt is in {} s, the file stays as it is:", pause.as_secs()));
        // Nobody is there to read it when this fails.
        let _ = io::Write::write_fmt(&mut io::stderr().lock(), format_args!("{message}\n"));
    }
    pause
}

/// Waits for `pause`, in parts: a machine that was suspended wakes up with a clock that has moved on, and a timer that has not. Whether the command
/// was stopped meanwhile.
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
