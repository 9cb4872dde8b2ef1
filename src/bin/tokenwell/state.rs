//! The directory for what must outlive a restart but is neither a setting nor a cache.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// The directory of this user, or the variable that is missing.
pub(crate) fn directory() -> Result<PathBuf, &'static str> {
    // A relative path is ignored, as the XDG Base Directory Specification requires.
    let absolute = |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    if cfg!(windows) {
        return absolute("LOCALAPPDATA")
            .map(|local| local.join("tokenwell").join("state"))
            .ok_or("LOCALAPPDATA does not name an absolute path");
    }
    let below_home = if cfg!(target_os = "macos") { "Library/Application Support" } else { ".local/state" };
    absolute("XDG_STATE_HOME")
        .or_else(|| absolute("HOME").map(|home| home.join(below_home)))
        .map(|state| state.join("tokenwell"))
        .ok_or("neither XDG_STATE_HOME nor HOME names an absolute path")
}

/// Creates a directory that only this user can open, and those above it.
pub(crate) fn create_private_dir(path: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}
