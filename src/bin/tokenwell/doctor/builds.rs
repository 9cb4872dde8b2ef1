//! Which build of tokenwell this is, and whether the search paths have other ones. No program is
//! started: two builds are compared by their content.

use super::report::Report;
use std::collections::BTreeSet;
use std::env::consts::{DLL_EXTENSION, DLL_PREFIX, EXE_SUFFIX};
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::Read as _;
use std::path::{Path, PathBuf};
use tokenwell::error::printable_path;
use tokenwell::store::FORMAT_VERSION;

/// The variables of the dynamic loaders.
const LIBRARY_PATHS: [&str; 2] = ["LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH"];

/// Directories that loaders search in any case, and those that packages and `make install` use.
const LIBRARY_DIRECTORIES: [&str; 6] =
    ["/usr/local/lib", "/usr/lib", "/lib", "/usr/lib64", "/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu"];

/// "tokenwell 1.2.3, cache format 1".
pub(super) fn version() -> String {
    format!("tokenwell {}, cache format {FORMAT_VERSION}", env!("CARGO_PKG_VERSION"))
}

pub(super) fn check(report: &mut Report) {
    let own = std::env::current_exe().ok().map(|path| path.canonicalize().unwrap_or(path));
    let path = own.as_deref().map_or("an unknown path".to_owned(), printable_path);
    let found = format!("{}, at {path}", version());

    let name = format!("tokenwell{EXE_SUFFIX}");
    let mut commands: Vec<PathBuf> = own.into_iter().collect();
    commands.extend(search_path("PATH").map(|directory| directory.join(&name)));
    let commands = different(commands.into_iter().filter(|path| path.is_file()));
    let libraries = different(libraries());
    let list = |paths: &[PathBuf]| paths.iter().map(|path| printable_path(path)).collect::<Vec<_>>().join(", ");
    let mut problems = Vec::new();
    if commands.len() > 1 {
        problems.push(format!("{} different builds of the command: {}", commands.len(), list(&commands)));
    }
    if libraries.len() > 1 {
        problems.push(format!("{} different builds of the library: {}", libraries.len(), list(&libraries)));
    }
    if problems.is_empty() {
        return report.ok("command", found);
    }
    report.warn(
        "command",
        format!("{found}; the search path has {}", problems.join(", and ")),
        "Remove all but one, or name the path of the one to use. `type -a tokenwell` lists the commands in the order of the search path.",
    );
}

fn search_path(variable: &str) -> impl Iterator<Item = PathBuf> {
    let paths = std::env::var_os(variable).unwrap_or_default();
    std::env::split_paths(&paths).filter(|path| path.is_absolute()).collect::<Vec<_>>().into_iter()
}

/// The libraries in the directories that a loader searches.
fn libraries() -> impl Iterator<Item = PathBuf> {
    let prefix = format!("{DLL_PREFIX}tokenwell.");
    let is_library = move |path: &PathBuf| {
        let name = path.file_name().and_then(OsStr::to_str).unwrap_or_default();
        name.starts_with(&prefix) && name.contains(&format!(".{DLL_EXTENSION}")) && path.is_file()
    };
    let named = std::env::var_os("TOKENWELL_LIBRARY").map(PathBuf::from).filter(|path| path.is_file());
    let directories = LIBRARY_PATHS.into_iter().flat_map(search_path).chain(LIBRARY_DIRECTORIES.map(PathBuf::from));
    let found =
        directories.filter_map(|directory| fs::read_dir(directory).ok()).flat_map(|entries| entries.flatten().map(|entry| entry.path()));
    named.into_iter().chain(found.filter(is_library))
}

/// The first file of each content, without links to the same file.
fn different(paths: impl Iterator<Item = PathBuf>) -> Vec<PathBuf> {
    let mut seen = BTreeSet::new();
    let mut different: Vec<PathBuf> = Vec::new();
    for path in paths {
        let is_new = path.canonicalize().is_ok_and(|real| seen.insert(real));
        if is_new && !different.iter().any(|known| is_same_content(known, &path)) {
            different.push(path);
        }
    }
    different
}

/// Whether both files have the same content. Files that cannot be read count as different.
fn is_same_content(one: &Path, other: &Path) -> bool {
    let length = |path: &Path| fs::metadata(path).map(|metadata| metadata.len()).ok();
    if length(one).is_none() || length(one) != length(other) {
        return false;
    }
    let (Ok(mut one), Ok(mut other)) = (File::open(one), File::open(other)) else { return false };
    let (mut first, mut second) = (vec![0; 64 * 1024], vec![0; 64 * 1024]);
    loop {
        let (Ok(read), Ok(also)) = (read_full(&mut one, &mut first), read_full(&mut other, &mut second)) else { return false };
        if read != also || first[..read] != second[..also] {
            return false;
        }
        if read == 0 {
            return true;
        }
    }
}

fn read_full(file: &mut File, buffer: &mut [u8]) -> std::io::Result<usize> {
    let mut length = 0;
    while length < buffer.len() {
        match file.read(&mut buffer[length..])? {
            0 => break,
            count => length += count,
        }
    }
    Ok(length)
}
