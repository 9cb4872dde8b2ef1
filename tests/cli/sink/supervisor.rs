//! A service manager that listens at NOTIFY_SOCKET.

use super::{Sink, content, other_than};
use crate::support::{PATIENCE, Scene, text, until};
use nix::sys::signal::Signal;
use serde_json::json;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};

/// Receives messages until one contains `expected`, and returns that one.
fn message(manager: &UnixDatagram, expected: &str) -> String {
    let mut buffer = [0; 4096];
    loop {
        let length = manager.recv(&mut buffer).unwrap_or_else(|error| panic!("no {expected}: {error}"));
        let message = String::from_utf8(buffer[..length].to_vec()).unwrap();
        if message.contains(expected) {
            return message;
        }
    }
}

#[test]
fn the_service_manager_learns_what_the_sink_does() {
    let scene = Scene::new();
    let path = scene.path("notify");
    let name = format!("tokenwell-test-{}", std::process::id());
    let managers = [
        (text(&path).to_owned(), UnixDatagram::bind(&path).unwrap()),
        (format!("@{name}"), UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap()),
    ];

    for (address, manager) in managers {
        manager.set_read_timeout(Some(PATIENCE)).unwrap();
        let file = scene.path("token");
        let mut sink = Sink::with(&scene, &[text(&file)], &[("NOTIFY_SOCKET", &address), ("WATCHDOG_USEC", "200000")]);

        assert!(message(&manager, "READY=1").contains("\nSTATUS=the token expires at "));
        let first = content(&file).unwrap();
        message(&manager, "WATCHDOG=1");
        sink.signal(Signal::SIGHUP);
        assert!(message(&manager, "RELOADING=1").contains("\nMONOTONIC_USEC="));
        message(&manager, "READY=1");
        assert_ne!(content(&file).unwrap(), first);
        sink.signal(Signal::SIGTERM);
        message(&manager, "STOPPING=1");
        assert!(sink.end().success());
    }
}

#[test]
fn a_renewal_that_fails_ends_the_reload() {
    let scene = Scene::new();
    let path = scene.path("notify");
    let manager = UnixDatagram::bind(&path).unwrap();
    manager.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut sink = Sink::with(&scene, &["token"], &[("NOTIFY_SOCKET", text(&path))]);
    message(&manager, "READY=1");

    scene.emulator.set_faults(json!([{"path": "/api/oauth/token", "status": 503, "body": {"error": "server_error"}}])).unwrap();
    sink.signal(Signal::SIGHUP);

    message(&manager, "RELOADING=1");
    let status = message(&manager, "READY=1");
    assert!(status.contains("STATUS=the token in token expires in ") && status.contains("; next attempt in "), "{status}");
    sink.signal(Signal::SIGTERM);
    assert!(sink.end().success());
}

#[test]
fn a_service_manager_that_does_not_listen_does_not_stop_the_sink() {
    let scene = Scene::new();
    let file = scene.path("token");
    let mut sink = Sink::with(&scene, &[text(&file)], &[("NOTIFY_SOCKET", text(&scene.path("nobody"))), ("WATCHDOG_USEC", "many")]);

    let first = until("the token", || content(&file));
    sink.signal(Signal::SIGHUP);
    until("another token", || other_than(&file, &first));
    sink.signal(Signal::SIGTERM);
    assert!(sink.end().success());
}
