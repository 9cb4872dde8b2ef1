//! Requests for the revocation of a token.

use super::*;

fn revoke(server: &TestServer, authentication: ClientAuthentication, clock: Arc<ManualClock>) -> Result<(), Error> {
    let mut config = config("http://127.0.0.1:1/token");
    config.revocation_endpoint = Some(Endpoint::for_tests(&server.url("/api/oauth/revoke")));
    config.authentication = authentication;
    HttpGrant::new(&config, clock).unwrap().revoke(&credential(), &Secret::from("a+b/c="), ENOUGH)
}

#[test]
fn item_28_a_token_is_revoked_with_the_same_authentication() {
    let basic = format!("Basic {}", STANDARD.encode(format!("{ID}:{SECRET}")));
    let token = "token=a%2Bb%2Fc%3D&token_type_hint=access_token";
    let cases = [
        (ClientAuthentication::BasicRaw, Some(basic.as_str()), token.to_owned()),
        (ClientAuthentication::Post, None, format!("{token}&client_id={ID}&client_secret={SECRET}")),
    ];
    for (method, authorization, expected) in cases {
        let server = TestServer::replying(vec![reply(200, &[("Content-Type", "text/html")], "<anything>")]);

        revoke(&server, method, Arc::new(ManualClock::new(0))).unwrap();

        let request = server.finish().requests.remove(0);
        assert!(request.starts_with("POST /api/oauth/revoke HTTP/1.1\r\n"), "{request}");
        assert_eq!(header(&request, "authorization"), authorization);
        assert_eq!(header(&request, "accept"), Some("application/json"));
        assert_eq!(header(&request, "content-type"), Some("application/x-www-form-urlencoded"));
        assert_eq!(header(&request, "user-agent"), Some(concat!("tokenwell/", env!("CARGO_PKG_VERSION"))));
        assert_eq!(body(&request), expected);
    }
}

#[test]
fn item_28_a_revocation_that_fails_is_told_at_once() {
    let cases = [
        (reply(503, &[("Retry-After", "5")], ""), Status::Server, Some(Duration::from_secs(5))),
        (json(429, r#"{"error":"rate_limited"}"#), Status::RateLimited, Some(Duration::from_secs(60))),
        (json(400, r#"{"error":"unsupported_token_type"}"#), Status::CredentialRejected, None),
        (json(401, r#"{"error":"invalid_client"}"#), Status::CredentialRejected, None),
        (reply(307, &[("Location", "http://127.0.0.1:1/")], ""), Status::Refused, None),
        (reply(204, &[], ""), Status::Protocol, None),
    ];
    for (refusal, status, retry_after) in cases {
        let server = TestServer::replying(vec![refusal]);
        let clock = Arc::new(ManualClock::new(0));

        let error = revoke(&server, ClientAuthentication::BasicRaw, Arc::clone(&clock)).unwrap_err();

        assert_eq!((error.status(), error.retry_after()), (status, retry_after), "{error}");
        assert_eq!(clock.now().wall_ms, 0, "{error}");
        assert_eq!(server.finish().requests.len(), 1, "{error}");
    }
}

#[test]
fn a_revocation_without_an_endpoint_is_an_error() {
    let error = grant(&config("http://127.0.0.1:1/")).revoke(&credential(), &Secret::from(TOKEN), ENOUGH).unwrap_err();

    assert_eq!(error.status(), Status::NotConfigured);
    assert!(error.to_string().contains("revocation_url"), "{error}");
}
