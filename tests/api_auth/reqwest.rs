use crate::parts::{FakeServer, FakeStore, FixedCredentials, START_MS, client_of};
use crate::support::{Atlas, ORGS, VERSION, builder, http};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, header};
use http_body_util::{BodyExt, Full};
use reqwest::{Body, Method, RequestBuilder, StatusCode};
use std::sync::Arc;
use std::time::Duration;
use tokenwell::Status;
use tokenwell::clock::ManualClock;
use tokenwell::reqwest::{Auth, SendError};

const SECOND: &str = "/api/atlas/v2/second";

fn get(url: &str) -> RequestBuilder {
    http().get(url).header(header::ACCEPT, VERSION)
}

/// A body that reqwest cannot copy.
fn stream() -> Body {
    Body::wrap(Full::new(Bytes::from("content")).boxed())
}

#[tokio::test]
async fn the_api_answers_before_and_after_its_token_was_revoked_with_one_repetition() {
    let atlas = Atlas::start();
    let auth = Auth::new(&atlas.client, builder()).unwrap();

    assert_eq!(auth.send(get(&atlas.url(ORGS))).await.unwrap().status(), StatusCode::OK);
    assert_eq!(atlas.counts(), (1, 1));

    atlas.revoke_at_the_server().await;
    let response = auth.send(get(&atlas.url(ORGS))).await.unwrap();

    assert_eq!(response.status(), StatusCode::OK);
    let body: serde_json::Value = serde_json::from_slice(&response.bytes().await.unwrap()).unwrap();
    assert_eq!(body["totalCount"], 1);
    assert_eq!(atlas.counts(), (3, 2));
    assert!(atlas.received_the_token(ORGS).await);
}

