//! `api --jq` with values that are nested deeply: an error, never a crash.

use crate::support::{Scene, stderr, stdout};
use serde_json::json;

fn scene_with(body: &serde_json::Value) -> Scene {
    let scene = Scene::new();
    scene.emulator.set_faults(json!([{"path": "/api/atlas/v2/orgs", "status": 200, "body": body}])).unwrap();
    scene
}

fn nested(depth: usize) -> String {
    format!("{}{}", "[".repeat(depth), "]".repeat(depth))
}

#[test]
fn a_string_that_is_nested_too_deeply_is_an_error_of_the_query() {
    // In the second one a parser of JSON with comments sees the brackets, and a scanner for strings does not.
    for text in [nested(300_000), format!("# \"\n{}", nested(300_000)), "[{\"a\":".repeat(200_000)] {
        let scene = scene_with(&json!({ "text": text }));

        let message = stderr(&scene.tokenwell(["api", "orgs", "--jq", ".text | fromjson"]).assert().code(2).stdout(""));

        assert!(message.contains("--jq: fromjson: the string is nested more than 256 levels deep"), "{message}");
    }
}

#[test]
fn a_string_of_usual_json_is_parsed() {
    let scene = scene_with(&json!({ "deep": nested(256), "brackets": format!("{{\"a\":\"{}\"}}", "[".repeat(1000)), "two": "1 2" }));
    let selected = |expression: &str| stdout(&scene.tokenwell(["api", "orgs", "--jq", expression]).assert().success());

    assert_eq!(selected(".deep | fromjson").trim_end(), nested(256));
    assert_eq!(selected(".brackets | fromjson | .a | length"), "1000\n");
    assert_eq!(selected(".two | fromjson"), "1\n2\n");
    let wrong = scene.tokenwell(["api", "orgs", "--jq", "1 | fromjson"]).assert().code(2).stdout("");
    assert!(stderr(&wrong).contains("cannot parse 1 as JSON: it is not a string"), "{}", stderr(&wrong));
    assert!(
        stderr(&scene.tokenwell(["api", "orgs", "--jq", "\"[\" | fromjson"]).assert().code(2)).contains("cannot parse a string as JSON")
    );
}

#[test]
fn values_that_the_expression_itself_nests_deeply_are_printed_and_freed() {
    let scene = scene_with(&json!({}));
    let nest = "reduce range(30000) as $i (0; [.])";

    let depth = format!("{nest} | [recurse(.[0]?; type == \"array\")] | length");
    assert_eq!(stdout(&scene.tokenwell(["api", "orgs", "--jq", &depth]).assert().success()), "30000\n");
    let printed = stdout(&scene.tokenwell(["api", "orgs", "--jq", nest]).assert().success());
    assert_eq!(printed.len(), 60_002, "30000 brackets on each side");
}

#[test]
fn an_expression_that_is_nested_deeply_is_compiled_or_refused() {
    let scene = scene_with(&json!({}));

    for part in ["[", "(", "-", "1|", "if .a then ", "try "] {
        let expression = part.repeat(16 * 1024 / part.len());
        let output = scene.tokenwell(["api", "orgs", &format!("--jq={expression}")]).assert().get_output().clone();
        let message = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.code() == Some(2) && message.starts_with("tokenwell: --jq: "), "{part}: {:?}: {message}", output.status);
    }
    let long = ".".repeat(20_000);
    let message = stderr(&scene.tokenwell(["api", "orgs", "--jq", &long]).assert().code(2).stdout(""));
    assert!(message.contains("--jq: the expression is 20000 bytes long; at most 16384 are allowed"), "{message}");
    assert_eq!(scene.emulator.counters().requests, 0);
}

#[cfg(target_os = "linux")]
#[test]
fn a_process_that_may_not_have_a_large_stack_uses_a_smaller_one() {
    let scene = scene_with(&json!({ "a": 1 }));
    let run = |kib: u32| {
        let script = format!("ulimit -v {kib} && exec \"$0\" api orgs --jq .a");
        scene.plain("sh").args(["-c", &script, crate::support::command_path()]).output().unwrap()
    };

    let output = run(700_000);

    assert_eq!((output.status.code(), &output.stdout[..]), (Some(0), &b"1\n"[..]), "{}", String::from_utf8_lossy(&output.stderr));
}
