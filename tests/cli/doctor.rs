//! `doctor`: one line per check, and the exit code of the first failure.

use crate::support::{Scene, command_path, json, stdout, text};
use serde_json::{Value, json as value};
use tokenwell::emulator::{Certificate, EmulatorOptions};

/// The levels in order, as `name:level`. The builds on the search path and the proxy have tests of
/// their own.
fn levels(report: &Value) -> Vec<String> {
    let checks = report["checks"].as_array().unwrap().iter().filter(|check| check["name"] != "command" && check["name"] != "proxy");
    checks.map(|check| format!("{}:{}", check["name"].as_str().unwrap(), check["level"].as_str().unwrap())).collect()
}

pub fn check<'a>(report: &'a Value, name: &str) -> &'a Value {
    report["checks"].as_array().unwrap().iter().find(|check| check["name"] == name).unwrap()
}

fn advice<'a>(report: &'a Value, name: &str) -> &'a str {
    report["checks"].as_array().unwrap().iter().find(|check| check["name"] == name).unwrap()["advice"].as_str().unwrap()
}

#[test]
fn every_check_is_ok_if_nothing_is_wrong() {
    let scene = Scene::new();

    let report = json(&scene.tokenwell(["doctor", "--json"]).assert().success().stderr(""));

    assert_eq!(
        levels(&report),
        [
            "configuration:ok",
            "files:ok",
            "cache:ok",
            "name:ok",
            "connect:ok",
            "TLS:ok",
            "clock:ok",
            "token:ok",
            "Admin API:ok",
            "secret:ok"
        ]
    );
    assert_eq!(report["exit_code"], 0);
}

#[test]
fn the_table_has_one_line_for_each_check() {
    let scene = Scene::new();

    let answer = stdout(&scene.tokenwell(["doctor"]).assert().success());

    let (table, end) = answer.split_once("\n\n").unwrap();
    assert_eq!(table.lines().count(), 12, "{answer}");
    assert!(table.lines().all(|line| line.starts_with("ok    ") && line.contains(" ms  ")), "{answer}");
    assert!(end.contains("all 12 checks are ok ("), "{answer}");
    assert!(!answer.contains('\u{1b}'), "{answer}");
}

#[test]
fn without_a_configuration_nothing_is_checked() {
    let scene = Scene::new();

    let report = json(&scene.tokenwell(["doctor", "--json"]).env_remove("MONGODB_ATLAS_CLIENT_SECRET").assert().code(3).stderr(""));

    assert_eq!(levels(&report)[..3], ["configuration:fail", "files:skip", "cache:skip"]);
    assert!(advice(&report, "configuration").contains("MONGODB_ATLAS_CLIENT_SECRET"), "{report}");
    assert_eq!(scene.emulator.counters().connections, 0);
}

#[test]
fn a_server_that_does_not_listen_fails_before_tls() {
    let scene = Scene::new();

    let report = json(&scene.tokenwell(["doctor", "--json", "--base-url", "http://127.0.0.1:1"]).assert().code(5));

    assert_eq!(levels(&report)[3..], ["name:ok", "connect:fail", "TLS:skip", "clock:skip", "token:skip", "Admin API:skip", "secret:skip"]);
    let advice = advice(&report, "connect");
    assert!(advice.contains("`tokenwell emulator`") && advice.contains("from option --base-url"), "{report}");
}

#[test]
fn a_failed_dns_lookup_of_the_proxy_is_reported() {
    let scene = Scene::new();
    // A DNS label has at most 63 characters, so no request is sent for this name.
    let proxy = format!("http://user:canary@{}.example:3128", "a".repeat(64));
    let mut command = scene.tokenwell(["doctor", "--json", "--base-url", "https://atlas.example"]);

    let report = json(&command.env("HTTPS_PROXY", proxy).assert().code(5));

    assert_eq!(
        levels(&report)[3..],
        ["name:fail", "connect:skip", "TLS:skip", "clock:skip", "token:skip", "Admin API:skip", "secret:skip"]
    );
    let shown = report.to_string();
    assert!(shown.contains("the proxy aaa") && !shown.contains("canary"), "{shown}");
}

