//! Lines: no input ends a line early, and a reader of a line gets the original value.

use crate::support::{Scene, is_token, json, stderr, stdout, text};
use proptest::prelude::*;
use proptest::test_runner::{RngSeed, TestRunner};
use serde_json::json;
use std::io::Write;
use std::process::{Output, Stdio};
use tokenwell::emulator::DEFAULT_CLIENT_SECRET;

const NAME: &str = "MONGODB_ATLAS_ACCESS_TOKEN";

fn runner(cases: u32) -> TestRunner {
    TestRunner::new(ProptestConfig {
        failure_persistence: None,
        rng_seed: RngSeed::Fixed(0x70_6b_65_6e),
        cases,
        ..ProptestConfig::default()
    })
}

/// Tokens of all allowed characters; those that are special to some reader are more frequent.
fn any_token() -> impl Strategy<Value = String> {
    let special: Vec<char> = r##"'"\$`%!^&|;#<>(){}[]*?~=:@,-"##.chars().collect();
    let character = prop_oneof![proptest::char::range('!', '~'), proptest::sample::select(special)];
    proptest::collection::vec(character, 1..60).prop_map(String::from_iter)
}

/// Reads the token from the output of the command; `None` if there is none.
type Reader = fn(&Scene, &str) -> Option<String>;

/// The arguments that print a token, the number of lines, and the reader.
const FORMS: [(&[&str], usize, Reader); 13] = [
    (&["token"], 1, |_, line| Some(line.to_owned())),
    (&["token", "--format", "json"], 1, |_, line| {
        serde_json::from_str::<serde_json::Value>(line).ok()?["access_token"].as_str().map(str::to_owned)
    }),
    (&["token", "--format", "header"], 1, header),
    (&["header"], 1, header),
    (&["token", "--format", "curl"], 1, curl_config),
    (&["token", "--format", "curl"], 1, curl),
    (&["env"], 1, sh),
    (&["env", "--shell", "fish"], 1, |_, line| {
        let quoted = line.strip_prefix("set -gx MONGODB_ATLAS_ACCESS_TOKEN '")?.strip_suffix('\'')?;
        unescaped(quoted, |next| matches!(next, '\\' | '\'').then_some(next), &['\''])
    }),
    (&["env", "--shell", "powershell"], 1, |_, line| {
        let quoted = line.strip_prefix("$Env:MONGODB_ATLAS_ACCESS_TOKEN = '")?.strip_suffix('\'')?;
        (!quoted.replace("''", "").contains('\'')).then(|| quoted.replace("''", "'"))
    }),
    (&["env", "--shell", "cmd"], 1, |_, line| {
        let value = line.strip_prefix("set \"MONGODB_ATLAS_ACCESS_TOKEN=")?.strip_suffix('"')?;
        (!value.contains(['"', '%', '!', '^'])).then(|| value.to_owned())
    }),
    (&["env", "--shell", "dotenv"], 2, |scene, lines| {
        let value = without_server(scene, lines)?.strip_prefix("MONGODB_ATLAS_ACCESS_TOKEN=")?;
        match value.strip_prefix('\'') {
            Some(quoted) => quoted.strip_suffix('\'').filter(|value| !value.contains('\'')).map(str::to_owned),
            None => is_plain(value).then(|| value.to_owned()),
        }
    }),
    (&["env", "--shell", "gitlab"], 2, |scene, lines| {
        without_server(scene, lines)?.strip_prefix("MONGODB_ATLAS_ACCESS_TOKEN=").filter(|value| is_plain(value)).map(str::to_owned)
    }),
    (&["env", "--shell", "github"], 3, |scene, lines| {
        let (mask, assignment) = without_server(scene, lines)?.split_once('\n')?;
        let masked = mask.strip_prefix("::add-mask::")?;
        // The runner decodes three escapes. Nothing else may look like one.
        let masked = masked.replace("%0A", "\n").replace("%0D", "\r").replace("%25", "%");
        assignment.strip_prefix("MONGODB_ATLAS_ACCESS_TOKEN=").filter(|value| *value == masked).map(str::to_owned)
    }),
];

