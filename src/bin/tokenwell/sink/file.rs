//! Replaces the file atomically.

use crate::failure::Failure;
use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};
use tokenwell::Status;
use tokenwell::error::printable_path;

/// The extension of temporary files. A sink that is killed before the rename leaves one.
const TEMPORARY: &str = ".temp";
/// A temporary file older than this has no running writer.
const MAX_WRITE_TIME: Duration = Duration::from_secs(10 * 60);

/// The file to keep up to date.
#[derive(Debug)]
pub(crate) struct SinkFile {
    path: PathBuf,
    directory: PathBuf,
    name: String,
    mode: u32,
    /// The file that was written last.
    written: Option<FileIdentity>,
}

impl SinkFile {
    /// Checks that `path` is a regular file or does not exist.
    pub(crate) fn at(path: &Path, mode: u32) -> Result<Self, Failure> {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
        let Some(name) = name.filter(|_| !path.to_string_lossy().ends_with(std::path::MAIN_SEPARATOR)) else {
            return Err(Failure::new(
                Status::InvalidArgument,
                format!("`{}` is not a file name", printable_path(path)),
                "Pass the name of the file to write.",
            ));
        };
        let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new(".")).to_owned();
        let file = Self { path: path.to_owned(), directory, name, mode, written: None };
        file.require_regular_file()?;
        Ok(file)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Checks that the file can be written, with another file in its directory: a token that cannot
    /// be stored must not be requested.
    pub(crate) fn check_writable(&self) -> Result<(), Failure> {
        let temporary = self.temporary();
        // Even on a full disk an empty file can often be created.
        let written = self.write(&temporary, &[b'\n'; 4096]);
        let removed = fs::remove_file(&temporary);
        written.map(drop).and(removed).map_err(|error| self.cannot_write(&error))
    }

    /// Replaces the file with `content`. A reader gets either the old or the new content.
    pub(crate) fn replace(&mut self, content: &[u8]) -> Result<(), Failure> {
        self.require_regular_file()?;
        self.remove_leftovers();
        let temporary = self.temporary();
        let written = self
            .write(&temporary, content)
            .and_then(|file| fs::rename(&temporary, &self.path).and_then(|()| FileIdentity::of(file, &self.path)));
        written.map(|file| self.written = Some(file)).map_err(|error| {
            // This fails if the file was not created, and then there is nothing to remove.
            let _ = fs::remove_file(&temporary);
            self.cannot_write(&error)
        })
    }

    fn temporary(&self) -> PathBuf {
        self.directory.join(format!(".{}.{:016x}{TEMPORARY}", self.name, fastrand::u64(..)))
    }

    fn cannot_write(&self, error: &io::Error) -> Failure {
        let other = "pass a file in an existing, writable directory with free space.";
        let hint = if error.kind() == io::ErrorKind::NotFound {
            format!("Create the directory {}, or {other}", printable_path(&self.directory))
        } else {
            other.replacen('p', "P", 1)
        };
        Failure::new(Status::CannotWrite, format!("cannot write `{}`: {error}", printable_path(&self.path)), hint)
    }

    pub(crate) fn exists(&self) -> bool {
        fs::symlink_metadata(&self.path).is_ok()
    }

    /// Removes the file if it is the one that was written last. A file of another program is kept.
    /// Returns whether it was removed.
    pub(super) fn remove_if_unchanged(&mut self) -> Result<bool, Failure> {
        let (Some(written), Ok(found)) = (&self.written, fs::symlink_metadata(&self.path)) else { return Ok(false) };
        if !written.is(&found) {
            return Ok(false);
        }
        match fs::remove_file(&self.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(Failure::new(
                Status::CannotWrite,
                format!("cannot remove `{}`: {error}", printable_path(&self.path)),
                "Remove the file: it contains a token.",
            )),
            _ => {
                self.written = None;
                Ok(true)
            }
        }
    }

    /// Refuses anything that is not a regular file. The rename would replace a link and not write
    /// through it, so a link is either a wrong expectation or an attack.
    fn require_regular_file(&self) -> Result<(), Failure> {
        let kind = match fs::symlink_metadata(&self.path) {
            Ok(found) if found.is_file() => return Ok(()),
            Ok(found) if found.is_symlink() => "a symbolic link",
            Ok(found) if found.is_dir() => "a directory",
            Ok(_) => "not a regular file",
            Err(_) => return Ok(()),
        };
        Err(Failure::new(
            Status::Refused,
            format!("refused: `{}` is {kind}", printable_path(&self.path)),
            "Pass a regular file or a name that does not exist yet.",
        ))
    }

