//! Modes at creation, and the refusal of files and directories with other properties.

use crate::child::{self, outcome};
use crate::support::{Bench, NOBODY, is_root, mode, record, refusals, set_mode, slot, token_in};
use nix::sys::stat::Mode;
use nix::unistd::mkfifo;
use std::fs;
use std::os::unix::fs::{chown, symlink};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::time::Duration;
use tokenwell::store::{FileStore, Store};

#[test]
fn i10_everything_is_private_from_the_first_moment_under_any_umask() {
    for mask in [0o000, 0o022, 0o077] {
        let bench = Bench::new();
        let directory = bench.beside("new/deep/cache");

        let said = outcome(&mut child::command("use_under_umask", &directory, &format!("{mask}")));

        assert_eq!(said, "saved", "umask {mask:03o}");
        for made in [directory.clone(), bench.beside("new/deep"), bench.beside("new")] {
            assert_eq!(mode(&made), 0o700, "umask {mask:03o}: {made:?}");
        }
        let files = crate::support::files_of(&directory);
        assert_eq!(files.len(), 3, "the record, its lock and the stamp: {files:?}");
        for file in files {
            assert_eq!(mode(&file), 0o600, "umask {mask:03o}: {file:?}");
        }
    }
}

/// Asserts that load, save and lock all fail with the path, the problem and the remedy.
fn assert_refused(refusals: [String; 3], path: &Path, what: &str, remedy: &str) {
    for refusal in refusals {
        assert!(refusal.contains(&path.display().to_string()), "{refusal} names {path:?}");
        assert!(refusal.contains(what), "{refusal} contains: {what}");
        assert!(refusal.contains(remedy), "{refusal} contains the remedy: {remedy}");
    }
}

#[test]
fn i10_a_directory_that_is_open_to_others_is_refused() {
    for open in [0o755, 0o775, 0o701, 0o720, 0o777, 0o1777] {
        let bench = Bench::with("token");
        set_mode(&bench.directory(), open);

        assert_refused(bench.refusals(), &bench.directory(), &format!("mode {open:04o}"), "TOKENWELL_CACHE_UNSAFE=1");

        assert_eq!(token_in(&bench.trusting().load(&slot()).unwrap()).as_deref(), Some("token"), "the override works");
    }
}

#[test]
fn r22_a_save_writes_the_record_before_it_cleans_up() {
    let bench = Bench::with("token");
    let stamp = bench.directory().join("housekeeping");
    fs::remove_file(&stamp).unwrap();
    set_mode(&bench.file("token"), 0o644);

    bench.store.save(&slot(), &record("another")).expect_err("the record is refused");
    assert!(!stamp.exists(), "the record comes first");

    set_mode(&bench.file("token"), 0o600);
    // What the cleanup cannot use is no reason for a save to fail.
    fs::create_dir(&stamp).unwrap();
    bench.save("another");
    assert_eq!(bench.token().as_deref(), Some("another"));
}

#[test]
fn i13_a_directory_that_another_program_made_too_open_stays_as_it_is() {
    let bench = Bench::new();
    fs::create_dir(bench.directory()).unwrap();
    set_mode(&bench.directory(), 0o775);

    assert_refused(bench.refusals(), &bench.directory(), "accessible to other users", "chmod 0700");

    assert_eq!(mode(&bench.directory()), 0o775);
    assert!(bench.files().is_empty());
}

#[test]
fn i10_a_directory_of_another_user_is_refused() {
    let bench = Bench::with("token");
    let (store, path) = if is_root() {
        chown(bench.directory(), Some(NOBODY), None).unwrap();
        (bench.store.clone(), bench.directory())
    } else {
        (FileStore::open("/".into(), false), "/".into())
    };

    assert_refused(refusals(&store), &path, "another user", "TOKENWELL_CACHE_DIR");

    if is_root() {
        bench.trusting().save(&slot(), &record("next")).unwrap();
        assert_eq!(token_in(&bench.trusting().load(&slot()).unwrap()).as_deref(), Some("next"), "the override works");
    }
}

