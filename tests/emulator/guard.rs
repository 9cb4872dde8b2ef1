//! Which requests reach the control API.

use crate::client::{Reply, address};
use serde_json::json;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use tokenwell::emulator::{Emulator, EmulatorOptions};

fn exchange(address: SocketAddr, method: &str, headers: &[String]) -> Reply {
    let mut socket = TcpStream::connect(address).unwrap();
    socket.set_read_timeout(Some(crate::client::TIMEOUT)).unwrap();
    let headers: String = headers.iter().map(|header| format!("{header}\r\n")).collect();
    write!(socket, "{method} /_emulator/counters HTTP/1.1\r\nConnection: close\r\n{headers}\r\n").unwrap();
    let mut bytes = Vec::new();
    socket.read_to_end(&mut bytes).unwrap();
    Reply::parse(&bytes)
}

fn status(emulator: &Emulator, headers: &[&str]) -> u16 {
    let port = address(emulator).port().to_string();
    let headers: Vec<_> = headers.iter().map(|header| header.replace("PORT", &port)).collect();
    exchange(address(emulator), "GET", &headers).status
}

#[test]
fn only_an_exact_loopback_name_reaches_the_control_api() {
    let emulator = Emulator::start(EmulatorOptions::default()).unwrap();
    for host in ["127.0.0.1:PORT", "localhost:PORT", "LOCALHOST", "[::1]:PORT", "127.0.0.1"] {
        assert_eq!(status(&emulator, &[&format!("Host: {host}")]), 200, "{host}");
    }
    for host in [
        "127.0.0.1.evil.example",
        "localhost.evil.example:PORT",
        "evil.example",
        "2130706433:PORT",
        "0x7f000001",
        "127.1",
        "0.0.0.0:PORT",
        "[::1].evil.example",
        "",
    ] {
        assert_eq!(status(&emulator, &[&format!("Host: {host}")]), 403, "{host}");
    }
    assert_eq!(status(&emulator, &[]), 403);
    assert_eq!(status(&emulator, &["Host: localhost:PORT", "Host: localhost:PORT"]), 403);

    let refused = exchange(address(&emulator), "GET", &["Host: atlas.test".to_owned()]).json();
    let detail = refused["detail"].as_str().unwrap();
    assert_eq!((&refused["error"], detail.lines().count()), (&json!(403), 1));
    assert!(detail.contains("\"atlas.test\"") && detail.contains("--allow-host"), "{detail}");
}

#[test]
fn a_page_of_another_site_does_not_reach_the_control_api() {
    let emulator = Emulator::start(EmulatorOptions::default()).unwrap();
    let host = "Host: 127.0.0.1:PORT";
    for header in ["Origin: http://127.0.0.1:PORT", "Sec-Fetch-Site: same-origin", "Sec-Fetch-Site: none"] {
        assert_eq!(status(&emulator, &[host, header]), 200, "{header}");
    }
    for header in [
        "Origin: null",
        "Origin: http://evil.example",
        "Origin: http://127.0.0.1:1",
        "Origin: http://127.0.0.1.evil.example:PORT",
        "Sec-Fetch-Site: cross-site",
        "Sec-Fetch-Site: same-site",
    ] {
        assert_eq!(status(&emulator, &[host, header]), 403, "{header}");
    }
}

#[test]
fn an_allowed_host_name_reaches_the_control_api() {
    let options = EmulatorOptions { allow_hosts: vec!["atlas.test".to_owned()], ..EmulatorOptions::default() };
    let emulator = Emulator::start(options).unwrap();

    for host in ["atlas.test", "Atlas.Test:PORT", "localhost:PORT"] {
        assert_eq!(status(&emulator, &[&format!("Host: {host}")]), 200, "{host}");
    }
    assert_eq!(status(&emulator, &["Host: www.atlas.test"]), 403);
    assert_eq!(status(&emulator, &["Host: atlas.test:PORT", "Origin: http://atlas.test:PORT"]), 200);
}

#[test]
fn e1_a_change_requires_json_and_the_own_origin() {
    let emulator = crate::process::Process::start();
    let post = |headers: &[(&str, &str)], body: &str| emulator.send("POST", "/_emulator/clock", headers, body).status;
    let change = r#"{"set_ms":5000}"#;

    for headers in [
        &[("Content-Type", "text/plain")][..],
        &[("Content-Type", "application/x-www-form-urlencoded")],
        &[],
        &[("Content-Type", "application/json"), ("Origin", "null")],
        &[("Content-Type", "application/json"), ("Origin", "http://evil.example")],
        &[("Content-Type", "application/json"), ("Sec-Fetch-Site", "cross-site")],
    ] {
        assert_eq!(post(headers, change), 403, "{headers:?}");
    }
    assert_eq!(emulator.send("GET", "/_emulator/reset", &[], "").status, 405);
    assert_eq!(post(&[("Content-Type", "application/json; charset=utf-8"), ("Origin", "http://127.0.0.1")], change), 200);
    assert_eq!(emulator.send("POST", "/_emulator/reset", &[], "").status, 200, "a request without a body needs no type");
}