#[test]
fn a_certificate_that_is_not_trusted_is_exit_code_7() {
    let scene = Scene::with(EmulatorOptions { certificate: Some(Certificate::Loopback), ..EmulatorOptions::default() });

    let report = json(&scene.tokenwell(["doctor", "--json"]).assert().code(7));

    assert_eq!(levels(&report)[4..7], ["connect:ok", "TLS:fail", "clock:skip"]);
    assert!(advice(&report, "TLS").contains("TOKENWELL_CA_FILE"), "{report}");
}

#[test]
fn a_certificate_of_a_named_authority_is_trusted() {
    let scene = Scene::with(EmulatorOptions { certificate: Some(Certificate::Loopback), ..EmulatorOptions::default() });
    let authority = scene.write("ca.pem", scene.emulator.ca_pem().unwrap());

    let answer = stdout(&scene.tokenwell(["doctor", "--ca-file", text(&authority)]).assert().success());

    assert!(answer.contains(&format!("authorities: {}", text(&authority))), "{answer}");
}

#[test]
fn clocks_that_differ_are_a_warning() {
    let scene = Scene::new();
    scene
        .emulator
        .set_faults(value!([{"path": "/", "status": 404, "headers": {"Date": "Fri, 01 Jan 2021 00:00:00 GMT"}, "body": ""}]))
        .unwrap();

    let report = json(&scene.tokenwell(["doctor", "--json"]).assert().success());

    assert_eq!(levels(&report)[6], "clock:warn");
    assert!(advice(&report, "clock").contains("NTP"), "{report}");
}

#[test]
fn a_rejected_secret_fails_the_token_check() {
    let scene = Scene::new();

    let report = json(&scene.tokenwell(["doctor", "--json"]).env("MONGODB_ATLAS_CLIENT_SECRET", "canary-wrong").assert().code(4));

    assert_eq!(levels(&report)[7..], ["token:fail", "Admin API:skip", "secret:skip"]);
    assert!(!report.to_string().contains("canary"), "{report}");
}

#[test]
fn the_advice_for_a_403_names_the_access_list_and_the_roles() {
    let scene = Scene::new();
    let body = value!({"error": 403, "errorCode": "IP_ADDRESS_NOT_ON_ACCESS_LIST", "detail": "192.0.2.1 is not allowed"});
    scene.emulator.set_faults(value!([{"path": "/api/atlas/v2/orgs", "status": 403, "body": body}])).unwrap();

    let report = json(&scene.tokenwell(["doctor", "--json"]).assert().code(4));

    assert_eq!(levels(&report)[7..], ["token:ok", "Admin API:fail", "secret:skip"]);
    let advice = advice(&report, "Admin API");
    assert!(advice.contains("IP access list") && advice.contains("roles"), "{advice}");
    assert!(report.to_string().contains("192.0.2.1 is not allowed"), "{report}");
}

#[test]
fn the_advice_for_a_401_is_about_the_token() {
    let scene = Scene::new();
    scene.emulator.set_faults(value!([{"path": "/api/atlas/v2/orgs", "status": 401, "body": {"error": 401}}])).unwrap();

    let report = json(&scene.tokenwell(["doctor", "--json"]).assert().code(4));

    let advice = advice(&report, "Admin API");
    assert!(advice.contains("did not accept this token") && advice.contains("--mint") && !advice.contains("roles"), "{advice}");
}

#[test]
fn the_exit_code_is_that_of_the_first_failure() {
    let scene = Scene::new();
    scene.emulator.set_faults(value!([{"path": "/api/oauth/token", "status": 429, "body": {"error": "rate_limited"}}])).unwrap();

    let report = json(&scene.tokenwell(["doctor", "--json"]).assert().code(6));

    assert_eq!(report["exit_code"], 6);
}

