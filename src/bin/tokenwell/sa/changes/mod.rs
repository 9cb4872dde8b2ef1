//! The log of changes: one JSON line before and one after each request that changes something, in the state
//! directory of the user. No line has a secret.
//!
//! May depend on: the session of `place`. Start reading at [`AdminSession::logged`]; `creation` records what
//! creates a secret so that a later command can report it if the process is killed.

mod creation;

pub(super) use creation::{Begun, Creation, Open, open_creations};

use super::place::AdminSession;
use crate::failure::{self, Failure};
use crate::output;
use crate::state::{self, create_private_dir};
use serde::{Deserialize, Serialize};
use std::collections::HashSet;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::SystemTime;
use tokenwell::Status;
use tokenwell::admin::service_accounts::AdminError;
use tokenwell::error::{os_reason, printable, printable_path};

/// Not below `TOKENWELL_LOG`, which is the level of another log.
const VARIABLE: &str = "TOKENWELL_CHANGE_LOG";
const FILE: &str = "changes.jsonl";
/// What the file becomes when it has [`LIMIT`] bytes.
const EARLIER: &str = "changes.1.jsonl";
const LIMIT: u64 = 1024 * 1024;

/// Where the changes are logged.
#[derive(Clone, Debug)]
pub(super) enum ChangeLog {
    Off,
    In(PathBuf),
    /// There is no state directory, for this reason.
    Nowhere(&'static str),
}

/// One change: what is done, to what, and who does it.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub(super) struct Record {
    /// The same in all lines about this change.
    pub(super) id: String,
    pub(super) operation: String,
    pub(super) method: String,
    pub(super) path: String,
    pub(super) server: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) org_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) project_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) client_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) secret_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) name: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) roles: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) addresses: Vec<String>,
    /// The client id of the credential.
    pub(super) by: String,
    /// The user of this host.
    pub(super) user: String,
    pub(super) pid: u32,
}

#[derive(Serialize)]
struct Line<'a> {
    time: &'a str,
    outcome: &'a str,
    #[serde(flatten)]
    record: &'a Record,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
}

impl AdminSession {
    /// The record of a change at this level. `item` follows the path of the accounts.
    pub(super) fn record(&self, operation: &str, method: &str, item: &str) -> Record {
        let level = self.accounts().level().clone();
        let id = Some(level.id().to_owned());
        let (org_id, project_id) = if level.is_project() { (None, id) } else { (id, None) };
        Record {
            id: format!("{:016x}", fastrand::u64(..)),
            operation: operation.to_owned(),
            method: method.to_owned(),
            path: format!("{}{item}", self.accounts_path()),
            server: self.session.config.api_base().map(|base| base.origin()).unwrap_or_default(),
            org_id,
            project_id,
            by: self.session.config.client_id().to_owned(),
            user: local_user(),
            pid: std::process::id(),
            ..Record::default()
        }
    }

    /// Sends a request that changes something, with a line in the log before and after it.
    pub(super) fn logged<T>(&self, record: &Record, request: impl FnOnce() -> Result<T, AdminError>) -> Result<T, Failure> {
        self.log.around(record, request).map_err(|error| self.failure(error))
    }
}

impl ChangeLog {
    /// Sends a request with a line before and after it.
    pub(super) fn around<T>(&self, record: &Record, request: impl FnOnce() -> Result<T, AdminError>) -> Result<T, AdminError> {
        self.note(record, "begun", None);
        let result = request();
        match &result {
            Ok(_) => self.note(record, "done", None),
            Err(error) => self.note(record, "failed", Some(&error.to_string())),
        }
        result
    }

    /// The log that the environment selects.
    pub(super) fn of_environment() -> Result<Self, Failure> {
        match std::env::var_os(VARIABLE).unwrap_or_default().to_str() {
            Some("off" | "no" | "false" | "0") => Ok(Self::Off),
            Some("" | "on" | "yes" | "true" | "1") => Ok(state::directory().map_or_else(Self::Nowhere, Self::In)),
            other => Err(Failure::new(
                Status::InvalidArgument,
                format!("{VARIABLE}: `{}` is neither on nor off", printable(other.unwrap_or("not UTF-8"), 40)),
                "Use on or off, or unset it.",
            )),
        }
    }

    fn directory(&self) -> io::Result<Option<&Path>> {
        match self {
            Self::Off => Ok(None),
            Self::In(directory) => Ok(Some(directory)),
            Self::Nowhere(problem) => Err(io::Error::new(io::ErrorKind::NotFound, *problem)),
        }
    }

