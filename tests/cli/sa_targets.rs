//! `--to`: what a target that is a file or a command gets, what is refused before anything is created, and
//! what is said when a target fails after that.

use crate::sa::ACCOUNTS;
use crate::sa_changes::{accounts, changes, find, is_valid, read};
use crate::support::{Scene, command_path, json, stderr, stdout, text};
use assert_cmd::assert::Assert;
use serde_json::json;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use tokenwell::emulator::{DEFAULT_CLIENT_SECRET, DEFAULT_ORG_ID};

/// Creates the account `deploy` with these targets.
fn create(scene: &Scene, targets: &[&str]) -> Assert {
    let create = ["sa", "create", "deploy", "--role", "ORG_MEMBER", "--org", DEFAULT_ORG_ID];
    scene.tokenwell([&create[..], targets].concat()).assert()
}

fn mode(scene: &Scene, name: &str) -> u32 {
    std::fs::metadata(scene.path(name)).unwrap().permissions().mode() & 0o7777
}

fn set_mode(scene: &Scene, name: &str, mode: u32) {
    std::fs::set_permissions(scene.path(name), std::fs::Permissions::from_mode(mode)).unwrap();
}

/// The commands in a message, one for each pair of backticks.
fn commands(message: &str) -> Vec<String> {
    let all: Vec<_> = message.split('`').skip(1).step_by(2).filter(|part| part.starts_with("tokenwell ")).collect();
    all.iter().map(|command| (*command).to_owned()).collect()
}

/// Runs a command of a message, as a user who copies it.
fn run_copied(scene: &Scene, command: &str) {
    let consent = if command.contains(" delete ") { " --yes" } else { "" };
    let line = format!("'{}' {}{consent}", command_path(), command.strip_prefix("tokenwell ").unwrap());
    let output = scene.plain("sh").args(["-c", &line]).output().unwrap();
    assert!(output.status.success(), "{command}: {}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn r8_a_command_gets_exactly_the_secret_on_its_standard_input() {
    let scene = Scene::new();
    let program = scene
        .write("store.sh", "cat > got; printenv > environment; printf '%s\\n' \"$0\" \"$@\" > arguments; echo stored; echo note >&2\n");
    let line = format!("stdin-of:sh '{}' 'a b' '$HOME;' x=-", text(&program));

    let assert = create(&scene, &["--to", &line, "-vv"]).success().stdout("");

    let id = find(&scene, "deploy");
    let secret = std::fs::read_to_string(scene.path("got")).unwrap();
    assert!(is_valid(&scene, &id, &secret) && !secret.ends_with('\n'), "without a newline");
    let message = stderr(&assert);
    assert!(message.contains("stored\nnote\n"), "{message}");
    assert_eq!(read(&scene, "arguments"), format!("{}\na b\n$HOME;\nx=-", text(&program)));
    let environment = read(&scene, "environment");
    for hidden in [&*secret, DEFAULT_CLIENT_SECRET] {
        assert!(!environment.contains(hidden) && !message.contains(hidden) && !read(&scene, "arguments").contains(hidden));
    }
    let message = stderr(&scene.tokenwell(["sa", "secret", "add", &id, "--to", &line]).assert().success());
    assert!(message.contains("passed the secret to `sh`") && message.contains("cannot be read back"), "{message}");
}

#[test]
fn r8_a_command_that_fails_is_named_and_the_other_targets_have_the_secret() {
    let cases = [
        ("sh -c 'cat >/dev/null; echo trouble; exit 3'", "`sh` failed: exit status: 3"),
        ("sh -c 'cat >/dev/null; kill -9 $$'", "`sh` failed: signal: 9 (SIGKILL)"),
        ("true", "`true` exited with status 0, but did not read the secret from standard input"),
        ("dd bs=1 count=5 of=/dev/null status=none", "`dd` exited with status 0, but read only a part of the secret"),
        ("cat", "`cat` printed the secret, which is redacted here, and exited with status 0"),
        ("sh -c 'base64 -w0; exit 1'", "`sh` failed: exit status: 1; it printed the secret, which is redacted here"),
    ];
    for (command, problem) in cases {
        let scene = Scene::new();

        let assert = create(&scene, &["--to", &format!("stdin-of:{command}"), "--to", "file:x", "--to", "json:terraform", "-vv"]).code(14);

        let (message, id) = (stderr(&assert), find(&scene, "deploy"));
        let secret = read(&scene, "x");
        assert!(message.contains(problem), "{message}");
        assert!(
            message.contains(&format!("the account {id} and its secret ")) && message.contains("not stored everywhere, only in x"),
            "{message}"
        );
        assert!(is_valid(&scene, &id, &secret) && stdout(&assert).contains(&secret));
        assert!(!message.contains(&secret), "{message}");
        assert_eq!(command.contains("trouble"), message.contains("trouble\n"), "{message}");
    }
}

#[test]
fn r8_a_command_that_hangs_is_terminated_with_what_it_has_started() {
    let scene = Scene::new();
    let program = scene
        .write("hang.sh", "trap '' TERM\nsh -c 'echo $$ > inner; exec sleep 600' &\necho $$ > outer\ncat >/dev/null\nwait\nsleep 600\n");
    let line = format!("stdin-of:sh '{}'", text(&program));

    let message = stderr(&create(&scene, &["--to", &line, "--to", "file:x", "--command-timeout", "500ms"]).code(14));

    assert!(message.contains("`sh` did not exit within 500 ms and was terminated"), "{message}");
    assert!(is_valid(&scene, &find(&scene, "deploy"), &read(&scene, "x")));
    for name in ["inner", "outer"] {
        let pid: i32 = read(&scene, name).parse().unwrap();
        crate::support::until("the end of the command", || nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), None).err());
    }
}