#[test]
fn the_admin_api_is_skipped_for_servers_other_than_atlas() {
    let scene = Scene::new();
    let token_url = format!("{}/generic/oauth/token", scene.emulator.base_url());
    let mut command = scene.tokenwell(["doctor", "--json", "--token-url", &token_url]);

    let report = json(&command.env_remove("MONGODB_ATLAS_BASE_URL").assert().success());

    assert_eq!(levels(&report)[7..], ["token:ok", "Admin API:skip", "secret:skip"]);
}

#[cfg(unix)]
#[test]
fn a_secret_file_that_others_may_read_is_a_warning() {
    use std::os::unix::fs::PermissionsExt;
    use tokenwell::emulator::{DEFAULT_CLIENT_ID, DEFAULT_CLIENT_SECRET};

    let scene = Scene::new();
    let file = scene.write("secret", DEFAULT_CLIENT_SECRET);
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
    let arguments = ["doctor", "--json", "--client-id", DEFAULT_CLIENT_ID, "--client-secret-file", text(&file)];

    let report = json(&scene.tokenwell(arguments).assert().success());

    assert_eq!(levels(&report)[1], "files:warn");
    assert!(advice(&report, "files").ends_with(&format!("chmod 600 {}", text(&file))), "{report}");
}

#[cfg(unix)]
#[test]
fn the_secret_file_of_a_profile_is_checked_too() {
    use std::os::unix::fs::PermissionsExt;
    use tokenwell::emulator::{DEFAULT_CLIENT_ID, DEFAULT_CLIENT_SECRET};

    let scene = Scene::new();
    let profile = scene.write_profile(&format!("[staging]\nclient_id = '{DEFAULT_CLIENT_ID}'\nclient_secret_file = 'mine'\n"));
    let file = profile.with_file_name("mine");
    std::fs::write(&file, DEFAULT_CLIENT_SECRET).unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o444)).unwrap();
    let mut command = scene.tokenwell(["doctor", "--json", "--profile", "staging"]);
    command.env_remove("MONGODB_ATLAS_CLIENT_ID").env_remove("MONGODB_ATLAS_CLIENT_SECRET");

    let report = json(&command.assert().success());

    assert!(report.to_string().contains(&format!("{} is readable by other users", text(&file))), "{report}");
    assert!(advice(&report, "files").ends_with(&format!("chmod 600 {}", text(&file))), "{report}");
}

#[cfg(unix)]
#[test]
fn a_file_of_authorities_that_others_may_change_is_a_warning() {
    use std::os::unix::fs::PermissionsExt;

    let scene = Scene::with(EmulatorOptions { certificate: Some(Certificate::Loopback), ..EmulatorOptions::default() });
    let authority = scene.write("ca.pem", scene.emulator.ca_pem().unwrap());
    let level = |mode| {
        std::fs::set_permissions(&authority, std::fs::Permissions::from_mode(mode)).unwrap();
        levels(&json(&scene.tokenwell(["doctor", "--json", "--ca-file", text(&authority)]).assert().success()))[1].clone()
    };

    assert_eq!((level(0o644), level(0o646)), ("files:ok".to_owned(), "files:warn".to_owned()));
}

#[test]
fn a_misspelled_variable_is_found_with_a_suggestion() {
    let scene = Scene::new();

    let report = json(&scene.tokenwell(["doctor", "--json"]).env("TOKENWELL_CLIENT_SECERT_FILE", "/canary").assert().code(2));

    assert_eq!(levels(&report)[0], "variables:warn");
    let expected = "TOKENWELL_CLIENT_SECERT_FILE is set, but is not a setting: did you mean TOKENWELL_CLIENT_SECRET_FILE?";
    assert_eq!(check(&report, "variables")["found"], expected);
    assert!(!report.to_string().contains("canary"), "{report}");
}

