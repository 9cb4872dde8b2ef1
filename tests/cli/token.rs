//! `token` and `header`.

use crate::support::{Scene, is_token, json, stderr, stdout, text};
use tokenwell::emulator::{DEFAULT_CLIENT_ID, DEFAULT_CLIENT_SECRET};

#[test]
fn standard_output_has_only_the_token() {
    let scene = Scene::new();

    let assert = scene.tokenwell(["token"]).assert().success().stderr("");

    let answer = stdout(&assert);
    assert!(is_token(answer.strip_suffix('\n').unwrap()), "{answer}");
}

#[test]
fn each_format_carries_the_token() {
    let scene = Scene::new();

    let header = stdout(&scene.tokenwell(["token", "--format", "header"]).assert().success());
    let curl = stdout(&scene.tokenwell(["token", "--format", "curl"]).assert().success());
    let short = stdout(&scene.tokenwell(["header"]).assert().success());

    for line in [header, short] {
        assert!(is_token(line.strip_prefix("Authorization: Bearer ").unwrap().strip_suffix('\n').unwrap()), "{line}");
    }
    assert!(is_token(curl.strip_prefix("header = \"Authorization: Bearer ").unwrap().strip_suffix("\"\n").unwrap()), "{curl}");
}

#[test]
fn i17_json_tells_the_life_that_is_left_and_its_end_in_utc() {
    let scene = Scene::new();

    let answer = json(&scene.tokenwell(["token", "--format", "json"]).assert().success());

    assert!(is_token(answer["access_token"].as_str().unwrap()));
    assert_eq!(answer["token_type"], "Bearer");
    let left = answer["expires_in"].as_u64().unwrap();
    assert!((3000..3600).contains(&left), "{left}: a whole second less than the lifetime, since some of it is over");
    let end = answer["expires_at"].as_str().unwrap();
    assert!(end.len() == "2026-01-01T00:00:00Z".len() && end.ends_with('Z'), "{end}");
}

#[test]
fn without_a_credential_the_message_lists_the_checked_sources() {
    let scene = Scene::new();

    let assert = scene
        .tokenwell(["token"])
        .env_remove("MONGODB_ATLAS_CLIENT_ID")
        .env_remove("MONGODB_ATLAS_CLIENT_SECRET")
        .assert()
        .code(3)
        .stdout("");

    let message = stderr(&assert);
    assert!(message.starts_with("tokenwell: ") && message.contains("MONGODB_ATLAS_CLIENT_ID"), "{message}");
    assert!(message.contains("\n  hint: "), "{message}");
}

#[test]
fn a_rejected_secret_is_exit_code_4() {
    let scene = Scene::new();

    let assert = scene.tokenwell(["token"]).env("MONGODB_ATLAS_CLIENT_SECRET", "canary-wrong").assert().code(4).stdout("");

    let message = stderr(&assert);
    assert!(message.contains("invalid_client") && !message.contains("canary"), "{message}");
}

#[cfg(unix)]
#[test]
fn i10_a_secret_file_that_others_may_write_is_refused_with_the_command_that_closes_it() {
    use std::os::unix::fs::PermissionsExt;

    let scene = Scene::new();
    let file = scene.private("secret", DEFAULT_CLIENT_SECRET);
    let with_mode = |mode| {
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).unwrap();
        scene.tokenwell(["token", "--client-id", DEFAULT_CLIENT_ID, "--client-secret-file", "secret"])
    };

    let message = stderr(&with_mode(0o666).assert().code(8).stdout(""));
    let token = stdout(&with_mode(0o444).assert().success());

    assert!(message.contains("refused: the client secret file") && message.contains("chmod 600 /"), "{message}");
    assert!(message.contains(text(&file)) && !message.contains(DEFAULT_CLIENT_SECRET), "{message}");
    assert!(is_token(token.trim_end()));
}

