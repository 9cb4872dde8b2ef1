//! Tokens of dots only, which are harmful to a parser of JWTs.

use crate::support::{Scene, command_path, text};
use serde_json::json;
use std::process::Output;

/// The limit of writable memory of a command in KiB, for the program and its threads. It is less
/// than twice ten megabytes. The system rejects allocations beyond it.
const ENOUGH_MEMORY: usize = 20 * 1024;
const LONGEST: usize = 1024 * 1024 - 100;

/// A server that returns a token of `dots` dots.
fn scene_of(dots: usize) -> Scene {
    let scene = Scene::new();
    let body = json!({"access_token": ".".repeat(dots), "token_type": "Bearer", "expires_in": 3600});
    scene.emulator.set_faults(json!([{"path": "/api/oauth/token", "status": 200, "body": body}])).unwrap();
    scene
}

/// Runs the command with a limit of `memory` KiB.
fn within(memory: usize, scene: &Scene, arguments: &[&str]) -> Output {
    let script = format!("ulimit -d {memory} && exec \"$0\" \"$@\"");
    scene.plain("sh").args(["-c", &script, command_path()]).args(arguments).output().unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn i25_the_longest_token_of_dots_comes_whole_in_every_form_and_in_bounded_memory() {
    let scene = scene_of(LONGEST);
    let dots = ".".repeat(LONGEST);
    let file = scene.path("token");
    // The first token is from the server, the others are from the cache.
    let cases: [(&[&str], String); 8] = [
        (&["token"], format!("{dots}\n")),
        (&["token"], format!("{dots}\n")),
        (&["token", "--format", "curl"], format!("header = \"Authorization: Bearer {dots}\"\n")),
        (&["header"], format!("Authorization: Bearer {dots}\n")),
        (&["env"], format!("export MONGODB_ATLAS_ACCESS_TOKEN='{dots}'\n")),
        (&["env", "--shell", "powershell"], format!("$Env:MONGODB_ATLAS_ACCESS_TOKEN = '{dots}'\n")),
        (
            &["env", "--shell", "dotenv"],
            format!("MONGODB_ATLAS_ACCESS_TOKEN={dots}\nMONGODB_ATLAS_BASE_URL={}\n", scene.emulator.base_url()),
        ),
        (&["sink", "--once", text(&file)], String::new()),
    ];

    for (arguments, expected) in cases {
        let output = within(ENOUGH_MEMORY, &scene, arguments);

        assert!(output.status.success(), "{arguments:?}: {} {}", output.status, said(&output));
        assert!(output.stdout == expected.as_bytes(), "{arguments:?}: {} bytes instead of {}", output.stdout.len(), expected.len());
    }

    assert!(std::fs::read_to_string(&file).unwrap() == dots);
    assert_eq!(scene.emulator.counters().token_requests, 1);
}

#[test]
fn i25_a_token_too_long_for_an_environment_is_a_clear_failure_of_exec() {
    let scene = scene_of(LONGEST);

    let output = within(ENOUGH_MEMORY, &scene, &["exec", "--", "true"]);

    assert_eq!((output.status.code(), output.stdout.len()), (Some(126), 0), "{}", said(&output));
    assert!(said(&output).contains("cannot start `true`") && said(&output).len() < 1000, "{}", said(&output));
}

#[test]
fn i25_ten_megabytes_of_dots_are_not_read_and_cost_less_memory_than_twice_their_size() {
    let scene = scene_of(10 * 1024 * 1024);

    for arguments in [&["token"][..], &["header"], &["env"]] {
        let output = within(ENOUGH_MEMORY, &scene, arguments);

        let said = said(&output);
        assert_eq!((output.status.code(), output.stdout.len()), (Some(5), 0), "{arguments:?}: {said}");
        assert!(said.contains("longer than 1 MiB") && said.len() < 1000, "{arguments:?}: {said}");
    }
}

#[test]
fn i25_less_memory_than_a_token_takes_is_noticed() {
    let output = within(ENOUGH_MEMORY / 5, &scene_of(LONGEST), &["token"]);

    assert!(!output.status.success() && output.stdout.is_empty(), "{} {}", output.status, said(&output));
}
