//! The file, replaced as a whole each time.

use crate::failure::Failure;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use tokenwell::Status;
use tokenwell::error::printable;

/// A place that may be written to.
#[derive(Debug)]
pub(super) struct SinkFile {
    path: PathBuf,
    directory: PathBuf,
    name: String,
    mode: u32,
}

impl SinkFile {
    /// The file at `path`, which must be a regular file or not exist yet.
    pub(super) fn at(path: &Path, mode: u32) -> Result<Self, Failure> {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
        let Some(name) = name.filter(|_| !path.to_string_lossy().ends_with(std::path::MAIN_SEPARATOR)) else {
            return Err(Failure::new(Status::InvalidArgument, format!("`{}` names no file", shown(path)), "Name the file to write."));
        };
        let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new(".")).to_owned();
        let file = Self { path: path.to_owned(), directory, name, mode };
        file.refuse_what_is_no_file()?;
        Ok(file)
    }

    /// Makes `content` what the file holds: whoever reads it finds all of the old or all of the new.
    pub(super) fn replace(&self, content: &[u8]) -> Result<(), Failure> {
        self.refuse_what_is_no_file()?;
        let unfinished = self.directory.join(format!(".{}.{:016x}.temp", self.name, fastrand::u64(..)));
        let written = self.write(&unfinished, content).and_then(|()| fs::rename(&unfinished, &self.path));
        written.map_err(|error| {
            // What was not made cannot be removed, and that is all that can go wrong here.
            let _ = fs::remove_file(&unfinished);
            Failure::new(
                Status::InvalidArgument,
                format!("`{}` cannot be written: {error}", shown(&self.path)),
                "Name a file in a directory that exists, has room and may be written to.",
            )
        })
    }

    /// Removes the file; one that is gone already is fine.
    pub(super) fn remove(&self) -> Result<(), Failure> {
        match fs::remove_file(&self.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(Failure::new(
                Status::InvalidArgument,
                format!("`{}` cannot be removed: {error}", shown(&self.path)),
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
            format!("refused: `{}` is {kind}", shown(&self.path)),
            "Name a regular file, or a name that is not taken yet.",
        ))
    }

    fn write(&self, path: &Path, content: &[u8]) -> io::Result<()> {
        let mut file = self.create(path)?;
        file.write_all(content)?;
        // After a power failure the file must not be there without its content.
        file.sync_data()
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

/// The mode in octal digits. Nobody but the owner may write, and nobody executes a token.
pub(super) fn mode(text: &str) -> Result<u32, String> {
    let mode = u32::from_str_radix(text, 8).ok();
    mode.filter(|mode| matches!(mode, 0o400 | 0o440 | 0o444 | 0o600 | 0o640 | 0o644))
        .ok_or_else(|| "expected 0600, 0640, 0644, 0400, 0440 or 0444".to_owned())
}

fn shown(path: &Path) -> String {
    printable(&path.to_string_lossy(), 1000)
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