#[test]
fn each_source_without_a_credential_is_on_a_separate_line() {
    let scene = Scene::new();
    let mut command = scene.tokenwell(["doctor"]);
    command.env_remove("MONGODB_ATLAS_CLIENT_ID").env_remove("MONGODB_ATLAS_CLIENT_SECRET");

    let answer = stdout(&command.assert().code(3));

    let first = answer.lines().position(|line| line == "  there is no client id and secret; checked:").unwrap();
    let starts: Vec<_> = answer.lines().skip(first + 1).filter(|line| line.starts_with("    ") && !line.starts_with("      ")).collect();
    assert!(
        starts[0].starts_with("    options --client-id") && starts[1].starts_with("    environment variables TOKENWELL_CLIENT_ID"),
        "{answer}"
    );
    let joined = answer.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(
        starts.iter().any(|line| line.starts_with("    profile default in ")) && joined.contains("config.toml: no such file"),
        "{answer}"
    );
}

#[test]
fn a_cached_token_is_used_unless_mint_is_set() {
    let scene = Scene::new();
    scene.tokenwell(["token"]).assert().success();
    let found = |arguments: &[&str]| {
        let report = json(&scene.tokenwell(["doctor", "--json"].into_iter().chain(arguments.iter().copied())).assert().success());
        report["checks"].as_array().unwrap().iter().find(|check| check["name"] == "token").unwrap()["found"].as_str().unwrap().to_owned()
    };

    assert!(found(&[]).starts_with("from the cache"));
    assert_eq!(scene.emulator.counters().tokens_minted, 1);
    assert!(found(&["--mint"]).starts_with("from the server"));
    assert_eq!(scene.emulator.counters().tokens_minted, 2);
}

#[cfg(unix)]
#[test]
fn a_cache_that_is_refused_is_a_warning_with_the_reason() {
    use std::os::unix::fs::PermissionsExt;

    let scene = Scene::new();
    let directory = scene.path("open");
    std::fs::create_dir(&directory).unwrap();
    std::fs::set_permissions(&directory, std::fs::Permissions::from_mode(0o777)).unwrap();

    let report = json(&scene.tokenwell(["doctor", "--json", "--cache-dir", text(&directory)]).assert().success().stderr(""));

    assert_eq!(levels(&report)[2], "cache:warn");
    let expected = "Set TOKENWELL_CACHE_DIR to a directory that you own, or unset it. Until then, each process requests its own token.";
    assert_eq!(advice(&report, "cache"), expected);
    assert!(report.to_string().contains("mode 0777"), "{report}");
}

#[cfg(target_os = "linux")]
#[test]
fn a_cache_that_cannot_be_written_is_a_warning_with_the_reason() {
    let scene = Scene::new();
    for (fault, reason) in [("EROFS", "read-only file system"), ("ENOSPC", "no space left on device")] {
        let mut traced = scene.plain("strace");
        traced.args(["-f", "-qq", "-o", "/dev/null", "-e", &format!("inject=rename,renameat,renameat2:error={fault}")]);
        traced.args([command_path(), "doctor", "--json"]);

        let report = json(&assert_cmd::Command::from_std(traced).assert().success());

        assert_eq!(levels(&report)[2], "cache:warn");
        assert!(report.to_string().contains(reason), "{report}");
    }
}

#[test]
fn a_lock_held_by_another_process_is_a_warning_with_its_file() {
    let scene = Scene::new();
    scene.tokenwell(["token"]).assert().success();
    let files = std::fs::read_dir(scene.path("cache/tokenwell")).unwrap().map(|entry| entry.unwrap().path());
    let path = files.into_iter().find(|path| path.extension().is_some_and(|end| end == "lock")).unwrap();
    let lock = std::fs::File::open(&path).unwrap();
    lock.lock().unwrap();

    let report = json(&scene.tokenwell(["doctor", "--json"]).assert().success());

    assert_eq!(levels(&report)[2], "cache:warn");
    assert!(advice(&report, "cache").contains(&format!("fuser -v {}", text(&path))), "{report}");
}

#[test]
fn a_disabled_cache_is_reported_and_creates_no_files() {
    let scene = Scene::new();

    let report = json(&scene.tokenwell(["doctor", "--json"]).env("TOKENWELL_CACHE", "off").assert().success());

    assert_eq!(levels(&report)[2], "cache:skip");
    assert!(!scene.path("cache/tokenwell").exists());
}