    /// Removes old temporary files of killed sinks of this file, because each contains a token.
    /// Errors are ignored.
    fn remove_leftovers(&self) {
        let Ok(entries) = fs::read_dir(&self.directory) else { return };
        for entry in entries.flatten().filter(|entry| entry.file_name().to_str().is_some_and(|name| self.is_temporary(name))) {
            let age = |found: Metadata| SystemTime::now().duration_since(found.modified().ok()?).ok();
            let is_old = |found: Metadata| found.is_file() && age(found).is_some_and(|age| age > MAX_WRITE_TIME);
            // The metadata of a directory entry does not follow links.
            if entry.metadata().is_ok_and(is_old) {
                let _ = fs::remove_file(entry.path());
            }
        }
    }

    /// Whether `name` is a temporary file of [`SinkFile::replace`].
    fn is_temporary(&self, name: &str) -> bool {
        let random = name.strip_prefix('.').and_then(|name| name.strip_prefix(&self.name)).and_then(|rest| rest.strip_prefix('.'));
        let random = random.and_then(|rest| rest.strip_suffix(TEMPORARY));
        random.is_some_and(|random| random.len() == 16 && random.bytes().all(|byte| byte.is_ascii_hexdigit()))
    }

    fn write(&self, path: &Path, content: &[u8]) -> io::Result<File> {
        let mut file = self.create(path)?;
        file.write_all(content)?;
        // After a power failure the file must not exist without its content.
        file.sync_data()?;
        Ok(file)
    }

    #[cfg(unix)]
    fn create(&self, path: &Path) -> io::Result<File> {
        use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};

        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
        // The umask restricts the mode of a new file. This sets the exact mode while the file is
        // empty.
        file.set_permissions(fs::Permissions::from_mode(self.mode))?;
        Ok(file)
    }

    /// Other systems have no file mode. The access list of the directory applies.
    #[cfg(not(unix))]
    fn create(&self, path: &Path) -> io::Result<File> {
        let _ = self.mode;
        OpenOptions::new().write(true).create_new(true).open(path)
    }
}

/// Identifies the file that was written last.
#[derive(Debug)]
#[cfg(unix)]
struct FileIdentity(File);

#[cfg(unix)]
impl FileIdentity {
    fn of(file: File, _path: &Path) -> io::Result<Self> {
        Ok(Self(file))
    }

    /// Whether `found` is the same file. While the file is open, its inode number is not reused.
    fn is(&self, found: &Metadata) -> bool {
        use std::os::unix::fs::MetadataExt as _;

        self.0.metadata().is_ok_and(|own| (own.dev(), own.ino()) == (found.dev(), found.ino()))
    }
}

/// Identifies the file by its metadata: other systems have no inode number, and may not replace an
/// open file.
#[derive(Debug)]
#[cfg(not(unix))]
struct FileIdentity(Metadata);

#[cfg(not(unix))]
impl FileIdentity {
    fn of(file: File, path: &Path) -> io::Result<Self> {
        drop(file);
        fs::symlink_metadata(path).map(Self)
    }

    fn is(&self, found: &Metadata) -> bool {
        let traits = |file: &Metadata| (file.created().ok(), file.modified().ok(), file.len());
        traits(&self.0) == traits(found)
    }
}

/// Parses an octal file mode. Only the owner may have write permission, and no one may execute.
pub(super) fn mode(value: &str) -> Result<u32, String> {
    let mode = u32::from_str_radix(value, 8).ok();
    mode.filter(|mode| matches!(mode, 0o400 | 0o440 | 0o444 | 0o600 | 0o640 | 0o644))
        .ok_or_else(|| "expected 0600, 0640, 0644, 0400, 0440 or 0444".to_owned())
}

#[cfg(test)]
mod tests {
    use super::mode;

    #[test]
    fn i10_no_mode_lets_others_write() {
        assert_eq!(mode("0600"), Ok(0o600));
        assert_eq!(mode("640"), Ok(0o640));
        for value in ["0666", "0660", "0755", "0200", "0", "", "9", "-1", "rw"] {
            assert!(mode(value).is_err(), "{value}");
        }
    }
}
