//! Reports changes of files without reading them again and again: inotify on Linux.
//!
//! Other systems, and file systems that other hosts can write to, have no such reports.

use std::fs::File;
use std::io;
use std::path::Path;
use std::time::Duration;

/// A change of a watched file or directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(not(target_os = "linux"), allow(dead_code))]
pub(crate) enum Change {
    /// A process has closed the file, or both its times were set.
    Released,
    /// The time of the last write was set, or the file was written.
    Touched,
    /// The file was removed from its directory.
    Removed,
    /// A file of the directory was replaced by a rename.
    Replaced,
    /// Changes were lost: anything may have happened.
    Unknown,
}

/// Identifies what was watched, in the reports.
pub(crate) type WatchId = i32;

#[cfg(target_os = "linux")]
pub(crate) use linux::Changes;
#[cfg(not(target_os = "linux"))]
pub(crate) use none::Changes;

#[cfg(target_os = "linux")]
mod linux {
    use super::*;
    use nix::errno::Errno;
    use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
    use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};
    use nix::sys::statfs::fstatfs;
    use std::ffi::OsString;
    use std::os::fd::AsFd;
    use std::time::Instant;

    /// The magic numbers of file systems whose files can change without a report, because another
    /// host or a process outside the kernel changes them (`statfs(2)`).
    const UNREPORTED: [u32; 12] = [
        0x6969,      // NFS
        0x517B,      // SMB
        0xFF53_4D42, // CIFS
        0xFE53_4D42, // SMB 2
        0x6573_5546, // FUSE, virtiofs
        0x0102_1997, // 9p
        0x00C3_6400, // Ceph
        0x5346_414F, // AFS
        0x7375_7245, // Coda
        0x0BD0_0BD0, // Lustre
        0x4750_4653, // GPFS
        0x7461_636F, // OCFS 2
    ];

    /// The changes of some files and directories.
    #[derive(Debug)]
    pub(crate) struct Changes(Inotify);

    impl Changes {
        /// Starts without a watch. Returns `None` if no report is available: the user has too many
        /// inotify instances, or changes of files on the file system of `file` are not reported.
        pub(crate) fn on_file_system_of(file: &File) -> Option<Self> {
            let kind = fstatfs(file).ok()?.filesystem_type().0;
            // The width and the sign of the number depend on the system; the magic numbers have 32 bits.
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
            if UNREPORTED.contains(&(kind as u32)) {
                return None;
            }
            Inotify::init(InitFlags::IN_CLOEXEC | InitFlags::IN_NONBLOCK).ok().map(Self)
        }

        pub(crate) fn watch_file(&self, path: &Path) -> io::Result<WatchId> {
            let events = AddWatchFlags::IN_CLOSE
                | AddWatchFlags::IN_ATTRIB
                | AddWatchFlags::IN_MODIFY
                | AddWatchFlags::IN_DELETE_SELF
                | AddWatchFlags::IN_MOVE_SELF
                | AddWatchFlags::IN_DONT_FOLLOW;
            Ok(self.0.add_watch(path, events)?.as_raw())
        }

        pub(crate) fn watch_directory(&self, path: &Path) -> io::Result<WatchId> {
            let events =
                AddWatchFlags::IN_MOVED_TO | AddWatchFlags::IN_DELETE_SELF | AddWatchFlags::IN_ONLYDIR | AddWatchFlags::IN_DONT_FOLLOW;
            Ok(self.0.add_watch(path, events)?.as_raw())
        }

        /// Blocks until there is a report, but at most for `max_wait`. Calls `report` for each
        /// change, with the name of the file if a directory is watched.
        pub(crate) fn wait(&self, max_wait: Duration, report: &mut dyn FnMut(WatchId, Change, Option<OsString>)) -> io::Result<()> {
            let started = Instant::now();
            loop {
                let left = max_wait.saturating_sub(started.elapsed());
                // Rounded up, so that the last round does not spin.
                let timeout = PollTimeout::try_from(left + Duration::from_micros(999)).unwrap_or(PollTimeout::MAX);
                match poll(&mut [PollFd::new(self.0.as_fd(), PollFlags::POLLIN)], timeout) {
                    Ok(0) => return Ok(()),
                    Ok(_) => break,
                    Err(Errno::EINTR) => {}
                    Err(error) => return Err(error.into()),
                }
            }
            loop {
                match self.0.read_events() {
                    Ok(events) => events.into_iter().for_each(|event| {
                        if let Some(change) = change(event.mask) {
                            report(event.wd.as_raw(), change, event.name);
                        }
                    }),
                    Err(Errno::EAGAIN) => return Ok(()),
                    Err(Errno::EINTR) => {}
                    Err(error) => return Err(error.into()),
                }
            }
        }
    }

    fn change(mask: AddWatchFlags) -> Option<Change> {
        // The end of a watch (IN_IGNORED) follows each removal and needs no report of its own.
        let table = [
            (AddWatchFlags::IN_Q_OVERFLOW, Change::Unknown),
            (AddWatchFlags::IN_DELETE_SELF | AddWatchFlags::IN_MOVE_SELF, Change::Removed),
            (AddWatchFlags::IN_MOVED_TO, Change::Replaced),
            (AddWatchFlags::IN_CLOSE | AddWatchFlags::IN_ATTRIB, Change::Released),
            (AddWatchFlags::IN_MODIFY, Change::Touched),
        ];
        table.into_iter().find(|(events, _)| mask.intersects(*events)).map(|(_, change)| change)
    }
}

#[cfg(not(target_os = "linux"))]
mod none {
    use super::*;
    use std::ffi::OsString;

    /// The changes of some files and directories, which this system does not report.
    #[derive(Debug)]
    pub(crate) struct Changes(std::convert::Infallible);

    impl Changes {
        pub(crate) fn on_file_system_of(_file: &File) -> Option<Self> {
            None
        }

        pub(crate) fn watch_file(&self, _path: &Path) -> io::Result<WatchId> {
            match self.0 {}
        }

        pub(crate) fn watch_directory(&self, _path: &Path) -> io::Result<WatchId> {
            match self.0 {}
        }

        pub(crate) fn wait(&self, _max_wait: Duration, _report: &mut dyn FnMut(WatchId, Change, Option<OsString>)) -> io::Result<()> {
            match self.0 {}
        }
    }
}
