//! Writes files: with private permissions, atomically, never through a link, one process at a time.

use crate::config::profiles::file::{check_exposure, refused};
use crate::error::{Error, duration_text, os_reason, printable_path};
use crate::platform;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Returns the directory of a file; the current directory for a bare file name.
pub(super) fn parent_directory(path: &Path) -> &Path {
    path.parent().filter(|directory| !directory.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Checks that only its owner can write to this directory; creates the directory if it does not
/// exist.
pub(super) fn ensure_private_directory(path: &Path) -> Result<(), Error> {
    match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_symlink() => Err(refused(
            format!("{} is a symbolic link, and tokenwell does not write through links", printable_path(path)),
            "Replace it with a directory, or set TOKENWELL_CONFIG_FILE to the path of the file itself.".to_owned(),
        )),
        Ok(metadata) if !metadata.is_dir() => {
            Err(refused(format!("{} is not a directory", printable_path(path)), format!("Move {} elsewhere.", printable_path(path))))
        }
        Ok(metadata) => {
            let exposure = platform::exposure(&metadata);
            if exposure.foreign_owner.is_none() && !exposure.writable {
                return Ok(());
            }
            Err(refused(
                format!("the directory {} is owned or writable by another user, who could change its files", printable_path(path)),
                format!("Remove the permissions of other users: {}", platform::make_private_command(&printable_path(path), "700")),
            ))
        }
        Err(error) if error.kind() == ErrorKind::NotFound => create_private_directory(path),
        Err(error) => Err(cannot_write(path, &error, "Check the path.")),
    }
}

/// Creates a directory and its parent. Creates nothing that root should not create in the home of
/// another user, and not the home directory itself.
fn create_private_directory(path: &Path) -> Result<(), Error> {
    if let Some((parent, owner)) = platform::foreign_parent(path) {
        return Err(refused(
            format!(
                "{} is not created: this process runs as root, and {} belongs to another user ({owner}), whose programs could not use it",
                printable_path(path),
                printable_path(&parent)
            ),
            "Run the command as that user, or set TOKENWELL_CONFIG_FILE to a path in a directory of root.".to_owned(),
        ));
    }
    if let Some(missing) = path.parent().and_then(Path::parent).filter(|parent| !parent.as_os_str().is_empty() && !parent.exists()) {
        return Err(Error::CannotWrite {
            problem: format!("cannot create {}: the directory {} does not exist", printable_path(path), printable_path(missing)),
            hint: "Create that directory first, or set HOME or TOKENWELL_CONFIG_FILE to a path that exists.".to_owned(),
        });
    }
    platform::create_private_dir(path)
        .map_err(|error| cannot_write(path, &error, "Check the path, and that this user may create directories there."))
}

pub(super) fn reject_link(path: &Path) -> Result<(), Error> {
    match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_symlink() => Err(refused(
            format!("{} is a symbolic link, and tokenwell does not write through links", printable_path(path)),
            "Edit the target of the link yourself, or set TOKENWELL_CONFIG_FILE to the path of the target.".to_owned(),
        )),
        _ => Ok(()),
    }
}

/// Atomically replaces the file at `path` with a new private file.
pub(super) fn replace(path: &Path, content: &[u8]) -> Result<(), Error> {
    reject_link(path)?;
    if let Ok(metadata) = fs::symlink_metadata(path) {
        if !metadata.is_file() {
            return Err(refused(
                format!("{} is not a regular file", printable_path(path)),
                format!("Move {} elsewhere.", printable_path(path)),
            ));
        }
        check_exposure(&printable_path(path), platform::exposure(&metadata), false)?;
    }
    let directory = parent_directory(path);
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let temporary = Temporary(directory.join(format!(".{name}.{}.{:016x}", std::process::id(), fastrand::u64(..))));
    let written = (|| {
        let mut file = platform::create_private_file(&temporary.0)?;
        file.write_all(content)?;
        file.sync_all()?;
        drop(file);
        fs::rename(&temporary.0, path)?;
        platform::sync_dir(directory)
    })();
    written.map_err(|error| cannot_write(path, &error, "Check the free disk space, and that this user may write to the directory."))
}

/// Checks that a file can be written to this directory, as [`replace`] does.
pub(super) fn probe(directory: &Path) -> Result<(), Error> {
    let temporary = Temporary(directory.join(format!(".probe.{}.{:016x}", std::process::id(), fastrand::u64(..))));
    let written = platform::create_private_file(&temporary.0).and_then(|mut file| {
        file.write_all(&[0; 4096])?;
        file.sync_all()
    });
    written.map_err(|error| cannot_write(directory, &error, "Check the free disk space, and that this user may write to the directory."))
}

/// A temporary file, which is deleted unless it was renamed.
struct Temporary(PathBuf);

impl Drop for Temporary {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// The time limit for the lock.
const LOCK_TIMEOUT: Duration = Duration::from_secs(10);

/// The lock on the files of one directory. The system releases it when the process exits.
pub(super) struct Lock(#[allow(dead_code)] File);

impl Lock {
    pub(super) fn acquire(directory: &Path) -> Result<Self, Error> {
        let path = directory.join(".lock");
        reject_link(&path)?;
        let failed = |error: &io::Error| cannot_write(&path, error, "Check that this user may write to the directory.");
        let file = match platform::create_private_file(&path) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => OpenOptions::new().write(true).open(&path),
            other => other,
        };
        let file = file.map_err(|error| failed(&error))?;
        let start = Instant::now();
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Self(file)),
                Err(TryLockError::Error(error)) => return Err(failed(&error)),
                Err(TryLockError::WouldBlock) if start.elapsed() > LOCK_TIMEOUT => {
                    return Err(Error::NotConfigured {
                        problem: format!(
                            "another process has been changing the files in {} for {}",
                            printable_path(directory),
                            duration_text(LOCK_TIMEOUT)
                        ),
                        hint: "Wait until the other tokenwell process exits, or stop it.".to_owned(),
                    });
                }
                // The system has no call that waits for a lock with a timeout.
                Err(TryLockError::WouldBlock) => std::thread::sleep(Duration::from_millis(20)),
            }
        }
    }
}

pub(super) fn cannot_write(path: &Path, error: &io::Error, hint: &str) -> Error {
    Error::CannotWrite { problem: format!("cannot write {}: {}", printable_path(path), os_reason(error)), hint: hint.to_owned() }
}
