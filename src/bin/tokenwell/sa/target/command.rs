//! `stdin-of:COMMAND…`: the secret on the standard input of a command, for stores that tokenwell does not
//! know.
//!
//! The command gets exactly the bytes of the secret, without a newline, and in no argument or variable. What
//! it stores cannot be read back, so everything that speaks against it counts as a failure.

use super::redactor::{Redactor, STEP};
use crate::exec::secret_variables;
use crate::failure::{self, Failure};
use crate::output;
use crate::program::{self, Ended};
use crate::stop::{self, Renewals, Stop};
use std::ffi::OsString;
use std::io::{self, PipeReader, Read as _, Write as _};
use std::path::PathBuf;
use std::process::{Child, Command};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokenwell::error::{duration_text, os_reason, printable};
use tokenwell::secret::Secret;
use tokenwell::{Config, Status};
use zeroize::Zeroizing;

/// The longest secret. Every pipe takes so many bytes while nobody reads.
const LONGEST: usize = 4096;
/// How long the rest of the output is awaited after the command has exited: what it has started may keep its
/// output open.
const OUTPUT_WAIT: Duration = Duration::from_secs(1);
/// How much of the output an error as JSON has.
const KEPT: usize = 500;

pub(super) struct SecretReader {
    shown: String,
    program: PathBuf,
    words: Vec<String>,
    limit: Duration,
    /// The variables that the command does not get: those of the credential of this process.
    removed: Vec<OsString>,
}

/// What a command has printed.
#[derive(Default)]
struct Printed {
    has_secret: bool,
    /// The end of it, without the secret.
    end: Vec<u8>,
}

impl SecretReader {
    /// Checks that the program exists.
    pub(super) fn prepare(words: &[String], limit: Duration, config: &Config) -> Result<Self, Failure> {
        let name = words.first().map(String::as_str).unwrap_or_default();
        let shown = printable(name, 100);
        let program = program::find(name).map_err(|problem| {
            Failure::new(
                Status::InvalidArgument,
                format!("--to stdin-of: the program `{shown}` {problem}"),
                "Install it, add its directory to PATH, or use its path.",
            )
        })?;
        Ok(Self { shown, program, words: words.to_vec(), limit, removed: secret_variables(config) })
    }

    /// Runs the command, and returns where the secret is.
    pub(super) fn run(&self, secret: &Secret) -> Result<String, Failure> {
        let shown = &self.shown;
        let printed = Arc::new(Mutex::new(Printed::default()));
        let result =
            self.pass(secret, &printed).map_err(|error| format!("cannot start `{shown}`: {}", os_reason(&error))).and_then(|problem| {
                let has_secret = printed.lock().unwrap_or_else(PoisonError::into_inner).has_secret;
                match problem {
                    Some(problem) if has_secret => Err(format!("{problem}; it printed the secret, which is redacted here")),
                    Some(problem) => Err(problem),
                    None if has_secret => Err(format!(
                        "`{shown}` printed the secret, which is redacted here, and exited with status 0; it may have stored it too"
                    )),
                    None => Ok(()),
                }
            });
        match result {
            Ok(()) => {
                output::message(&format!("passed the secret to `{shown}`, which exited with status 0; it cannot be read back"));
                Ok(format!("where `{shown}` put it (cannot be read back)"))
            }
            Err(problem) => {
                let end = std::mem::take(&mut printed.lock().unwrap_or_else(PoisonError::into_inner).end);
                // On standard error, the output would make the JSON invalid.
                let end = if failure::is_json() && !end.is_empty() {
                    format!("; its output ends with: {}", printable(String::from_utf8_lossy(&end).trim_end(), KEPT))
                } else {
                    String::new()
                };
                Err(Failure::new(Status::CannotWrite, format!("stdin-of: {problem}{end}"), "Run it by hand to see why."))
            }
        }
    }

