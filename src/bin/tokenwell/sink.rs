//! `tokenwell sink`: keeps a file that always holds a live token, for programs that can only read a file.

mod file;
mod pace;

use crate::failure::Failure;
use crate::form::Form;
use crate::output;
use crate::session::Session;
use crate::settings::Settings;
use clap::ValueEnum;
use file::SinkFile;
use pace::Pace;
use std::io;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};
use tokenwell::error::{Error, printable};
use tokenwell::{Status, Token, TokenOptions};
use zeroize::Zeroizing;

/// Keep a file that holds a live token
///
/// Whoever reads the file finds a whole token, the old one or the new one. It is replaced before the token ends; where that fails the old one stays, a
/// line on standard error says so, and it is tried again. It runs until SIGTERM or SIGINT.
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
                serde_json::json!({ "access_token": token.value(), "token_type": "Bearer", "expires_at": crate::form::ends_at(token) })
            )),
        }
    }
}

pub(crate) fn run(args: Args) -> Result<(), Failure> {
    let file = SinkFile::at(&args.file, args.mode)?;
    let session = args.settings.session()?;
    if args.once {
        return file.replace(args.format.of(&session.token(&TokenOptions::default())?).as_bytes());
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build().map_err(out_of_means)?;
    let kept = runtime.block_on(async {
        // Before the first token: a signal in the meantime must end this too.
        let mut end = End::prepare().map_err(out_of_means)?;
        tokio::select! {
            () = end.wait() => Ok(()),
            failure = keep(&session, &file, args.format) => Err(failure),
        }
    });
    if args.remove_on_exit {
        file.remove()?;
    }
    kept
}

/// Returns only what makes going on useless.
async fn keep(session: &Session, file: &SinkFile, format: Written) -> Failure {
    let mut pace = Pace::default();
    let mut written: Option<Token> = None;
    loop {
        let pause = match session.client.token_async(&another_than(written.as_ref(), session)).await {
            Ok(token) => {
                match file.replace(format.of(&token).as_bytes()) {
                    Ok(()) => {
                        output::hint(&format!("wrote a token that ends {}", crate::form::ends_at(&token)));
                        let pause = pace.after_token(session.client.fresh_for(&token), left(&token));
                        written = Some(token);
                        pause
                    }
                    // At the start it is a mistake in the call; later the disk may be full for a while.
                    Err(failure) if written.is_none() => return failure,
                    Err(failure) => told(&failure, pace.after_failure(None)),
                }
            }
            Err(error) if written.is_none() && !can_pass(&error) => return session.explained(error),
            Err(error) => {
                let pause = pace.after_failure(error.retry_after());
                told(&error.into(), pause)
            }
        };
        wait(session, written.as_ref(), pause).await;
    }
}

/// While the token is fresh the cache's own rule holds. Once it is due the next one is wanted, and not the old one a last time.
fn another_than(written: Option<&Token>, session: &Session) -> TokenOptions {
    TokenOptions::default().force_refresh(written.is_some_and(|token| session.client.fresh_for(token).is_zero()))
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

/// Waits for `pause`, in parts: a machine that was suspended wakes up with a clock that has moved on, and a timer that has not.
async fn wait(session: &Session, written: Option<&Token>, pause: Duration) {
    let was_fresh = |session: &Session| written.is_some_and(|token| !session.client.fresh_for(token).is_zero());
    let fresh_before = was_fresh(session);
    for part in pace::parts(pause) {
        tokio::time::sleep(part).await;
        if fresh_before && !was_fresh(session) {
            return;
        }
    }
}

fn out_of_means(error: io::Error) -> Failure {
    Failure::new(
        Status::Network,
        format!("cannot wait for signals and timers: {}", printable(&error.to_string(), 200)),
        "The system is out of threads or descriptors.",
    )
}

/// What ends the command.
#[cfg(unix)]
struct End {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl End {
    fn prepare() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};

        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    async fn wait(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

#[cfg(windows)]
struct End(tokio::signal::windows::CtrlC);

#[cfg(windows)]
impl End {
    fn prepare() -> io::Result<Self> {
        tokio::signal::windows::ctrl_c().map(Self)
    }

    async fn wait(&mut self) {
        self.0.recv().await;
    }
}
