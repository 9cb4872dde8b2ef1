//! The control API and the equivalent methods of `Emulator`.

use crate::client::{FORM, address, connect, control, emulator, request, request_token, send, token};
use serde_json::{Value, json};
use std::io::{ErrorKind, Read, Write};
use std::time::{Duration, Instant};
use tokenwell::emulator::Emulator;
use tokenwell::error::Status;

/// Waits until the emulator has counted this number of connections.
fn wait_for_connections(emulator: &Emulator, wanted: u64) {
    let start = Instant::now();
    while emulator.counters().connections != wanted {
        assert!(start.elapsed() < crate::client::TIMEOUT, "{:?}, wanted {wanted} connections", emulator.counters());
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn control_traffic_is_never_counted() {
    let emulator = emulator();

    for _ in 0..3 {
        let reply = control(&emulator, "GET", "/counters", "");
        let zero = json!({ "connections": 0, "requests": 0, "token_requests": 0, "tokens_minted": 0,
            "revoke_requests": 0, "api_requests": 0, "live_tokens": 0 });
        assert_eq!(reply.json(), zero);
    }
    control(&emulator, "POST", "/faults", "[]");
    assert_eq!(emulator.counters().requests, 0);
}

#[test]
fn traffic_is_counted_by_kind() {
    let emulator = emulator();
    let token = token(&emulator);
    crate::client::revoke(&emulator, &token);
    crate::client::api(&emulator, &token, "GET", "/orgs", None);
    send(&emulator, "GET", "/elsewhere", &[], "");

    let counters = control(&emulator, "GET", "/counters", "").json();

    let expected = json!({ "connections": 4, "requests": 4, "token_requests": 1, "tokens_minted": 1,
        "revoke_requests": 1, "api_requests": 1, "live_tokens": 0 });
    assert_eq!(counters, expected);
}

#[test]
fn a_connection_counts_once_and_only_when_it_carries_bytes() {
    let emulator = emulator();
    let mut socket = connect(&emulator);
    assert_eq!(emulator.counters().connections, 0);
    assert_eq!(control(&emulator, "GET", "/counters", "").json()["connections"], 0);

    socket.write_all(b"P").unwrap();
    socket.write_all(b"OST /api").unwrap();
    wait_for_connections(&emulator, 1);

    socket.write_all(b"/oauth/token HTTP/1.1\r\nHost: a\r\n\r\nGET /other HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").unwrap();
    socket.read_to_end(&mut Vec::new()).unwrap();
    assert_eq!((emulator.counters().connections, emulator.counters().requests), (1, 2));
}

#[test]
fn bytes_that_are_not_http_count_as_a_connection() {
    let emulator = emulator();
    connect(&emulator).write_all(b"\x16\x03\x01\x00").unwrap();
    wait_for_connections(&emulator, 1);

    // An incomplete control request counts as traffic.
    connect(&emulator).write_all(b"GET /_emul").unwrap();
    wait_for_connections(&emulator, 2);
}

#[test]
fn a_connection_counts_from_its_first_request_that_is_not_control() {
    let emulator = emulator();
    let mut socket = connect(&emulator);
    socket.write_all(b"GET /_emulator/clock HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    assert!(socket.read(&mut [0; 1024]).unwrap() > 0);
    assert_eq!(emulator.counters().connections, 0);

    socket.write_all(&request("GET", "/", &[], "")).unwrap();
    socket.read_to_end(&mut Vec::new()).unwrap();

    assert_eq!(emulator.counters().connections, 1);
}

#[test]
fn a_kept_connection_counts_again_after_a_reset() {
    let emulator = emulator();
    let mut socket = connect(&emulator);
    let mut ask = || {
        socket.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
        assert!(socket.read(&mut [0; 4096]).unwrap() > 0);
    };
    ask();
    emulator.reset();
    assert_eq!(emulator.counters().connections, 0);

    ask();

    assert_eq!(emulator.counters().connections, 1);
}

#[test]
fn reset_restores_the_initial_state() {
    let emulator = emulator();
    let token = token(&emulator);
    control(&emulator, "POST", "/settings", r#"{"token_lifetime_s":1,"expires_in":"x","token_cap":1}"#);
    control(&emulator, "POST", "/faults", r#"[{"path":"/api/oauth/token","status":500}]"#);
    control(&emulator, "POST", "/clock", r#"{"set_ms":5000}"#);

    assert_eq!(control(&emulator, "POST", "/reset", "").status, 200);

    assert_eq!(emulator.counters(), Default::default());
    assert!(emulator.now_ms() > 1_600_000_000_000);
    assert!(emulator.last_request("/api/oauth/token").is_none());
    assert_eq!(crate::client::api(&emulator, &token, "GET", "/orgs", None).status, 401);
    let replies = [request_token(&emulator), request_token(&emulator)];
    assert_eq!(
        replies.each_ref().map(|reply| (reply.status, reply.json()["expires_in"].clone())),
        [(200, json!(3600)), (200, json!(3600))]
    );
}

#[test]
fn the_clock_runs_until_it_is_set_and_is_then_stopped() {
    let emulator = emulator();
    let now = || control(&emulator, "GET", "/clock", "").json()["now_ms"].as_u64().unwrap();
    let before = now();
    assert!(before > 1_600_000_000_000);

    let advanced = control(&emulator, "POST", "/clock", r#"{"advance_ms":60000}"#).json()["now_ms"].as_u64().unwrap();
    assert!(advanced >= before + 60_000);
    assert_eq!((now(), emulator.now_ms()), (advanced, advanced));

    control(&emulator, "POST", "/clock", r#"{"set_ms":1000}"#);
    assert_eq!(now(), 1000);
    emulator.advance_clock(5);
    emulator.advance_clock(u64::MAX);
    assert_eq!(now(), u64::MAX);
}

#[test]
fn unknown_fields_are_rejected_by_name() {
    let emulator = emulator();

    for (path, body, name) in [
        ("/settings", r#"{"token_capp":1}"#, "token_capp"),
        ("/settings", r#"{"rate_limit":{"requests":1,"window_s":1,"burst":1}}"#, "burst"),
        ("/faults", r#"[{"path":"/a","statuss":500}]"#, "statuss"),
        ("/faults", r#"[{"path":"/a","body_repeat":{"text":"a","count":1}}]"#, "count"),
        ("/clock", r#"{"add_ms":1}"#, "add_ms"),
    ] {
        let reply = control(&emulator, "POST", path, body);
        assert_eq!(reply.status, 400, "{path} {body}");
        assert!(reply.json()["detail"].as_str().unwrap().contains(name), "{reply:?}");
    }
}

#[test]
fn invalid_values_are_rejected_and_change_nothing() {
    let emulator = emulator();

    for (path, body) in [
        ("/settings", r#"{"token_cap":5,"token_lifetime_s":-1}"#),
        ("/settings", r#"{"rate_limit":{"requests":0,"window_s":60}}"#),
        ("/settings", "[]"),
        ("/settings", "not json"),
        ("/clock", "{}"),
        ("/clock", r#"{"set_ms":1,"advance_ms":1}"#),
        ("/faults", "{}"),
    ] {
        assert_eq!(control(&emulator, "POST", path, body).status, 400, "{path} {body}");
    }
    let settings = control(&emulator, "GET", "/settings", "").json();
    assert_eq!((&settings["token_cap"], &settings["rate_limit"]), (&json!(100), &Value::Null));
    let error = emulator.set_settings(json!({ "no": 1 })).unwrap_err();
    assert_eq!(error.status(), Status::InvalidArgument);
}

#[test]
fn the_last_request_shows_what_was_sent() {
    let emulator = emulator();
    let query = "/_emulator/last_request?path=/api/oauth/token";
    assert_eq!(send(&emulator, "GET", query, &[], "").status, 404);

    send(&emulator, "POST", "/api/oauth/token?a=b", &[("X-Once", "1"), ("X-Twice", "1"), ("X-Twice", "2"), ("Content-Type", FORM)], "c=d");

    let request = send(&emulator, "GET", query, &[], "").json();
    assert_eq!((&request["method"], &request["path"], &request["query"]), (&json!("POST"), &json!("/api/oauth/token"), &json!("a=b")));
    assert_eq!((&request["headers"]["x-once"], &request["headers"]["x-twice"]), (&json!("1"), &json!(["1", "2"])));
    assert_eq!(request["body"], json!("c=d"));
    assert_eq!(emulator.last_request("/api/oauth/token").unwrap().headers["x-twice"], ["1", "2"]);
}

#[test]
fn a_foreign_host_name_does_not_reach_the_control_api() {
    let emulator = emulator();
    let mut socket = connect(&emulator);
    let mut reply = String::new();

    socket.write_all(b"POST /_emulator/reset HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n").unwrap();
    socket.read_to_string(&mut reply).unwrap();

    assert!(reply.starts_with("HTTP/1.1 403"), "{reply}");
}

#[test]
fn a_dropped_emulator_closes_its_connections() {
    let emulator = emulator();
    emulator.set_faults(json!([{ "path": "/", "endless": true, "drip_ms": 1 }])).unwrap();
    let idle = connect(&emulator);
    let mut busy = connect(&emulator);
    busy.write_all(&request("GET", "/", &[], "")).unwrap();
    assert!(busy.read(&mut [0; 16]).unwrap() > 0);

    drop(emulator);

    // The connection may be closed or reset, but a read must not block indefinitely.
    for mut socket in [idle, busy] {
        let end = socket.read_to_end(&mut Vec::new());
        assert!(matches!(end.map_err(|error| error.kind()), Ok(_) | Err(ErrorKind::ConnectionReset)));
    }
}

#[test]
fn a_port_in_use_is_an_error() {
    let emulator = emulator();

    let options = tokenwell::emulator::EmulatorOptions { port: address(&emulator).port(), ..Default::default() };
    let error = Emulator::start(options).unwrap_err();

    assert_eq!(error.kind(), ErrorKind::AddrInUse);
}