#[test]
fn r8_an_interrupted_command_is_a_failed_target() {
    let scene = Scene::new();
    let program = scene.write("wait.sh", "cat >/dev/null\n: > begun\nsleep 600\n");
    let mut command = scene.plain(command_path());
    command.args(["sa", "create", "deploy", "--role", "ORG_MEMBER", "--to", &format!("stdin-of:sh '{}'", text(&program))]);
    let child = command.stderr(std::process::Stdio::piped()).spawn().unwrap();
    crate::support::until("the command", || scene.path("begun").exists().then_some(()));

    nix::sys::signal::kill(nix::unistd::Pid::from_raw(i32::try_from(child.id()).unwrap()), nix::sys::signal::Signal::SIGINT).unwrap();
    let output = child.wait_with_output().unwrap();

    let message = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(15), "{message}");
    assert!(message.contains("was terminated because tokenwell was interrupted") && message.contains("stored nowhere"), "{message}");
}

#[test]
fn r9_the_commands_of_the_message_lead_to_a_secret_that_all_targets_have() {
    // The command fails once.
    let program = "cat > got; [ -e again ] || { : > again; exit 1; }\n";
    for other in [None, Some("file:the other")] {
        for is_new in [true, false] {
            let scene = Scene::new();
            let line = format!("stdin-of:sh '{}'", text(&scene.write("store.sh", program)));
            let targets: Vec<_> = ["--to", &line].into_iter().chain(other.into_iter().flat_map(|other| ["--to", other])).collect();
            let assert = if is_new {
                create(&scene, &targets)
            } else {
                create(&scene, &["--to", "file:first", "-q"]).success();
                let id = find(&scene, "deploy");
                scene.tokenwell([&["sa", "secret", "add", &id, "--org", DEFAULT_ORG_ID][..], &targets].concat()).assert()
            };
            let message = stderr(&assert.code(if other.is_some() { 14 } else { 15 }));
            let lost = read(&scene, "got");
            assert!(
                !message.contains(&lost) && message.contains("it") && other.is_some() != message.contains("stored nowhere"),
                "{message}"
            );

            let ways = commands(&message);
            assert_eq!(ways.len(), 2, "{message}");
            ways.iter().for_each(|way| run_copied(&scene, way));

            let id = find(&scene, "deploy");
            let stored = std::fs::read_to_string(scene.path("got")).unwrap();
            assert!(stored != lost && is_valid(&scene, &id, &stored) && !is_valid(&scene, &id, &lost), "{message}");
            assert!(other.is_none() || read(&scene, "the other") == stored);
            let secrets = accounts(&scene)[0]["secrets"].as_array().unwrap().len();
            assert_eq!(secrets, if is_new { 1 } else { 2 }, "{message}");
        }
    }
}

