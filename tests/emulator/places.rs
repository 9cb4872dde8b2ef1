//! `tokenwell emulator`: where it listens, its seed, and `--health`.

use crate::client::TIMEOUT;
use crate::command::{Running, command_path};
use assert_cmd::Command as Check;

fn emulator(flags: &[&str]) -> Check {
    let mut check = Check::new(command_path());
    check.arg("emulator").args(flags).timeout(TIMEOUT);
    check
}

fn message(check: &mut Check, code: i32) -> String {
    String::from_utf8(check.assert().code(code).stdout("").get_output().stderr.clone()).unwrap()
}

#[test]
fn e12_an_address_that_is_not_loopback_serves_tls_and_its_certificate_has_the_names() {
    let directory = tempfile::tempdir().unwrap();
    let ca_file = directory.path().join("ca.pem");
    let ca = ca_file.to_str().unwrap();

    let running =
        Running::start(&["--listen", "0.0.0.0:0", "--public-url", "https://localhost:1", "--allow-host", "atlas.test", "--ca-file", ca]);

    assert_eq!(running.value("MONGODB_ATLAS_BASE_URL"), "https://localhost:1");
    for (flags, part) in [
        (&["--listen", "0.0.0.0:0", "--public-url", "https://a.test"][..], "not loopback"),
        (&["--listen", "0.0.0.0:0", "--ca-file", ca], "--public-url"),
        (&["--listen", "0.0.0.0"], "HOST:PORT"),
        (&["--listen", "no-such-host.invalid:1"], "no-such-host.invalid"),
        (&["--listen", "localhost:0"], "a name requires a port"),
        (&["--listen", "127.0.0.1:0", "--port", "0"], "--port"),
        (&["--public-url", "https://a.test/path"], "https://a.test/path"),
        (&["--public-url", "a.test"], "a.test"),
    ] {
        let message = message(&mut emulator(flags), 2);
        assert!(message.contains(part) && message.contains("hint:"), "{flags:?}: {message}");
    }
}

#[test]
fn a_loopback_address_needs_no_tls() {
    let running = Running::start(&["--listen", "127.0.0.1:0"]);

    assert!(running.value("MONGODB_ATLAS_BASE_URL").starts_with("http://127.0.0.1:"));
}

#[test]
fn e8_a_seed_replaces_the_account_and_a_broken_one_is_never_ready() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("seed.json");
    let seed = r#"{"organizations": [{"id": "aaaaaaaaaaaaaaaaaaaaaaaa", "serviceAccounts": [
        {"clientId": "mdb_sa_id_cccccccccccccccccccccccc", "secrets": [{"secret": "mdb_sa_sk_of_the_test"}]}]}]}"#;
    std::fs::write(&file, seed).unwrap();

    let running = Running::start(&["--seed", file.to_str().unwrap()]);

    assert_eq!(running.value("MONGODB_ATLAS_CLIENT_ID"), "mdb_sa_id_cccccccccccccccccccccccc");
    assert_eq!(running.value("MONGODB_ATLAS_ORG_ID"), "aaaaaaaaaaaaaaaaaaaaaaaa");
    assert!(!running.lines.iter().any(|line| line.starts_with("MONGODB_ATLAS_PROJECT_ID")));
    std::fs::write(&file, seed.replace("clientId", "clientID")).unwrap();
    let broken = message(&mut emulator(&["--seed", file.to_str().unwrap()]), 2);
    assert!(
        broken.contains("seed.json") && broken.contains("line 2") && broken.contains("column") && broken.contains("clientID"),
        "{broken}"
    );
    let missing = message(&mut emulator(&["--seed", "/nonexistent/seed.json"]), 2);
    assert!(missing.contains("/nonexistent/seed.json"), "{missing}");
}

#[test]
fn e8_health_succeeds_only_while_the_emulator_serves() {
    let directory = tempfile::tempdir().unwrap();
    let ca_file = directory.path().join("ca.pem");
    let ca = ca_file.to_str().unwrap();
    let mut plain = Running::start(&[]);
    let tls = Running::start(&["--tls", "--ca-file", ca]);
    let wrong_name = directory.path().join("other.pem");
    let wrong = Running::start(&["--tls=wrong-name", "--ca-file", wrong_name.to_str().unwrap()]);
    let url = plain.value("MONGODB_ATLAS_BASE_URL").to_owned();

    emulator(&["--health", &url]).assert().success().stdout("ok\n").stderr("");
    emulator(&["--health", tls.value("MONGODB_ATLAS_BASE_URL"), "--ca-file", ca]).assert().success();
    let untrusted = ["--health", wrong.value("MONGODB_ATLAS_BASE_URL"), "--ca-file", wrong_name.to_str().unwrap()];
    assert!(message(&mut emulator(&untrusted), 5).contains("no answer"));
    drop(plain.stdin.take());
    plain.wait();
    assert!(message(&mut emulator(&["--health", &url]), 5).contains(&url));
    assert!(message(&mut emulator(&["--health", "127.0.0.1:80"]), 2).contains("127.0.0.1:80"));
    assert!(message(&mut emulator(&["--health", "https://127.0.0.1:1"]), 2).contains("--ca-file"));
}
