//! What differs between operating systems, behind functions that every one of them has.
//!
//! May depend on: clock (for `Moment`). Start reading anywhere: the functions have nothing to do with each other.

#[cfg_attr(unix, path = "platform/directory_unix.rs")]
#[cfg_attr(not(unix), path = "platform/directory_elsewhere.rs")]
mod directory;

pub(crate) use directory::{Directory, attributes};

use crate::clock::Moment;
use std::ffi::OsString;
use std::fs::{File, Metadata, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::thread::{Builder, JoinHandle};
use std::time::SystemTime;

#[cfg(target_os = "linux")]
pub(crate) fn now() -> Moment {
    use nix::time::{ClockId, clock_gettime};

    // The coarse clocks cost a few nanoseconds and are at most one timer tick (4 ms) behind: a token's floor is seconds.
    // The fields are 32 bits wide on 32-bit systems.
    #[allow(clippy::useless_conversion)]
    let read = |id| clock_gettime(id).map_or(0, |time| milliseconds(time.tv_sec().into(), time.tv_nsec().into()));
    Moment { wall_ms: read(ClockId::CLOCK_REALTIME_COARSE), monotonic_ms: read(ClockId::CLOCK_MONOTONIC_COARSE) }
}

#[cfg(target_os = "linux")]
fn milliseconds(seconds: i64, nanoseconds: i64) -> u64 {
    u64::try_from(seconds).unwrap_or(0) * 1000 + u64::try_from(nanoseconds).unwrap_or(0) / 1_000_000
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn now() -> Moment {
    use std::sync::OnceLock;
    use std::time::{Instant, UNIX_EPOCH};

    static START: OnceLock<Instant> = OnceLock::new();
    let millis = |duration: std::time::Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    Moment {
        wall_ms: SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, millis),
        monotonic_ms: millis(START.get_or_init(Instant::now).elapsed()),
    }
}

/// Opens a file for reading and returns at once, even when it is a named pipe that nobody writes to.
#[cfg(unix)]
pub(crate) fn open_without_waiting(path: &Path) -> io::Result<File> {
    use nix::fcntl::OFlag;
    use std::os::unix::fs::OpenOptionsExt;

    OpenOptions::new().read(true).custom_flags((OFlag::O_NONBLOCK | OFlag::O_NOCTTY).bits()).open(path)
}

/// Opens a file for reading.
#[cfg(not(unix))]
pub(crate) fn open_without_waiting(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).open(path)
}

/// Starts a thread that no signal is delivered to, so that the program's handlers run on the program's own threads.
#[cfg(unix)]
pub(crate) fn spawn_without_signals<T: Send + 'static>(
    builder: Builder,
    work: impl FnOnce() -> T + Send + 'static,
) -> io::Result<JoinHandle<T>> {
    use nix::sys::signal::{SigSet, SigmaskHow};

    // A new thread inherits the mask of the thread that makes it, so there is no moment at which it could take a signal.
    let before = SigSet::all().thread_swap_mask(SigmaskHow::SIG_SETMASK);
    let started = builder.spawn(work);
    if let Ok(before) = before {
        // This cannot fail: the mask is one that the kernel gave out a moment ago.
        let _ = before.thread_set_mask();
    }
    started
}

/// Starts a thread.
#[cfg(not(unix))]
pub(crate) fn spawn_without_signals<T: Send + 'static>(
    builder: Builder,
    work: impl FnOnce() -> T + Send + 'static,
) -> io::Result<JoinHandle<T>> {
    builder.spawn(work)
}

/// What the system says of an opened file or directory.
#[derive(Clone, Debug)]
pub(crate) struct Attributes {
    pub(crate) kind: Kind,
    /// The user it belongs to, where that is not the one this process acts as.
    pub(crate) foreign_owner: Option<u32>,
    /// Its mode, where that lets others than its owner in.
    pub(crate) open_to_others: Option<u32>,
    /// How many names it has; none once another file took its place.
    pub(crate) names: u64,
    /// What tells it from any other file, where the system tells.
    pub(crate) identity: (u64, u64),
    pub(crate) length: u64,
    /// When it was last written, where the system tells.
    pub(crate) modified: Option<SystemTime>,
}