#[test]
fn r8_the_access_list_is_set_although_a_target_fails() {
    let scene = Scene::new();

    let message = stderr(&create(&scene, &["--to", "stdin-of:false", "--access", "192.0.2.1"]).code(15));

    assert!(message.contains("added 192.0.2.1 to its access list") && message.contains("`false` failed: exit status: 1"), "{message}");
    let scene = Scene::new();
    scene.emulator.set_faults(json!([{ "path": format!("{ACCOUNTS}/*"), "method": "POST", "status": 500 }])).unwrap();
    let message = stderr(&create(&scene, &["--to", "stdin-of:false", "--access", "192.0.2.1"]).code(15));
    assert!(
        message.contains("warning: ") && message.contains("its access list is empty") && message.contains("stored nowhere"),
        "{message}"
    );
}

#[test]
fn r8_an_error_as_json_has_the_end_of_the_output_of_a_command() {
    let scene = Scene::new();

    let assert = create(&scene, &["--to", "stdin-of:sh -c 'cat; echo why; exit 1'", "--json", "-q"]).code(15);

    let message = stderr(&assert);
    let error: serde_json::Value = serde_json::from_str(&message).unwrap();
    assert_eq!((&error["error"]["code"], &error["error"]["exit_code"]), (&json!("HALF_DONE"), &json!(15)));
    assert!(message.contains("its output ends with: [redacted]why"), "{message}");
    let partly = stderr(&create(&scene, &["--to", "stdin-of:false", "--to", "file:x", "--json", "-q"]).code(14));
    assert!(partly.contains("\"TARGET_FAILED\""), "{partly}");
}

