//! Deliberately faulty replies.

use crate::client::{Reply, basic, connect, control, emulator, request, request_token, send};
use serde_json::{Value, json};
use std::io::{ErrorKind, Read, Write};
use std::time::{Duration, Instant};
use tokenwell::emulator::Emulator;

const PATH: &str = "/api/oauth/token";

fn with(fault: Value) -> Emulator {
    let emulator = emulator();
    let mut fault = fault;
    fault["path"] = PATH.into();
    emulator.set_faults(json!([fault])).unwrap();
    emulator
}

fn get(emulator: &Emulator) -> Reply {
    send(emulator, "GET", PATH, &[], "")
}

/// Returns all bytes of the reply, and the error that ended it, if any.
fn bytes(emulator: &Emulator) -> (Vec<u8>, Option<ErrorKind>) {
    let mut socket = connect(emulator);
    let mut bytes = Vec::new();
    socket.write_all(&request("GET", PATH, &[], "")).unwrap();
    let end = socket.read_to_end(&mut bytes).err().map(|error| error.kind());
    (bytes, end)
}

#[test]
fn a_status_with_headers_and_a_json_body_is_answered() {
    let emulator = with(json!({ "status": 429, "headers": { "Retry-After": "30", "X-Many": ["1", "2"] }, "body": { "error": "slow" } }));

    let reply = get(&emulator);

    assert_eq!((reply.status, reply.header("retry-after"), reply.header("content-type")), (429, Some("30"), Some("application/json")));
    assert_eq!(reply.headers.iter().filter(|(name, _)| name == "x-many").count(), 2);
    assert_eq!(reply.json(), json!({ "error": "slow" }));
}

#[test]
fn a_string_body_is_sent_unchanged() {
    let emulator = with(json!({ "body": "{\"a\":1,\"a\":2}", "headers": { "Content-Type": "application/json" } }));

    let reply = get(&emulator);

    assert_eq!((reply.status, reply.body.as_str()), (200, "{\"a\":1,\"a\":2}"));
    assert_eq!(reply.headers.iter().filter(|(name, _)| name == "content-type").count(), 1);
}

#[test]
fn a_hexadecimal_body_is_sent_as_bytes() {
    let (bytes, _) = bytes(&with(json!({ "body_hex": "00fF7b" })));

    assert!(bytes.ends_with(b"\r\n\r\n\x00\xff{"), "{bytes:?}");
}

#[test]
fn a_repeated_body_has_the_given_length() {
    let reply = get(&with(json!({ "body_repeat": { "text": "abc", "times": 500_000 } })));

    assert_eq!(reply.header("content-length"), Some("1500000"));
    assert!(reply.body == "abc".repeat(500_000));
}

#[test]
fn faults_apply_in_order_and_the_given_number_of_times() {
    let emulator = emulator();
    let faults = json!([
        { "path": PATH, "times": 2, "status": 500 },
        { "path": "/other", "status": 501 },
        { "path": PATH, "times": 1, "status": 502 },
    ]);
    emulator.set_faults(faults).unwrap();

    let statuses = [0; 4].map(|_| request_token(&emulator).status);

    assert_eq!(statuses, [500, 500, 502, 200]);
    assert_eq!([0; 3].map(|_| send(&emulator, "GET", "/other", &[], "").status), [501; 3]);
    assert_eq!(emulator.counters().token_requests, 4);
}

#[test]
fn a_new_list_replaces_the_old_one() {
    let emulator = with(json!({ "status": 500 }));
    assert_eq!(control(&emulator, "POST", "/faults", "[]").status, 200);

    assert_eq!(request_token(&emulator).status, 200);
}

#[test]
fn a_path_that_ends_in_a_star_matches_its_prefix() {
    let emulator = emulator();
    emulator.set_faults(json!([{ "path": "/api/atlas/*", "status": 503 }])).unwrap();

    assert_eq!(send(&emulator, "GET", "/api/atlas/v2/orgs", &[], "").status, 503);
    assert_eq!(request_token(&emulator).status, 200);
}

