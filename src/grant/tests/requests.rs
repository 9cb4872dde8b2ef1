//! What a token request contains, and redirects.

use super::*;

#[test]
fn a_token_is_minted_and_the_socket_is_closed() {
    let server = TestServer::replying(vec![token_reply()]);

    let minted = mint(&server.url("/api/oauth/token")).unwrap();

    assert_eq!(minted.value.expose(), TOKEN);
    assert_eq!(minted.lifetime, GrantedLifetime::Stated(Duration::from_secs(3600)));
    assert_eq!(minted.scope, None);
    let seen = server.finish();
    assert_eq!((seen.connections, seen.requests.len(), seen.closed_by_client), (1, 1, 1));
}

#[test]
fn item_1_item_2_the_request_is_exactly_what_atlas_wants() {
    let server = TestServer::replying(vec![token_reply()]);
    let port = server.port();

    mint(&server.url("/api/oauth/token")).unwrap();

    let request = server.finish().requests.remove(0);
    let (head, body) = request.split_once("\r\n\r\n").unwrap();
    let mut lines: Vec<&str> = head.lines().collect();
    assert_eq!(lines.remove(0), "POST /api/oauth/token HTTP/1.1");
    lines.sort_unstable();
    let expected = [
        "accept-encoding: identity".to_owned(),
        "accept: application/json".to_owned(),
        format!("authorization: Basic {}", STANDARD.encode(format!("{ID}:{SECRET}"))),
        "content-length: 29".to_owned(),
        "content-type: application/x-www-form-urlencoded".to_owned(),
        format!("host: 127.0.0.1:{port}"),
        format!("user-agent: tokenwell/{}", env!("CARGO_PKG_VERSION")),
    ];
    assert_eq!(lines, expected);
    assert_eq!(body, "grant_type=client_credentials");
}

#[test]
fn item_3_each_method_of_authentication_is_the_only_one_of_its_request() {
    let awkward = Credential { client_id: "an id".to_owned(), client_secret: Secret::from("s&c+e/t€"), origin: String::new() };
    let cases = [
        (ClientAuthentication::BasicRaw, Some("an id:s&c+e/t€"), "grant_type=client_credentials"),
        (ClientAuthentication::Basic, Some("an+id:s%26c%2Be%2Ft%E2%82%AC"), "grant_type=client_credentials"),
        (ClientAuthentication::Post, None, "grant_type=client_credentials&client_id=an+id&client_secret=s%26c%2Be%2Ft%E2%82%AC"),
    ];
    for (method, pair, expected) in cases {
        let server = TestServer::replying(vec![token_reply()]);
        let mut config = config(&server.url("/token"));
        config.authentication = method;

        grant(&config).mint(&awkward, ENOUGH).unwrap();

        let request = server.finish().requests.remove(0);
        let authorization = pair.map(|pair| format!("Basic {}", STANDARD.encode(pair)));
        assert_eq!(header(&request, "authorization"), authorization.as_deref(), "{method:?}");
        assert_eq!(body(&request), expected, "{method:?}");
    }
}

#[test]
fn item_6_parameters_that_are_given_are_sent_and_empty_ones_are_not() {
    let server = TestServer::replying(vec![token_reply()]);
    let mut config = config(&server.url("/token?tenant=a%20b&x="));
    config.scope = Some("read write".to_owned());
    config.audience = Some("https://api.example/?a=b".to_owned());
    config.resource = Some("urn:r".to_owned());
    grant(&config).mint(&credential(), ENOUGH).unwrap();
    config.scope = Some(String::new());
    config.audience = Some(String::new());
    config.resource = Some(String::new());
    grant(&config).mint(&credential(), ENOUGH).unwrap();

    let seen = server.finish();

    assert!(seen.requests.iter().all(|request| request.starts_with("POST /token?tenant=a%20b&x= HTTP/1.1\r\n")), "{seen:?}");
    let full = "grant_type=client_credentials&scope=read+write&audience=https%3A%2F%2Fapi.example%2F%3Fa%3Db&resource=urn%3Ar";
    assert_eq!(seen.requests.iter().map(|request| body(request)).collect::<Vec<_>>(), [full, "grant_type=client_credentials"]);
}

#[test]
fn item_20_no_reply_is_kept_however_long_it_says_it_may_be() {
    let server = TestServer::replying(vec![reply(
        200,
        &[
            ("Content-Type", "application/json"),
            ("Cache-Control", "public, max-age=86400, immutable"),
            ("ETag", "\"1\""),
            ("Last-Modified", "Tue, 14 Nov 2023 00:00:00 GMT"),
            ("Expires", "Thu, 31 Dec 2099 23:59:59 GMT"),
        ],
        &format!(r#"{{"access_token":"{TOKEN}","expires_in":3600,"token_type":"Bearer"}}"#),
    )]);
    let grant = grant(&config(&server.url("/token")));

    grant.mint(&credential(), ENOUGH).unwrap();
    grant.mint(&credential(), ENOUGH).unwrap();

    let requests = server.finish().requests;
    assert_eq!(requests.len(), 2, "each request is sent to the server");
    for name in ["if-none-match", "if-modified-since", "cache-control"] {
        assert_eq!(requests.iter().map(|request| header(request, name)).collect::<Vec<_>>(), [None, None], "{name}");
    }
}

#[test]
fn i7_item_10_no_redirect_is_followed() {
    for status in [301, 302, 303, 307, 308] {
        let other = TestServer::replying(vec![token_reply()]);
        let port = other.port();
        let targets = [
            format!("http://127.0.0.1:{port}/elsewhere?canary=query"),
            format!("http://localhost:{port}/"),
            format!("http://user:canary@127.0.0.1:{port}/"),
            format!("//127.0.0.1:{port}/"),
            "/api/oauth/token".to_owned(),
            "https://cloud.mongodb.com/".to_owned(),
            "javascript:alert(1)".to_owned(),
            "http://[".to_owned(),
        ];
        let replies = targets.iter().map(|target| reply(status, &[("Location", target)], "")).chain([reply(status, &[], "")]).collect();
        let server = TestServer::replying(replies);
        for target in targets.iter().map(String::as_str).chain(["nowhere"]) {
            let error = mint(&server.url("/")).unwrap_err();

            assert_eq!((error.status(), error.http_status()), (Status::Refused, Some(status)), "{target}: {error}");
            let shown = format!("{error} {error:?}");
            assert!(!shown.contains("canary"), "{shown}");
        }

        assert_eq!(server.finish().requests.len(), targets.len() + 1, "each request is sent once");
        assert_eq!(other.finish().connections, 0, "{status}");
    }
}

#[test]
fn i7_a_redirect_names_the_origin_that_it_points_to() {
    let server = TestServer::replying(vec![reply(302, &[("Location", "https://login.example:8443/sso?ticket=canary#canary")], "<html>")]);

    let error = mint(&server.url("/")).unwrap_err();

    let message = error.to_string();
    assert!(message.contains("https://login.example:8443,") && !message.contains("canary"), "{message}");
}
