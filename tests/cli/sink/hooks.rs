//! What a sink does after each renewal.

use super::{Sink, content, other_than, short_lived};
use crate::support::{Scene, is_token, text, until};
use nix::sys::signal::Signal;
use serde_json::json;
use std::os::unix::process::ExitStatusExt;
use tokenwell::emulator::DEFAULT_CLIENT_SECRET;

#[test]
fn a_program_runs_after_each_renewal_without_the_secret() {
    let scene = Scene::new();
    let hook = scene.write("hook.sh", "cat token > seen.new; printenv > environment; mv seen.new seen; echo printed");
    let line = format!("sh '{}'", text(&hook));
    let mut sink = Sink::start(&scene, &["token", "--exec", &line]);

    let first = until("the first run", || content(&scene.path("seen")));
    sink.signal(Signal::SIGUSR1);
    let second = until("the second run", || other_than(&scene.path("seen"), &first));
    sink.signal(Signal::SIGTERM);
    assert!(sink.end().success());

    assert!(is_token(&first));
    assert_eq!(content(&scene.path("token")).unwrap(), second);
    let environment = content(&scene.path("environment")).unwrap();
    assert!(environment.contains("HOME=") && !environment.contains(DEFAULT_CLIENT_SECRET), "{environment}");
    assert!(sink.log().contains("printed\n"), "{}", sink.log());
}

#[test]
fn a_program_that_fails_or_hangs_does_not_stop_the_renewal() {
    let scene = short_lived();
    let file = scene.path("token");
    let programs = ["--exec", "sh -c 'sleep 600; true'", "--exec", "false", "--exec", "/nowhere/program"];
    let mut sink = Sink::start(&scene, &[&[text(&file), "--exec-timeout", "200ms"], &programs[..]].concat());

    let first = until("the first token", || content(&file));
    let second = until("the second token", || other_than(&file, &first));
    until("the message about the last program", || sink.log().contains("--exec: cannot start `/nowhere/program`: ").then_some(()));
    sink.signal(Signal::SIGTERM);
    assert!(sink.end().success());

    assert!(is_token(&second));
    let log = sink.log();
    assert!(log.contains("--exec: `sh` did not exit within 200 ms and was killed; the files are current"), "{log}");
    assert!(log.contains("--exec: `false` failed: exit status: 1"), "{log}");
}

#[test]
fn a_process_is_signaled_after_a_renewal() {
    let scene = Scene::new();
    let mut other = scene.plain("sleep").arg("600").spawn().unwrap();
    let pid_file = scene.write("app.pid", &format!("{}\n", other.id()));
    let signal = format!("USR2:{}", text(&pid_file));
    let mut sink = Sink::start(&scene, &["token", "--signal", &signal, "--signal", "HUP:missing.pid"]);

    let status = other.wait().unwrap();
    until("the message", || sink.log().contains("--signal: cannot read missing.pid: ").then_some(()));
    sink.signal(Signal::SIGTERM);
    assert!(sink.end().success());

    assert_eq!(status.signal(), Some(Signal::SIGUSR2 as i32));
}

#[test]
fn the_figures_are_those_of_the_sink() {
    let scene = Scene::new();
    let path = scene.path("sink.prom");
    let mut sink = Sink::start(&scene, &["token", "--metrics", text(&path)]);
    let page = |figure: &str| until(figure, || content(&path).filter(|page| page.contains(figure)));

    let renewed = page("\ntokenwell_sink_renewals_total 1\n");
    scene.emulator.set_faults(json!([{"path": "/api/oauth/token", "status": 503, "body": {"error": "server_error"}}])).unwrap();
    sink.signal(Signal::SIGUSR1);
    let failed = page("\ntokenwell_sink_failures_total 1\n");
    sink.signal(Signal::SIGTERM);
    assert!(sink.end().success());

    assert!(renewed.contains("\ntokenwell_sink_failures_total 0\n") && renewed.ends_with("\n# EOF\n"), "{renewed}");
    let expiry =
        |page: &str| page.lines().find_map(|line| line.strip_prefix("tokenwell_sink_token_expiry_timestamp_seconds ")?.parse::<u64>().ok());
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    assert!((now + 3000..now + 3700).contains(&expiry(&renewed).unwrap()), "{renewed}");
    assert_eq!(expiry(&failed), expiry(&renewed));
}
