//! The prompt for the secret, on a pseudo-terminal of the test.

use crate::support::{Scene, command_path, until};
use nix::pty::openpty;
use nix::sys::signal::{Signal, kill};
use nix::sys::termios::{LocalFlags, tcgetattr};
use nix::unistd::Pid;
use std::fs::File;
use std::io::{Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use tokenwell::emulator::{DEFAULT_CLIENT_ID, DEFAULT_CLIENT_SECRET};

/// `login` in a separate session whose terminal is controlled by the test.
struct Login {
    child: Child,
    terminal: File,
    shown: Arc<Mutex<Vec<u8>>>,
}

impl Login {
    /// Starts the command and waits for the prompt.
    fn start(scene: &Scene) -> Self {
        Self::start_with(scene, &["--client-id", DEFAULT_CLIENT_ID], "Client secret")
    }

    fn start_with(scene: &Scene, arguments: &[&str], question: &str) -> Self {
        let arguments: Vec<_> = ["login"].into_iter().chain(arguments.iter().copied()).collect();
        Self::start_command(scene, &arguments, question, Stdio::null())
    }

    fn start_command(scene: &Scene, arguments: &[&str], question: &str, stdout: Stdio) -> Self {
        let pair = openpty(None, None).unwrap();
        let (terminal, theirs) = (File::from(pair.master), File::from(pair.slave));
        let mut command = scene.plain("setsid");
        command.args(["--ctty", command_path()]).args(arguments);
        command.env_remove("MONGODB_ATLAS_CLIENT_ID").env_remove("MONGODB_ATLAS_CLIENT_SECRET");
        command.stdin(theirs.try_clone().unwrap()).stdout(stdout).stderr(theirs);
        let child = command.spawn().expect("setsid is missing: install it (util-linux), these tests need a terminal");
        drop(command);
        let shown = Arc::new(Mutex::new(Vec::new()));
        let (mut reader, sink) = (terminal.try_clone().unwrap(), Arc::clone(&shown));
        // The read fails once the other side is closed.
        std::thread::spawn(move || {
            let mut buffer = [0; 1024];
            while let Ok(count @ 1..) = reader.read(&mut buffer) {
                sink.lock().unwrap().extend_from_slice(&buffer[..count]);
            }
        });
        let login = Self { child, terminal, shown };
        until("the question", || login.shown().contains(question).then_some(()));
        login
    }

    fn shown(&self) -> String {
        String::from_utf8_lossy(&self.shown.lock().unwrap()).into_owned()
    }

    fn type_in(&self, text: &str) {
        (&self.terminal).write_all(text.as_bytes()).unwrap();
    }

    fn shows_what_is_typed(&self) -> bool {
        tcgetattr(&self.terminal).unwrap().local_flags.contains(LocalFlags::ECHO)
    }

    fn end(&mut self) -> ExitStatus {
        until("the end", || self.child.try_wait().unwrap())
    }
}

impl Drop for Login {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn i21_the_secret_is_not_shown_and_what_comes_after_it_is() {
    let scene = Scene::new();
    let mut login = Login::start(&scene);
    assert!(!login.shows_what_is_typed());

    login.type_in(&format!("{DEFAULT_CLIENT_SECRET}\n"));

    assert!(login.end().success(), "{}", login.shown());
    assert!(login.shows_what_is_typed());
    until("the message", || login.shown().contains("added profile default").then_some(()));
    assert!(!login.shown().contains(DEFAULT_CLIENT_SECRET), "{}", login.shown());
    let mut kept = std::fs::read_dir(scene.path("config/tokenwell/secrets")).unwrap();
    assert_eq!(std::fs::read_to_string(kept.next().unwrap().unwrap().path()).unwrap(), DEFAULT_CLIENT_SECRET);
}

#[test]
fn n8_a_flag_that_reads_the_secret_prompts_on_a_terminal_without_echo() {
    let scene = Scene::new();
    let arguments = ["token", "--client-id", DEFAULT_CLIENT_ID, "--client-secret-stdin"];
    let token = scene.path("token");
    let mut login = Login::start_command(&scene, &arguments, "Client secret", File::create(&token).unwrap().into());
    assert!(!login.shows_what_is_typed());

    login.type_in(&format!("{DEFAULT_CLIENT_SECRET}\n"));

    assert!(login.end().success(), "{}", login.shown());
    assert!(login.shows_what_is_typed() && !login.shown().contains(DEFAULT_CLIENT_SECRET), "{}", login.shown());
    assert!(crate::support::is_token(std::fs::read_to_string(&token).unwrap().trim_end()));
}

#[test]
fn ctrl_c_at_the_prompt_ends_the_process_and_restores_the_terminal() {
    let scene = Scene::new();
    let mut login = Login::start(&scene);

    login.type_in("half a sec\u{3}");

    assert_eq!(login.end().signal(), Some(Signal::SIGINT as i32), "{}", login.shown());
    assert!(login.shows_what_is_typed());
    assert!(!scene.path("config/tokenwell/config.toml").exists());
}

#[test]
fn each_terminating_signal_restores_the_terminal() {
    let scene = Scene::new();

    for signal in [Signal::SIGTERM, Signal::SIGHUP, Signal::SIGQUIT] {
        let mut login = Login::start(&scene);
        assert!(!login.shows_what_is_typed());

        kill(Pid::from_raw(login.child.id().try_into().unwrap()), signal).unwrap();

        assert_eq!(login.end().signal(), Some(signal as i32), "{}", login.shown());
        assert!(login.shows_what_is_typed(), "{signal}");
    }
}

#[test]
fn an_empty_line_is_not_a_secret() {
    let scene = Scene::new();
    let mut login = Login::start(&scene);

    login.type_in("\n");

    assert_eq!(login.end().code(), Some(3), "{}", login.shown());
    assert!(login.shows_what_is_typed());
}

#[test]
fn a_line_that_is_too_long_for_a_terminal_is_an_error() {
    let scene = Scene::new();
    let mut login = Login::start(&scene);

    login.type_in(&format!("{}\n", "s".repeat(5000)));

    assert_eq!(login.end().code(), Some(3), "{}", login.shown());
    // The message is wrapped to the terminal.
    let words = || login.shown().split_whitespace().collect::<Vec<_>>().join(" ");
    until("the reason", || words().contains("longer than the line limit of a terminal").then_some(()));
}

#[test]
fn n13_enter_at_the_client_id_asks_for_nothing_else() {
    let scene = Scene::new();
    let mut login = Login::start_with(&scene, &[], "Client id");

    login.type_in("\n");

    assert_eq!(login.end().code(), Some(3), "{}", login.shown());
    until("the reason", || login.shown().contains("no client id was entered").then_some(()));
    assert!(!login.shown().contains("--client-secret-stdin") && !login.shown().contains("Client secret"), "{}", login.shown());
}

#[test]
fn n13_ctrl_z_stops_the_command_and_the_prompt_comes_back() {
    let scene = Scene::new();
    let mut login = Login::start(&scene);
    let process = Pid::from_raw(login.child.id().try_into().unwrap());

    login.type_in("half a sec\u{1a}");
    until("the stop", || is_stopped(process).then_some(()));
    assert!(login.shows_what_is_typed());
    let asked = login.shown().matches("Client secret").count();
    kill(process, Signal::SIGCONT).unwrap();

    until("the question", || (login.shown().matches("Client secret").count() > asked).then_some(()));
    assert!(!login.shows_what_is_typed());
    login.type_in(&format!("{DEFAULT_CLIENT_SECRET}\n"));
    assert!(login.end().success(), "{}", login.shown());
    assert!(login.shows_what_is_typed());
    assert!(!login.shown().contains("half"), "{}", login.shown());
}

fn is_stopped(process: Pid) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
    status.rsplit_once(") ").unwrap().1.starts_with('T')
}

#[test]
fn n35_a_profile_is_replaced_only_after_a_yes() {
    let scene = Scene::new();
    let other = ["--client-id", "mdb_sa_id_0000000000000000000000aa", "--no-verify"];
    scene.write_profile(&format!("[default]\nclient_id = '{DEFAULT_CLIENT_ID}'\nbase_url = 'https://old.example'\n"));

    let mut login = Login::start_with(&scene, &other, "Replace it? [y/N]");
    assert!(login.shown().contains("https://old.example") && login.shown().contains(scene.emulator.base_url()), "{}", login.shown());
    login.type_in("n\n");
    assert_eq!(login.end().code(), Some(8), "{}", login.shown());

    let mut login = Login::start_with(&scene, &other, "Replace it? [y/N]");
    login.type_in("y\n");
    until("the prompt", || login.shown().contains("Client secret").then_some(()));
    login.type_in("a secret\n");
    assert!(login.end().success(), "{}", login.shown());
    assert!(std::fs::read_to_string(scene.path("config/tokenwell/config.toml")).unwrap().contains("0000aa"));
}

#[test]
fn messages_name_the_prompts_and_not_flags_that_were_not_used() {
    let scene = Scene::new();
    let mut login = Login::start_with(&scene, &[], "Client id");
    login.type_in(&format!("{DEFAULT_CLIENT_ID}\n"));
    until("the second question", || login.shown().contains("Client secret").then_some(()));
    login.type_in("wrong\n");

    assert_eq!(login.end().code(), Some(4), "{}", login.shown());

    let shown = login.shown().replace("\r\n", " ").split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(shown.contains("id from the prompt for the client id, secret from the prompt for the secret"), "{shown}");
    assert!(!shown.contains("--client-id") && !shown.contains("--client-secret"), "{shown}");
}
