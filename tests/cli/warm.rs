//! What a `token` from the cache does, as the system sees it: no connection, and no file but those that are needed.

use crate::support::{Scene, TOKENWELL, is_token, text};
use std::path::Path;
use tokenwell::emulator::{Certificate, EmulatorOptions};

/// The system calls of `tokenwell token`, of every thread. Its answer is checked on the way.
fn system_calls(scene: &Scene, which: &str) -> Vec<String> {
    let trace = scene.path("trace");
    let output = scene
        .plain("strace")
        .args(["-f", "-qq", "-s", "4096", "-e", which, "-o", text(&trace), TOKENWELL, "token"])
        .output()
        .expect("strace is missing: install it, these tests watch the command through it");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(is_token(String::from_utf8(output.stdout).unwrap().trim_end()));
    // A thread that the end of the process has overtaken leaves a line without a call: "24011 ???( <detached ...>".
    let is_call = |line: &&str| !line.ends_with("???( <detached ...>");
    std::fs::read_to_string(&trace).unwrap().lines().filter(is_call).map(str::to_owned).collect()
}

#[test]
fn i7_a_token_from_the_cache_opens_no_socket() {
    let scene = Scene::new();
    // Proof that the trace would show one: the first token is not from the cache.
    let cold = system_calls(&scene, "trace=%network");
    assert!(cold.iter().any(|call| call.contains("connect(")), "{cold:?}");
    let before = scene.emulator.counters();

    let warm = system_calls(&scene, "trace=%network");

    assert_eq!(warm, Vec::<String>::new());
    let after = scene.emulator.counters();
    assert_eq!((after.connections, after.requests), (before.connections, before.requests));
}

#[test]
fn a_token_from_the_cache_opens_no_file_but_the_profiles_and_the_record() {
    let scene = Scene::with(EmulatorOptions { certificate: Some(Certificate::Loopback), ..EmulatorOptions::default() });
    let authority = scene.write("authority.pem", scene.emulator.ca_pem().unwrap());
    // Whom to trust is no part of what a token is kept under, so this one can be had below without the file: from the cache, or not at all.
    scene.tokenwell(["token", "--ca-file", text(&authority)]).assert().success();

    let calls = system_calls(&scene, "trace=open,openat,openat2,creat");

    let opened: Vec<&str> = calls.iter().filter_map(|call| call.split('"').nth(1)).filter(|path| !is_for_any_program(path)).collect();
    let [profiles, cache, record] = opened[..] else { panic!("{opened:?}") };
    assert_eq!(profiles, text(&scene.path("config/tokenwell/config.toml")));
    assert_eq!(cache, text(&scene.path("cache/tokenwell")));
    assert!(record.ends_with(".token"), "{record}");
    let written: Vec<&String> =
        calls.iter().filter(|call| ["O_WRONLY", "O_RDWR", "O_CREAT", "creat("].iter().any(|flag| call.contains(flag))).collect();
    assert_eq!(written, Vec::<&String>::new());
}

#[test]
fn i28_a_token_starts_no_program() {
    let scene = Scene::new();

    for temperature in ["cold", "warm"] {
        let calls = system_calls(&scene, "trace=execve,execveat,fork,vfork");
        assert_eq!(calls.len(), 1, "{temperature}: {calls:?}");
    }
}

/// Whether the system's loader or the standard library opens it for any program.
fn is_for_any_program(path: &str) -> bool {
    let name = Path::new(path).file_name().unwrap_or_default().to_string_lossy();
    name == "ld.so.cache" || name.contains(".so.") || path.starts_with("/proc/self/") || path.starts_with("/sys/")
}