#[test]
fn a_rejection_names_the_client_and_the_source_of_its_credential() {
    let scene = Scene::new();
    let file = scene.private("secret", "canary-wrong");
    scene.write_profile(&format!("[staging]\nclient_id = '{DEFAULT_CLIENT_ID}'\nclient_secret = 'canary-wrong'\n"));
    let profile = format!("from profile staging in {}", text(&scene.path("config/tokenwell/config.toml")));
    let from_file = format!("id from option --client-id, secret in the file {}", text(&file));
    let rejected = |arguments: &[&str], stdin: &str, account: &str| {
        let mut command = scene.tokenwell(["token", "--no-cache"].into_iter().chain(arguments.iter().copied()));
        command.env_remove("MONGODB_ATLAS_CLIENT_ID").env_remove("MONGODB_ATLAS_CLIENT_SECRET").write_stdin(stdin);
        let message = stderr(&command.assert().code(4).stdout(""));
        assert!(message.contains(&format!("rejected the client {DEFAULT_CLIENT_ID} ({account})")), "{account}: {message}");
        assert!(message.contains("After you correct it, you do not have to wait.") && !message.contains("canary"), "{message}");
    };

    rejected(&["--profile", "staging"], "", &profile);
    rejected(&["--client-id", DEFAULT_CLIENT_ID, "--client-secret-file", text(&file)], "", &from_file);
    rejected(
        &["--client-id", DEFAULT_CLIENT_ID, "--client-secret-stdin"],
        "canary-wrong",
        "id from option --client-id, secret from option --client-secret-stdin",
    );
}

#[test]
fn a_remembered_rejection_does_not_apply_to_a_corrected_secret() {
    let scene = Scene::new();
    let with = |secret: &str| {
        let mut command = scene.tokenwell(["token"]);
        command.env("MONGODB_ATLAS_CLIENT_SECRET", secret);
        command
    };
    with("canary-wrong").assert().code(4);

    let remembered = stderr(&with("canary-wrong").assert().code(4));
    let corrected = with(DEFAULT_CLIENT_SECRET).assert().success();

    assert!(remembered.contains(&format!("{DEFAULT_CLIENT_ID} (id from environment variable MONGODB_ATLAS_CLIENT_ID")), "{remembered}");
    assert!(remembered.contains("s with this secret, immediately with another secret"), "{remembered}");
    assert!(is_token(stdout(&corrected).trim_end()));
    assert_eq!(scene.emulator.counters().token_requests, 2);
}

#[test]
fn a_refused_connection_names_the_source_of_the_server_and_the_emulator() {
    let scene = Scene::new();
    scene.write_profile("[default]\nbase_url = 'http://127.0.0.1:1'\n");
    let named_by = format!("profile default in {}", text(&scene.path("config/tokenwell/config.toml")));
    let mut by_profile = scene.tokenwell(["token"]);
    by_profile.env_remove("MONGODB_ATLAS_BASE_URL");
    let mut by_variable = scene.tokenwell(["token"]);
    by_variable.env("MONGODB_ATLAS_BASE_URL", "http://127.0.0.1:1");

    let messages = [(by_profile, named_by.as_str()), (by_variable, "environment variable MONGODB_ATLAS_BASE_URL")]
        .map(|(mut command, named_by)| (stderr(&command.assert().code(5).stdout("")), named_by));

    for (message, named_by) in messages {
        assert!(message.contains("cannot reach http://127.0.0.1:1: connection refused"), "{message}");
        assert!(message.contains("start it again (`tokenwell emulator`)") && message.contains(&format!("from {named_by}.")), "{message}");
    }
}

#[test]
fn n23_a_swapped_pair_is_reported_before_a_request() {
    let scene = Scene::new();

    let assert = scene
        .tokenwell(["token"])
        .env("MONGODB_ATLAS_CLIENT_ID", DEFAULT_CLIENT_SECRET)
        .env("MONGODB_ATLAS_CLIENT_SECRET", DEFAULT_CLIENT_ID)
        .assert()
        .code(2)
        .stdout("");

    assert!(stderr(&assert).contains("look swapped"), "{}", stderr(&assert));
    assert_eq!(scene.emulator.counters().connections, 0);
}