/// The lines before the one that names the server of the token.
fn without_server<'a>(scene: &Scene, lines: &'a str) -> Option<&'a str> {
    lines.strip_suffix(&format!("\nMONGODB_ATLAS_BASE_URL={}", scene.emulator.base_url()))
}

fn header(_: &Scene, line: &str) -> Option<String> {
    line.strip_prefix("Authorization: Bearer ").map(str::to_owned)
}

/// Reads a quoted value by the rules of curl's manual page.
fn curl_config(_: &Scene, line: &str) -> Option<String> {
    let quoted = line.strip_prefix("header = \"Authorization: Bearer ")?.strip_suffix('"')?;
    let escaped = |next| match next {
        't' => Some('\t'),
        'n' => Some('\n'),
        'r' => Some('\r'),
        'v' => Some('\u{b}'),
        other => Some(other),
    };
    unescaped(quoted, escaped, &['"'])
}

/// Reads with curl itself: returns the token that it sends. Without curl, the rules of its manual
/// page are used.
fn curl(scene: &Scene, line: &str) -> Option<String> {
    let url = format!("{}/api/atlas/v2/orgs", scene.emulator.base_url());
    let mut command = scene.plain("curl");
    command.args(["--silent", "--output", text(&scene.path("answer")), "--config", "-", &url]);
    let Some(output) = output_given(&mut command, line) else {
        println!("curl is not installed: its configuration is read by the rules of its manual page only");
        return curl_config(scene, line);
    };
    assert!(output.status.success(), "{output:?}");
    let request = scene.emulator.last_request("/api/atlas/v2/orgs").unwrap();
    let [authorization] = request.headers["authorization"].as_slice() else { return None };
    authorization.strip_prefix("Bearer ").map(str::to_owned)
}

/// Reads with the shell itself.
fn sh(scene: &Scene, line: &str) -> Option<String> {
    let mut command = scene.plain("sh");
    command.args(["-euc", &format!("line=$(cat); eval \"$line\"; printf %s \"${NAME}\"; env | grep -c ^{NAME}= >&2")]);
    let output = output_given(&mut command, line).expect("the shell is installed");
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "1\n", "{line}");
    String::from_utf8(output.stdout).ok()
}

/// Runs a program with `input` on standard input; `None` if it is not installed.
fn output_given(command: &mut std::process::Command, input: &str) -> Option<Output> {
    let mut child = match command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn() {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return None,
        spawned => spawned.unwrap(),
    };
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    Some(child.wait_with_output().unwrap())
}

/// Decodes the escapes of `quoted`; `None` if it contains an invalid escape or an unescaped end.
fn unescaped(quoted: &str, escaped: impl Fn(char) -> Option<char>, ends: &[char]) -> Option<String> {
    let mut text = String::new();
    let mut characters = quoted.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => text.push(escaped(characters.next()?)?),
            end if ends.contains(&end) => return None,
            other => text.push(other),
        }
    }
    Some(text)
}

/// Whether all characters are allowed in a b64token (RFC 6750).
fn is_plain(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte))
}

/// Whether the form cannot represent the token, which is an error.
fn cannot_be_written(arguments: &[&str], token: &str) -> bool {
    match arguments.last() {
        Some(&"cmd") => token.contains(['"', '%', '!', '^']),
        Some(&"dotenv") => !is_plain(token) && (token.contains(['\'', '\\']) || token.contains("${")),
        Some(&"gitlab") => !is_plain(token),
        _ => false,
    }
}

