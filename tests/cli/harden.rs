//! The memory of the command is protected against core files and other processes. The library
//! leaves that to its program.

use crate::support::{PATIENCE, Scene, command_path, is_token, text, until};
use nix::sys::prctl::get_dumpable;
use nix::sys::resource::{Resource, getrlimit};
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use tokenwell::{Client, Config, TokenOptions};

/// The id of a user without privileges.
const NOBODY: u32 = 65_534;

/// Set in the environment of a child process that runs the second part of a test.
const CHILD: &str = "TOKENWELL_TEST_OF_THE_LIBRARY";

/// Raises the soft limit of core files to the hard limit and starts a program.
const MAY_DUMP_CORE: &str = "ulimit -Sc $(ulimit -Hc) && exec \"$0\" \"$@\"";

/// A process that is killed at the end of the test.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Process {
    /// Starts the process as a user other than root, if possible: files of root do not show the
    /// difference.
    fn start(scene: &Scene, program: &str, arguments: &[&str]) -> Self {
        let mut command = scene.plain("sh");
        command.args(["-c", MAY_DUMP_CORE, program]).args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        if nix::unistd::geteuid().is_root() {
            command.uid(NOBODY).gid(NOBODY);
        }
        Self(command.spawn().unwrap())
    }

    fn file(&self, name: &str) -> String {
        format!("/proc/{}/{name}", self.0.id())
    }

    /// The soft limit of core files.
    fn core_limit(&self) -> String {
        let limits = fs::read_to_string(self.file("limits")).unwrap();
        let line = limits.lines().find_map(|line| line.strip_prefix("Max core file size")).unwrap();
        line.split_whitespace().next().unwrap().to_owned()
    }

    /// The kernel makes root the owner of the /proc files of a process that is not dumpable.
    fn is_dumpable(&self) -> bool {
        let owner = fs::metadata(self.file("status")).unwrap().uid();
        assert!(owner == 0 || owner == fs::metadata(self.file("")).unwrap().uid(), "owned by {owner}");
        owner != 0
    }

    /// Whether the process is already `program` and no longer the shell.
    fn is(&self, program: &str) -> bool {
        fs::read_to_string(self.file("cmdline")).is_ok_and(|line| line.split('\0').next() == Some(program))
    }
}

/// The command at a path that a user other than root can read, in a directory that this user can
/// write to.
fn command_for_anybody(scene: &Scene) -> String {
    if !nix::unistd::geteuid().is_root() {
        return command_path().to_owned();
    }
    let copy = scene.path("tokenwell-for-anybody");
    // Copied by another process: a child of a concurrent test would inherit the open file, and a
    // file that is open for writing cannot be executed.
    assert!(Command::new("cp").args([command_path(), text(&copy)]).status().unwrap().success());
    fs::set_permissions(&copy, fs::Permissions::from_mode(0o755)).unwrap();
    chown(scene.path(""), Some(NOBODY), Some(NOBODY)).unwrap();
    text(&copy).to_owned()
}

#[test]
fn i24_a_waiting_sink_leaves_no_core_file_and_cannot_be_read_by_others() {
    let scene = Scene::new();
    let program = command_for_anybody(&scene);
    let file = scene.path("token");
    // Proves that the system shows the difference.
    let another = Process::start(&scene, "sleep", &["600"]);
    until("another program", || another.is("sleep").then_some(()));
    assert!(another.is_dumpable());

    let sink = Process::start(&scene, &program, &["sink", text(&file)]);
    until("the token", || fs::read_to_string(&file).ok().filter(|content| is_token(content)));

    assert!(sink.is(&program));
    assert!(!sink.is_dumpable());
    assert_eq!(sink.core_limit(), "0", "while another program may write {}", another.core_limit());
}

#[test]
fn i24_the_library_changes_neither_the_limit_of_core_files_nor_who_may_read_the_process() {
    if std::env::var_os(CHILD).is_some() {
        return use_the_library();
    }
    const THIS: &str = "harden::i24_the_library_changes_neither_the_limit_of_core_files_nor_who_may_read_the_process";

    // In a separate process, whose limit was raised before its start.
    let mut command = Command::new("sh");
    command.args(["-c", MAY_DUMP_CORE]).arg(std::env::current_exe().unwrap()).args(["--exact", THIS]).env(CHILD, "1");
    let output = assert_cmd::Command::from_std(command).timeout(PATIENCE).output().unwrap();

    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
}

fn use_the_library() {
    let scene = Scene::new();
    let of_this_process = || (getrlimit(Resource::RLIMIT_CORE).unwrap(), get_dumpable().unwrap());
    let before = of_this_process();
    assert!(before.1 && before.0.0 == before.0.1, "a change would show: {before:?}");

    let builder = Config::builder().client_id(scene.emulator.client_id()).client_secret(scene.emulator.client_secret());
    let client = Client::new(builder.base_url(scene.emulator.base_url()).cache_dir(scene.path("cache")).build().unwrap()).unwrap();
    let token = client.token(&TokenOptions::default()).unwrap();
    assert_eq!(of_this_process(), before, "after a get");
    client.invalidate(token.value()).unwrap();
    client.token(&TokenOptions::default()).unwrap();
    client.revoke(None).unwrap();
    client.close();

    assert_eq!(of_this_process(), before);
}