#[test]
fn i21_a_secret_that_stands_where_the_id_belongs_is_in_no_report() {
    for report in [&["status"][..], &["status", "--json"], &["doctor"], &["doctor", "--json"]] {
        let scene = Scene::new();
        let output = scene
            .tokenwell(report.iter().copied())
            .env("MONGODB_ATLAS_CLIENT_ID", DEFAULT_CLIENT_SECRET)
            .env("MONGODB_ATLAS_CLIENT_SECRET", DEFAULT_CLIENT_ID)
            .output()
            .unwrap();

        let shown = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        assert!(!shown.contains(DEFAULT_CLIENT_SECRET), "{report:?}: {shown}");
        assert!(shown.contains("looks like a client secret"), "{report:?}: {shown}");
    }
}

#[test]
fn a_rate_limited_client_is_exit_code_6_with_the_time_of_the_next_attempt() {
    let scene = Scene::new();
    scene
        .emulator
        .set_faults(serde_json::json!([{"path": "/api/oauth/token", "status": 429, "headers": {"Retry-After": "30"},
            "body": {"error": "rate_limited", "error_description": "slow down"}}]))
        .unwrap();

    let message = stderr(&scene.tokenwell(["token"]).assert().code(6).stdout(""));

    assert!(message.contains("slow down") && message.contains("next attempt: in 3"), "{message}");
}

#[test]
fn n34_a_min_ttl_above_the_token_lifetime_names_the_most_that_can_be_requested() {
    let scene = Scene::new();

    for _ in 0..3 {
        let message = stderr(&scene.tokenwell(["token", "--min-ttl", "2h"]).assert().code(2).stdout(""));
        assert!(message.contains("2 h was requested") && message.contains("3599 s"), "{message}");
    }

    assert_eq!(scene.emulator.counters().tokens_minted, 1, "each further one would be one of the account's hundred");
}

#[test]
fn i15_a_command_with_five_seconds_gets_its_token_while_another_process_stands_still_with_the_lock() {
    let scene = Scene::new();
    scene.tokenwell(["token"]).assert().success();
    let lock = std::fs::read_dir(scene.path("cache/tokenwell")).unwrap().map(|entry| entry.unwrap().path());
    let lock = std::fs::File::open(lock.into_iter().find(|path| path.extension().is_some_and(|end| end == "lock")).unwrap()).unwrap();
    lock.lock().unwrap();

    scene.tokenwell(["token", "--force-refresh", "--timeout", "10s"]).assert().success();

    let message = stderr(&scene.tokenwell(["token", "--force-refresh", "--timeout", "300ms"]).assert().code(9).stdout(""));
    assert!(message.contains("another process has held the lock") && message.contains("fuser"), "{message}");
}

#[test]
fn no_token_in_time_is_exit_code_9() {
    let scene = Scene::new();
    scene.emulator.set_faults(serde_json::json!([{"path": "/api/oauth/token", "delay_ms": 60_000, "then_serve": true}])).unwrap();

    scene.tokenwell(["token", "--timeout", "200ms"]).assert().code(9).stdout("");
}

#[test]
fn the_hint_about_a_late_token_is_correct_for_a_process_that_exits() {
    let scene = Scene::new();
    scene.emulator.set_faults(serde_json::json!([{"path": "/api/oauth/token", "delay_ms": 60_000, "then_serve": true}])).unwrap();

    let message = stderr(&scene.tokenwell(["token", "--timeout", "100ms"]).assert().code(9).stdout(""));

    assert!(message.contains("Use a longer --timeout.") && message.contains("within 2 s"), "{message}");
    assert!(!message.contains("may still finish for the next caller"), "{message}");
}

#[test]
fn a_token_that_comes_a_moment_too_late_is_kept_for_the_next_command() {
    // A stalled machine can exceed the wait of the command. Then the test tries again.
    let kept = (0..20).any(|_| {
        let scene = Scene::new();
        scene.emulator.set_faults(serde_json::json!([{"path": "/api/oauth/token", "delay_ms": 300, "then_serve": true}])).unwrap();
        let late = scene.tokenwell(["token", "--timeout", "1ms"]).output().unwrap();
        let answer = stdout(&scene.tokenwell(["token"]).assert().success());
        assert!(is_token(answer.trim_end()));
        late.status.code() == Some(9) && late.stdout.is_empty() && scene.emulator.counters().token_requests == 1
    });

    assert!(kept);
}

