//! Replies that are slow, endless, damaged or compressed.

use super::*;

#[test]
fn i26_a_reply_that_drips_ends_with_the_budget() {
    let server = TestServer::acting(|_, out| {
        out.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")?;
        send_slowly_and_endlessly(out, b" ")
    });

    assert_times_out_with_the_budget(&server.url("/"));
}

#[test]
fn i26_endless_interim_replies_end_with_the_budget() {
    let server = TestServer::acting(|_, out| send_slowly_and_endlessly(out, b"HTTP/1.1 100 Continue\r\n\r\n"));

    assert_times_out_with_the_budget(&server.url("/"));
}

#[test]
fn i26_a_head_that_never_ends_ends_with_the_budget() {
    let server = TestServer::acting(|_, out| {
        out.write_all(b"HTTP/1.1 200 OK\r\n")?;
        send_slowly_and_endlessly(out, b"A: b\r\n")
    });

    assert_times_out_with_the_budget(&server.url("/"));
}

#[test]
fn i26_silence_ends_with_the_budget() {
    let server = TestServer::acting(|_, connection| connection.read(&mut [0]).map(|_| ()));

    assert_times_out_with_the_budget(&server.url("/"));
}

#[test]
fn i26_an_endless_body_is_not_read_to_the_end() {
    let server = TestServer::acting(|_, out| {
        out.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")?;
        loop {
            out.write_all(b"400\r\n")?;
            out.write_all(&[b'a'; 0x400])?;
            out.write_all(b"\r\n")?;
        }
    });

    let error = mint(&server.url("/")).unwrap_err();

    assert_eq!(error.status(), Status::Protocol, "{error}");
    assert!(error.to_string().contains("longer than 1 MiB"), "{error}");
    assert_eq!(server.finish().requests.len(), 1);
}

#[test]
fn the_status_of_a_refusal_is_used_although_its_body_is_incomplete() {
    for (status, expected) in [(429, Status::RateLimited), (401, Status::CredentialRejected), (400, Status::Protocol)] {
        let server = TestServer::replying(vec![format!("HTTP/1.1 {status} No\r\nContent-Length: 100000\r\n\r\n{{\"error\":")]);

        let error = mint(&server.url("/")).unwrap_err();

        assert_eq!((error.status(), error.http_status()), (expected, Some(status)), "{error}");
        assert_eq!(server.finish().requests.len(), 1, "{status}");
    }
}

#[test]
fn i26_the_status_of_a_refusal_stands_though_its_body_never_ends() {
    let server = TestServer::acting(|_, out| {
        out.write_all(b"HTTP/1.1 429 No\r\nRetry-After: 7\r\nContent-Length: 60000\r\n\r\n")?;
        send_slowly_and_endlessly(out, b" ")
    });

    // Enough time for the headers to arrive on a loaded machine.
    let error = grant(&config(&server.url("/"))).mint(&credential(), Duration::from_secs(2)).unwrap_err();

    assert_eq!((error.status(), error.retry_after()), (Status::RateLimited, Some(Duration::from_secs(7))), "{error}");
}

#[test]
fn r26_the_body_of_a_refusal_is_waited_for_at_most_a_second() {
    for status in [400, 404] {
        let server = TestServer::acting(move |_, out| {
            out.write_all(format!("HTTP/1.1 {status} No\r\nContent-Length: 60000\r\n\r\n").as_bytes())?;
            send_slowly_and_endlessly(out, b" ")
        });
        let started = Instant::now();

        let error = mint(&server.url("/")).unwrap_err();

        assert_eq!(error.http_status(), Some(status), "{error}");
        assert!(started.elapsed() < ENOUGH / 2, "{:?}", started.elapsed());
    }
}

/// `body` in gzip, made by gzip itself: the name of the file is empty, the time is zero.
fn gzip(body: &str) -> Vec<u8> {
    let mut child =
        Command::new("gzip").arg("-nc").stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(body.as_bytes()).unwrap();
    child.wait_with_output().unwrap().stdout
}

