//! What `doctor` says besides the levels: findings, changes, times, builds, the proxy and the report for
//! a bug report.

use crate::doctor::check;
use crate::support::{Scene, json, stdout, text};
use serde_json::json as value;
use tokenwell::emulator::{DEFAULT_CLIENT_ID, DEFAULT_CLIENT_SECRET};

fn token(scene: &Scene) -> String {
    stdout(&scene.tokenwell(["token"]).assert().success()).trim_end().to_owned()
}

/// Revokes the cached token at the server, and leaves it in the cache.
fn revoke_behind_the_cache(scene: &Scene) {
    let copy = scene.path("copy");
    std::fs::create_dir(&copy).unwrap();
    #[cfg(unix)]
    std::os::unix::fs::PermissionsExt::set_mode(&mut copy.metadata().unwrap().permissions(), 0o700);
    for entry in std::fs::read_dir(scene.path("cache/tokenwell")).unwrap() {
        let path = entry.unwrap().path();
        std::fs::copy(&path, copy.join(path.file_name().unwrap())).unwrap();
    }
    scene.tokenwell(["revoke", "--cache-dir", text(&copy)]).env("TOKENWELL_CACHE_UNSAFE", "on").assert().success();
    assert_eq!(scene.emulator.counters().live_tokens, 0);
}

#[test]
fn n4_a_cached_token_that_the_api_rejects_is_a_finding() {
    let scene = Scene::new();
    let dead = token(&scene);
    revoke_behind_the_cache(&scene);

    let report = json(&scene.tokenwell(["doctor", "--json"]).assert().success());

    let new = token(&scene);
    assert_ne!(new, dead);
    let found = check(&report, "token");
    assert_eq!((&found["level"], &found["finding"]), (&"warn".into(), &"cached_token_rejected".into()), "{report}");
    let sentence = found["found"].as_str().unwrap();
    assert!(sentence.contains("was replaced") && sentence.contains(&format!("ends in …{}", &new[new.len() - 4..])), "{sentence}");
    assert!(!sentence.contains(&dead[dead.len() - 4..]), "{sentence}");
    assert_eq!(check(&report, "Admin API")["level"], "ok");
    assert!(report["changes"][0].as_str().unwrap().contains("dropped the rejected token from the cache"), "{report}");
    assert_eq!(report["exit_code"], 0);
}

#[test]
fn n4_the_table_has_a_warning_for_the_rejected_token() {
    let scene = Scene::new();
    token(&scene);
    revoke_behind_the_cache(&scene);

    let answer = stdout(&scene.tokenwell(["doctor"]).assert().success());

    assert!(answer.lines().any(|line| line.starts_with("warn  ") && line.contains("token")), "{answer}");
    assert!(answer.contains("changed: dropped the rejected token") && answer.contains("1 warning, 11 ok ("), "{answer}");
}

#[test]
fn n4_a_token_that_is_accepted_is_no_finding() {
    let scene = Scene::new();

    let first = json(&scene.tokenwell(["doctor", "--json"]).assert().success());
    let second = json(&scene.tokenwell(["doctor", "--json"]).assert().success());

    assert_eq!(first["changes"], value!(["requested a token, which is in the token cache now"]));
    assert_eq!(second["changes"], value!([]));
    for report in [first, second] {
        assert!(check(&report, "token")["finding"].is_null() && check(&report, "token")["level"] == "ok", "{report}");
    }
}

#[test]
fn n43_version_path_cache_format_and_times_are_shown() {
    let scene = Scene::new();

    let report = json(&scene.tokenwell(["doctor", "--json"]).assert().success());

    let found = check(&report, "command")["found"].as_str().unwrap();
    let name = if cfg!(windows) { "tokenwell.exe" } else { "tokenwell" };
    assert!(found.contains(&format!("tokenwell {}, cache format 1, at /", env!("CARGO_PKG_VERSION"))) && found.contains(name), "{found}");
    assert_eq!(report["version"], env!("CARGO_PKG_VERSION"));
    for check in report["checks"].as_array().unwrap() {
        assert!(check["ms"].is_u64(), "{check}");
    }
    assert!(report["summary"].as_str().unwrap().contains(" ms)"), "{report}");
}

#[cfg(unix)]
#[test]
fn n43_another_build_on_the_search_path_is_a_warning() {
    let scene = Scene::new();
    let other = |folder: &str, name: &str, content: &[u8]| {
        std::fs::create_dir_all(scene.path(folder)).unwrap();
        std::fs::write(scene.path(folder).join(name), content).unwrap();
        scene.path(folder)
    };
    let bin = other("bin", "tokenwell", b"another build");
    let library = if cfg!(target_os = "macos") { "libtokenwell.dylib" } else { "libtokenwell.so.0" };
    let libraries = [other("one", library, b"one"), other("two", library, b"two"), other("same", library, b"two")];
    let path = std::env::join_paths(libraries).unwrap();

    let mut command = scene.tokenwell(["doctor", "--json"]);
    let report = json(&command.env("PATH", &bin).env("LD_LIBRARY_PATH", &path).env("DYLD_LIBRARY_PATH", &path).assert().success());

    let check = check(&report, "command");
    let found = check["found"].as_str().unwrap();
    assert_eq!(check["level"], "warn", "{report}");
    assert!(found.contains("2 different builds of the command") && found.contains(text(&bin)), "{found}");
    assert!(found.contains("different builds of the library") && found.contains("/two/") && !found.contains("/same/"), "{found}");
}

