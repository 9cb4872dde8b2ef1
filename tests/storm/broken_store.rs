//! A token cache that cannot be used, for every reason that can occur in practice.

use crate::Storm;
use crate::crowd::{Member, TOGETHER};
use crate::scene::{Scene, path_str, token_of};
use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The user id to which root can change the owner of a directory.
const NOBODY: u32 = 65_534;

/// A broken cache directory: its name, a part of the expected warning, and a function that creates
/// it at a path and returns the directory to use.
type Broken = (&'static str, &'static str, fn(&Path) -> PathBuf);

const BROKEN: &[Broken] = &[
    ("a link", "is a symbolic link", |path| {
        let target = path.with_extension("target");
        make_directory(&target, 0o700);
        symlink(&target, path).unwrap();
        path.to_owned()
    }),
    ("a dangling link", "is a symbolic link", |path| {
        symlink(path.with_extension("nothing"), path).unwrap();
        path.to_owned()
    }),
    ("a file", "cannot open", |path| {
        fs::write(path, "mine").unwrap();
        path.to_owned()
    }),
    ("inside a file", "cannot open", |path| {
        fs::write(path, "mine").unwrap();
        path.join("cache")
    }),
    ("readable by others", "mode 0755", |path| make_directory(path, 0o755)),
    ("writable by others", "mode 0777", |path| make_directory(path, 0o777)),
    ("another user's", "belongs to another user", |path| {
        if !nix::unistd::geteuid().is_root() {
            return PathBuf::from("/");
        }
        let directory = make_directory(path, 0o700);
        chown(&directory, Some(NOBODY), Some(NOBODY)).unwrap();
        directory
    }),
];

pub fn i10_a_broken_store_costs_nobody_the_token(storm: &mut Storm) {
    let mut processes = storm.crowd.one_of_each_language(&[]);
    for (name, warning, create) in BROKEN {
        let scene = Scene::new();
        let directory = create(&scene.cache());
        let before = snapshot(&scene);

        let mut settings = scene.account();
        settings.push(("cache_dir", path_str(&directory).to_owned()));
        processes.iter_mut().for_each(|process| process.client(&settings));
        all_get_a_token(&mut processes);
        let mut command = scene.command(&["token"]);
        assert_one_warning(name, command.env("TOKENWELL_CACHE_DIR", &directory), warning);

        assert_eq!(scene.token_requests(), processes.len() as u64 + 1, "{name}: each process sends a token request");
        assert_eq!(snapshot(&scene), before, "{name}: the directory is not changed");
    }

    let scene = Scene::new();
    let no_home = [("HOME", ""), ("XDG_CACHE_HOME", ""), ("TOKENWELL_CACHE", "on")];
    let mut processes = storm.crowd.one_of_each_language(&no_home);
    processes.iter_mut().for_each(|process| process.client(&scene.account()));
    all_get_a_token(&mut processes);
    let mut command = scene.command(&["token"]);
    assert_one_warning(
        "no home",
        command.env_remove("HOME").env_remove("TOKENWELL_CACHE_DIR"),
        "neither XDG_CACHE_HOME nor HOME names an absolute path",
    );
    assert_eq!(scene.token_requests(), processes.len() as u64 + 1);
}

fn all_get_a_token(processes: &mut [Member]) {
    processes.iter_mut().for_each(|process| process.send(TOGETHER));
    processes.iter_mut().for_each(|process| drop(process.one_token()));
}

fn assert_one_warning(name: &str, command: &mut Command, warning: &str) {
    let output = command.output().unwrap();

    token_of(&output);
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(stderr.lines().count(), 1, "{name}: expected one line: {stderr:?}");
    assert!(stderr.contains(warning), "{name}: {stderr:?} does not contain {warning:?}");
}

/// Describes every entry of the scene's directory: path, permissions, size, number of entries.
fn snapshot(scene: &Scene) -> Vec<String> {
    let describe = |path: PathBuf| {
        let found = fs::symlink_metadata(&path).unwrap();
        let entries = if found.is_dir() { fs::read_dir(&path).unwrap().count() } else { 0 };
        format!("{path:?} {:?} {} {entries}", found.permissions(), found.len())
    };
    let directory = scene.path("");
    let mut all: Vec<_> = fs::read_dir(directory).unwrap().map(|entry| describe(entry.unwrap().path())).collect();
    all.sort();
    all
}

fn make_directory(path: &Path, mode: u32) -> PathBuf {
    fs::create_dir(path).unwrap();
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    path.to_owned()
}