#[test]
fn the_secret_comes_from_standard_input() {
    let scene = Scene::new();

    let assert = scene
        .tokenwell(["token", "--client-id", DEFAULT_CLIENT_ID, "--client-secret-stdin"])
        .env_remove("MONGODB_ATLAS_CLIENT_SECRET")
        .write_stdin(format!("{DEFAULT_CLIENT_SECRET}\r\n"))
        .assert()
        .success();

    assert!(is_token(stdout(&assert).trim_end()));
}

#[test]
fn an_empty_standard_input_is_not_a_secret() {
    let scene = Scene::new();

    for nothing in ["", "\n", "\r\n\n"] {
        let assert =
            scene.tokenwell(["token", "--client-id", DEFAULT_CLIENT_ID, "--client-secret-stdin"]).write_stdin(nothing).assert().code(3);
        assert!(stderr(&assert).contains("standard input is empty"), "{}", stderr(&assert));
    }
}

#[test]
fn the_secret_comes_from_a_file() {
    let scene = Scene::new();
    let file = scene.private("secret", &format!("{DEFAULT_CLIENT_SECRET}\n"));

    scene
        .tokenwell(["token", "--client-id", DEFAULT_CLIENT_ID, "--client-secret-file", text(&file)])
        .env_remove("MONGODB_ATLAS_CLIENT_SECRET")
        .assert()
        .success();
}

#[test]
fn i22_a_secret_is_no_argument() {
    let scene = Scene::new();

    for flag in ["--client-secret", "--secret", "--token", "--password"] {
        scene.tokenwell(["token", flag, "canary"]).assert().code(2).stdout("");
    }
    for (command, flag) in [("token", "--client-secret=canary"), ("exec", "--client-secret"), ("login", "--client-secret")] {
        let message = stderr(&scene.tokenwell([command, flag]).assert().code(2).stdout(""));
        assert!(message.contains("there is no flag for the secret") && message.contains("--client-secret-stdin"), "{message}");
        assert!(!message.contains("canary"), "{message}");
    }
}

#[test]
fn i7_a_redirect_is_refused_with_exit_code_8() {
    let scene = Scene::new();
    scene
        .emulator
        .set_faults(serde_json::json!([{"path": "/api/oauth/token", "redirect": "https://elsewhere.example/", "redirect_status": 307}]))
        .unwrap();

    scene.tokenwell(["token"]).assert().code(8).stdout("");
}

#[test]
fn an_unreachable_server_is_exit_code_5() {
    let scene = Scene::new();

    // Nothing listens on port 1 (tcpmux).
    let mut command = scene.tokenwell(["token", "--base-url", "http://127.0.0.1:1"]);

    command.env("TOKENWELL_TIMEOUT_MS", "3000").assert().code(5).stdout("");
}

#[test]
fn processes_share_one_token() {
    let scene = Scene::new();

    let first = stdout(&scene.tokenwell(["token"]).assert().success());
    let second = stdout(&scene.tokenwell(["token"]).assert().success());

    assert_eq!(first, second);
    assert_eq!(scene.emulator.counters().token_requests, 1);
}

#[test]
fn without_the_cache_each_process_gets_its_own_token() {
    let scene = Scene::new();

    for flag in ["--no-cache", "--no-cache"] {
        scene.tokenwell(["token", flag]).assert().success();
    }

    assert_eq!(scene.emulator.counters().token_requests, 2);
    assert!(!scene.path("cache").exists());
}

#[test]
fn the_cache_can_be_named() {
    let scene = Scene::new();
    let directory = scene.path("elsewhere");

    scene.tokenwell(["token", "--cache-dir", text(&directory)]).assert().success();

    assert!(directory.exists() && !scene.path("cache").exists());
}

