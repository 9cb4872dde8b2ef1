//! A mistake in a file is reported with its file and line, and never with a value.

use crate::support::{Home, ID, SECRET, assert_has, profile, shown, write};
use tokenwell::error::Status;

#[test]
fn a_mistake_names_file_line_and_key() {
    let table: &[(&str, &[&str])] = &[
        ("[default]\nclientId = 'x'\n", &[".toml:2", "unknown setting clientId", "Did you mean client_id?", "client_secret_file"]),
        ("[default]\nclient_secrt = 'canary'\n", &[".toml:2", "unknown setting client_secrt", "Did you mean client_secret?"]),
        ("[default]\nmdb_sa_sk_canary = 1\n", &[".toml:2", "the key is not the name of a setting"]),
        ("[default]\n\"can\\u0061ry\\u001b[31m canary\" = 1\n", &[".toml:2", "the key is not the name of a setting"]),
        ("[default]\nmanual_clock_ms = 5\n", &[".toml:2", "manual_clock_ms cannot be set in a profile"]),
        ("[default]\nprofile = 'a'\n", &[".toml:2", "profile cannot be set in a profile"]),
        (
            "# first\n[default]\n\ntimeout_ms = true\n",
            &[".toml:4", "timeout_ms in profile default", "must be an integer, not a boolean", "timeout_ms = 30000"],
        ),
        ("[default]\ntimeout_ms = 1.5\n", &["must be an integer, not a float"]),
        ("[default]\ncache = 1\n", &["cache in profile default", "must be a boolean, not an integer"]),
        ("[default]\nclient_secret = ['canary']\n", &["client_secret in profile default", "must be a string, not an array"]),
        ("[default.client_secret]\nvalue = 'canary'\n", &["client_secret in profile default", "must be a string, not a table"]),
        ("[default]\nclient_id = 2024-01-01\n", &["must be a string, not a date or time"]),
        ("\nclient_secret = 'canary'\n", &[".toml:2", "client_secret is not in a profile", "[default]"]),
        ("[[default]]\nclient_id = 'x'\n", &[".toml:1", "default is not in a profile"]),
        ("[default]\nclient_secret = canary\n", &[".toml:2", "is not valid TOML"]),
        ("[default]\nclient_secret = 'canary\n", &[".toml:2", "is not valid TOML"]),
        ("[default]\nclient_id = 'a'\nclient_id = 'canary'\n", &[".toml:3", "is not valid TOML"]),
        ("[default\nclient_secret = 'canary'\n", &[".toml:1", "is not valid TOML"]),
        ("canary\n", &[".toml:1", "is not valid TOML"]),
        ("\u{0}", &[".toml:1", "is not valid TOML"]),
    ];
    for (text, parts) in table {
        let home = Home::new().ours(text);

        let error = home.error();

        assert_eq!(error.status(), Status::InvalidArgument, "{text}: {}", shown(&error));
        assert_has(&error.to_string(), &["tokenwell/config.toml"]);
        assert_has(&shown(&error), parts);
    }
}

#[test]
fn an_invalid_value_names_its_line_and_is_not_shown() {
    let table = [
        ("client_secret = \"canary\\n\"", Status::InvalidArgument, "client_secret in profile default", "newline"),
        ("client_secret = ''", Status::InvalidArgument, "client_secret in profile default", "empty"),
        ("client_secret = 'x'\nbase_url = 'http://cloud.mongodb.com'", Status::Refused, "base_url in profile default", "http"),
        ("client_secret = 'x'\ntimeout_ms = 0", Status::InvalidArgument, "timeout_ms in profile default", "1 to 600000"),
        ("client_secret = 'x'\ntimeout_ms = -5", Status::InvalidArgument, "timeout_ms in profile default", "1 to 600000"),
        ("client_secret = 'x'\ncache = 'maybe'", Status::InvalidArgument, "cache in profile default", "neither"),
    ];
    for (lines, status, location, part) in table {
        let error = Home::new().ours(&format!("[default]\nclient_id = 'mdb_sa_id_1'\n{lines}\n")).error();

        assert_eq!(error.status(), status, "{lines}: {}", shown(&error));
        assert_has(&error.to_string(), &[location, "config.toml:", part]);
    }
}

#[test]
fn a_mistake_in_another_profile_is_ignored() {
    let home = Home::new().ours(&(profile("default", ID) + "[other]\nclientId = 5\n"));

    assert_eq!(home.build().client_id(), ID);
    assert_has(&shown(&home.variable("TOKENWELL_PROFILE", "other").error()), &["profile other", "Did you mean client_id?"]);
}

#[test]
fn a_file_that_is_not_utf8_or_too_long_is_named() {
    let home = Home::new();
    write(&home.our_file(), b"[default]\n# \xff canary\n");
    assert_has(&home.error().to_string(), &["config.toml:2", "is not UTF-8"]);

    let home = Home::new().ours(&"# canary\n".repeat(40_000));
    assert_has(&home.error().to_string(), &["config.toml", "longer than 256 KiB"]);
}

#[test]
fn an_incomplete_pair_in_a_profile_is_not_completed_by_another_source() {
    let home = Home::new().ours(&format!("[default]\nclient_secret = '{SECRET}'\n")).theirs(&profile("default", ID));

    assert_has(&home.not_configured(), &["client_secret in profile default", ".toml:2 is set without client_id"]);
}

#[test]
fn contradictions_in_a_profile_are_named() {
    let both = Home::new().ours(&(profile("default", ID) + "client_secret_file = '/run/secret'\n"));
    assert_has(&both.not_configured(), &["client_secret in profile default", "client_secret_file in profile default", "only one secret"]);

    let servers = "base_url = 'https://a.example'\ntoken_url = 'https://b.example/token'\n";
    let home = Home::new().ours(&(profile("default", ID) + servers));
    assert_has(&home.not_configured(), &["base_url in profile default", "token_url in profile default"]);
}