fn assert_comes_back_from_every_form(scene: &Scene, token: &str) -> Result<(), TestCaseError> {
    let body = json!({"access_token": token, "token_type": "Bearer", "expires_in": 3600});
    scene.emulator.set_faults(json!([{"path": "/api/oauth/token", "status": 200, "body": body}])).unwrap();
    scene.tokenwell(["token", "--force-refresh"]).assert().success();

    for (arguments, lines, reader) in FORMS {
        let output = scene.tokenwell(arguments.iter().copied()).output().unwrap();
        let answer = String::from_utf8(output.stdout).unwrap();

        if cannot_be_written(arguments, token) {
            let said = String::from_utf8(output.stderr).unwrap();
            prop_assert_eq!((output.status.code(), answer.as_str()), (Some(2), ""), "{:?} of {}", arguments, token);
            prop_assert!(said.contains("cannot be quoted") && (token.len() < 12 || !said.contains(token)), "{said}");
            continue;
        }
        prop_assert!(output.status.success(), "{arguments:?} of {token}: {}", String::from_utf8_lossy(&output.stderr));
        prop_assert_eq!(answer.matches('\n').count(), lines, "{:?} of {}: {}", arguments, token, answer);
        let printable = answer.chars().all(|character| character == '\n' || (' '..='~').contains(&character));
        prop_assert!(printable, "{arguments:?} of {token}: {answer:?}");
        let line = answer.strip_suffix('\n').unwrap();
        let read = reader(scene, line);
        prop_assert_eq!(read.as_deref(), Some(token), "{:?}: {}", arguments, answer);
    }
    Ok(())
}

#[test]
fn i1_every_token_comes_back_from_every_form_in_the_same_number_of_lines() {
    let scene = Scene::new();

    let outcome = runner(24).run(&any_token(), |token| assert_comes_back_from_every_form(&scene, &token));

    outcome.unwrap();
}

#[test]
fn i1_a_token_of_each_character_comes_back_from_every_form() {
    let scene = Scene::new();
    let all: String = ('!'..='~').collect();

    for token in [all.as_str(), "-", "--", "-n", "\\", "'", "''", "\"", "%0A", "%250D", "$(id)", "`id`", "#", "~", "::add-mask::x", "a<<b"]
    {
        assert_comes_back_from_every_form(&scene, token).unwrap();
    }
}

#[test]
fn i1_the_line_in_a_runners_file_is_one_assignment_whatever_the_token() {
    let scene = Scene::new();

    let outcome = runner(24).run(&any_token(), |token| {
        let body = json!({"access_token": token, "token_type": "Bearer", "expires_in": 3600});
        scene.emulator.set_faults(json!([{"path": "/api/oauth/token", "status": 200, "body": body}])).unwrap();
        let file = scene.write("github.env", "EARLIER=1\n");

        scene.tokenwell(["env", "--force-refresh", "--shell", "github"]).env("GITHUB_ENV", &file).assert().success();

        let written = std::fs::read_to_string(&file).unwrap();
        let assignment = format!("{NAME}={token}");
        let server = format!("MONGODB_ATLAS_BASE_URL={}", scene.emulator.base_url());
        prop_assert_eq!(written.lines().collect::<Vec<_>>(), ["EARLIER=1", assignment.as_str(), server.as_str()]);
        // The first separator decides for the runner: an equals sign, or `<<` for a multi-line
        // value.
        prop_assert!(assignment.find('=') < assignment.find("<<").or(Some(usize::MAX)), "{assignment}");
        Ok(())
    });

    outcome.unwrap();
}