/// What it is that was opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    File,
    Directory,
    /// Something else, in words.
    Other(&'static str),
}

/// A function from a variable's name to its value.
pub(crate) type Variables<'a> = &'a dyn Fn(&str) -> Option<OsString>;

/// The folder where a user's programs keep their settings, each in a folder of its own; `Err` says which variable is missing.
#[cfg(unix)]
pub(crate) fn settings_folder(variables: Variables<'_>) -> Result<PathBuf, &'static str> {
    // A relative path would be looked up wherever the program happens to be started: the XDG rules say to ignore it.
    let absolute = |name| variables(name).map(PathBuf::from).filter(|path| path.is_absolute());
    if let Some(folder) = absolute("XDG_CONFIG_HOME") {
        return Ok(folder);
    }
    let below_home = if cfg!(target_os = "macos") { "Library/Application Support" } else { ".config" };
    absolute("HOME").map(|home| home.join(below_home)).ok_or("neither XDG_CONFIG_HOME nor HOME names an absolute path")
}

/// The folder where a user's programs keep their settings, each in a folder of its own; `Err` says which variable is missing.
#[cfg(not(unix))]
pub(crate) fn settings_folder(variables: Variables<'_>) -> Result<PathBuf, &'static str> {
    variables("APPDATA").map(PathBuf::from).filter(|path| path.is_absolute()).ok_or("APPDATA names no absolute path")
}

/// As [`settings_folder`], for programs written in Go: on macOS they do not look at `XDG_CONFIG_HOME`.
pub(crate) fn settings_folder_of_go(variables: Variables<'_>) -> Result<PathBuf, &'static str> {
    settings_folder(&|name| if cfg!(target_os = "macos") && name == "XDG_CONFIG_HOME" { None } else { variables(name) })
}

/// The folder where a user's programs keep what they can make anew, each in a folder of its own; `Err` says which variable is missing.
pub(crate) fn cache_folder(variables: Variables<'_>) -> Result<PathBuf, &'static str> {
    // A relative path counts as not set, as the XDG Base Directory Specification has it.
    let absolute = |name| variables(name).map(PathBuf::from).filter(|path| path.is_absolute());
    if cfg!(windows) {
        return absolute("LOCALAPPDATA").ok_or("LOCALAPPDATA is not set to an absolute path");
    }
    if cfg!(target_os = "macos") {
        return absolute("HOME").map(|home| home.join("Library/Caches")).ok_or("HOME is not set to an absolute path");
    }
    absolute("XDG_CACHE_HOME")
        .or_else(|| absolute("HOME").map(|home| home.join(".cache")))
        .ok_or("HOME and XDG_CACHE_HOME are not set to an absolute path")
}

/// Who else than this user can get at a file or folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Exposure {
    /// The number of the user who owns it, if that is neither this one nor the administrator.
    pub(crate) stranger: Option<u32>,
    /// Whether others than its owner may read it.
    pub(crate) readable: bool,
    /// Whether others than its owner may write to it.
    pub(crate) writable: bool,
}

#[cfg(unix)]
pub(crate) fn exposure(metadata: &Metadata) -> Exposure {
    use std::os::unix::fs::MetadataExt;

    exposure_of(metadata.uid(), metadata.mode(), nix::unistd::geteuid().as_raw())
}

#[cfg(unix)]
fn exposure_of(owner: u32, mode: u32, this_user: u32) -> Exposure {
    let stranger = (owner != this_user && owner != 0).then_some(owner);
    Exposure { stranger, readable: mode & 0o044 != 0, writable: mode & 0o022 != 0 }
}

/// The folders of a user are closed to others by their access lists, which programs do not set one by one.
#[cfg(not(unix))]
pub(crate) fn exposure(_metadata: &Metadata) -> Exposure {
    Exposure { stranger: None, readable: false, writable: false }
}

/// A path as one word of a command.
pub(crate) fn quoted(path: &str) -> String {
    let plain = |character: char| character.is_ascii_alphanumeric() || "/._-+:@%=,".contains(character);
    if cfg!(unix) && !path.is_empty() && path.chars().all(plain) {
        return path.to_owned();
    }
    if cfg!(unix) { format!("'{}'", path.replace('\'', r"'\''")) } else { format!("\"{path}\"") }
}

/// How to make it private again, as a command.
pub(crate) fn closing_command(path: &str, mode: &str) -> String {
    let path = quoted(path);
    if cfg!(unix) { format!("chmod {mode} {path}") } else { format!("icacls {path} /inheritance:r /grant:r \"%USERNAME%\":F") }
}

/// Makes a file for writing that nobody else may open; an error if there is one already.
#[cfg(feature = "cli")]
pub(crate) fn create_private_file(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// Makes a folder that nobody else may open, and those above it where they are missing.
#[cfg(feature = "cli")]
pub(crate) fn create_private_folder(path: &Path) -> io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

/// Sees that what was renamed in this folder is there after a power failure, where the system lets a folder be told so.
#[cfg(feature = "cli")]
pub(crate) fn settle_folder(path: &Path) -> io::Result<()> {
    if cfg!(unix) { File::open(path)?.sync_all() } else { Ok(()) }
}

#[cfg(all(test, unix))]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::*;

    #[test]
    fn only_the_owner_and_the_administrator_are_no_strangers() {
        let table = [
            (1000, 0o600, 1000, None, false, false),
            (0, 0o600, 1000, None, false, false),
            (1001, 0o600, 1000, Some(1001), false, false),
            (1000, 0o600, 0, Some(1000), false, false),
            (1000, 0o640, 1000, None, true, false),
            (1000, 0o604, 1000, None, true, false),
            (1000, 0o620, 1000, None, false, true),
            (1000, 0o602, 1000, None, false, true),
            (1000, 0o711, 1000, None, false, false),
        ];
        for (owner, mode, this_user, stranger, readable, writable) in table {
            let exposure = exposure_of(owner, 0o100_000 | mode, this_user);
            assert_eq!(exposure, Exposure { stranger, readable, writable }, "{owner} {mode:o} {this_user}");
        }
    }

    #[test]
    fn a_path_in_a_command_is_one_word_and_plain_where_it_can_be() {
        assert_eq!(closing_command("/home/x/.config/tokenwell/config.toml", "600"), "chmod 600 /home/x/.config/tokenwell/config.toml");
        assert_eq!(closing_command("/a b/$(c)", "600"), "chmod 600 '/a b/$(c)'");
        assert_eq!(closing_command("it's", "600"), r"chmod 600 'it'\''s'");
        assert_eq!(closing_command("", "600"), "chmod 600 ''");
    }

    #[test]
    fn the_settings_folder_is_that_of_xdg_else_below_home_and_never_relative() {
        let folder = |xdg: Option<&str>, home: Option<&str>| {
            settings_folder(&|name| match name {
                "XDG_CONFIG_HOME" => xdg.map(OsString::from),
                "HOME" => home.map(OsString::from),
                _ => None,
            })
        };
        let below_home = if cfg!(target_os = "macos") { "/home/x/Library/Application Support" } else { "/home/x/.config" };

        assert_eq!(folder(Some("/xdg"), Some("/home/x")), Ok(PathBuf::from("/xdg")));
        for ignored in [None, Some(""), Some("relative")] {
            assert_eq!(folder(ignored, Some("/home/x")), Ok(PathBuf::from(below_home)));
            assert!(folder(ignored, Some("here")).unwrap_err().contains("HOME"));
            assert!(folder(ignored, None).is_err());
        }
    }
}