#[test]
fn a_delay_passes_in_real_time_before_the_answer() {
    let emulator = with(json!({ "delay_ms": 200, "then_serve": true }));
    emulator.advance_clock(0);
    let start = Instant::now();

    let reply = request_token(&emulator);

    assert_eq!(reply.status, 200);
    assert!(start.elapsed() >= Duration::from_millis(200));
    assert_eq!(emulator.counters().tokens_minted, 1);
}

#[test]
fn a_fault_without_a_response_modifies_the_normal_one() {
    let emulator = with(json!({ "headers": { "Content-Type": "text/html", "X-Extra": "1" } }));

    let reply = request_token(&emulator);

    assert_eq!((reply.status, reply.header("content-type"), reply.header("x-extra")), (200, Some("text/html"), Some("1")));
    assert!(reply.json()["access_token"].is_string());
}

#[test]
fn a_dripping_body_is_sent_byte_by_byte() {
    let emulator = with(json!({ "body": "abcdef", "drip_ms": 40 }));
    let start = Instant::now();

    let reply = get(&emulator);

    assert_eq!(reply.body, "abcdef");
    assert!(start.elapsed() >= Duration::from_millis(5 * 40), "{:?}", start.elapsed());
}

#[test]
fn the_first_byte_of_a_drip_does_not_wait_for_the_last() {
    let emulator = with(json!({ "body": "abcdef", "drip_ms": 3_600_000 }));
    let mut socket = connect(&emulator);
    let mut seen = Vec::new();
    socket.write_all(&request("GET", PATH, &[], "")).unwrap();

    while !seen.ends_with(b"\r\n\r\na") {
        let mut byte = [0];
        socket.read_exact(&mut byte).unwrap();
        seen.extend(byte);
    }
}

#[test]
fn an_endless_body_continues_while_it_is_read() {
    let emulator = with(json!({ "body": {}, "endless": true }));
    let mut socket = connect(&emulator);
    socket.write_all(&request("GET", PATH, &[], "")).unwrap();

    let mut bytes = vec![0; 4 * 1024 * 1024];
    socket.read_exact(&mut bytes).unwrap();

    let reply = String::from_utf8_lossy(&bytes);
    assert!(reply.contains("transfer-encoding: chunked") && reply.contains("\r\n{}"), "{}", &reply[..200]);
}

#[test]
fn raw_bytes_can_be_endless_interim_replies() {
    let interim = "HTTP/1.1 100 Continue\r\n\r\n";
    let emulator = with(json!({ "raw": interim, "endless": true }));
    let mut socket = connect(&emulator);
    socket.write_all(&request("GET", PATH, &[], "")).unwrap();

    let mut bytes = vec![0; interim.len() * 10_000];
    socket.read_exact(&mut bytes).unwrap();

    assert!(bytes == interim.repeat(10_000).as_bytes());
}

#[test]
fn only_the_raw_bytes_are_sent() {
    let (bytes, end) = bytes(&with(json!({ "raw": "not HTTP at all\n" })));

    assert_eq!((bytes.as_slice(), end), (&b"not HTTP at all\n"[..], None));
}

#[test]
fn a_connection_can_close_before_the_reply() {
    let emulator = with(json!({ "close": "before_reply" }));

    assert_eq!(bytes(&emulator), (Vec::new(), None));
    assert_eq!((emulator.counters().requests, emulator.counters().connections), (1, 1));
}

#[test]
fn a_connection_can_be_reset() {
    let (bytes, end) = bytes(&with(json!({ "close": "reset" })));

    assert_eq!((bytes, end), (Vec::new(), Some(ErrorKind::ConnectionReset)));
}

#[test]
fn a_connection_can_close_inside_the_body() {
    let (bytes, end) = bytes(&with(json!({ "close": "mid_reply", "status": 200, "body": "abcdef" })));

    let reply = Reply::parse(&bytes);
    assert_eq!((reply.header("content-length"), reply.body.as_str(), end), (Some("6"), "abc", None));
}