#[test]
fn i2_what_is_left_blank_is_answered_with_no_token() {
    let scene = Scene::new();
    scene.tokenwell(["token"]).assert().success();
    let before = scene.emulator.counters();
    let blank_hosts =
        ["", " ", "https:", "https://", "http://", "https:///", "https:///api", "https://:443", "http://:80/", "//", "://host"];
    let mut wrong: Vec<Vec<String>> = Vec::new();
    for flag in ["--base-url", "--token-url"] {
        wrong.extend(blank_hosts.map(|host| vec![flag.to_owned(), host.to_owned()]));
    }
    for flag in ["--client-id", "--auth-method", "--scope", "--audience", "--resource", "--profile", "--ca-file"] {
        wrong.push(vec![flag.to_owned(), String::new()]);
    }

    for arguments in &wrong {
        for command in [&["token"][..], &["token", "--format", "curl"], &["header"], &["env"], &["api", "GET", "/api/atlas/v2/orgs"]] {
            let all = command.iter().copied().chain(arguments.iter().map(String::as_str));
            let output = scene.tokenwell(all).output().unwrap();

            let said = String::from_utf8(output.stderr).unwrap();
            assert!(matches!(output.status.code(), Some(2 | 3 | 8)), "{command:?} {arguments:?}: {} {said}", output.status);
            assert!(output.stdout.is_empty() && !said.contains(DEFAULT_CLIENT_SECRET), "{command:?} {arguments:?}: {said}");
        }
    }
    for path in ["", " ", "?a=b", "#a"] {
        scene.tokenwell(["api", "GET", path]).assert().code(2).stdout("");
    }
    assert_eq!(scene.emulator.counters(), before, "no request was sent");
}

/// Strings that end a line for some readers.
fn line_ends() -> impl Strategy<Value = &'static str> {
    proptest::sample::select(vec!["\r", "\n", "\r\n", "\n\r", "\r\r", "\u{85}", "\u{2028}", "\u{2029}", "\u{b}", "\u{c}"])
}

/// A string with such a line end, followed by an injected assignment.
fn injected_line() -> impl Strategy<Value = String> {
    ("[ -~]{0,20}", line_ends(), "[ -~]{0,20}").prop_map(|(before, end, after)| format!("{before}{end}host=evil.example{end}{after}"))
}

fn lines_by_any_reader(text: &str) -> usize {
    text.chars().filter(|character| matches!(character, '\r' | '\n' | '\u{85}' | '\u{2028}' | '\u{2029}' | '\u{b}' | '\u{c}')).count()
}

#[test]
fn i3_no_word_of_a_server_ends_a_line() {
    let scene = Scene::new();
    let said = |status: u16, words: &str| {
        let body = match status {
            429 => json!({"error": 429, "errorCode": words, "reason": words, "detail": words, "parameters": [words]}),
            _ => json!({"error": "invalid_client", "error_description": words, "error_uri": words}),
        };
        scene.emulator.set_faults(json!([{"path": "/api/oauth/token", "status": status, "body": body}])).unwrap();
        let cache = scene.path("cache/tokenwell");
        let _ = std::fs::remove_dir_all(&cache);
        let failed = scene.tokenwell(["token", "-vv"]).assert().failure().stdout("");
        // The refusal is remembered, and `status` shows it.
        let status = stdout(&scene.tokenwell(["status"]).assert().success());
        let message = json(&scene.tokenwell(["status", "--json"]).assert().success())["cooldown"]["message"].as_str().unwrap().to_owned();
        [stderr(&failed), status, message]
    };

    // A request is sent three times during an outage, with pauses: two cases are enough.
    for (status, cases) in [(400, 12), (401, 12), (429, 12), (503, 2)] {
        let plain = said(status, "words").map(|text| lines_by_any_reader(&text));
        let outcome = runner(cases).run(&injected_line(), |words| {
            let [failed, shown, message] = said(status, &words);

            prop_assert_eq!([&failed, &shown, &message].map(|text| lines_by_any_reader(text)), plain, "{} {:?}: {}", status, words, failed);
            prop_assert!(!failed.contains('\r') && failed.lines().all(|line| !line.starts_with("host=")), "{failed}");
            Ok(())
        });
        outcome.unwrap();
    }
}

