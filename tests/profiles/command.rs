//! The messages of the command.

use crate::support::Home;
#[cfg(all(feature = "keyring", target_os = "linux"))]
use crate::support::assert_has;

fn token(home: &Home) -> std::process::Output {
    assert_cmd::Command::cargo_bin("tokenwell").unwrap().arg("token").env_clear().envs(&home.variables).output().unwrap()
}

#[test]
fn each_source_without_a_credential_is_a_line_and_the_hint_follows() {
    let home = Home::new();

    let output = token(&home);

    let text = String::from_utf8(output.stderr).unwrap();
    let lines: Vec<_> = text.lines().collect();
    assert_eq!((output.status.code(), output.stdout.len()), (Some(3), 0), "{text}");
    assert_eq!(lines[0], "tokenwell: there is no client id and secret; checked:");
    assert_eq!(lines[5], format!("    profile default in {}: no such file", home.our_file().display()));
    assert_eq!(lines[6], format!("    profile default in {}: no such file", home.their_file().display()));
    assert!(lines.len() == 8 && lines[7].starts_with("  hint: Set MONGODB_ATLAS_CLIENT_ID"), "{text}");
}

/// A session bus that accepts connections and never answers.
#[cfg(all(feature = "keyring", target_os = "linux"))]
#[test]
fn i19_a_message_bus_that_hangs_is_left_behind_after_two_seconds() {
    let home = Home::new().theirs("[default]\nauth_type = 'service_account'\n");
    let socket = home.directory.path().join("bus");
    let _black_hole = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    let home = home.variable("DBUS_SESSION_BUS_ADDRESS", format!("unix:path={}", socket.display()));

    let output = token(&home);

    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(3), "{text}");
    assert_has(&text, &["atlascli/config.toml", "the keyring did not answer within 2 s"]);
}

#[cfg(all(feature = "keyring", target_os = "linux"))]
#[test]
fn without_a_message_bus_the_keyring_is_named_as_the_reason() {
    let home = Home::new().theirs("[default]\nauth_type = 'service_account'\n");
    let nowhere = format!("unix:path={}", home.directory.path().join("no-bus").display());

    let output = token(&home.variable("DBUS_SESSION_BUS_ADDRESS", nowhere));

    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(3), "{text}");
    assert_has(&text, &["not in the profile, and the keyring cannot be used"]);
}
