//! The system calls of a cached `token`: no connection, and only the required files.

use crate::support::{Scene, command_path, is_token, text};
use std::path::Path;
use tokenwell::emulator::{Certificate, EmulatorOptions};

/// Returns the system calls of all threads of `tokenwell token`, and checks its output.
fn system_calls(scene: &Scene, which: &str) -> Vec<String> {
    let trace = scene.path("trace");
    let output = scene
        .plain("strace")
        .args(["-f", "-qq", "-s", "4096", "-e", which, "-o", text(&trace), command_path(), "token"])
        .output()
        .expect("strace is missing: install it, these tests watch the command through it");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(is_token(String::from_utf8(output.stdout).unwrap().trim_end()));
    // A thread that is still running at the exit of the process leaves a line without a call:
    // "24011 ???( <detached ...>".
    let is_call = |line: &&str| !line.ends_with("???( <detached ...>");
    std::fs::read_to_string(&trace).unwrap().lines().filter(is_call).map(str::to_owned).collect()
}

#[test]
fn i7_a_token_from_the_cache_opens_no_socket() {
    let scene = Scene::new();
    // Proves that the trace shows a socket: the first token is not from the cache.
    let cold = system_calls(&scene, "trace=%network");
    assert!(cold.iter().any(|call| call.contains("connect(")), "{cold:?}");
    let before = scene.emulator.counters();

    let warm = system_calls(&scene, "trace=%network");

    assert_eq!(warm, Vec::<String>::new());
    let after = scene.emulator.counters();
    assert_eq!((after.connections, after.requests), (before.connections, before.requests));
}

#[test]
fn a_cached_token_opens_only_the_profile_file_and_the_record() {
    let scene = Scene::with(EmulatorOptions { certificate: Some(Certificate::Loopback), ..EmulatorOptions::default() });
    let authority = scene.write("authority.pem", scene.emulator.ca_pem().unwrap());
    // The trusted authorities are not part of the cache key. So the token below is available
    // without the file, but only from the cache.
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

/// Whether the dynamic loader or the standard library opens this file for every program.
fn is_for_any_program(path: &str) -> bool {
    let name = Path::new(path).file_name().unwrap_or_default().to_string_lossy();
    name == "ld.so.cache" || name.contains(".so.") || path.starts_with("/proc/self/") || path.starts_with("/sys/")
}
