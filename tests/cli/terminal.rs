//! Output on a terminal: wrapped, and colored where the user wants it.

use crate::support::{Scene, command_path, until};
use nix::pty::{Winsize, openpty};
use std::fs::File;
use std::io::Read;
use std::os::unix::net::UnixDatagram;
use std::process::Stdio;

/// Runs the command with both outputs on a terminal of this width, and returns what it shows.
pub fn shown(scene: &Scene, arguments: &[&str], columns: u16, variables: &[(&str, &str)]) -> String {
    let mut command = scene.plain(command_path());
    command.args(arguments).envs(variables.iter().copied());
    on_terminal(command, columns)
}

/// Like [`shown`], for any command.
pub fn on_terminal(mut command: std::process::Command, columns: u16) -> String {
    let size = Winsize { ws_row: 24, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
    let pair = openpty(Some(&size), None).unwrap();
    let (mut terminal, theirs) = (File::from(pair.master), File::from(pair.slave));
    command.env("TERM", "xterm");
    command.stdin(Stdio::null()).stdout(theirs.try_clone().unwrap()).stderr(theirs);
    let mut child = command.spawn().unwrap();
    drop(command);
    // Read while it runs: a terminal holds 4 KiB. The read fails once the other side is closed.
    let reader = std::thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = terminal.read_to_end(&mut bytes);
        bytes
    });
    until("the end of the command", || child.try_wait().unwrap());
    String::from_utf8(reader.join().unwrap()).unwrap().replace("\r\n", "\n")
}

const WRONG: [&str; 3] = ["token", "--client-id", "a"];

#[test]
fn an_error_is_wrapped_to_the_terminal_and_nowhere_else() {
    let scene = Scene::new();
    let plain = String::from_utf8(scene.tokenwell(WRONG).output().unwrap().stderr).unwrap();
    let narrow = shown(&scene, &WRONG, 50, &[("NO_COLOR", "1")]);

    assert!(plain.lines().any(|line| line.len() > 80), "{plain}");
    assert!(narrow.lines().count() > plain.lines().count(), "{narrow}");
    let words = |message: &str| message.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(words(&narrow), words(&plain));
    let hint: Vec<_> = narrow.lines().skip_while(|line| !line.starts_with("  hint: ")).skip(1).collect();
    assert!(hint.iter().all(|line| line.starts_with("        ")), "{narrow}");
}

#[test]
fn colors_are_on_a_terminal_only_and_the_user_decides() {
    let scene = Scene::new();
    let has_color = |arguments: &[&str], variables: &[(&str, &str)]| shown(&scene, arguments, 80, variables).contains('\u{1b}');

    for arguments in [&["token", "--nonsense"][..], &["token", "--help"]] {
        let with = |more: &[&'static str]| arguments.iter().copied().chain(more.iter().copied()).collect::<Vec<_>>();
        assert!(has_color(arguments, &[]), "{arguments:?}");
        assert!(!has_color(arguments, &[("NO_COLOR", "1")]), "{arguments:?}");
        assert!(!has_color(&with(&["--color", "never"]), &[]), "{arguments:?}");
        assert!(!has_color(&with(&["--color=never"]), &[("CLICOLOR_FORCE", "1")]), "{arguments:?}");
        assert!(has_color(&with(&["--color=always"]), &[("NO_COLOR", "1")]), "{arguments:?}");
    }
    let forced = |arguments: &[&'static str]| {
        let output = scene.tokenwell(arguments.iter().copied()).env("CLICOLOR_FORCE", "1").output().unwrap();
        output.stderr.contains(&0x1b) || output.stdout.contains(&0x1b)
    };
    assert!(forced(&["token", "--nonsense"]) && forced(&["--help"]) && !forced(&["token"]));
}

#[test]
fn the_output_that_programs_read_never_has_a_color() {
    let scene = Scene::new();
    scene.tokenwell(["token"]).assert().success();

    for arguments in [
        &["token", "--color", "always"][..],
        &["env", "--color", "always"],
        &["header", "--color", "always"],
        &["status", "--json", "--color", "always"],
    ] {
        assert!(!shown(&scene, arguments, 80, &[]).contains('\u{1b}'), "{arguments:?}");
    }
}

/// A reader such as `grep -q` exits at its first match. If more came after that, the command would
/// fail now and then. A datagram socket shows each write separately.
#[test]
fn n38_a_result_is_written_with_one_call() {
    let scene = Scene::new();
    scene.tokenwell(["token"]).assert().success();

    for arguments in [&["status"][..], &["doctor"], &["--help"], &["cache", "list"], &["completions", "fish"]] {
        let (ours, theirs) = UnixDatagram::pair().unwrap();
        ours.set_nonblocking(true).unwrap();
        let status = scene.plain(command_path()).args(arguments).stdout(std::os::fd::OwnedFd::from(theirs)).status().unwrap();

        assert!(status.success(), "{arguments:?}");
        let mut buffer = vec![0; 1 << 20];
        let first = ours.recv(&mut buffer).unwrap();
        assert!(buffer[..first].ends_with(b"\n"), "{arguments:?}: {}", String::from_utf8_lossy(&buffer[..first]));
        assert!(ours.recv(&mut buffer).is_err(), "{arguments:?}: a second write");
    }
}
