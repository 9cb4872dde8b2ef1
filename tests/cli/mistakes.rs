//! Mistakes in the configuration that could send a credential to the wrong server. Each is an error
//! before anything is sent or stored.

use crate::support::{Scene, stderr, stdout};
use tokenwell::emulator::{DEFAULT_CLIENT_ID, DEFAULT_CLIENT_SECRET};

/// Nothing listens there, so that a request that should not be sent fails without reaching anybody.
const NO_WAY_OUT: &str = "http://127.0.0.1:1";

#[test]
fn s4_a_variable_that_names_a_server_or_a_credential_and_is_not_read_is_an_error() {
    let scene = Scene::new();

    for (variable, instead) in [
        ("TOKENWELL_TOKEN_ENDPOINT", "Rename it to TOKENWELL_TOKEN_URL"),
        ("TOKENWELL_ISSUER", "Rename it to TOKENWELL_TOKEN_URL"),
        ("TOKENWELL_BASEURL", "Rename it to TOKENWELL_BASE_URL"),
        ("TOKENWELL_CLIENT_SECERT", "Rename it to TOKENWELL_CLIENT_SECRET"),
        ("TOKENWELL_API_KEY", "Unset it"),
        ("TOKENWELL_TIMEOUT", "Rename it to TOKENWELL_TIMEOUT_MS"),
    ] {
        let message = stderr(&scene.tokenwell(["token"]).env(variable, "canary").assert().code(2).stdout(""));

        assert!(message.contains(&format!("{variable} is not a setting")) && message.contains(instead), "{message}");
        assert!(!message.contains("canary"), "{message}");
    }
    assert_eq!(scene.emulator.counters().connections, 0);
}

#[test]
fn n19_a_misspelled_variable_of_the_other_families_is_an_error() {
    let scene = Scene::new();
    scene.write_profile(&format!(
        "[default]\nclient_id = '{DEFAULT_CLIENT_ID}'\nclient_secret = '{DEFAULT_CLIENT_SECRET}'\nbase_url = '{}'\n",
        scene.emulator.base_url()
    ));

    for (variable, meant) in [
        ("MONGODB_ATLAS_CLIENT_SECERT", "MONGODB_ATLAS_CLIENT_SECRET"),
        ("MCLI_CLIENTID", "MCLI_CLIENT_ID"),
        ("MCLI_BASE_URI", "MCLI_BASE_URL"),
    ] {
        let mut command = scene.tokenwell(["token"]);
        for name in ["MONGODB_ATLAS_CLIENT_ID", "MONGODB_ATLAS_CLIENT_SECRET", "MONGODB_ATLAS_BASE_URL"] {
            command.env_remove(name);
        }
        let message = stderr(&command.env(variable, "canary").assert().code(2).stdout(""));

        assert!(message.contains(variable) && message.contains(&format!("did you mean {meant}?")), "{message}");
    }
    assert_eq!(scene.emulator.counters().connections, 0);
}

#[test]
fn a_variable_of_a_later_version_or_of_another_program_is_no_error() {
    let scene = Scene::new();

    for variable in ["TOKENWELL_STORE_URL", "TOKENWELL_LOG_FORMAT", "TOKENWELL_COLOR", "TOKENWELL_TEST_X", "MONGODB_ATLAS_PROJECT_ID"] {
        scene.tokenwell(["token"]).env(variable, "x").assert().success();
    }
}

#[test]
fn s4_a_variable_of_a_later_version_is_reported_once() {
    let scene = Scene::new();

    let log = stderr(&scene.tokenwell(["token", "-v"]).env("TOKENWELL_STORE_URL", "canary").assert().success());

    assert_eq!(log.matches("TOKENWELL_STORE_URL").count(), 1, "{log}");
    assert!(!log.contains("canary"), "{log}");
}

#[test]
fn s4_an_id_of_another_server_goes_to_atlas_only_if_the_base_url_says_so() {
    let scene = Scene::new();
    let token = || {
        let mut command = scene.tokenwell(["token"]);
        command.env("MONGODB_ATLAS_CLIENT_ID", "my-service").env("MONGODB_ATLAS_CLIENT_SECRET", "canary").env("HTTPS_PROXY", NO_WAY_OUT);
        command
    };

    let message = stderr(&token().env_remove("MONGODB_ATLAS_BASE_URL").assert().code(2).stdout(""));
    assert!(message.contains("no server is set: it is not sent to cloud.mongodb.com"), "{message}");
    assert!(message.contains("set token_url (TOKENWELL_TOKEN_URL)") && !message.contains("canary"), "{message}");

    let message = stderr(&token().env("MONGODB_ATLAS_BASE_URL", "https://cloud.mongodb.com").assert().code(5).stdout(""));
    assert!(message.contains("cannot reach https://cloud.mongodb.com"), "{message}");
}

