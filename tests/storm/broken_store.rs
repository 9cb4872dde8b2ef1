//! A token cache that cannot be used, in every way that a user may meet.

use crate::Storm;
use crate::crowd::{Member, TOGETHER};
use crate::scene::{Scene, text, token_of};
use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The number of a user to whom root can give things away.
const NOBODY: u32 = 65_534;

/// A way to be broken: what it is called, what the warning says of it, and how to make it at a path. Returns the directory to use.
type Broken = (&'static str, &'static str, fn(&Path) -> PathBuf);

const BROKEN: &[Broken] = &[
    ("a link", "is a symbolic link", |path| {
        let target = path.with_extension("target");
        make_directory(&target, 0o700);
        symlink(&target, path).unwrap();
        path.to_owned()
    }),
    ("a link to nothing", "is a symbolic link", |path| {
        symlink(path.with_extension("nothing"), path).unwrap();
        path.to_owned()
    }),
    ("a file", "cannot open", |path| {
        fs::write(path, "mine").unwrap();
        path.to_owned()
    }),
    ("below a file", "cannot open", |path| {
        fs::write(path, "mine").unwrap();
        path.join("cache")
    }),
    ("open for reading", "mode 0755", |path| make_directory(path, 0o755)),
    ("open for all", "mode 0777", |path| make_directory(path, 0o777)),
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
    for (what, warning, make) in BROKEN {
        let scene = Scene::new();
        let directory = make(&scene.cache());
        let before = described(&scene);

        let mut settings = scene.account();
        settings.push(("cache_dir", text(&directory).to_owned()));
        processes.iter_mut().for_each(|process| process.client(&settings));
        all_get_a_token(&mut processes);
        let mut command = scene.command(&["token"]);
        assert_one_warning(what, command.env("TOKENWELL_CACHE_DIR", &directory), warning);

        assert_eq!(scene.token_requests(), processes.len() as u64 + 1, "{what}: each process asks for itself");
        assert_eq!(described(&scene), before, "{what}: it is left as it is");
    }

    let scene = Scene::new();
    let without_a_home = [("HOME", ""), ("XDG_CACHE_HOME", ""), ("TOKENWELL_CACHE", "on")];
    let mut homeless = storm.crowd.one_of_each_language(&without_a_home);
    homeless.iter_mut().for_each(|process| process.client(&scene.account()));
    all_get_a_token(&mut homeless);
    let mut command = scene.command(&["token"]);
    assert_one_warning("no home", command.env_remove("HOME").env_remove("TOKENWELL_CACHE_DIR"), "HOME and XDG_CACHE_HOME are not set");
    assert_eq!(scene.token_requests(), homeless.len() as u64 + 1);
}

fn all_get_a_token(processes: &mut [Member]) {
    processes.iter_mut().for_each(|process| process.send(TOGETHER));
    processes.iter_mut().for_each(|process| drop(process.one_token()));
}

fn assert_one_warning(what: &str, command: &mut Command, warning: &str) {
    let output = command.output().unwrap();

    token_of(&output);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(said.lines().count(), 1, "{what}: one line: {said:?}");
    assert!(said.contains(warning), "{what}: {said:?} tells: {warning}");
}

/// All that is in the scene's folder.
fn described(scene: &Scene) -> Vec<String> {
    let describe = |path: PathBuf| {
        let found = fs::symlink_metadata(&path).unwrap();
        let held = if found.is_dir() { fs::read_dir(&path).unwrap().count() } else { 0 };
        format!("{path:?} {:?} {} {held}", found.permissions(), found.len())
    };
    let folder = scene.path("");
    let mut all: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| describe(entry.unwrap().path())).collect();
    all.sort();
    all
}

fn make_directory(path: &Path, mode: u32) -> PathBuf {
    fs::create_dir(path).unwrap();
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    path.to_owned()
}