#[test]
fn n43_the_proxy_is_shown_with_the_variable_that_names_it() {
    let scene = Scene::new();
    let proxy = |variables: &[(&str, &str)], url: &str| {
        let mut command = scene.tokenwell(["doctor", "--json", "--base-url", url]);
        let output = command.envs(variables.iter().copied()).output().unwrap();
        let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        check(&report, "proxy")["found"].as_str().unwrap().to_owned()
    };
    let remote = "https://atlas.invalid";
    let dead = "http://user:canary@127.0.0.1:1";

    assert_eq!(proxy(&[], scene.emulator.base_url()), "none");
    assert_eq!(proxy(&[("https_proxy", dead)], remote), "http://127.0.0.1:1 (from environment variable https_proxy)");
    assert_eq!(proxy(&[("TOKENWELL_PROXY", dead)], remote), "http://127.0.0.1:1 (from environment variable TOKENWELL_PROXY)");
    let loopback = proxy(&[("HTTPS_PROXY", dead)], scene.emulator.base_url());
    assert_eq!(loopback, "none for this server, although environment variable HTTPS_PROXY is set");
}

#[test]
fn the_text_for_a_bug_report_has_no_secret_no_token_and_no_whole_id() {
    let scene = Scene::new();
    let cached = token(&scene);

    let report = stdout(&scene.tokenwell(["doctor", "--report"]).assert().success());

    let home = scene.path("");
    assert!(report.starts_with(&format!("tokenwell {}, cache format 1\ndate: ", env!("CARGO_PKG_VERSION"))), "{report}");
    assert!(report.contains("all 12 checks are ok") && report.contains("~/cache/tokenwell"), "{report}");
    for private in [DEFAULT_CLIENT_ID, DEFAULT_CLIENT_SECRET, &cached, text(&home).trim_end_matches('/')] {
        assert!(!report.contains(private), "{private}: {report}");
    }
    assert!(report.contains(&DEFAULT_CLIENT_ID[..14]), "the ids can be told apart: {report}");
}

#[test]
fn n32_long_results_are_below_the_table_and_the_table_fits_80_columns() {
    let scene = Scene::new();
    let mut command = scene.tokenwell(["doctor", "--base-url", "https://atlas.invalid"]);

    let answer = stdout(&command.env("COLUMNS", "80").env("HTTPS_PROXY", "http://127.0.0.1:1").assert().code(5));

    let words = |line: &str| line.split_whitespace().count();
    let too_long: Vec<_> = answer.lines().filter(|line| line.chars().count() > 80 && words(line) > 1).collect();
    // A line may be longer only if it has no place for a break: a path.
    assert!(too_long.iter().all(|line| line.split_whitespace().any(|word| word.len() > 50)), "{answer}");
    let failed = answer.lines().find(|line| line.starts_with("fail  ")).unwrap();
    assert!(failed.chars().count() <= 80, "{failed}");
    assert!(answer.contains("\n\nconnect\n  "), "{answer}");
}

#[cfg(target_os = "linux")]
#[test]
fn the_text_for_a_bug_report_describes_the_machine_and_the_sources_of_the_settings() {
    let scene = Scene::new();
    let line = |report: &str, name: &str| {
        let found = report.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": ").map(str::to_owned));
        found.unwrap_or_else(|| panic!("{name} in {report}"))
    };

    let mut command = scene.tokenwell(["doctor", "--report", "--timeout", "20s"]);
    let report = stdout(&command.env("TOKENWELL_SCOPE", "canary").assert().success());

    let date = line(&report, "date");
    assert!(date.len() == 20 && date.ends_with('Z') && date.contains('T'), "{date}");
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
    assert_eq!(line(&report, "kernel"), format!("Linux {}", release.trim()));
    let library = line(&report, "C library");
    assert!(library == "musl" || (library.starts_with("GNU C Library (") && library.contains("release version 2.")), "{library}");
    assert_eq!(line(&report, "client_secret"), "environment variable MONGODB_ATLAS_CLIENT_SECRET");
    assert_eq!(line(&report, "timeout_ms"), "option --timeout");
    assert_eq!(line(&report, "scope"), "environment variable TOKENWELL_SCOPE");
    assert!(line(&report, "variables").contains("MONGODB_ATLAS_CLIENT_ID, "), "{report}");
    assert!(!report.contains("canary"), "no value: {report}");
}

#[test]
fn the_text_for_a_bug_report_names_the_variables_that_are_set_if_there_is_no_credential() {
    let scene = Scene::new();
    let mut command = scene.tokenwell(["doctor", "--report"]);
    command.env_remove("MONGODB_ATLAS_CLIENT_ID").env_remove("MONGODB_ATLAS_CLIENT_SECRET");

    let report = stdout(&command.assert().code(3));

    assert!(report.contains("\nvariables: MONGODB_ATLAS_BASE_URL\n"), "{report}");
}