#[test]
fn s4_login_does_not_send_a_secret_while_a_misspelled_variable_names_the_server() {
    let scene = Scene::new();
    let mut command = scene.tokenwell(["login", "--client-id", DEFAULT_CLIENT_ID, "--client-secret-stdin"]);

    let message = stderr(&command.env("TOKENWELL_BASEURL", "x").write_stdin(DEFAULT_CLIENT_SECRET).assert().code(2).stdout(""));

    assert!(message.contains("Rename it to TOKENWELL_BASE_URL"), "{message}");
    assert_eq!(scene.emulator.counters().connections, 0);
}

#[test]
fn e4_a_secret_of_the_emulator_is_not_sent_to_atlas() {
    let scene = Scene::new();

    for server in ["https://cloud.mongodb.com", "https://cloud.mongodbgov.com", "https://cloud-dev.mongodb.com"] {
        let mut command = scene.tokenwell(["token"]);
        command.env("HTTPS_PROXY", NO_WAY_OUT).env("MONGODB_ATLAS_BASE_URL", server);
        command.env("MONGODB_ATLAS_CLIENT_ID", "mdb_sa_id_0123456789abcdef01234567");
        let message = stderr(&command.assert().code(8).stdout(""));

        let host = server.trim_start_matches("https://");
        assert!(message.contains(&format!("is a client secret of the emulator, and the server is {host}")), "{message}");
        assert!(message.contains("MONGODB_ATLAS_BASE_URL") && !message.contains(DEFAULT_CLIENT_SECRET), "{message}");
    }
}

#[test]
fn n33_a_pause_is_in_units_that_people_use() {
    let scene = Scene::new();
    let body = serde_json::json!({"error": "rate_limited"});
    let fault = serde_json::json!([{"path": "/api/oauth/token", "status": 429, "headers": {"Retry-After": "3500"}, "body": body}]);
    scene.emulator.set_faults(fault).unwrap();
    scene.tokenwell(["token"]).assert().code(6);

    let message = stderr(&scene.tokenwell(["token"]).assert().code(6));

    let pause = message.split("next request in ").nth(1).and_then(|rest| rest.split(')').next()).unwrap_or_default();
    assert!(pause.contains(" min") || pause.contains(" h"), "{message}");
}

#[test]
fn n34_the_message_says_that_a_token_has_less_than_its_lifetime_left_when_it_arrives() {
    let scene = Scene::new();

    let message = stderr(&scene.tokenwell(["token", "--min-ttl", "1h"]).assert().code(2).stdout(""));

    assert!(message.contains("1 h was requested, but this server's tokens are issued for 1 h and have less than that left"), "{message}");
    assert!(message.contains("Request at most 59 min 59 s (3599 s)"), "{message}");
    let most = stdout(&scene.tokenwell(["token", "--min-ttl", "3598s"]).assert().success());
    assert!(!most.is_empty());
}

#[test]
fn no_error_of_a_file_or_a_connection_has_the_number_of_the_system() {
    let scene = Scene::new();
    let commands: [&[&str]; 7] = [
        &["exec", "--", "."],
        &["sink", "/nowhere/token", "--once"],
        &["sink", "token", "--template", "/nowhere/template"],
        &["api", "orgs", "--input", "/nowhere/body"],
        &["emulator", "--seed", "/nowhere/seed.json"],
        &["emulator", "--log", "/nowhere/log"],
        &["emulator", "--health", NO_WAY_OUT],
    ];

    for command in commands {
        let assert = scene.tokenwell(command.iter().copied()).assert().failure();
        let message = stderr(&assert);
        assert!(message.contains(": ") && !message.contains("os error"), "{command:?}: {message}");
    }
    let report = stdout(&scene.tokenwell(["doctor"]).env("MONGODB_ATLAS_BASE_URL", NO_WAY_OUT).assert().code(5));
    assert!(report.contains(": connection refused\n") && !report.contains("os error"), "{report}");
}
