//! What a process has in memory is not written to disk and not read by others: the command sees to it, the library leaves it to its program.

use crate::support::{PATIENCE, Scene, TOKENWELL, is_token, text, until};
use nix::sys::prctl::get_dumpable;
use nix::sys::resource::{Resource, getrlimit};
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use tokenwell::{Client, Config, TokenOptions};

/// The number of a user to whom root can give things away.
const NOBODY: u32 = 65_534;

/// In the environment of a child that plays a test's other part.
const CHILD: &str = "TOKENWELL_TEST_OF_THE_LIBRARY";

/// A program that may write core files as large as the system lets it, at first.
const MAY_DUMP_CORE: &str = "ulimit -Sc $(ulimit -Hc) && exec \"$0\" \"$@\"";

/// A process that ends with the test.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Process {
    /// Of a user who is not root, where there is a choice: everything of root's looks alike.
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

    /// The system gives what it tells of a process that may not be dumped to root.
    fn is_dumpable(&self) -> bool {
        let owner = fs::metadata(self.file("status")).unwrap().uid();
        assert!(owner == 0 || owner == fs::metadata(self.file("")).unwrap().uid(), "owned by {owner}");
        owner != 0
    }

    /// Whether it is `program` by now, and no longer the shell.
    fn is(&self, program: &str) -> bool {
        fs::read_to_string(self.file("cmdline")).is_ok_and(|line| line.split('\0').next() == Some(program))
    }
}

/// The command where a user who is not root finds it, in a folder in which that user may write.
fn command_for_anybody(scene: &Scene) -> String {
    if !nix::unistd::geteuid().is_root() {
        return TOKENWELL.to_owned();
    }
    let copy = scene.path("tokenwell-for-anybody");
    // Not by this process: a child that another test starts meanwhile would hold the copy open for writing, and such a file cannot be run.
    assert!(Command::new("cp").args([TOKENWELL, text(&copy)]).status().unwrap().success());
    fs::set_permissions(&copy, fs::Permissions::from_mode(0o755)).unwrap();
    chown(scene.path(""), Some(NOBODY), Some(NOBODY)).unwrap();
    text(&copy).to_owned()
}

#[test]
fn i24_a_waiting_sink_leaves_no_core_file_and_cannot_be_read_by_others() {
    let scene = Scene::new();
    let program = command_for_anybody(&scene);
    let file = scene.path("token");
    // Proof that the system tells the difference.
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

    // In a process of its own, whose limit was raised before it began.
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