#[tokio::test]
async fn a_repeated_request_has_its_body() {
    let atlas = Atlas::start();
    atlas.fail(ORGS, 401, 1);
    let auth = Auth::new(&atlas.client, builder()).unwrap();

    auth.send(http().post(atlas.url(ORGS)).body(r#"{"name":"a"}"#)).await.unwrap();

    let received = atlas.received(ORGS);
    assert_eq!((received.method.as_str(), received.body.as_str()), ("POST", r#"{"name":"a"}"#));
    assert_eq!(atlas.counts(), (2, 2));
}

#[tokio::test]
async fn a_second_401_is_the_reply() {
    let atlas = Atlas::start();
    atlas.fail(ORGS, 401, 2);

    let response = Auth::new(&atlas.client, builder()).unwrap().send(get(&atlas.url(ORGS))).await.unwrap();

    assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(atlas.counts(), (2, 2));
}

#[tokio::test]
async fn a_stream_is_sent_once_and_the_next_request_has_a_new_token() {
    let atlas = Atlas::start();
    atlas.fail(ORGS, 401, 1);
    let auth = Auth::new(&atlas.client, builder()).unwrap();

    let response = auth.send(http().post(atlas.url(ORGS)).body(stream())).await.unwrap();
    assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(atlas.counts(), (1, 1));
    let response = auth.send(get(&atlas.url(ORGS))).await.unwrap();

    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(atlas.counts(), (2, 2));
}

#[tokio::test]
async fn i5_another_origin_gets_no_token_and_none_is_requested() {
    let (atlas, elsewhere) = (Atlas::start(), Atlas::start());
    let auth = Auth::new(&atlas.client, builder()).unwrap();
    let with_host = get(&atlas.url(ORGS)).header(header::HOST, "evil.example");

    for (server, request) in [(&elsewhere, get(&elsewhere.url(ORGS))), (&atlas, with_host)] {
        let response = auth.send(request).await.unwrap();

        assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
        assert!(!server.received(ORGS).headers.contains_key("authorization"));
    }
    assert_eq!((atlas.counts(), elsewhere.counts()), ((1, 0), (1, 0)));
}

#[tokio::test]
async fn i5_a_url_with_a_user_name_gets_no_token() {
    let atlas = Atlas::start();
    let auth = Auth::new(&atlas.client, builder()).unwrap();
    let url = atlas.url(ORGS).replace("://", "://user:password@");

    // The builder makes a header of the user name, and a request that was built otherwise does not.
    auth.send(get(&url)).await.unwrap();
    assert!(atlas.received(ORGS).headers["authorization"][0].starts_with("Basic "));
    let request = reqwest::Request::new(Method::GET, url.parse().unwrap());
    auth.execute(request).await.unwrap();

    assert!(!atlas.received(ORGS).headers.contains_key("authorization"));
    assert_eq!(atlas.counts(), (2, 0));
}

#[tokio::test]
async fn a_request_with_its_own_authorization_is_not_changed() {
    let atlas = Atlas::start();

    let response = Auth::new(&atlas.client, builder()).unwrap().send(get(&atlas.url(ORGS)).bearer_auth("own")).await.unwrap();

    assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(atlas.received(ORGS).headers["authorization"], ["Bearer own"]);
    assert_eq!(atlas.counts(), (1, 0));
}

#[tokio::test]
async fn i7_a_redirect_to_another_origin_is_followed_without_the_token() {
    let (atlas, elsewhere) = (Atlas::start(), Atlas::start());
    atlas.redirect(ORGS, &elsewhere.url(ORGS));

    let response = Auth::new(&atlas.client, builder()).unwrap().send(get(&atlas.url(ORGS))).await.unwrap();

    assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
    assert!(!elsewhere.received(ORGS).headers.contains_key("authorization"));
    assert!(atlas.received_the_token(ORGS).await);
    assert_eq!((atlas.counts(), elsewhere.counts()), ((1, 1), (1, 0)), "the token was not invalidated");
}

#[tokio::test]
async fn after_a_redirect_within_the_api_only_the_rejected_request_is_repeated() {
    for (method, body, redirect, expected) in [
        (Method::POST, "content", 307, ("POST", "content")),
        (Method::POST, "content", 308, ("POST", "content")),
        (Method::POST, "content", 301, ("GET", "")),
        (Method::POST, "content", 302, ("GET", "")),
        (Method::PUT, "content", 302, ("PUT", "content")),
        (Method::PUT, "content", 303, ("GET", "")),
        (Method::GET, "", 301, ("GET", "")),
        (Method::HEAD, "", 303, ("HEAD", "")),
    ] {
        let atlas = Atlas::start();
        let faults = serde_json::json!([
            { "path": ORGS, "redirect": format!("{SECOND}?page=2#part"), "redirect_status": redirect },
            { "path": SECOND, "status": 401, "times": 1 },
        ]);
        atlas.emulator.set_faults(faults).unwrap();
        let request = http().request(method.clone(), atlas.url(ORGS)).header(header::CONTENT_TYPE, "application/json").body(body);

        let response = Auth::new(&atlas.client, builder()).unwrap().send(request).await.unwrap();

        // The emulator does not know the path.
        assert_eq!(response.status(), StatusCode::NOT_FOUND, "{method} {redirect}");
        assert_eq!(response.url().path(), SECOND);
        let received = atlas.received(SECOND);
        assert_eq!((received.method.as_str(), received.body.as_str()), expected, "{method} {redirect}");
        assert_eq!(received.query.as_deref(), Some("page=2"));
        let keeps_its_content = redirect != 303 && method.as_str() == expected.0;
        assert_eq!(received.headers.contains_key("content-type"), keeps_its_content, "{method} {redirect}");
        assert!(atlas.received_the_token(SECOND).await);
        assert_eq!(atlas.counts(), (3, 2), "{method} {redirect}");
    }
}

#[tokio::test]
async fn a_redirect_that_needs_the_body_of_a_stream_again_is_the_response() {
    for (status, expected) in [(307, StatusCode::TEMPORARY_REDIRECT), (303, StatusCode::NOT_FOUND)] {
        let atlas = Atlas::start();
        atlas.emulator.set_faults(serde_json::json!([{ "path": ORGS, "redirect": SECOND, "redirect_status": status }])).unwrap();
        let request = http().post(atlas.url(ORGS)).header("x-request-id", "7").body(stream());

        let response = Auth::new(&atlas.client, builder()).unwrap().send(request).await.unwrap();

        assert_eq!(response.status(), expected);
        if status == 303 {
            assert_eq!(atlas.received(SECOND).headers["x-request-id"], ["7"]);
        }
    }
}

#[tokio::test]
async fn a_chain_of_redirects_has_an_end() {
    let atlas = Atlas::start();
    atlas.redirect(ORGS, &atlas.url(ORGS));

    let error = Auth::new(&atlas.client, builder()).unwrap().send(get(&atlas.url(ORGS))).await.unwrap_err();

    assert!(matches!(&error, SendError::TooManyRedirects), "{error}");
    assert_eq!(atlas.counts(), (11, 1));
}

#[tokio::test]
async fn i7_what_is_for_one_server_is_not_sent_to_another() {
    let (atlas, elsewhere) = (Atlas::start(), Atlas::start());
    atlas.redirect(ORGS, &elsewhere.url(ORGS));
    let own_host = atlas.emulator.base_url().trim_start_matches("http://").to_owned();
    let request = get(&atlas.url(ORGS)).bearer_auth("own").header(header::COOKIE, "own").header(header::HOST, own_host);

    Auth::new(&atlas.client, builder()).unwrap().send(request).await.unwrap();

    assert_eq!(atlas.authorization(ORGS).unwrap(), ["Bearer own"]);
    let headers = elsewhere.received(ORGS).headers;
    assert!(!headers.contains_key("authorization") && !headers.contains_key("cookie"));
    assert_eq!(headers["host"], [elsewhere.emulator.base_url().trim_start_matches("http://")]);
}

#[tokio::test]
async fn the_token_replaces_a_default_authorization_and_a_redirect_policy_has_no_effect() {
    let (atlas, elsewhere) = (Atlas::start(), Atlas::start());
    atlas.redirect(ORGS, &elsewhere.url(ORGS));
    let defaults = HeaderMap::from_iter([(header::AUTHORIZATION, HeaderValue::from_static("Bearer default"))]);
    let policy = reqwest::redirect::Policy::custom(|attempt| attempt.error("was called"));
    let auth = Auth::new(&atlas.client, builder().default_headers(defaults).redirect(policy)).unwrap();

    auth.send(auth.http().get(atlas.url(ORGS))).await.unwrap();

    assert!(atlas.received_the_token(ORGS).await);
    assert_eq!(elsewhere.authorization(ORGS).unwrap(), ["Bearer default"]);
}

#[test]
fn a_client_that_reqwest_cannot_build_is_an_invalid_argument() {
    let atlas = Atlas::start();

    let error = Auth::new(&atlas.client, builder().user_agent("a\nb")).unwrap_err();

    assert_eq!(error.status(), Status::InvalidArgument, "{error}");
    assert!(error.to_string().starts_with("http is no valid HTTP client: builder error"), "{error}");
}

#[tokio::test]
async fn the_timeout_of_a_request_limits_the_wait_for_its_token() {
    let atlas = Atlas::start();
    atlas.slow_tokens();

    let error =
        Auth::new(&atlas.client, builder()).unwrap().send(get(&atlas.url(ORGS)).timeout(Duration::from_millis(1))).await.unwrap_err();

    let SendError::Token(error) = error else { panic!("{error}") };
    assert_eq!(error.status(), Status::Deadline, "{error}");
    atlas.client.token_async(&Default::default()).await.unwrap();
    assert_eq!(atlas.counts(), (0, 1));
}

#[tokio::test]
async fn the_wait_for_the_token_leaves_the_rest_of_the_time_to_the_request() {
    let atlas = Atlas::start();
    atlas.emulator.set_faults(serde_json::json!([{ "path": ORGS, "delay_ms": 60_000, "then_serve": true }])).unwrap();

    let error =
        Auth::new(&atlas.client, builder()).unwrap().send(get(&atlas.url(ORGS)).timeout(Duration::from_millis(300))).await.unwrap_err();

    assert!(matches!(&error, SendError::Request(error) if error.is_timeout()), "{error}");
}

#[tokio::test]
async fn without_a_token_nothing_is_sent() {
    let atlas = Atlas::start();
    atlas.refuse_tokens();

    let error = Auth::new(&atlas.client, builder()).unwrap().send(get(&atlas.url(ORGS))).await.unwrap_err();

    assert!(matches!(&error, SendError::Token(_)), "{error}");
    assert_eq!(atlas.counts(), (0, 0));
}

#[tokio::test]
async fn without_a_new_token_the_401_is_the_reply() {
    let atlas = Atlas::start();
    atlas.client.token(&Default::default()).unwrap();
    atlas.emulator.set_faults(serde_json::json!([{ "path": ORGS, "status": 401 }, { "path": "/api/oauth/token", "status": 400 }])).unwrap();

    let response = Auth::new(&atlas.client, builder()).unwrap().send(get(&atlas.url(ORGS))).await.unwrap();

    assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(atlas.counts().1, 1);
}

#[tokio::test]
async fn i7_no_server_of_a_chain_of_redirects_gets_the_token_of_another() {
    for last_is_the_api in [false, true] {
        let (atlas, elsewhere) = (Atlas::start(), Atlas::start());
        let last = if last_is_the_api { &atlas } else { &elsewhere };
        for (server, target) in [(&atlas, elsewhere.url(ORGS)), (&elsewhere, last.url(SECOND))] {
            let faults = serde_json::json!([{ "path": ORGS, "redirect": target }, { "path": SECOND, "status": 401 }]);
            server.emulator.set_faults(faults).unwrap();
        }

        let response = Auth::new(&atlas.client, builder()).unwrap().send(get(&atlas.url(ORGS))).await.unwrap();

        assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
        assert!(atlas.received_the_token(ORGS).await);
        assert_eq!((elsewhere.authorization(ORGS), last.authorization(SECOND)), (None, None), "{last_is_the_api}");
        assert_eq!(atlas.counts().1, 1, "the token was invalidated");
        assert_eq!(atlas.counts().0 + elsewhere.counts().0, 3, "a request was repeated");
    }
}

#[tokio::test]
async fn the_timeout_of_a_request_also_limits_the_invalidation_of_its_token() {
    let api = Atlas::start();
    let store = Arc::new(FakeStore::default());
    let (clock, server) = (Arc::new(ManualClock::new(START_MS)), FakeServer::new());
    let client = client_of(&clock, &server, Arc::clone(&store) as Arc<_>, Box::new(FixedCredentials));
    client.token_async(&Default::default()).await.unwrap();
    store.save_gate.shut();
    let auth = Auth::with_origin(&client, builder(), api.emulator.base_url()).unwrap();

    let sent = tokio::time::timeout(Duration::from_secs(30), auth.send(get(&api.url(ORGS)).timeout(Duration::from_secs(1)))).await;

    store.save_gate.open();
    assert_eq!(sent.expect("the invalidation was awaited").unwrap().status(), StatusCode::UNAUTHORIZED);
    assert_eq!(api.counts(), (1, 0));
    assert!(client.drain(Duration::from_secs(60)));
}