#[cfg(unix)]
#[test]
fn i13_a_cache_that_is_refused_costs_a_warning_and_not_the_token() {
    use std::os::unix::fs::PermissionsExt;

    let scene = Scene::new();
    let directory = scene.path("open");
    std::fs::create_dir(&directory).unwrap();
    std::fs::set_permissions(&directory, std::fs::Permissions::from_mode(0o775)).unwrap();

    let assert = scene.tokenwell(["token", "--cache-dir", text(&directory)]).assert().success();

    assert!(is_token(stdout(&assert).trim_end()));
    let warning = stderr(&assert);
    assert!(warning.starts_with("tokenwell: warn: ") && warning.contains("mode 0775") && warning.lines().count() == 1, "{warning}");
}

#[test]
fn i17_a_cached_token_is_printed_with_what_is_left_of_its_life() {
    let scene = Scene::new();
    let left = || json(&scene.tokenwell(["token", "--format", "json"]).assert().success())["expires_in"].as_u64().unwrap();

    let first = left();
    crate::support::until("a second to pass", || (left() < first).then_some(()));

    assert_eq!(scene.emulator.counters().token_requests, 1);
}

#[test]
fn messages_name_settings_by_their_flags() {
    let scene = Scene::new();
    let mut without_account = scene.tokenwell(["token"]);
    without_account.env_remove("MONGODB_ATLAS_CLIENT_ID").env_remove("MONGODB_ATLAS_CLIENT_SECRET");

    let nothing = stderr(&without_account.assert().code(3));
    let wrong = stderr(&scene.tokenwell(["token", "--base-url", "cloud.mongodb.com"]).assert().code(2));

    assert!(
        nothing.contains("options --client-id (not set), --client-secret-stdin (not set), --client-secret-file (not set)"),
        "{nothing}"
    );
    assert!(wrong.contains("--base-url is not a URL"), "{wrong}");
}

#[test]
fn n9_a_token_without_a_lifetime_is_a_protocol_error_of_each_command_that_prints_it() {
    let scene = Scene::new();
    let zero = serde_json::json!({"expires_in": 0});
    scene.emulator.set_settings(zero).unwrap();

    for arguments in [&["token"][..], &["header"], &["env"], &["token", "--format", "json"], &["exec", "--", "echo", "started"]] {
        let assert = scene.tokenwell(arguments.iter().copied()).assert().code(5).stdout("");

        let message = stderr(&assert);
        let problem = format!("{} issued a token with a lifetime of 0 s (expires_in)", scene.emulator.base_url());
        assert!(message.contains(&problem), "{arguments:?}: {message}");
    }

    // A request that is sent immediately may use it, and it proves that the credential is valid.
    scene.tokenwell(["api", "GET", "/api/atlas/v2/orgs"]).assert().success();
    let mut login = scene.tokenwell(["login", "--client-id", DEFAULT_CLIENT_ID, "--client-secret-stdin"]);
    login.write_stdin(DEFAULT_CLIENT_SECRET).assert().success();
}

#[cfg(target_os = "linux")]
#[test]
fn r4_a_command_waits_until_its_token_is_in_the_cache() {
    let scene = Scene::new();

    for (number, arguments) in
        [&["token"][..], &["header"], &["env"], &["exec", "--", "true"], &["api", "GET", "/api/atlas/v2/orgs"]].into_iter().enumerate()
    {
        let directory = scene.path(&format!("cache-{number}"));
        let mut slow = scene.plain("strace");
        slow.args(["-f", "-qq", "-o", "/dev/null", "-e", "trace=rename,renameat,renameat2"]);
        // Longer than a get waits for the cache.
        slow.args(["-e", "inject=rename,renameat,renameat2:delay_enter=700000", crate::support::command_path()]);
        slow.args(arguments).env("TOKENWELL_CACHE_DIR", &directory);
        assert_cmd::Command::from_std(slow).assert().success();

        scene.tokenwell(["token"]).env("TOKENWELL_CACHE_DIR", &directory).assert().success();
        assert_eq!(scene.emulator.counters().token_requests, number as u64 + 1, "{arguments:?}");
    }
}
