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
    let rejected = format!("the proxy http://{address} (set by HTTPS_PROXY) rejected the user and password (HTTP 407)");
    assert!(messages.iter().all(|message| message.contains(&rejected) && !message.contains("canary")), "{messages:?}");
    assert!(messages[1].contains("no new request was sent") && messages[1].contains("After you correct it"), "{messages:?}");
    // A corrected password is tried immediately.
    token(format!("http://domain%5Cuser:right-canary@{address}"));
    assert_eq!(count.load(Ordering::SeqCst), 2);
    let cache = text(&scene.path("cache")).to_owned();
    let found = std::process::Command::new("grep").args(["-r", "canary", &cache]).output().unwrap();
    assert!(found.stdout.is_empty(), "{found:?}");
}