#[test]
fn i3_no_value_with_a_line_end_is_taken_from_a_flag_or_a_variable() {
    let scene = Scene::new();
    let flags = [
        "--client-id",
        "--base-url",
        "--token-url",
        "--auth-method",
        "--scope",
        "--audience",
        "--resource",
        "--ca-file",
        "--profile",
        "--cache-dir",
        "--client-secret-file",
    ];
    let variables =
        ["TOKENWELL_CLIENT_ID", "MONGODB_ATLAS_CLIENT_SECRET", "MONGODB_ATLAS_BASE_URL", "TOKENWELL_AUDIENCE", "TOKENWELL_TIMEOUT_MS"];
    let sources: Vec<&str> = flags.into_iter().chain(variables).collect();

    let outcome =
        runner(100).run(&(proptest::sample::select(sources), "[ -~]{0,8}", line_ends(), "[ -~]{0,8}"), |(place, before, end, after)| {
            let value = format!("{before}{end}{after}");
            let mut command = match place.starts_with("--") {
                true if place == "--client-secret-file" => scene.tokenwell(["token", "--client-id", "id", place, &value]),
                true => scene.tokenwell(["token", &format!("{place}={value}")]),
                false => scene.tokenwell(["token"]),
            };
            if !place.starts_with("--") {
                command.env(place, &value);
            }
            let output = command.output().unwrap();

            let said = String::from_utf8(output.stderr).unwrap();
            prop_assert!(
                !said.contains('\r')
                    && said.lines().all(|line| line.starts_with("tokenwell: ") || line.starts_with("  ") || line.is_empty()),
                "{place}={value:?}: {said:?}"
            );
            // Some settings accept non-ASCII line ends, which do not end a line for programs that
            // read bytes.
            if end.is_ascii() {
                prop_assert!(!output.status.success() && output.stdout.is_empty(), "{place}={value:?}: {said}");
            }
            Ok(())
        });

    outcome.unwrap();
}

#[test]
fn i3_one_line_end_after_a_secret_is_none_of_it_and_one_within_is_refused() {
    let scene = Scene::new();
    let from_file = |content: &str| {
        let file = scene.write("secret", content);
        let mut command =
            scene.tokenwell(["token", "--no-cache", "--client-id", scene.emulator.client_id(), "--client-secret-file", text(&file)]);
        command.env_remove("MONGODB_ATLAS_CLIENT_SECRET").output().unwrap()
    };

    for end in ["", "\n", "\r\n"] {
        let output = from_file(&format!("{DEFAULT_CLIENT_SECRET}{end}"));
        assert!(is_token(String::from_utf8_lossy(&output.stdout).trim_end()), "{end:?}: {output:?}");
    }
    for end in ["\r", "\n\n", "\n\r", "\r\r\n", "\rhost=evil.example", "\nhost=evil.example", "\r\nhost=evil.example\n"] {
        let output = from_file(&format!("{DEFAULT_CLIENT_SECRET}{end}"));
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!((output.status.code(), output.stdout.len()), (Some(3), 0), "{end:?}: {said}");
        assert!(!said.contains('\r') && !said.contains("evil") && !said.contains(DEFAULT_CLIENT_SECRET), "{end:?}: {said}");
    }
    assert_eq!(scene.emulator.counters().token_requests, 3);

    let outcome = runner(30).run(&("[!-~]{1,20}", line_ends(), "[!-~]{1,20}"), |(before, end, after)| {
        let mut command = scene.tokenwell(["token", "--client-id", "id", "--client-secret-stdin"]);
        let output = command.env_remove("MONGODB_ATLAS_CLIENT_SECRET").write_stdin(format!("{before}{end}{after}\n")).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        prop_assert!(matches!(output.status.code(), Some(2 | 3)) && output.stdout.is_empty(), "{end:?}: {said}");
        Ok(())
    });
    outcome.unwrap();
    assert_eq!(scene.emulator.counters().token_requests, 3, "no secret with a line end was sent");
}