fn compressed(status: u16, encoding: &'static str, body: Vec<u8>) -> TestServer {
    TestServer::acting(move |_, out| {
        let head = format!(
            "HTTP/1.1 {status} Whatever\r\nContent-Type: application/json\r\nContent-Encoding: {encoding}\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        out.write_all(head.as_bytes())?;
        out.write_all(&body)
    })
}

#[test]
fn a_compressed_response_is_read_although_none_was_requested() {
    let body = format!(r#"{{"access_token":"{TOKEN}","expires_in":3600,"token_type":"Bearer"}}"#);
    let server = compressed(200, "gzip", gzip(&body));

    assert_eq!(mint(&server.url("/")).unwrap().value.expose(), TOKEN);

    assert_eq!(header(&server.finish().requests[0], "accept-encoding"), Some("identity"));
    let refusing = compressed(400, "gzip", gzip(r#"{"error":"invalid_scope"}"#));
    assert!(mint(&refusing.url("/")).unwrap_err().to_string().ends_with(": invalid_scope"));
}

#[test]
fn a_compressed_response_that_is_too_long_or_unknown_is_a_protocol_error() {
    let bomb = gzip(&format!(r#"{{"access_token":"{TOKEN}","token_type":"Bearer"{}}}"#, " ".repeat(4 * 1024 * 1024)));
    for (encoding, body, problem) in [
        ("gzip", bomb, "its body is longer than 1 MiB"),
        ("gzip", b"{}".to_vec(), "its body is not valid gzip"),
        ("br", b"x".to_vec(), "its body is compressed (br), which tokenwell did not request and does not support"),
    ] {
        let server = compressed(200, encoding, body);

        let error = mint(&server.url("/")).unwrap_err();

        assert_eq!((error.status(), error.http_status()), (Status::Protocol, Some(200)), "{error}");
        assert!(error.to_string().ends_with(problem), "{error}");
        assert_eq!(server.finish().requests.len(), 1);
    }
}

#[test]
fn i26_a_head_without_measure_is_not_read() {
    let server = TestServer::acting(|_, out| {
        out.write_all(b"HTTP/1.1 200 OK\r\nA: ")?;
        loop {
            out.write_all(&[b'a'; 1024])?;
        }
    });

    let error = mint(&server.url("/")).unwrap_err();

    assert_eq!(error.status(), Status::Protocol, "{error}");
    assert!(error.to_string().contains("the headers of the response are too long"), "{error}");
}

#[test]
fn a_reply_that_is_not_http_is_a_protocol_error() {
    let server = TestServer::replying(vec!["220 mail.example ESMTP\r\n\r\n".to_owned()]);

    let error = mint(&server.url("/")).unwrap_err();

    assert_eq!((error.status(), error.http_status()), (Status::Protocol, None), "{error}");
    assert!(error.to_string().contains("the response is not HTTP/1.1"), "{error}");
    assert!(error.hint().contains("use https:// in its URL"), "{}", error.hint());
    assert_eq!(server.finish().requests.len(), 1);
}

#[test]
fn the_alert_of_a_tls_server_is_a_reply_that_is_not_http() {
    let server = TestServer::acting(|_, out| out.write_all(b"\x15\x03\x01\x00\x02\x02\x32"));

    let error = mint(&server.url("/")).unwrap_err();

    assert!(error.to_string().contains("the response is not HTTP/1.1"), "{error}");
}

#[test]
fn a_budget_of_zero_sends_nothing() {
    let server = TestServer::replying(vec![token_reply()]);

    let error = grant(&config(&server.url("/"))).mint(&credential(), Duration::ZERO).unwrap_err();

    assert_eq!(error.status(), Status::Network, "{error}");
    assert!(server.finish().requests.is_empty());
}

#[test]
fn i3_a_carriage_return_in_a_header_gives_it_no_other_value() {
    for (name, value) in [
        ("Retry-After", "7\rRetry-After: 1"),
        ("Retry-After", "7\r"),
        ("Retry-After", "\r7"),
        ("WWW-Authenticate", "Basic realm=\"a\rb\", error=\"e\rvil\""),
        ("X-Other", "a\rRetry-After: 1"),
    ] {
        let server =
            TestServer::replying(vec![reply(429, &[("Content-Type", "application/json"), (name, value)], r#"{"error":"rate_limited"}"#)]);

        let error = mint(&server.url("/")).unwrap_err();

        // Either the reply is not valid HTTP, or the header is ignored and the default delay is
        // used.
        let allowed = [(Status::Protocol, None), (Status::RateLimited, Some(Duration::from_secs(60)))];
        assert!(allowed.contains(&(error.status(), error.retry_after())), "{name}: {value:?}: {error} {:?}", error.retry_after());
        assert!(!error.to_string().contains(char::is_control), "{name}: {value:?}: {error:?}");
    }
}

fn send_slowly_and_endlessly(out: &mut dyn Duplex, bytes: &[u8]) -> io::Result<()> {
    // Until the client closes the connection. A client that never does so fails its test by the
    // elapsed time.
    let started = Instant::now();
    while started.elapsed() < ENOUGH {
        out.write_all(bytes)?;
        out.flush()?;
        std::thread::sleep(Duration::from_millis(10));
    }
    Ok(())
}

fn assert_times_out_with_the_budget(url: &str) {
    let grant = grant(&config(url));
    let started = Instant::now();

    let error = grant.mint(&credential(), SHORT).unwrap_err();

    assert!(started.elapsed() >= SHORT && started.elapsed() < ENOUGH / 2, "{:?}", started.elapsed());
    assert_eq!(error.status(), Status::Network, "{error}");
    assert!(error.to_string().contains("did not send a complete response within 300 ms"), "{error}");
}