    /// Runs the command, and returns why its success is not certain.
    fn pass(&self, secret: &Secret, printed: &Arc<Mutex<Printed>>) -> io::Result<Option<String>> {
        let shown = &self.shown;
        let bytes = secret.expose().as_bytes();
        if bytes.len() > LONGEST {
            return Ok(Some(format!("the secret is {} bytes long, and `{shown}` gets at most {LONGEST}", bytes.len())));
        }
        // Complete before the command starts. This process keeps an end to read, to see what was not read.
        let (mut unread, mut input) = io::pipe()?;
        input.write_all(bytes)?;
        drop(input);
        // A signal that ends this process would leave a secret that nobody is told of.
        let stop = Stop::listen_for(Renewals::None)?;
        let (mut child, output_ended) = self.start(&unread, secret, printed)?;
        let ended = program::wait(&mut child, self.limit, |pause| stop.wait_for(pause) == stop::Ended::Time)?;
        if !matches!(ended, Ended::Exited(_)) {
            program::terminate(&mut child);
        }
        // After this time, the thread is left to the end of the process.
        let _: Result<(), RecvTimeoutError> = output_ended.recv_timeout(OUTPUT_WAIT);
        let status = match ended {
            Ended::Late => return Ok(Some(format!("`{shown}` did not exit within {} and was terminated", duration_text(self.limit)))),
            Ended::Stopped => return Ok(Some(format!("`{shown}` was terminated because tokenwell was interrupted"))),
            Ended::Exited(status) => status,
        };
        if !status.success() {
            return Ok(Some(format!("`{shown}` failed: {status}")));
        }
        // Nobody writes any more, so this does not block.
        let mut rest = Zeroizing::new(Vec::with_capacity(LONGEST + 1));
        unread.read_to_end(&mut rest)?;
        Ok(match rest.len() {
            0 => None,
            left if left == bytes.len() => Some(format!("`{shown}` exited with status 0, but did not read the secret from standard input")),
            _ => Some(format!("`{shown}` exited with status 0, but read only a part of the secret from standard input")),
        })
    }

    fn start(&self, input: &PipeReader, secret: &Secret, printed: &Arc<Mutex<Printed>>) -> io::Result<(Child, Receiver<()>)> {
        let (output, writer) = io::pipe()?;
        let mut command = Command::new(&self.program);
        #[cfg(unix)]
        std::os::unix::process::CommandExt::arg0(&mut command, self.words.first().map(String::as_str).unwrap_or_default());
        command.args(self.words.iter().skip(1)).stdin(input.try_clone()?).stdout(writer.try_clone()?).stderr(writer);
        for variable in &self.removed {
            command.env_remove(variable);
        }
        program::in_own_group(&mut command);
        let (sender, output_ended) = channel();
        let (redactor, printed) = (Redactor::new(secret), Arc::clone(printed));
        std::thread::Builder::new().name("output".to_owned()).spawn(move || {
            pass_on(output, redactor, &printed);
            // The receiver may have given up.
            let _ = sender.send(());
        })?;
        // The ends of the pipes for the command are closed with `command`.
        Ok((command.spawn()?, output_ended))
    }
}

/// Passes the output on to standard error, without the secret.
fn pass_on(mut output: PipeReader, mut redactor: Redactor, printed: &Mutex<Printed>) {
    let mut buffer = Zeroizing::new([0; STEP]);
    loop {
        let shown = match output.read(&mut buffer[..]) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Ok(0) | Err(_) => None,
            Ok(count) => Some(redactor.push(&buffer[..count])),
        };
        let is_end = shown.is_none();
        let shown = shown.unwrap_or_else(|| redactor.finish());
        if !failure::is_json() {
            // A failed write cannot be reported.
            let _ = io::stderr().lock().write_all(&shown);
        }
        let mut printed = printed.lock().unwrap_or_else(PoisonError::into_inner);
        printed.has_secret |= redactor.has_found();
        printed.end.extend_from_slice(&shown);
        let surplus = printed.end.len().saturating_sub(KEPT);
        printed.end.drain(..surplus);
        if is_end {
            return;
        }
    }
}
