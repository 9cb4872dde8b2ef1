//! The record of a request that creates a secret, in a file of its own: written before the request, locked
//! while the process runs, and removed at the end. A file that exists without a lock belongs to a process
//! that was killed.

use super::{ChangeLog, Record, VARIABLE, create_private_dir, now, private, sync_dir};
use crate::failure::Failure;
use serde::{Deserialize, Serialize};
use std::fs::{self, File, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokenwell::Error;
use tokenwell::admin::service_accounts::AdminError;
use tokenwell::error::os_reason;

const DIRECTORY: &str = "creates";
const EXTENSION: &str = "json";
/// The extension of a file that is not complete. Its request was not sent.
const INCOMPLETE: &str = "new";
/// An incomplete file that is older has no process any more.
const MAX_WRITE_TIME: Duration = Duration::from_secs(10 * 60);

/// What is known before the request: the first line of the file.
#[derive(Debug, Deserialize, Serialize)]
pub(in super::super) struct Begun {
    #[serde(flatten)]
    pub(in super::super) record: Record,
    pub(in super::super) time: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(in super::super) description: String,
    /// Where the secret goes, as flags of the command.
    pub(in super::super) targets: Vec<String>,
    /// The ids that exist before the request.
    pub(in super::super) existing: Vec<String>,
    /// The server's time before the request.
    pub(in super::super) date_ms: Option<u64>,
    /// Until when after that time the request may be sent.
    pub(in super::super) window_ms: u64,
}

impl Begun {
    pub(in super::super) fn new(record: Record, targets: Vec<String>, timeout: Duration) -> Self {
        // Two requests with the reads in between, and a token for each.
        let window = timeout.saturating_mul(6) + Duration::from_secs(60);
        Self {
            record,
            time: now(),
            description: String::new(),
            targets,
            existing: Vec::new(),
            date_ms: None,
            window_ms: u64::try_from(window.as_millis()).unwrap_or(u64::MAX),
        }
    }
}

/// A later line of the file.
#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
enum Stage {
    Created {
        client_id: String,
        secret_id: String,
    },
    Stored,
    /// The command has ended, and could not find out what its request did.
    Unresolved,
}

/// A creation in progress. If it is dropped without an end, a later command reports it.
#[derive(Debug)]
pub(in super::super) struct Creation {
    log: ChangeLog,
    record: Record,
    /// `None` if the log is off.
    file: Option<(File, PathBuf)>,
}

impl Creation {
    /// Records what is about to be created. An error means that it must not be created, because it could not
    /// be reported if this process was killed.
    pub(in super::super) fn begin(
        creation: &mut Option<Self>,
        log: &ChangeLog,
        begun: Begun,
        existing: &[String],
        date_ms: Option<u64>,
    ) -> Result<(), Error> {
        let begun = &Begun { existing: existing.to_vec(), date_ms, ..begun };
        let written = log.directory().and_then(|directory| directory.map(|directory| write(directory, begun)).transpose());
        let written = written.and_then(|file| {
            // An error leaves no file: nothing is created.
            log.append(&begun.record, "begun", None).inspect_err(|_| remove(file.as_ref()))?;
            Ok(file)
        });
        let file = written.map_err(|error| Error::CannotWrite {
            problem: format!("cannot write the log of changes `{}`: {}. Nothing was created", log.shown(), os_reason(&error)),
            hint: format!(
                "Without it, nothing could report a secret that was created and then lost because this command was killed. Make the directory \
                 writable, free space, or set {VARIABLE}=off to create it without a record."
            ),
        })?;
        *creation = Some(Self { log: log.clone(), record: begun.record.clone(), file });
        Ok(())
    }

    /// The result of the request, and the creation to continue with.
    pub(in super::super) fn of<T>(result: Result<T, AdminError>, creation: Option<Self>) -> Result<(T, Self), AdminError> {
        match (result, creation) {
            (Ok(created), Some(creation)) => Ok((created, creation)),
            (Ok(_), None) => Err(Error::Internal { problem: "a request was sent without a record".to_owned() }.into()),
            (Err(error), creation) => {
                match creation {
                    Some(creation) if matches!(error, AdminError::Unresolved { .. }) => creation.leave(&error.to_string()),
                    Some(creation) => creation.end("failed", Some(&error.to_string())),
                    None => {}
                }
                Err(error)
            }
        }
    }

    /// Records the ids of what was created.
    pub(in super::super) fn created(&mut self, client_id: &str, secret_id: &str) {
        self.record.client_id = Some(client_id.to_owned());
        self.record.secret_id = Some(secret_id.to_owned());
        self.stage(&Stage::Created { client_id: client_id.to_owned(), secret_id: secret_id.to_owned() });
    }

    /// Records that the secret is in all its places.
    pub(in super::super) fn stored(&mut self) {
        self.stage(&Stage::Stored);
    }

    fn stage(&mut self, stage: &Stage) {
        let Some((file, _)) = &mut self.file else { return };
        let written = serde_json::to_vec(stage).map_err(io::Error::from).and_then(|mut line| {
            line.push(b'\n');
            file.write_all(&line)?;
            file.sync_data()
        });
        if let Err(error) = written {
            self.log.warn(&error);
        }
    }

    /// Does what is left to do after the request, and ends it. An error says itself what exists.
    pub(in super::super) fn finish(mut self, rest: impl FnOnce(&mut Self) -> Result<(), Failure>) -> Result<(), Failure> {
        let result = rest(&mut self);
        match &result {
            Ok(()) => self.end("done", None),
            Err(failure) => self.end("failed", failure.message().as_deref()),
        }
        result
    }

    fn end(self, outcome: &str, detail: Option<&str>) {
        self.log.note(&self.record, outcome, detail);
        remove(self.file.as_ref());
    }

    /// The request has no known result. A later command reports it again.
    fn leave(mut self, detail: &str) {
        self.stage(&Stage::Unresolved);
        self.log.note(&self.record, "unresolved", Some(detail));
    }
}

fn remove(file: Option<&(File, PathBuf)>) {
    if let Some((_, path)) = file {
        // If it stays, a later command finds out again what became of it.
        let _ = fs::remove_file(path);
    }
}

/// Writes the file completely before it gets the name that [`open_creations`] reads.
fn write(directory: &Path, begun: &Begun) -> io::Result<(File, PathBuf)> {
    let directory = directory.join(DIRECTORY);
    create_private_dir(&directory)?;
    let incomplete = directory.join(format!("{}.{INCOMPLETE}", begun.record.id));
    let mut file = private().append(true).create_new(true).open(&incomplete)?;
    let path = incomplete.with_extension(EXTENSION);
    let mut write = || {
        file.try_lock().map_err(io::Error::from)?;
        let mut line = serde_json::to_vec(begun)?;
        line.push(b'\n');
        file.write_all(&line)?;
        file.sync_all()?;
        fs::rename(&incomplete, &path)
    };
    write().inspect_err(|_| drop(fs::remove_file(&incomplete)))?;
    // From here on the file has its name; an error must not leave it.
    sync_dir(&directory).inspect_err(|_| drop(fs::remove_file(&path)))?;
    Ok((file, path))
}

/// A creation whose process has ended without recording its end.
#[derive(Debug)]
pub(in super::super) struct Open {
    pub(in super::super) begun: Begun,
    /// The ids of the account and of its secret, if the reply arrived.
    pub(in super::super) created: Option<(String, String)>,
    pub(in super::super) is_stored: bool,
    /// Whether the process was not killed, but could not find out what its request did.
    pub(in super::super) is_unresolved: bool,
    creation: Creation,
}

impl Open {
    /// Its secret is stored now; another command checks the rest.
    pub(in super::super) fn leave_stored(mut self) {
        self.creation.stored();
    }

    /// Closes it; `detail` says what was found. `client_id` is the account that it created.
    pub(in super::super) fn end(mut self, client_id: Option<&str>, detail: &str) {
        if let Some(client_id) = client_id {
            self.creation.record.client_id = Some(client_id.to_owned());
        }
        self.creation.end("interrupted", Some(detail));
    }
}

/// The creations of processes that were killed, and whether one is in progress. As long as the result lives,
/// no other process gets the same.
pub(in super::super) fn open_creations(log: &ChangeLog, is_meant: impl Fn(&Record) -> bool) -> (Vec<Open>, bool) {
    let Ok(Some(directory)) = log.directory() else { return (Vec::new(), false) };
    let Ok(entries) = fs::read_dir(directory.join(DIRECTORY)) else { return (Vec::new(), false) };
    let (mut found, mut is_running) = (Vec::new(), false);
    for path in entries.flatten().map(|entry| entry.path()) {
        match path.extension().and_then(|extension| extension.to_str()) {
            Some(EXTENSION) => {}
            Some(INCOMPLETE) => {
                remove_leftover(&path);
                continue;
            }
            _ => continue,
        }
        let Ok(mut file) = private().read(true).append(true).open(&path) else { continue };
        match file.try_lock() {
            // Another process may have ended it meanwhile.
            Ok(()) if !path.exists() => continue,
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                is_running = true;
                continue;
            }
            Err(TryLockError::Error(_)) => continue,
        }
        let mut text = String::new();
        if file.read_to_string(&mut text).is_err() {
            continue;
        }
        let mut lines = text.lines();
        // A file of a later version is left to that one.
        let Some(begun) = lines.next().and_then(|line| serde_json::from_str::<Begun>(line).ok()).filter(|begun| is_meant(&begun.record))
        else {
            continue;
        };
        let (mut created, mut is_stored, mut is_unresolved) = (None, false, false);
        for stage in lines.filter_map(|line| serde_json::from_str(line).ok()) {
            match stage {
                Stage::Created { client_id, secret_id } => created = Some((client_id, secret_id)),
                Stage::Stored => is_stored = true,
                Stage::Unresolved => is_unresolved = true,
            }
        }
        let creation = Creation { log: log.clone(), record: begun.record.clone(), file: Some((file, path)) };
        found.push(Open { begun, created, is_stored, is_unresolved, creation });
    }
    found.sort_by(|one, other| one.begun.time.cmp(&other.begun.time));
    (found, is_running)
}

/// Removes an old incomplete file. Its process was killed before it sent the request.
fn remove_leftover(path: &Path) {
    let age = fs::metadata(path).and_then(|found| found.modified()).ok().and_then(|modified| modified.elapsed().ok());
    if age.is_some_and(|age| age > MAX_WRITE_TIME) {
        let _ = fs::remove_file(path);
    }
}
