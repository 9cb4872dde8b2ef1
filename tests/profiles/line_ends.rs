//! Line ends follow TOML, and no value of a profile may contain one.

use crate::support::{Home, ID, SECRET, profile};
use tokenwell::config::Config;

/// Escapes in a quoted TOML string.
const LINE_ENDS: [&str; 6] = ["\\r", "\\n", "\\r\\n", "\\u000d", "\\u000A", "\\U0000000D"];

fn with_line(key: &str, value: &str) -> String {
    let account = [("client_id", ID), ("client_secret", SECRET)];
    let lines: String = account.iter().filter(|(name, _)| *name != key).map(|(name, value)| format!("{name} = '{value}'\n")).collect();
    format!("[default]\n{lines}{key} = \"{value}\"\n")
}

#[test]
fn i3_no_value_of_a_profile_may_end_a_line() {
    let ours =
        ["client_id", "client_secret", "base_url", "auth_method", "scope", "audience", "resource", "ca_file", "cache_dir", "timeout_ms"];
    let theirs = ["client_id", "client_secret", "base_url", "ops_manager_url"];

    for end in LINE_ENDS {
        for value in [format!("https://a.example{end}"), format!("a{end}host=evil.example"), end.to_owned()] {
            for key in ours {
                let message = Home::new().ours(&with_line(key, &value)).error().to_string();
                assert!(message.contains(key) && !message.contains("evil"), "{key} = {value}: {message}");
            }
            for key in theirs {
                let message = Home::new().theirs(&with_line(key, &value)).error().to_string();
                assert!(message.contains(key) && !message.contains("evil"), "{key} = {value}: {message}");
            }
        }
    }
}

#[test]
fn i3_a_carriage_return_alone_ends_no_line_of_a_file() {
    let good = profile("default", ID) + "timeout_ms = 1500\n# a remark\n";
    let as_it_should_be = |config: &Config| (config.client_id() == ID, config.timeout().as_millis(), config.token_endpoint().origin());
    let expected = (true, 1500, "https://cloud.mongodb.com".to_owned());
    assert_eq!(as_it_should_be(&Home::new().ours(&good.replace('\n', "\r\n")).build()), expected);

    for (index, _) in good.match_indices('\n') {
        for evil in ["", "base_url = 'https://evil.example'"] {
            let text = format!("{}\r{evil}\r{}", &good[..index], &good[index + 1..]);
            for home in [Home::new().ours(&text), Home::new().theirs(&text)] {
                let message = home.error().to_string();
                assert!(message.contains("config.toml") && !message.contains("evil"), "{text:?}: {message}");
            }
        }
    }
    // In a comment and, unescaped, in a quoted string.
    for line in ["# a remark\rbase_url = 'https://evil.example'", "audience = 'a\rbase_url = https://evil.example'"] {
        let message = Home::new().ours(&format!("{good}{line}\n")).error().to_string();
        assert!(message.contains("config.toml:6") && !message.contains("evil"), "{line:?}: {message}");
    }
}