#[test]
fn i10_a_link_in_place_of_the_directory_is_refused_whatever_it_points_to() {
    let bench = Bench::with("token");
    fs::rename(bench.directory(), bench.beside("real")).unwrap();
    symlink(bench.beside("real"), bench.directory()).unwrap();

    assert_refused(bench.refusals(), &bench.directory(), "symbolic link", "set TOKENWELL_CACHE_DIR to its target");
    assert_refused(refusals(&bench.trusting()), &bench.directory(), "symbolic link", "Remove it");
    let with_slash = FileStore::open(format!("{}/", bench.directory().display()).into(), false);
    assert_refused(refusals(&with_slash), &bench.directory(), "symbolic link", "Remove it");
    fs::remove_file(bench.directory()).unwrap();
    symlink(bench.beside("nothing"), bench.directory()).unwrap();
    assert_refused(bench.refusals(), &bench.directory(), "symbolic link", "Remove it");

    assert!(!bench.beside("nothing").exists());
    let real = FileStore::open(bench.beside("real"), false);
    assert_eq!(token_in(&real.load(&slot()).unwrap()).as_deref(), Some("token"));
}

#[test]
fn a_link_in_the_parent_path_is_followed() {
    let bench = Bench::with("token");
    symlink(bench.beside(""), bench.beside("up")).unwrap();

    let loaded = FileStore::open(bench.beside("up/cache"), false).load(&slot()).unwrap();

    assert_eq!(token_in(&loaded).as_deref(), Some("token"));
}

#[test]
fn a_private_directory_below_a_world_writable_one_is_created_and_used() {
    let bench = Bench::new();
    fs::create_dir(bench.beside("volume")).unwrap();
    set_mode(&bench.beside("volume"), 0o777);
    let store = FileStore::open(bench.beside("volume/tokenwell"), false);

    store.save(&slot(), &record("token")).unwrap();

    assert_eq!(mode(&bench.beside("volume/tokenwell")), 0o700);
    assert_eq!(token_in(&store.load(&slot()).unwrap()).as_deref(), Some("token"));
}

/// Replaces the record, and then the lock file, by `put`. The refused file and the neighbour must
/// be unchanged.
fn refuses_in_place(put: impl Fn(&Bench, &Path), what: &str, remedy: &str, overridden: bool) {
    let bench = Bench::with_neighbour("token");
    drop(bench.store.lock(&slot(), Duration::ZERO).unwrap().unwrap());

    let path = bench.file("token");
    fs::rename(&path, bench.beside("record")).unwrap();
    put(&bench, &path);
    let before = fs::symlink_metadata(&path).unwrap();
    let refusals = |store: &FileStore| {
        let load = store.load(&slot()).map(|record| token_in(&record)).map_err(|error| error.to_string());
        let save = store.save(&slot(), &record("another")).map_err(|error| error.to_string());
        (load, save)
    };
    let (load, save) = refusals(&bench.store);
    let (load, save) = (load.expect_err("load must fail"), save.expect_err("save must fail"));
    assert_refused([load.clone(), save, load], &path, what, remedy);
    let after = fs::symlink_metadata(&path).unwrap();
    assert_eq!(format!("{:?}", before.file_type()), format!("{:?}", after.file_type()));
    assert_eq!((before.len(), before.permissions()), (after.len(), after.permissions()), "it is unchanged");
    bench.assert_neighbour_undisturbed(what);
    let (load, save) = refusals(&bench.trusting());
    assert_eq!((load.is_ok(), save.is_ok()), (overridden, overridden), "{load:?} {save:?}");

    let lock = bench.file("lock");
    fs::rename(&lock, bench.beside("record")).unwrap();
    put(&bench, &lock);
    let refusal = bench.store.lock(&slot(), Duration::ZERO).expect_err("lock must fail").to_string();
    assert_refused([refusal.clone(), refusal.clone(), refusal], &lock, what, remedy);
    assert_eq!(bench.trusting().lock(&slot(), Duration::ZERO).is_ok(), overridden);
    bench.assert_neighbour_undisturbed(&format!("{what}, instead of the lock"));
}

#[test]
fn i10_a_link_in_place_of_a_file_is_refused() {
    let put = |bench: &Bench, path: &Path| symlink(bench.beside("record"), path).unwrap();

    refuses_in_place(put, "symbolic link", "Remove it", false);
}

#[test]
fn i10_a_link_to_nowhere_in_place_of_a_file_is_refused_and_makes_nothing() {
    let put = |bench: &Bench, path: &Path| symlink(bench.beside("nothing"), path).unwrap();

    refuses_in_place(put, "symbolic link", "Remove it", false);
}

