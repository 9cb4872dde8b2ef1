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

/// Without a message bus, and with one that never answers.
#[cfg(all(feature = "keyring", feature = "emulator", target_os = "linux"))]
#[test]
fn r9_a_keyring_that_cannot_be_used_is_an_error_before_an_account_is_created() {
    use tokenwell::emulator::{DEFAULT_CLIENT_ID, DEFAULT_CLIENT_SECRET, DEFAULT_ORG_ID, Emulator, EmulatorOptions};

    let emulator = Emulator::start(EmulatorOptions::default()).unwrap();
    let home = Home::new();
    let socket = home.directory.path().join("bus");
    let _black_hole = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    for (bus, problem) in [("no-bus", "the keyring cannot be used"), ("bus", "the keyring did not answer within 2 s")] {
        let mut command = assert_cmd::Command::cargo_bin("tokenwell").unwrap();
        command.args(["sa", "create", "deploy", "--role", "ORG_MEMBER", "--to", "keyring:deploy", "--org", DEFAULT_ORG_ID]);
        command.env_clear().envs(&home.variables).env("MONGODB_ATLAS_BASE_URL", emulator.base_url());
        command.env("MONGODB_ATLAS_CLIENT_ID", DEFAULT_CLIENT_ID).env("MONGODB_ATLAS_CLIENT_SECRET", DEFAULT_CLIENT_SECRET);
        command.env("DBUS_SESSION_BUS_ADDRESS", format!("unix:path={}", home.directory.path().join(bus).display()));

        let output = command.output().unwrap();

        let text = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(3), "{text}");
        assert_has(&text, &[problem, "Start the keyring and unlock it"]);
    }
    assert_eq!(emulator.counters().api_requests, 0);
    assert!(!home.our_file().exists());
}
