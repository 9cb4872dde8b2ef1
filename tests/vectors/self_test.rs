//! Tests of the runner: it must detect defective shims, and reject case files that prove nothing.

use crate::case::{self, Case};
use crate::protocol::{decode, encode};
use crate::run::{self, Outcome, Tally};
use crate::this_program;
use crate::world::World;
use std::io::{BufRead, Write};
use std::net::TcpStream;
use std::process::ExitCode;
use std::time::Duration;

/// A defect of a shim, the location at which the runner must report it, and a part of the message.
const DEFECTS: [(&str, &str, &str); 25] = [
    ("another_token", "step 2", "a token that was not returned before"),
    ("empty_token", "step 1", "an empty string"),
    ("no_expiry", "step 1", "success with a value"),
    ("lifetime_too_long", "step 2", "3601000 ms"),
    ("one_failed", "step 3", "99 tokens"),
    ("two_distinct", "step 3", "2 distinct"),
    ("another_token_together", "step 3", "a token that was not returned before"),
    ("wrong_counter", "step 4", "mints=2"),
    ("counters_out_of_order", "step 4", "instead of hits"),
    ("token_after_close", "step 6", "success with a value"),
    ("wrong_error", "step 6", "INTERNAL"),
    ("wrong_number", "step 6", "do not match"),
    ("no_details", "step 6", "not an answer of the protocol"),
    ("wrong_code", "step 6", "code Some(\"odd\")"),
    ("remembered", "step 6", "remembered true"),
    ("wrong_attempts", "step 6", "3 attempts"),
    ("no_hint", "step 6", "an empty string"),
    ("no_sentence", "step 6", "the punctuation"),
    ("leak", "step 6", "one that contains it"),
    ("exits", "step 3", "the shim closed its output"),
    ("hangs", "step 3", "no answer within"),
    ("garbage", "step 3", "not an answer of the protocol"),
    ("connects_to_the_emulator", "the case's `expect`", "connections: 1"),
    ("connects_to_another_server", "the case's `expect`", "1 connections to another server"),
    ("unimplemented", "step 3", "unimplemented: cannot"),
];

/// A case that a shim can pass without a server.
const CASE: &str = r#"[{
    "name": "self_test", "why": "the runner itself", "config": { "scope": "{elsewhere}" },
    "steps": [
        { "call": "token", "expect": { "token": "A" } },
        { "call": "token", "expect": { "token": "A", "lifetime_ms": [3590000, 3600000] } },
        { "call": "together", "count": 100, "expect": { "ok": 100, "distinct": 1, "token": "A" } },
        { "call": "stats", "expect": { "stats": { "mints": 1 } } },
        { "call": "close" },
        { "call": "token", "expect": { "error": "CLOSED", "oauth_code": null, "is_remembered": false, "age_ms": [0, 0], "attempts": 0 } }
    ],
    "expect": { "connections": 0 }
}]"#;