#[test]
fn i10_a_file_with_a_second_name_is_refused() {
    let put = |bench: &Bench, path: &Path| fs::hard_link(bench.beside("record"), path).unwrap();

    refuses_in_place(put, "2 hard links", "Remove it", false);
}

#[test]
fn i10_a_named_pipe_is_refused_at_once() {
    let put = |_: &Bench, path: &Path| mkfifo(path, Mode::S_IRUSR | Mode::S_IWUSR).unwrap();

    refuses_in_place(put, "a named pipe", "Remove it", false);
}

#[test]
fn i10_a_directory_in_place_of_a_file_is_refused() {
    let put = |_: &Bench, path: &Path| {
        fs::create_dir(path).unwrap();
        set_mode(path, 0o700);
    };

    // A directory cannot be opened for writing, as the lock is, and the system reports this first.
    refuses_in_place(put, "irectory", "", false);
}

#[test]
fn i10_a_socket_in_place_of_a_file_is_refused() {
    let put = |_: &Bench, path: &Path| drop(UnixListener::bind(path).unwrap());

    // A socket cannot be opened at all, and the system reports this.
    refuses_in_place(put, "cannot open", "", false);
}

#[test]
fn i10_a_device_in_place_of_a_file_is_refused() {
    // Only root may create a device, and not in every container. If it fails, a named pipe is used,
    // which is refused for the same reason.
    let put = |_: &Bench, path: &Path| {
        let made =
            nix::sys::stat::mknod(path, nix::sys::stat::SFlag::S_IFCHR, Mode::S_IRUSR | Mode::S_IWUSR, nix::sys::stat::makedev(1, 5));
        made.or_else(|_| mkfifo(path, Mode::S_IRUSR | Mode::S_IWUSR)).unwrap();
    };

    refuses_in_place(put, "not a regular file", "Remove it", false);
}

#[test]
fn i10_a_file_that_others_can_read_or_write_is_refused() {
    for open in [0o640, 0o604, 0o644, 0o660, 0o602, 0o666, 0o611] {
        let put = |bench: &Bench, path: &Path| {
            fs::rename(bench.beside("record"), path).unwrap();
            set_mode(path, open);
        };

        refuses_in_place(put, &format!("mode {open:04o}"), "chmod 0600", true);
    }
}

#[test]
fn i10_a_file_of_another_user_is_refused() {
    // Changing the owner requires privileges. Without them, the unit tests of the inspection cover
    // this case.
    if !is_root() {
        assert!(chown(Bench::with("token").file("token"), Some(0), None).is_err());
        return;
    }
    let put = |bench: &Bench, path: &Path| {
        fs::rename(bench.beside("record"), path).unwrap();
        chown(path, Some(NOBODY), None).unwrap();
    };

    refuses_in_place(put, "belongs to another user (65534)", "TOKENWELL_CACHE_UNSAFE=1", true);
}

#[test]
fn a_read_only_directory_is_read_and_its_lock_is_an_error() {
    let bench = Bench::with("token");
    set_mode(&bench.directory(), 0o500);
    if is_root() {
        for path in [bench.beside(""), bench.directory(), bench.file("token")] {
            chown(path, Some(NOBODY), None).unwrap();
        }
    }

    let said = outcome(&mut child::command("use_without_privileges", &bench.directory(), ""));

    let parts: Vec<_> = said.split(" | ").collect();
    assert_eq!(parts[0], "Some(\"token\")");
    for (part, extension) in [(parts[1], ".token"), (parts[2], ".lock")] {
        assert!(part.contains("permission denied") && part.contains(extension), "{part}");
    }
    set_mode(&bench.directory(), 0o700);
    assert_eq!(bench.files().len(), 1);
}

#[test]
fn a_full_disk_leaves_the_old_record_and_no_other_file() {
    let bench = Bench::with_neighbour("old");
    let token = "t".repeat(100_000);
    // A real write that the system stops in the middle: no file may grow beyond a few blocks.
    let limited = ["-c", "ulimit -f 8 && trap '' XFSZ && exec \"$0\" \"$@\""];

    let said = outcome(&mut child::command_under("sh", &limited, "save", &bench.directory(), &token));

    assert!(said.contains("cannot write") && said.contains("file too large"), "{said}");
    assert_eq!(bench.token().as_deref(), Some("old"));
    bench.assert_neighbour_undisturbed("after a full disk");
    assert_eq!(bench.files().len(), 1, "{:?}", bench.files());
}