#[test]
fn the_normal_reply_can_be_truncated() {
    let emulator = with(json!({ "close": "mid_reply" }));

    let reply = request_token(&emulator);

    let claimed: usize = reply.header("content-length").unwrap().parse().unwrap();
    assert!(reply.body.len() < claimed && reply.body.starts_with('{'), "{reply:?}");
    assert_eq!(emulator.counters().tokens_minted, 1);
}

#[test]
fn an_empty_reply_can_be_truncated_too() {
    let emulator = emulator();
    emulator.set_faults(json!([{ "path": "/api/oauth/revoke", "close": "mid_reply" }])).unwrap();

    let reply = crate::client::revoke(&emulator, "a");

    assert_eq!((reply.status, reply.header("content-length"), reply.body.as_str()), (200, Some("1"), ""));
}

#[test]
fn a_redirect_has_status_307_or_the_given_one() {
    for (fault, status) in [(json!({}), 307), (json!({ "redirect_status": 301 }), 301)] {
        let mut fault = fault;
        fault["redirect"] = "http://other.example/".into();

        let reply = get(&with(fault));

        assert_eq!((reply.status, reply.header("location")), (status, Some("http://other.example/")));
    }
}

#[test]
fn the_next_request_on_a_kept_connection_is_served() {
    let emulator = emulator();
    emulator.set_faults(json!([{ "path": PATH, "times": 1, "status": 503, "body": "x" }])).unwrap();
    let authorization = basic(emulator.client_id(), emulator.client_secret());
    let mut socket = connect(&emulator);
    let body = "grant_type=client_credentials";
    let first = format!("POST {PATH} HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n");
    let headers = [("Authorization", authorization.as_str()), ("Content-Type", crate::client::FORM)];
    socket.write_all(first.as_bytes()).unwrap();
    socket.write_all(&request("POST", PATH, &headers, body)).unwrap();

    let mut reply = String::new();
    socket.read_to_string(&mut reply).unwrap();

    assert!(reply.starts_with("HTTP/1.1 503") && reply.contains("HTTP/1.1 200"), "{reply}");
    assert_eq!(emulator.counters().connections, 1);
}

#[test]
fn invalid_faults_are_rejected_with_the_reason() {
    let emulator = emulator();

    for (fault, expected) in [
        (json!({ "status": 500 }), "path"),
        (json!({ "path": "relative", "status": 500 }), "path"),
        (json!({ "path": "/", "status": 500, "then_serve": true }), "status and then_serve"),
        (json!({ "path": "/", "body": "a", "raw": "b" }), "a body and raw"),
        (json!({ "path": "/", "body": "a", "body_hex": "00" }), "body, body_hex and body_repeat"),
        (json!({ "path": "/", "close": "reset", "redirect": "/" }), "redirect and close"),
        (json!({ "path": "/", "close": "mid_reply", "endless": true }), "mid_reply and endless"),
        (json!({ "path": "/", "close": "later" }), "later"),
        (json!({ "path": "/", "redirect_status": 301 }), "requires redirect"),
        (json!({ "path": "/", "status": 100 }), "100"),
        (json!({ "path": "/", "body_hex": "0" }), "body_hex"),
        (json!({ "path": "/", "body_hex": "zz" }), "body_hex"),
        (json!({ "path": "/", "headers": { "a b": "c" } }), "a b"),
        (json!({ "path": "/", "headers": { "a": "c\r\nd: e" } }), "control characters"),
        (json!({ "path": "/", "headers": { "Content-Length": "5" } }), "raw"),
        (json!({ "path": "/", "raw": "a", "headers": { "b": "c" } }), "raw"),
    ] {
        let error = emulator.set_faults(json!([fault])).unwrap_err().to_string();
        assert!(error.contains("fault 0") && error.contains(expected), "{fault}: {error}");
    }
}