#[test]
fn r8_what_can_be_known_before_is_an_error_before_anything_is_created() {
    let scene = Scene::new();
    std::fs::create_dir(scene.path("directory")).unwrap();
    scene.write("plain", "not a program");
    scene.write("open", "old\n");
    set_mode(&scene, "open", 0o640);
    symlink("b", scene.path("a")).unwrap();
    symlink("a", scene.path("b")).unwrap();
    let cases = [
        ("stdin-of:nowhere-to-be-found --x", 2, "--to stdin-of: the program `nowhere-to-be-found` does not exist"),
        ("stdin-of:./plain", 2, "the program `./plain` is not executable"),
        ("stdin-of:./directory", 2, "the program `./directory` does not exist"),
        ("stdin-of:sh 'a", 2, "`sh 'a` is not a command line"),
        ("stdin-of:''", 2, "is not a command line"),
        ("file:missing/x", 10, "Create the directory missing"),
        ("file:plain/x", 10, "cannot write `plain/x`"),
        ("file:/proc/x", 10, "cannot write `/proc/x`"),
        ("file:directory", 8, "is a directory"),
        ("file:/dev/full", 8, "/dev/full"),
        ("file:a", 8, "too many symbolic links"),
    ];
    for (target, code, problem) in cases {
        let message = stderr(&create(&scene, &["--to", "file:y", "--to", target]).code(code).stdout(""));
        assert!(message.contains(problem), "{target}: {message}");
    }
    // The limit takes the place of a full disk, also of one on which an empty file can be created.
    for target in ["file:x", "profile:x"] {
        let line = format!("trap '' XFSZ; ulimit -f 0; exec '{}' sa create deploy --role ORG_MEMBER --to {target}", command_path());
        let output = scene.plain("sh").args(["-c", &line]).output().unwrap();
        let message = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.code() == Some(10) && message.contains("ile too large"), "{target}: {message}");
    }
    let line = format!("exec '{}' sa create deploy --role ORG_MEMBER --to json:terraform >&-", command_path());
    let output = scene.plain("sh").args(["-c", &line]).output().unwrap();
    assert_eq!(output.status.code(), Some(10), "{}", String::from_utf8_lossy(&output.stderr));

    assert_eq!(changes(&scene), 0);
    let left: Vec<_> = ["x", "y"].iter().filter(|name| scene.path(name).exists()).collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn r12_a_file_keeps_its_links_its_mode_and_its_owner() {
    let scene = Scene::new();
    std::fs::create_dir(scene.path("secrets")).unwrap();
    symlink("secrets/inner", scene.path("link")).unwrap();
    symlink("deploy", scene.path("secrets/inner")).unwrap();
    create(&scene, &["--to", "file:link"]).success();
    let id = find(&scene, "deploy");
    let add = |target: &str| scene.tokenwell(["sa", "secret", "add", &id, "--to", target]).assert();
    let delete = || {
        let secrets = json(&scene.tokenwell(["sa", "secret", "list", &id, "--json"]).assert().success());
        let newest = secrets.as_array().unwrap().last().unwrap()["id"].as_str().unwrap().to_owned();
        scene.tokenwell(["sa", "secret", "delete", &id, &newest, "--yes"]).assert().success();
    };
    let first = read(&scene, "secrets/deploy");
    assert!(is_valid(&scene, &id, &first) && mode(&scene, "secrets/deploy") == 0o600);

    set_mode(&scene, "secrets/deploy", 0o400);
    add("file:link").success();
    for link in ["link", "secrets/inner"] {
        assert!(std::fs::symlink_metadata(scene.path(link)).unwrap().is_symlink(), "{link}");
    }
    assert!(is_valid(&scene, &id, &read(&scene, "secrets/deploy")) && read(&scene, "link") != first);
    assert_eq!(mode(&scene, "secrets/deploy"), 0o400);

    delete();
    let before = changes(&scene);
    for wide in [0o640, 0o604, 0o620, 0o700, 0o4600] {
        set_mode(&scene, "secrets/deploy", wide);
        let message = stderr(&add("file:link").code(8));
        assert!(message.contains(&format!("has the mode {wide:04o}")) && message.contains("`chmod 600 link`"), "{message}");
    }
    assert_eq!(changes(&scene), before);

    set_mode(&scene, "secrets/deploy", 0o600);
    if nix::unistd::geteuid().is_root() {
        std::os::unix::fs::chown(scene.path("secrets/deploy"), Some(12345), Some(12346)).unwrap();
        add("file:link").success();
        let found = std::fs::metadata(scene.path("secrets/deploy")).unwrap();
        assert_eq!((found.uid(), found.gid()), (12345, 12346));
        delete();
        // Another user could lead the secret to any file.
        std::os::unix::fs::lchown(scene.path("link"), Some(12345), None).unwrap();
        let message = stderr(&add("file:link").code(8));
        assert!(message.contains("is a symbolic link of another user"), "{message}");
    }
    assert_eq!(std::fs::read_dir(scene.path("secrets")).unwrap().count(), 2, "no temporary file");
}

#[cfg(target_os = "linux")]
#[test]
fn r12_a_file_that_was_mounted_by_itself_is_refused_before_anything_is_created() {
    let scene = Scene::new();
    create(&scene, &["--to", "file:first"]).success();
    let id = find(&scene, "deploy");
    scene.private("mounted here", "old\n");
    scene.private("other", "other\n");
    let before = changes(&scene);
    let line = format!(
        "mount --bind other 'mounted here' || exit 77; '{0}' sa secret add {id} --to 'file:mounted here'; a=$?; '{0}' sink 'mounted here' --once; echo $a $?",
        command_path()
    );

    let output = scene.plain("unshare").args(["--user", "--map-root-user", "--mount", "sh", "-c", &line]).output().unwrap();

    let (out, message) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    if output.status.success() {
        assert_eq!(out, "8 8\n", "{message}");
        assert_eq!(message.matches("`mounted here` is a mount of its own").count(), 2, "{message}");
        assert!(message.contains("Mount the directory of the file instead"), "{message}");
    } else {
        // Not every container may mount. Then nothing but that may have failed.
        assert!(message.contains("unshare") || output.status.code() == Some(77), "{message}");
    }
    assert_eq!((changes(&scene), read(&scene, "other").as_str()), (before, "other"));
}
