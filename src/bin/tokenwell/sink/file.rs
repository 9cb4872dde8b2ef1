//! The file, replaced as a whole each time.

use crate::failure::Failure;
use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};
use tokenwell::Status;
use tokenwell::error::printable_path;

/// What a sink leaves beside the file that was killed before it could rename it.
const UNFINISHED: &str = ".temp";
/// No writer that lives takes so long.
const LEFT_BEHIND: Duration = Duration::from_secs(10 * 60);

/// A place that may be written to.
#[derive(Debug)]
pub(super) struct SinkFile {
    path: PathBuf,
    directory: PathBuf,
    name: String,
    mode: u32,
    /// What was put there last.
    written: Option<Written>,
}

impl SinkFile {
    /// The file at `path`, which must be a regular file or not exist yet.
    pub(super) fn at(path: &Path, mode: u32) -> Result<Self, Failure> {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
        let Some(name) = name.filter(|_| !path.to_string_lossy().ends_with(std::path::MAIN_SEPARATOR)) else {
            return Err(Failure::new(
                Status::InvalidArgument,
                format!("`{}` names no file", printable_path(path)),
                "Name the file to write.",
            ));
        };
        let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new(".")).to_owned();
        let file = Self { path: path.to_owned(), directory, name, mode, written: None };
        file.refuse_what_is_no_file()?;
        Ok(file)
    }

    /// Makes `content` what the file holds: whoever reads it finds all of the old or all of the new.
    pub(super) fn replace(&mut self, content: &[u8]) -> Result<(), Failure> {
        self.refuse_what_is_no_file()?;
        self.remove_leftovers();
        let unfinished = self.directory.join(format!(".{}.{:016x}{UNFINISHED}", self.name, fastrand::u64(..)));
        let written = self
            .write(&unfinished, content)
            .and_then(|file| fs::rename(&unfinished, &self.path).and_then(|()| Written::of(file, &self.path)));
        written.map(|file| self.written = Some(file)).map_err(|error| {
            // What was not made cannot be removed, and that is all that can go wrong here.
            let _ = fs::remove_file(&unfinished);
            Failure::new(
                Status::InvalidArgument,
                format!("`{}` cannot be written: {error}", printable_path(&self.path)),
                "Name a file in a directory that exists, has room and may be written to.",
            )
        })
    }

    /// Removes the file, if it is the one that was written here last: what was there before, and what another program has put there since, stays.
    pub(super) fn remove_what_is_ours(&self) -> Result<(), Failure> {
        let (Some(written), Ok(found)) = (&self.written, fs::symlink_metadata(&self.path)) else { return Ok(()) };
        if !written.is(&found) {
            return Ok(());
        }
        match fs::remove_file(&self.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(Failure::new(
                Status::InvalidArgument,
                format!("`{}` cannot be removed: {error}", printable_path(&self.path)),
                "Remove it by hand: it holds a token.",
            )),
            _ => Ok(()),
        }
    }

    /// The rename would put the file in the place of a link and never write through it. That there is one means that somebody expects
    /// otherwise, or means ill.
    fn refuse_what_is_no_file(&self) -> Result<(), Failure> {
        let kind = match fs::symlink_metadata(&self.path) {
            Ok(found) if found.is_file() => return Ok(()),
            Ok(found) if found.is_symlink() => "a link",
            Ok(found) if found.is_dir() => "a directory",
            Ok(_) => "no regular file",
            Err(_) => return Ok(()),
        };
        Err(Failure::new(
            Status::Refused,
            format!("refused: `{}` is {kind}", printable_path(&self.path)),
            "Name a regular file, or a name that is not taken yet.",
        ))
    }

    /// Removes what sinks of this file left behind that were killed long ago: each holds a token. To fail here costs nobody anything.
    fn remove_leftovers(&self) {
        let Ok(entries) = fs::read_dir(&self.directory) else { return };
        for entry in entries.flatten().filter(|entry| entry.file_name().to_str().is_some_and(|name| self.is_unfinished(name))) {
            let age = |found: Metadata| SystemTime::now().duration_since(found.modified().ok()?).ok();
            let is_old = |found: Metadata| found.is_file() && age(found).is_some_and(|age| age > LEFT_BEHIND);
            // The metadata of an entry is that of a link itself.
            if entry.metadata().is_ok_and(is_old) {
                let _ = fs::remove_file(entry.path());
            }
        }
    }

    /// Whether `name` is one that [`SinkFile::replace`] gives.
    fn is_unfinished(&self, name: &str) -> bool {
        let random = name.strip_prefix('.').and_then(|name| name.strip_prefix(&self.name)).and_then(|rest| rest.strip_prefix('.'));
        let random = random.and_then(|rest| rest.strip_suffix(UNFINISHED));
        random.is_some_and(|random| random.len() == 16 && random.bytes().all(|byte| byte.is_ascii_hexdigit()))
    }

    fn write(&self, path: &Path, content: &[u8]) -> io::Result<File> {
        let mut file = self.create(path)?;
        file.write_all(content)?;
        // After a power failure the file must not be there without its content.
        file.sync_data()?;
        Ok(file)
    }

    #[cfg(unix)]
    fn create(&self, path: &Path) -> io::Result<File> {
        use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};

        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
        // The umask takes from the mode of a new file. This sets it as it was asked for, while the file is still empty.
        file.set_permissions(fs::Permissions::from_mode(self.mode))?;
        Ok(file)
    }

    /// Other systems have no mode: the directory's access list counts.
    #[cfg(not(unix))]
    fn create(&self, path: &Path) -> io::Result<File> {
        let _ = self.mode;
        OpenOptions::new().write(true).create_new(true).open(path)
    }
}

/// A file that was written here.
#[derive(Debug)]
#[cfg(unix)]
struct Written(File);

#[cfg(unix)]
impl Written {
    fn of(file: File, _path: &Path) -> io::Result<Self> {
        Ok(Self(file))
    }

    /// Whether it is the one that was `found`. As long as it is open no other file can get its number.
    fn is(&self, found: &Metadata) -> bool {
        use std::os::unix::fs::MetadataExt as _;

        self.0.metadata().is_ok_and(|own| (own.dev(), own.ino()) == (found.dev(), found.ino()))
    }
}

/// Other systems show no number of a file, and may not put one in the place of another that is open.
#[derive(Debug)]
#[cfg(not(unix))]
struct Written(Metadata);

#[cfg(not(unix))]
impl Written {
    fn of(file: File, path: &Path) -> io::Result<Self> {
        drop(file);
        fs::symlink_metadata(path).map(Self)
    }

    fn is(&self, found: &Metadata) -> bool {
        let traits = |file: &Metadata| (file.created().ok(), file.modified().ok(), file.len());
        traits(&self.0) == traits(found)
    }
}

/// The mode in octal digits. Nobody but the owner may write, and nobody executes a token.
pub(super) fn mode(text: &str) -> Result<u32, String> {
    let mode = u32::from_str_radix(text, 8).ok();
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
        for text in ["0666", "0660", "0755", "0200", "0", "", "9", "-1", "rw"] {
            assert!(mode(text).is_err(), "{text}");
        }
    }
}
