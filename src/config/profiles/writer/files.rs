//! How files are written: private, whole or not at all, through no link, and by one program at a time.

use crate::config::profiles::file::{judge, refused};
use crate::error::{Error, printable_path};
use crate::platform;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// The folder that a file is in; an empty path is the current folder's.
pub(super) fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Sees that there is a folder here that only its owner writes to; makes it if it is missing.
pub(super) fn private_folder(path: &Path) -> Result<(), Error> {
    match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_symlink() => Err(refused(
            format!("{} is a link, and nothing is written through one", printable_path(path)),
            "Put a real folder there, or name the file itself with TOKENWELL_CONFIG_FILE.".to_owned(),
        )),
        Ok(metadata) if !metadata.is_dir() => {
            Err(refused(format!("{} is not a folder", printable_path(path)), format!("Move {} out of the way.", printable_path(path))))
        }
        Ok(metadata) => {
            let exposure = platform::exposure(&metadata);
            if exposure.foreign_owner.is_none() && !exposure.writable {
                return Ok(());
            }
            Err(refused(
                format!("other users may change what is in the folder {}", printable_path(path)),
                format!("Make it yours alone: {}", platform::make_private_command(&printable_path(path), "700")),
            ))
        }
        Err(error) if error.kind() == ErrorKind::NotFound => platform::create_private_dir(path)
            .map_err(|error| cannot_write(path, &error, "Check the path and that this user may make folders there.")),
        Err(error) => Err(cannot_write(path, &error, "Check the path.")),
    }
}

pub(super) fn not_a_link(path: &Path) -> Result<(), Error> {
    match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_symlink() => Err(refused(
            format!("{} is a link, and nothing is written through one", printable_path(path)),
            "Change the file that it leads to by hand, or name that file with TOKENWELL_CONFIG_FILE.".to_owned(),
        )),
        _ => Ok(()),
    }
}

/// Puts a new private file in the place of the one at `path`, whole or not at all.
pub(super) fn replace(path: &Path, content: &[u8]) -> Result<(), Error> {
    not_a_link(path)?;
    if let Ok(metadata) = fs::symlink_metadata(path) {
        if !metadata.is_file() {
            return Err(refused(
                format!("{} is not a regular file", printable_path(path)),
                format!("Move {} out of the way.", printable_path(path)),
            ));
        }
        judge(&printable_path(path), platform::exposure(&metadata), false)?;
    }
    let folder = folder_of(path);
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let temporary = Temporary(folder.join(format!(".{name}.{}.{:016x}", std::process::id(), fastrand::u64(..))));
    let written = (|| {
        let mut file = platform::create_private_file(&temporary.0)?;
        file.write_all(content)?;
        file.sync_all()?;
        drop(file);
        fs::rename(&temporary.0, path)?;
        platform::sync_dir(folder)
    })();
    written.map_err(|error| cannot_write(path, &error, "Check the disk's space and that this user may write to the folder."))
}

/// A file that is deleted unless it was renamed.
struct Temporary(PathBuf);

impl Drop for Temporary {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// For how long another change of the same file is waited for.
const LOCK_PATIENCE: Duration = Duration::from_secs(10);

/// The right to change the files of one folder, given back when the process ends at the latest.
pub(super) struct Lock(#[allow(dead_code)] File);

impl Lock {
    pub(super) fn take(folder: &Path) -> Result<Self, Error> {
        let path = folder.join(".lock");
        not_a_link(&path)?;
        let failed = |error: &io::Error| cannot_write(&path, error, "Check that this user may write to the folder.");
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
                Err(TryLockError::WouldBlock) if start.elapsed() > LOCK_PATIENCE => {
                    return Err(Error::NotConfigured {
                        problem: format!(
                            "another program has been changing the files in {} for {} s",
                            printable_path(folder),
                            LOCK_PATIENCE.as_secs()
                        ),
                        hint: "Let the other tokenwell finish, or end it.".to_owned(),
                    });
                }
                // No call waits for a lock with a limit.
                Err(TryLockError::WouldBlock) => std::thread::sleep(Duration::from_millis(20)),
            }
        }
    }
}

pub(super) fn cannot_write(path: &Path, error: &io::Error, hint: &str) -> Error {
    Error::NotConfigured { problem: format!("{} cannot be written: {error}", printable_path(path)), hint: hint.to_owned() }
}
