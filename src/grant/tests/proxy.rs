//! Requests through a proxy.

use super::*;

/// A grant for `https://cloud.example` in an environment with one variable.
fn proxied(variable: &'static str, value: String) -> (tempfile::TempDir, HttpGrant) {
    let (directory, file) = ca_file(&authority());
    let mut config = config("https://cloud.example/token?tenant=query");
    config.authorities = Authorities::File(file);
    let clock = Arc::new(ManualClock::new(0));
    config.proxy = through_proxy(variable, &value);
    (directory, HttpGrant::new(&config, clock).unwrap())
}

/// The settings of a proxy that `variable` sets.
fn through_proxy(variable: &str, url: &str) -> ProxySettings {
    ProxySettings { url: Some(Secret::from(url)), location: variable.to_owned(), exceptions: String::new(), exceptions_name: "NO_PROXY" }
}

#[test]
fn i9_a_proxy_is_asked_for_a_tunnel_and_told_no_secret() {
    for refusal in [reply(407, &[], ""), reply(403, &[], "canary")] {
        let proxy = TestServer::replying(vec![refusal]);
        let (_directory, grant) = proxied("HTTPS_PROXY", format!("http://user:canary@127.0.0.1:{}", proxy.port()));

        let error = grant.mint(&credential(), ENOUGH).unwrap_err();

        assert_eq!(error.status(), Status::Network, "{error}");
        let shown = format!("{error} {error:?} {grant:?}");
        assert!(!shown.contains("canary") && !shown.contains("Y2FuYXJ5"), "{shown}");
        let request = proxy.finish().requests.remove(0);
        assert!(request.starts_with("CONNECT cloud.example:443 HTTP/1.1\r\n"), "{request}");
        assert_eq!(header(&request, "proxy-authorization"), Some(format!("Basic {}", STANDARD.encode("user:canary")).as_str()));
        assert_eq!(header(&request, "authorization"), None);
    }
}

/// Requests a token through a proxy that answers each CONNECT with `answer`. Returns the error and the
/// number of requests that the proxy received.
fn refused_by_proxy(login: &str, answer: String) -> (Error, usize) {
    let proxy = TestServer::replying(vec![answer]);
    let (_directory, grant) = proxied("HTTPS_PROXY", format!("http://{login}127.0.0.1:{}", proxy.port()));

    let error = grant.mint(&credential(), ENOUGH).unwrap_err();

    let name = format!("the proxy http://127.0.0.1:{} (set by HTTPS_PROXY)", proxy.port());
    assert!(error.to_string().contains(&name), "{error}");
    assert_eq!((error.status(), error.http_status()), (Status::Network, None), "{error}");
    (error, proxy.finish().requests.len())
}

#[test]
fn a_log_in_that_a_proxy_rejects_is_sent_once() {
    let (error, requests) = refused_by_proxy("user:canary@", reply(407, &[("Proxy-Authenticate", "Basic realm=\"p\"")], ""));

    assert_eq!(requests, 1);
    assert!(
        error.to_string().ends_with("answered CONNECT with 407 Proxy Authentication Required: it rejected the user and password"),
        "{error}"
    );
    assert!(error.hint().starts_with("Correct the user and password in HTTPS_PROXY."), "{}", error.hint());
    assert!(error.hint().contains("tokenwell supports only Basic"), "{}", error.hint());
}

#[test]
fn a_proxy_that_wants_another_log_in_is_told_apart() {
    let (error, requests) = refused_by_proxy("", reply(407, &[], ""));
    assert_eq!(requests, 1);
    assert!(
        error.to_string().ends_with("answered CONNECT with 407 Proxy Authentication Required: it requires a user and password"),
        "{error}"
    );
    assert!(error.hint().starts_with("Set HTTPS_PROXY to http://USER:PASSWORD@HOST:PORT."), "{}", error.hint());
}

