//! Mistakes on the command line and in the environment of `tokenwell emulator`.

use crate::client::TIMEOUT;
use crate::command::{Running, command_path};
use assert_cmd::Command as Check;

/// Runs `tokenwell emulator`, which must fail with exit code 2 before it prints anything, and returns
/// its message.
fn refused(flags: &[&str], variables: &[(&str, &str)]) -> String {
    let mut command = Check::new(command_path());
    command.arg("emulator").args(flags).envs(variables.iter().copied()).timeout(TIMEOUT);
    let assert = command.assert().code(2).stdout("");
    String::from_utf8(assert.get_output().stderr.clone()).unwrap()
}

#[test]
fn e7_a_command_without_the_dashes_is_answered_with_the_right_line() {
    for (flags, line) in [
        (&["sh"][..], "`tokenwell emulator -- sh`"),
        (&["npm", "test"], "`tokenwell emulator -- npm test`"),
        (&["--no-rate-limit", "sh", "-c", "echo $HOME"], "`tokenwell emulator --no-rate-limit -- sh -c 'echo $HOME'`"),
        (&["--port", "0", "go", "test", "./..."], "`tokenwell emulator --port 0 -- go test ./...`"),
        (&["sh", "mdb_sa_sk_canary"], "`tokenwell emulator -- COMMAND`"),
    ] {
        let message = refused(flags, &[]);

        assert!(message.contains(line) && !message.contains("canary"), "{flags:?}: {message}");
    }
}

#[test]
fn e12_a_misspelled_variable_is_named_with_the_intended_one() {
    for (written, intended) in
        [("PROT", "PORT"), ("NO_RATELIMIT", "NO_RATE_LIMIT"), ("TOKEN_LIFETIM", "TOKEN_LIFETIME"), ("SEEDS", "SEED"), ("TSL", "TLS")]
    {
        let written = format!("TOKENWELL_EMULATOR_{written}");

        let message = refused(&["--", "true"], &[(&written, "canary")]);

        let expected = format!("{written} is not a variable of the emulator: did you mean TOKENWELL_EMULATOR_{intended}?");
        assert!(message.contains(&expected) && message.contains("Rename it to") && !message.contains("canary"), "{message}");
    }
}

#[test]
fn variables_of_other_programs_are_no_mistake() {
    for (name, value) in [("PID", "1"), ("URL", "x"), ("IMAGE", "x"), ("PORT_80_TCP", "tcp://10.0.0.1:80"), ("SERVICE_HOST", "10.0.0.1")] {
        let mut command = Check::new(command_path());
        command.args(["emulator", "--", "true"]).env(format!("TOKENWELL_EMULATOR_{name}"), value).timeout(TIMEOUT).assert().success();
    }
}

#[test]
fn e12_a_file_that_is_not_the_emulators_is_not_overwritten() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("file");
    let path = file.to_str().unwrap();
    let bundle = |certificate: &str| format!("# my authorities\n{certificate}{certificate}");
    let authority = {
        Running::start(&["--tls", "--ca-file", path]);
        std::fs::read_to_string(path).unwrap()
    };
    // The file of an earlier run is replaced, and an empty one is filled.
    for before in [authority.as_str(), ""] {
        std::fs::write(path, before).unwrap();
        Running::start(&["--tls", "--ca-file", path]);
        let now = std::fs::read_to_string(path).unwrap();
        assert!(now.starts_with("-----BEGIN CERTIFICATE-----") && now != before, "{now}");
    }

    for content in [bundle(&authority), "-----BEGIN PRIVATE KEY-----\nAA==\n-----END PRIVATE KEY-----\n".to_owned(), "{}".to_owned()] {
        std::fs::write(path, &content).unwrap();
        let message = refused(&["--tls", "--ca-file", path, "--", "true"], &[]);
        assert!(message.contains("exists and is not the certificate of an emulator"), "{message}");
        let message = refused(&["--log", path, "--", "true"], &[]);
        assert!(message.contains("exists and is not the log of an emulator"), "{message}");
        assert_eq!(std::fs::read_to_string(path).unwrap(), content);
    }

    std::fs::write(path, "").unwrap();
    for lines in 1..3 {
        Check::new(command_path()).args(["emulator", "--log", path, "--", command_path(), "token"]).timeout(TIMEOUT).assert().success();
        assert_eq!(std::fs::read_to_string(path).unwrap().lines().count(), lines, "an own log is continued");
    }
    Check::new(command_path()).args(["emulator", "--log", "/dev/null", "--", "true"]).timeout(TIMEOUT).assert().success();
}