    /// The file, for messages.
    fn shown(&self) -> String {
        match self {
            Self::In(directory) => printable_path(&directory.join(FILE)),
            Self::Off | Self::Nowhere(_) => FILE.to_owned(),
        }
    }

    /// Appends a line. The change is done or continues without it, so an error is a warning, once.
    pub(super) fn note(&self, record: &Record, outcome: &str, detail: Option<&str>) {
        if let Err(error) = self.append(record, outcome, detail) {
            self.warn(&error);
        }
    }

    fn warn(&self, error: &io::Error) {
        static WARNED: AtomicBool = AtomicBool::new(false);
        if !WARNED.swap(true, Ordering::Relaxed) && !failure::is_json() {
            output::warning(&format!(
                "cannot write the log of changes `{}`: {}. Make it writable, or set {VARIABLE}=off to have no log",
                self.shown(),
                os_reason(error)
            ));
        }
    }

    fn append(&self, record: &Record, outcome: &str, detail: Option<&str>) -> io::Result<()> {
        let Some(directory) = self.directory()? else { return Ok(()) };
        let time = now();
        let line = Line { time: &time, outcome, record, detail: detail.map(|detail| printable(detail, 500)) };
        create_private_dir(directory)?;
        rotate(directory);
        let path = directory.join(FILE);
        let is_new = !path.exists();
        let mut file = private().read(true).append(true).create(true).open(&path)?;
        let mut bytes = serde_json::to_vec(&line)?;
        bytes.push(b'\n');
        // A line that was cut off, on a full disk for example, must not spoil this one.
        if !ends_with_newline(&mut file)? {
            bytes.insert(0, b'\n');
        }
        // One call: lines of other processes cannot come in between.
        file.write_all(&bytes)?;
        file.sync_data()?;
        if is_new { sync_dir(directory) } else { Ok(()) }
    }

    /// The ids of the accounts (`sa create`) or secrets (`sa secret add`) that changes which have ended created.
    pub(super) fn created_by_others(&self, operation: &str) -> HashSet<String> {
        #[derive(Deserialize)]
        struct Ended {
            outcome: String,
            operation: String,
            client_id: Option<String>,
            secret_id: Option<String>,
        }
        let Ok(Some(directory)) = self.directory() else { return HashSet::new() };
        let text: String = [EARLIER, FILE].iter().filter_map(|name| fs::read_to_string(directory.join(name)).ok()).collect();
        let ended = text.lines().filter_map(|line| serde_json::from_str::<Ended>(line).ok());
        let ended = ended.filter(|line| line.operation == operation && matches!(line.outcome.as_str(), "done" | "failed"));
        ended.filter_map(|line| if operation == CREATE { line.client_id } else { line.secret_id }).collect()
    }
}

/// The operations that create a secret.
pub(super) const CREATE: &str = "sa create";
pub(super) const ADD_SECRET: &str = "sa secret add";

/// Renames a file that is large. Processes that have it open write their lines to the renamed file.
fn rotate(directory: &Path) {
    let path = directory.join(FILE);
    let is_full = || fs::metadata(&path).is_ok_and(|found| found.len() >= LIMIT);
    if !is_full() {
        return;
    }
    // Without a lock, a second process would replace the earlier file by the new and empty one. If the lock
    // is not available, a later line has another chance.
    let Ok(lock) = private().write(true).create(true).truncate(false).open(directory.join("changes.lock")) else { return };
    if lock.try_lock().is_ok() && is_full() {
        let _ = fs::rename(&path, directory.join(EARLIER));
    }
}

fn ends_with_newline(file: &mut File) -> io::Result<bool> {
    let length = file.metadata()?.len();
    if length == 0 {
        return Ok(true);
    }
    file.seek(SeekFrom::Start(length - 1))?;
    let mut last = [0];
    file.read_exact(&mut last)?;
    Ok(last == *b"\n")
}

/// Options to open a file that only this user can read.
fn private() -> OpenOptions {
    #[allow(unused_mut)]
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

/// Flushes a directory, so that a new file in it survives a power failure. Windows cannot flush one.
fn sync_dir(path: &Path) -> io::Result<()> {
    if cfg!(unix) { File::open(path)?.sync_all() } else { Ok(()) }
}

pub(super) fn now() -> String {
    humantime::format_rfc3339_seconds(SystemTime::now()).to_string()
}

#[cfg(unix)]
fn local_user() -> String {
    nix::unistd::getuid().to_string()
}

#[cfg(not(unix))]
fn local_user() -> String {
    std::env::var("USERNAME").unwrap_or_default()
}
