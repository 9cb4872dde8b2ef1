//! A proxy that refuses to connect to the server.

use crate::support::{PATIENCE, Scene, stderr, text};
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Answers each request with `answer` and counts the requests.
fn proxy(answer: &'static str) -> (SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let address = listener.local_addr().unwrap();
    let count = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&count);
    std::thread::spawn(move || {
        for connection in listener.incoming() {
            let mut connection = connection.unwrap();
            connection.set_read_timeout(Some(PATIENCE)).unwrap();
            let head: Vec<String> = BufReader::new(&connection).lines().map_while(Result::ok).take_while(|line| !line.is_empty()).collect();
            counted.fetch_add(usize::from(!head.is_empty()), Ordering::SeqCst);
            let _ = connection.write_all(answer.as_bytes());
        }
    });
    (address, count)
}

#[test]
fn b2_five_commands_log_in_to_the_proxy_once() {
    let scene = Scene::new();
    let (address, count) = proxy("HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n");
    let ca_file = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/certificates/p521.pem");
    let token = |proxy: String| {
        let mut command = scene.tokenwell(["token"]);
        command.env("MONGODB_ATLAS_BASE_URL", "https://atlas.example").env("TOKENWELL_CA_FILE", ca_file).env("HTTPS_PROXY", proxy);
        stderr(&command.assert().code(5).stdout(""))
    };

    let messages: Vec<String> = (0..5).map(|_| token(format!("http://domain%5Cuser:wrong-canary@{address}"))).collect();

    assert_eq!(count.load(Ordering::SeqCst), 1, "{messages:?}");
    let rejected = format!("the proxy http://{address} (set by HTTPS_PROXY) answered CONNECT with 407 Proxy Authentication Required");
    assert!(messages.iter().all(|message| message.contains(&rejected) && !message.contains("canary")), "{messages:?}");
    assert!(messages[1].contains("no new request was sent") && messages[1].contains("After you correct it"), "{messages:?}");
    // A corrected password is tried immediately.
    token(format!("http://domain%5Cuser:right-canary@{address}"));
    assert_eq!(count.load(Ordering::SeqCst), 2);
    let cache = text(&scene.path("cache")).to_owned();
    let found = std::process::Command::new("grep").args(["-r", "canary", &cache]).output().unwrap();
    assert!(found.stdout.is_empty(), "{found:?}");
}

/// What `tokenwell token` says if the proxy answers CONNECT with `answer`, and how many requests the proxy
/// received.
fn refused(answer: &'static str) -> (SocketAddr, String, usize) {
    let scene = Scene::new();
    let (address, count) = proxy(answer);
    let mut command = scene.tokenwell(["token"]);
    let ca_file = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/certificates/p521.pem");
    command.env("MONGODB_ATLAS_BASE_URL", "https://atlas.example").env("TOKENWELL_CA_FILE", ca_file);
    command.env("HTTPS_PROXY", format!("http://{address}"));
    let message = stderr(&command.assert().code(5).stdout(""));
    (address, message, count.load(Ordering::SeqCst))
}

#[test]
fn b14_the_answer_of_a_proxy_that_opens_no_connection_is_in_the_error() {
    for (answer, said, requests) in [
        ("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n", "403 Forbidden", 1),
        (
            "HTTP/1.1 403 Filtered\r\nContent-Type: text/plain\r\nContent-Length: 17\r\n\r\nblocked by policy",
            "403 Filtered; the proxy says: \"blocked by policy\"",
            1,
        ),
        ("HTTP/1.1 302 Found\r\nLocation: http://login.example/\r\nContent-Length: 0\r\n\r\n", "302 Found", 1),
        ("HTTP/1.1 407 Log in\r\nContent-Length: 0\r\n\r\n", "407 Proxy Authentication Required: it requires a user and password", 1),
        // The proxy cannot reach the server, which may change.
        ("HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n", "502 Bad Gateway", 3),
        ("HTTP/1.1 503 \r\nContent-Length: 0\r\n\r\n", "503 Service Unavailable", 3),
    ] {
        let (address, message, sent) = refused(answer);

        let expected =
            format!("cannot reach https://atlas.example: the proxy http://{address} (set by HTTPS_PROXY) answered CONNECT with {said}");
        assert!(unwrapped(&message).contains(&expected), "{message}");
        assert!(unwrapped(&message).contains("add atlas.example to NO_PROXY") || said.starts_with("407"), "{message}");
        assert_eq!(sent, requests, "{message}");
    }
}

#[test]
fn n20_a_web_server_that_is_no_proxy_is_named_with_its_answer() {
    let (address, message, sent) = refused("HTTP/1.1 404 Not Found\r\nContent-Type: text/html\r\nContent-Length: 6\r\n\r\n<html>");

    let expected = format!("the proxy http://{address} (set by HTTPS_PROXY) answered CONNECT with 404 Not Found");
    assert!(unwrapped(&message).contains(&expected) && !message.contains("<html>"), "{message}");
    assert!(unwrapped(&message).contains("Check that HTTPS_PROXY is the address of a proxy and not of a web server."), "{message}");
    assert_eq!(sent, 1, "{message}");
}

#[test]
fn n20_a_port_that_does_not_speak_http_is_named() {
    let (address, message, sent) = refused("SSH-2.0-OpenSSH_9.2\r\n");

    let expected = format!("the proxy http://{address} (set by HTTPS_PROXY) did not answer CONNECT with an HTTP response");
    assert!(unwrapped(&message).contains(&expected), "{message}");
    assert_eq!(sent, 1, "{message}");
}

/// The lines of a message that was wrapped to the terminal, as one.
fn unwrapped(message: &str) -> String {
    message.split_whitespace().collect::<Vec<_>>().join(" ")
}