/// Invalid case files and a part of the error message.
const BAD_FILES: [(&str, &str); 18] = [
    (r#"[{"name":"a","why":"w"}]"#, "no expectation"),
    (r#"[{"name":"a","why":"w","steps":[{"call":"token"}]}]"#, "no expectation"),
    (
        r#"[{"name":"a","why":"w","expect":{"connections":0}},{"name":"a","why":"w","expect":{"connections":0}}]"#,
        "another case has this name",
    ),
    (r#"[{"name":"a","why":"w","expect":{"connections":0},"spets":[]}]"#, "spets"),
    (r#"[{"name":"a","why":"w","expect":{"conections":0}}]"#, "conections"),
    (r#"[{"name":"a","why":"w","steps":[{"call":"tokken","expect":{"token":"A"}}]}]"#, "tokken"),
    (r#"[{"name":"a","why":"w","steps":[{"call":"token","min_ttl":1,"expect":{"token":"A"}}]}]"#, "min_ttl"),
    (r#"[{"name":"a","why":"w","steps":[{"call":"token","expect":{"tokn":"A"}}]}]"#, "tokn"),
    (r#"[{"name":"a","why":"w","steps":[{"call":"token","expect":{}}]}]"#, "empty expectation"),
    (r#"[{"name":"a","why":"w","steps":[{"call":"token","expect":{"token":"A","error":"CLOSED"}}]}]"#, "token"),
    (r#"[{"name":"a","why":"w","steps":[{"call":"token","expect":{"error":"SHUT"}}]}]"#, "unknown error SHUT"),
    (r#"[{"name":"a","why":"w","steps":[{"call":"token","expect":{"token":"first"}}]}]"#, "not a capital letter"),
    (r#"[{"name":"a","why":"w","steps":[{"call":"loop","count":3,"expect":{"ok":2}}]}]"#, "do not add up"),
    (r#"[{"name":"a","why":"w","steps":[{"call":"stats","expect":{"stats":{"mint":1}}}]}]"#, "unknown counter mint"),
    (r#"[{"name":"a","why":"w","steps":[{"call":"token","eventually":true}],"expect":{"connections":0}}]"#, "requires an expectation"),
    (r#"[{"name":"a","why":"w","unimplemented":{"node":" "},"expect":{"connections":0}}]"#, "without a reason"),
    (r#"[{"name":"a","why":"","expect":{"connections":0}}]"#, "`why` is empty"),
    (r#"[{"name":"a","why":"w","client":{"error":"REFUSED"},"steps":[{"call":"close"}]}]"#, "cannot have steps"),
];

/// Runs the runner's own tests and returns whether all of them passed.
pub fn run() -> Result<bool, String> {
    let mut wrong = Vec::new();
    let mut checks = 0;
    let mut check = |name: &str, finding: Result<(), String>| {
        checks += 1;
        if let Err(problem) = finding {
            wrong.push(format!("{name}: {problem}"));
        }
    };

    for (file, reason) in BAD_FILES {
        check(
            file,
            match case::parse("bad.json", file).and_then(|cases| case::check(&cases)) {
                Ok(()) => Err("was accepted".to_owned()),
                Err(problem) if problem.contains(reason) && problem.contains("bad.json") => Ok(()),
                Err(problem) => Err(format!("was rejected for another reason: {problem}")),
            },
        );
    }

    let world = World::start()?;
    check(
        "a correct shim",
        run_with_defect("correct", CASE, &world).and_then(|outcome| match outcome {
            Outcome::Passed => Ok(()),
            other => Err(format!("{other:?}")),
        }),
    );
    for (defect, location, reason) in DEFECTS {
        check(defect, run_with_defect(defect, CASE, &world).and_then(|outcome| expect_failure(outcome, location, reason)));
    }
    let with_unimplemented = CASE.replace("\"why\"", "\"unimplemented\": { \"fake\": \"it cannot\" }, \"why\"");
    check(
        "an unimplemented case",
        run_with_defect("unimplemented", &with_unimplemented, &world).and_then(|outcome| match outcome {
            Outcome::Skipped(reason) if reason == "cannot" => Ok(()),
            other => Err(format!("{other:?}")),
        }),
    );
    check(
        "unimplemented without a reason",
        run_with_defect("unimplemented_without_reason", &with_unimplemented, &world)
            .and_then(|outcome| expect_failure(outcome, "step 3", "none")),
    );
    let two_letters = CASE.replacen("\"token\": \"A\", ", "\"token\": \"B\", ", 1);
    check(
        "one token for two letters",
        run_with_defect("correct", &two_letters, &world).and_then(|outcome| expect_failure(outcome, "step 2", "token A")),
    );
    for (defect, reason) in
        [("wrong_version", "version 9.9.9"), ("wrong_exit_code", "exited with exit status: 3"), ("mute", "no answer within")]
    {
        check(
            defect,
            match run_with_defect(defect, CASE, &world) {
                Err(problem) if problem.contains(reason) => Ok(()),
                other => Err(format!("{other:?}")),
            },
        );
    }
    check("no cases", if Tally::default().is_success() { Err("a run without cases succeeds".to_owned()) } else { Ok(()) });

    wrong.iter().for_each(|problem| println!("self-test: FAILED {problem}"));
    println!("self-test: {} passed, {} failed", checks - wrong.len(), wrong.len());
    Ok(wrong.is_empty())
}

fn expect_failure(outcome: Outcome, location: &str, reason: &str) -> Result<(), String> {
    match outcome {
        Outcome::Failed(failure) if failure.location == location && failure.got.contains(reason) => Ok(()),
        other => Err(format!("expected a failure at {location} with {reason:?}: {other:?}")),
    }
}

/// Runs `case` with the shim that has the defect `defect`.
fn run_with_defect(defect: &str, case: &str, world: &World) -> Result<Outcome, String> {
    let silent = matches!(defect, "hangs" | "mute");
    let timeout = Duration::from_secs(if silent { 2 } else { 60 });
    let cases = case::parse("self_test", case)?;
    case::check(&cases)?;
    let cases: Vec<&Case> = cases.iter().collect();
    let directory = tempfile::tempdir().map_err(|e| e.to_string())?;
    let mut result = Outcome::Passed;
    run::run(&this_program(defect, &["--serve-defective-shim", defect], timeout)?, &cases, world, directory.path(), |_, outcome| {
        result = outcome.clone()
    })?;
    Ok(result)
}

/// A shim without a library: it answers as `CASE` expects, except for one defect.
pub fn serve(defect: &str) -> ExitCode {
    let mut tokens = 0;
    let mut closed = false;
    let mut addresses = Vec::new();
    let mut now_ms: u64 = 0;
    for line in std::io::stdin().lock().lines() {
        let Ok(line) = line else { return ExitCode::FAILURE };
        let words: Vec<&str> = line.split(' ').collect();
        let token = encode(b"the-token");
        let answer = match (words[0], defect) {
            (_, "mute") | ("together", "hangs") => {
                std::thread::sleep(Duration::from_secs(600));
                continue;
            }
            ("hello", "wrong_version") => "ok fake 9.9.9".to_owned(),
            ("hello", _) => format!("ok fake {}", env!("CARGO_PKG_VERSION")),
            ("set", _) => {
                let value = decode(words[2]).unwrap_or_default();
                match decode(words[1]).as_deref() {
                    Ok("base_url" | "scope") => addresses.push(value),
                    Ok("manual_clock_ms") => now_ms = value.parse().unwrap_or(0),
                    _ => {}
                }
                "ok".to_owned()
            }
            ("client", "connects_to_the_emulator") => send_request(&addresses[0]),
            ("client", "connects_to_another_server") => send_request(&addresses[1]),
            ("token", _) if closed => match defect {
                "token_after_close" => format!("ok {token} {}", now_ms + 3_600_000),
                "wrong_error" => {
                    format!("error 13 INTERNAL - - {} {} {} - 0 0 0", encode(b"closed"), encode(b"A hint."), encode(b"closed"))
                }
                "wrong_number" => format!("error 11 CLOSED - - {} {} {} - 0 0 0", encode(b"closed"), encode(b"A hint."), encode(b"closed")),
                "no_details" => format!("error 12 CLOSED - - {} {} {}", encode(b"closed"), encode(b"A hint."), encode(b"closed")),
                "wrong_code" => closed_answer("x6f6464 0 0 0"),
                "remembered" => closed_answer("- 1 0 0"),
                "wrong_attempts" => closed_answer("- 0 0 3"),
                "no_hint" => format!("error 12 CLOSED - - {} x x - 0 0 0", encode(b"closed")),
                "no_sentence" => {
                    format!("error 12 CLOSED - - {} {} {} - 0 0 0", encode(b"closed"), encode(b"A hint."), encode(b"closed.. A hint."))
                }
                "leak" => {
                    format!(
                        "error 12 CLOSED - - {} {} {} - 0 0 0",
                        encode(b"no more the-token"),
                        encode(b"A hint."),
                        encode(b"no more the-token")
                    )
                }
                _ => closed_answer("- 0 0 0"),
            },
            ("token", _) => {
                tokens += 1;
                match defect {
                    "another_token" => format!("ok {} {}", encode(format!("token-{tokens}").as_bytes()), now_ms + 3_600_000),
                    "empty_token" => format!("ok x {}", now_ms + 3_600_000),
                    "no_expiry" => format!("ok {token}"),
                    "lifetime_too_long" => format!("ok {token} {}", now_ms + 3_601_000),
                    _ => format!("ok {token} {}", now_ms + 3_600_000),
                }
            }
            ("together", "one_failed") => format!("many 99 1 {token} 1 CLOSED"),
            ("together", "two_distinct") => format!("many 100 2 {token} 0 -"),
            ("together", "another_token_together") => format!("many 100 1 {} 0 -", encode(b"another")),
            ("together", "exits") => return ExitCode::from(9),
            ("together", "garbage") => "not an answer".to_owned(),
            ("together", "unimplemented") => format!("unimplemented {}", encode(b"cannot")),
            ("together", "unimplemented_without_reason") => "unimplemented x".to_owned(),
            ("together", _) => format!("many 100 1 {token} 0 -"),
            ("stats", "counters_out_of_order") => {
                "stats waits=1 hits=101 refreshes=1 mints=1 mint_failures=0 stale_served=0 cooldown_answers=0 invalidations=0".to_owned()
            }
            ("stats", _) => format!(
                "stats hits=101 waits=1 refreshes=1 mints={} mint_failures=0 stale_served=0 cooldown_answers=0 invalidations=0",
                if defect == "wrong_counter" { 2 } else { 1 }
            ),
            ("close", _) => {
                closed = true;
                "ok".to_owned()
            }
            _ => "ok".to_owned(),
        };
        println!("{answer}");
        if words[0] == "quit" {
            return ExitCode::from(if defect == "wrong_exit_code" { 3 } else { 0 });
        }
    }
    ExitCode::FAILURE
}

/// Sends a request to the server at `url`, which a shim must never do.
fn send_request(url: &str) -> String {
    let address = url.trim_start_matches("http://");
    let sent = TcpStream::connect(address).and_then(|mut stream| {
        stream.write_all(format!("GET /nothing HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").as_bytes())?;
        std::io::copy(&mut stream, &mut std::io::sink())
    });
    // The other server closes without reading. Only the connection matters.
    drop(sent);
    "ok".to_owned()
}

/// The answer of a closed client, with these details.
fn closed_answer(details: &str) -> String {
    format!("error 12 CLOSED - - {} {} {} {details}", encode(b"closed"), encode(b"A hint."), encode(b"closed"))
}
