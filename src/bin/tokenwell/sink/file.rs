//! Replaces the file atomically.

use crate::failure::Failure;
use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};
use tokenwell::Status;
use tokenwell::error::{os_reason, printable_path};

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
    /// The owner and the group of the file, if they are not those of a new one.
    #[cfg(unix)]
    owner: Option<(u32, u32)>,
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
        let file = Self {
            path: path.to_owned(),
            directory,
            name,
            mode,
            #[cfg(unix)]
            owner: None,
            written: None,
        };
        file.require_regular_file()?;
        if is_mount_point(path) {
            return Err(Failure::new(
                Status::Refused,
                format!("refused: `{}` is a mount of its own, which cannot be replaced", printable_path(path)),
                "Mount the directory of the file instead.",
            ));
        }
        Ok(file)
    }

    /// Gives the file this owner and group.
    #[cfg(unix)]
    pub(crate) fn with_owner(self, owner: u32, group: u32) -> Self {
        Self { owner: Some((owner, group)), ..self }
    }

    /// Waits until the new name is on the disk.
    pub(crate) fn sync_directory(&self) -> Result<(), Failure> {
        #[cfg(unix)]
        File::open(&self.directory).and_then(|directory| directory.sync_all()).map_err(|error| self.cannot_write(&error))?;
        Ok(())
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
        Failure::new(Status::CannotWrite, format!("cannot write `{}`: {}", printable_path(&self.path), os_reason(error)), hint)
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
                format!("cannot remove `{}`: {}", printable_path(&self.path), os_reason(&error)),
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
        if let Some((owner, group)) = self.owner {
            use std::os::unix::fs::MetadataExt as _;

            let own = file.metadata()?;
            if (own.uid(), own.gid()) != (owner, group) {
                std::os::unix::fs::fchown(&file, Some(owner), Some(group))?;
            }
        }
        Ok(file)
    }

    /// Other systems have no file mode. The access list of the directory applies.
    #[cfg(not(unix))]
    fn create(&self, path: &Path) -> io::Result<File> {
        let _ = self.mode;
        OpenOptions::new().write(true).create_new(true).open(path)
    }
}

/// Whether the file was mounted by itself, as container systems do: a rename over it fails.
#[cfg(target_os = "linux")]
fn is_mount_point(path: &Path) -> bool {
    use std::os::unix::ffi::OsStrExt as _;

    let (Ok(path), Ok(mounts)) = (path.canonicalize(), fs::read("/proc/self/mountinfo")) else { return false };
    mounts.split(|byte| *byte == b'\n').any(|line| mounted_at(line).is_some_and(|mount| mount == path.as_os_str().as_bytes()))
}

/// On other systems, the rename fails.
#[cfg(not(target_os = "linux"))]
fn is_mount_point(_path: &Path) -> bool {
    false
}

/// The path in a line of `/proc/self/mountinfo`, in which the kernel writes some bytes as octal numbers.
#[cfg(target_os = "linux")]
fn mounted_at(line: &[u8]) -> Option<Vec<u8>> {
    let mut escaped = line.split(|byte| *byte == b' ').nth(4)?;
    let mut path = Vec::new();
    while let Some((first, rest)) = escaped.split_first() {
        let number = rest.get(..3).filter(|_| *first == b'\\').and_then(|digits| std::str::from_utf8(digits).ok());
        match number.and_then(|digits| u8::from_str_radix(digits, 8).ok()) {
            Some(byte) => {
                path.push(byte);
                escaped = &rest[3..];
            }
            None => {
                path.push(*first);
                escaped = rest;
            }
        }
    }
    Some(path)
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

    #[cfg(target_os = "linux")]
    #[test]
    fn the_path_of_a_mount_is_read() {
        let line = b"36 35 98:0 /mnt1 /run/my\\040secrets/a\\134b rw,noatime master:1 - ext3 /dev/root rw";

        assert_eq!(super::mounted_at(line).as_deref(), Some(&b"/run/my secrets/a\\b"[..]));
        assert_eq!(super::mounted_at(b""), None);
    }

    #[test]
    fn i10_no_mode_lets_others_write() {
        assert_eq!(mode("0600"), Ok(0o600));
        assert_eq!(mode("640"), Ok(0o640));
        for value in ["0666", "0660", "0755", "0200", "0", "", "9", "-1", "rw"] {
            assert!(mode(value).is_err(), "{value}");
        }
    }
}
