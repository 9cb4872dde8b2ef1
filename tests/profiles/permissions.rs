//! Owner and permissions of a configuration file.

use crate::support::{Home, ID, SECRET, assert_has, profile, set_mode, shown, write};
use std::fs;
use std::time::Duration;
use tokenwell::error::Status;

#[test]
fn i10_a_file_with_a_secret_must_be_closed_to_others() {
    let home = Home::new().ours(&profile("default", ID));
    for mode in [0o640, 0o604, 0o644, 0o660, 0o606, 0o666, 0o620, 0o602] {
        set_mode(&home.our_file(), mode);

        let error = home.error();

        assert_eq!(error.status(), Status::Refused, "{mode:o}");
        assert_has(&error.to_string(), &["tokenwell/config.toml"]);
        assert_has(&error.hint(), &["chmod 600 ", &home.our_file().display().to_string()]);
    }
    for mode in [0o600, 0o400, 0o700] {
        set_mode(&home.our_file(), mode);
        assert_eq!(home.build().client_id(), ID, "{mode:o}");
    }
}

#[test]
fn i10_a_secret_in_any_profile_or_outside_of_them_counts() {
    for text in [format!("[default]\n{}", profile("other", ID)), "client_secret = 'canary'\n".to_owned()] {
        let home = Home::new().ours(&text);
        set_mode(&home.our_file(), 0o644);

        assert_eq!(home.error().status(), Status::Refused);
    }
}

#[test]
fn i10_a_file_without_a_secret_may_be_read_by_others_and_not_written() {
    let home = Home::new().ours("[default]\ntimeout_ms = 1000\n");
    let home = home.variable("TOKENWELL_CLIENT_ID", ID).variable("TOKENWELL_CLIENT_SECRET", SECRET);
    set_mode(&home.our_file(), 0o644);
    assert_eq!(home.build().timeout(), Duration::from_secs(1));

    for mode in [0o664, 0o646, 0o622] {
        set_mode(&home.our_file(), mode);
        let error = home.error();
        assert_eq!(error.status(), Status::Refused);
        assert_has(&shown(&error), &["is writable by other users", "chmod 600"]);
    }
}

/// Only root can change the owner of a file; for other users `platform` tests the rule itself.
#[test]
fn i10_a_file_of_another_user_is_refused() {
    use nix::unistd::{Uid, chown, geteuid};
    for text in [profile("default", ID), "[default]\ntimeout_ms = 1000\n".to_owned()] {
        let home = Home::new().ours(&text);
        let given_away = chown(&home.our_file(), Some(Uid::from_raw(12345)), None);

        if geteuid().is_root() {
            given_away.unwrap();
            let error = home.error();
            assert_eq!(error.status(), Status::Refused);
            assert_has(&shown(&error), &["is owned by user 12345", "chown", "chmod 600"]);
        } else {
            assert_eq!(given_away, Err(nix::errno::Errno::EPERM));
        }
    }
}

#[test]
fn i10_what_is_not_a_regular_file_is_refused_without_waiting() {
    let pipe = Home::new();
    fs::create_dir_all(pipe.our_file().parent().unwrap()).unwrap();
    nix::unistd::mkfifo(&pipe.our_file(), nix::sys::stat::Mode::S_IRUSR | nix::sys::stat::Mode::S_IWUSR).unwrap();
    let directory = Home::new();
    fs::create_dir_all(directory.our_file()).unwrap();

    for home in [pipe, directory] {
        let error = home.error();
        assert_eq!(error.status(), Status::Refused);
        assert_has(&error.to_string(), &["config.toml is not a regular file"]);
    }
}

#[test]
fn the_target_of_a_link_is_checked_and_not_the_link() {
    let home = Home::new();
    let real = home.directory.path().join("dotfiles.toml");
    write(&real, profile("default", ID).as_bytes());
    fs::create_dir_all(home.our_file().parent().unwrap()).unwrap();
    std::os::unix::fs::symlink(&real, home.our_file()).unwrap();
    assert_eq!(home.build().client_id(), ID);

    set_mode(&real, 0o644);

    assert_eq!(home.error().status(), Status::Refused);
}

#[test]
fn i10_the_file_of_the_atlas_cli_is_held_to_the_same_rules() {
    let home = Home::new().theirs(&profile("default", ID));
    assert_eq!(home.build().client_id(), ID);

    set_mode(&home.their_file(), 0o644);

    let error = home.error();
    assert_eq!(error.status(), Status::Refused);
    assert_has(&shown(&error), &["atlascli/config.toml contains a client_secret", "chmod 600"]);
}