/// A proxy's response with `status` and `reason`, whose body has this type.
fn proxy_answer(status_line: &str, media_type: &str, body: &str) -> String {
    format!("HTTP/1.1 {status_line}\r\nContent-Type: {media_type}\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

#[test]
fn a_proxy_that_opens_no_tunnel_is_named_with_its_answer() {
    let html = "<html>canary";
    for (answer, requests, said, advice) in [
        (proxy_answer("302 Found", "text/html", html), 1, "302 Found", "a log-in in a browser"),
        (proxy_answer("403 Forbidden", "text/html", html), 1, "403 Forbidden", "does not allow connections to cloud.example"),
        (proxy_answer("404 Not Found", "text/html", html), 1, "404 Not Found", "HTTPS_PROXY is the address of a proxy and not of a web"),
        (proxy_answer("429 ", "text/html", html), 1, "429 Too Many Requests", "does not allow connections"),
        (proxy_answer("502 Bad Gateway", "text/html", html), 3, "502 Bad Gateway", "cannot reach cloud.example"),
        (proxy_answer("503", "text/plain", html), 3, "503 Service Unavailable", "cannot reach cloud.example"),
        (
            proxy_answer("403 Filtered", "text/plain", "RBAC:\naccess denied"),
            1,
            "403 Filtered; the proxy says: \"RBAC: access denied\"",
            "does not allow",
        ),
        // The status is known, whatever comes after it.
        ("HTTP/1.1 403 Forbidden\r\nContent-Le".to_owned(), 1, "403 Forbidden", "does not allow"),
        ("HTTP/1.0 403 Forbidden\nContent-Length: 50\n\nshort".to_owned(), 1, "403 Forbidden; the proxy says: \"short\"", "does not allow"),
    ] {
        let (error, sent) = refused_by_proxy("", answer);

        assert_eq!(sent, requests, "{error}");
        assert!(error.to_string().ends_with(&format!("answered CONNECT with {said}")), "{error}");
        assert!(error.hint().contains(advice) && error.hint().contains("add cloud.example to NO_PROXY"), "{}", error.hint());
        assert!(!format!("{error:?}").contains("canary"), "{error:?}");
    }
}

#[test]
fn a_proxy_that_does_not_speak_http_is_named_and_asked_once() {
    let not_http = ["220 mail.example ESMTP\r\n", "HTTP/1.1 nonsense\r\n\r\n", "HTTP/2 200\r\n\r\n", "\n"].map(str::to_owned);
    let long = reply(200, &[("Padding", &"x".repeat(16 * 1024))], "");
    let long_line = "x".repeat(32 * 1024);
    for answer in not_http.into_iter().chain([long, long_line]) {
        let (error, requests) = refused_by_proxy("", answer);

        assert_eq!(requests, 1, "{error}");
        assert!(matches!(error, Error::Proxy { proxy_status: None, .. }), "{error:?}");
        assert!(error.to_string().ends_with("did not answer CONNECT with an HTTP response"), "{error}");
        assert!(error.hint().contains("add cloud.example to NO_PROXY"), "{}", error.hint());
    }
}

#[test]
fn a_proxy_that_repeats_the_log_in_does_not_reveal_it() {
    let body = format!("user canary, {}", STANDARD.encode("user:canary"));
    let (error, _) = refused_by_proxy("user:canary@", proxy_answer("403 no canary", "text/plain", &body));

    let shown = format!("{error} {error:?}");
    assert!(shown.contains("403 no [redacted]; the proxy says: \"user [redacted], [redacted]"), "{shown}");
    assert!(!shown.contains("canary"), "{shown}");
}

#[test]
fn a_proxy_that_accepts_a_connection_and_says_nothing_ends_with_the_time() {
    let proxy = TestServer::acting(|_, out| {
        // Until the client gives up.
        let _ = out.read(&mut [0]);
        Ok(())
    });
    let (_directory, grant) = proxied("HTTPS_PROXY", format!("http://127.0.0.1:{}", proxy.port()));

    let error = grant.mint(&credential(), Duration::from_millis(300)).unwrap_err();

    assert_eq!(error.status(), Status::Network, "{error}");
    assert!(
        error.to_string().contains("(set by HTTPS_PROXY) failed: no connection within") || error.to_string().contains("timed out"),
        "{error}"
    );
}

#[test]
fn a_proxy_that_closes_the_connection_is_named_and_asked_again() {
    let (error, requests) = refused_by_proxy("", String::new());

    assert_eq!(requests, 3);
    assert!(matches!(error, Error::Network { reached: false, .. }), "{error:?}");
    assert!(error.to_string().ends_with("(set by HTTPS_PROXY) failed: the connection was closed"), "{error}");
}

#[test]
fn a_proxy_with_an_untrusted_certificate_is_named() {
    let proxy = TestServer::over_tls(authority().server("localhost", 2400), String::new());
    let (_directory, grant) = proxied("HTTPS_PROXY", format!("https://user:canary@localhost:{}", proxy.port()));

    let error = grant.mint(&credential(), ENOUGH).unwrap_err();

    assert_eq!(error.status(), Status::Tls, "{error}");
    let name = format!("the proxy https://localhost:{} (set by HTTPS_PROXY)", proxy.port());
    assert!(error.to_string().contains(&name) && !format!("{error:?}").contains("canary"), "{error:?}");
    assert!(proxy.finish().requests.is_empty());
}

/// A proxy that opens a tunnel and is also the server at its end, with a certificate for
/// `cloud.example`. `proxy_tls` is the proxy's own certificate, if it speaks TLS.
fn tunneling_proxy(authority: &Authority, proxy_tls: Option<Arc<rustls::ServerConfig>>, answer: String) -> TestServer {
    let tls = authority.server("cloud.example", 2400);
    let act = move |_: usize, out: &mut dyn Duplex| {
        out.write_all(b"HTTP/1.1 200 Connection established\r\nVia: 1.1 p\r\n\r\n")?;
        let mut tls = rustls::StreamOwned::new(rustls::ServerConnection::new(Arc::clone(&tls)).unwrap(), out);
        let mut received = Vec::new();
        while !received.ends_with(b"grant_type=client_credentials") {
            let mut buffer = [0; 1024];
            let read = tls.read(&mut buffer)?;
            received.extend_from_slice(&buffer[..read]);
        }
        tls.write_all(answer.as_bytes())?;
        tls.conn.send_close_notify();
        tls.flush()
    };
    match proxy_tls {
        Some(tls) => TestServer::acting_over_tls(tls, act),
        None => TestServer::acting(act),
    }
}

/// Requests a token through a proxy at whose end `answer` comes back. Returns whether other processes
/// share the error.
fn is_shared_through_proxy(answer: String) -> (bool, Error) {
    let authority = authority();
    let proxy = tunneling_proxy(&authority, None, answer);
    let (_directory, file) = ca_file(&authority);
    let mut config = config("https://cloud.example/token");
    config.authorities = Authorities::File(file);
    config.proxy = through_proxy("HTTPS_PROXY", &proxy.url(""));
    let grant = HttpGrant::new(&config, Arc::new(ManualClock::new(0))).unwrap();

    let error = grant.mint(&credential(), ENOUGH).unwrap_err();

    (grant.is_shared(&error), error)
}

#[test]
fn r29_behind_a_proxy_only_an_answer_of_the_server_is_shared() {
    let of_server = [
        json(400, r#"{"error":"invalid_scope"}"#),
        json(401, r#"{"error":"invalid_client"}"#),
        json(401, r#"{"error":401,"reason":"Unauthorized"}"#),
        json(403, r#"{"error":"access_denied","error_description":"access token limit"}"#),
        reply(429, &[("Retry-After", "1")], "<html>"),
        json(500, r#"{"error":"server_error"}"#),
    ];
    for answer in of_server {
        let (shared, error) = is_shared_through_proxy(answer);
        assert!(shared, "{error:?}");
    }
    let perhaps_of_proxy = [
        reply(302, &[("Location", "https://login.example/")], ""),
        reply(401, &[], ""),
        reply(403, &[("Content-Type", "text/html")], "<html>"),
        reply(404, &[], ""),
        reply(503, &[], "<html>"),
        reply(200, &[], "<html>"),
        String::new(),
    ];
    for answer in perhaps_of_proxy {
        let (shared, error) = is_shared_through_proxy(answer);
        assert!(!shared, "{error:?}");
    }
}

#[test]
fn a_log_in_is_known_again_and_hides_its_password() {
    let id = |url: &str, secret: &str| {
        let credential = Credential { client_secret: Secret::from(secret), ..credential() };
        let (_directory, grant) = proxied("HTTPS_PROXY", url.to_owned());
        let login = grant.proxy_login(&credential).unwrap();
        assert!(matches!(login.rejection, Error::Proxy { proxy_status: Some(407), .. }), "{login:?}");
        assert!(!format!("{login:?}").contains("canary"), "{login:?}");
        login.id
    };
    let url = "http://user:canary@p.example:3128";

    assert_eq!(id(url, SECRET), id(url, SECRET));
    for (other, secret) in [
        ("http://user:canary2@p.example:3128", SECRET),
        ("http://user2:canary@p.example:3128", SECRET),
        ("http://user:canary@p.example:3129", SECRET),
        (url, "another secret"),
    ] {
        assert_ne!(id(url, SECRET), id(other, secret), "{other}");
    }
    assert!(grant(&config("https://cloud.example/")).proxy_login(&credential()).is_none());
}

#[test]
fn a_token_is_minted_through_a_proxy_with_and_without_tls() {
    for scheme in ["http", "https"] {
        let authority = authority();
        let proxy_tls = (scheme == "https").then(|| authority.server("localhost", 2400));
        let proxy = tunneling_proxy(&authority, proxy_tls, token_reply());
        let (_directory, file) = ca_file(&authority);
        let mut config = config("https://cloud.example/token");
        config.authorities = Authorities::File(file);
        config.proxy = through_proxy("HTTPS_PROXY", &format!("{scheme}://us%20er:c%3Anary%zz@localhost:{}", proxy.port()));
        let grant = HttpGrant::new(&config, Arc::new(ManualClock::new(0)));

        let minted = grant.unwrap().mint(&credential(), ENOUGH);

        assert_eq!(minted.unwrap().value.expose(), TOKEN);
        let request = proxy.finish().requests.remove(0);
        assert!(request.starts_with("CONNECT cloud.example:443 HTTP/1.1\r\nHost: cloud.example:443\r\n"), "{request}");
        assert_eq!(header(&request, "proxy-authorization"), Some(format!("Basic {}", STANDARD.encode("us er:c:nary%zz")).as_str()));
    }
}

#[test]
fn i9_a_proxy_that_is_down_is_a_network_error_that_hides_its_password() {
    let port = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
    let (_directory, grant) = proxied("ALL_PROXY", format!("http://user:canary@127.0.0.1:{port}"));

    let error = grant.mint(&credential(), ENOUGH).unwrap_err();

    assert_eq!(error.status(), Status::Network, "{error}");
    let shown = format!("{error} {error:?}");
    assert!(!shown.contains("canary") && shown.contains("refused"), "{shown}");
}
