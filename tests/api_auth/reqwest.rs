use crate::support::{Atlas, ORGS, VERSION, http};
use bytes::Bytes;
use http::header;
use http_body_util::{BodyExt, Full};
use reqwest::{Body, Method, RequestBuilder, StatusCode};
use std::time::Duration;
use tokenwell::Status;
use tokenwell::reqwest::{Auth, SendError};

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
    let auth = Auth::new(&atlas.client).unwrap();

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
    let auth = Auth::new(&atlas.client).unwrap();

    auth.send(http().post(atlas.url(ORGS)).body(r#"{"name":"a"}"#)).await.unwrap();

    let received = atlas.received(ORGS);
    assert_eq!((received.method.as_str(), received.body.as_str()), ("POST", r#"{"name":"a"}"#));
    assert_eq!(atlas.counts(), (2, 2));
}

#[tokio::test]
async fn a_second_401_is_the_reply() {
    let atlas = Atlas::start();
    atlas.fail(ORGS, 401, 2);

    let response = Auth::new(&atlas.client).unwrap().send(get(&atlas.url(ORGS))).await.unwrap();

    assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(atlas.counts(), (2, 2));
}

#[tokio::test]
async fn a_stream_is_sent_once_and_the_next_request_has_a_new_token() {
    let atlas = Atlas::start();
    atlas.fail(ORGS, 401, 1);
    let auth = Auth::new(&atlas.client).unwrap();

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
    let auth = Auth::new(&atlas.client).unwrap();
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
    let auth = Auth::new(&atlas.client).unwrap();
    let url = atlas.url(ORGS).replace("://", "://user:password@");

    // The builder makes a header of the user name, and a request that was built otherwise does not.
    auth.send(get(&url)).await.unwrap();
    assert!(atlas.received(ORGS).headers["authorization"][0].starts_with("Basic "));
    let request = reqwest::Request::new(Method::GET, url.parse().unwrap());
    auth.execute(&http(), request).await.unwrap();

    assert!(!atlas.received(ORGS).headers.contains_key("authorization"));
    assert_eq!(atlas.counts(), (2, 0));
}

#[tokio::test]
async fn a_request_with_its_own_authorization_is_not_changed() {
    let atlas = Atlas::start();

    let response = Auth::new(&atlas.client).unwrap().send(get(&atlas.url(ORGS)).bearer_auth("own")).await.unwrap();

    assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(atlas.received(ORGS).headers["authorization"], ["Bearer own"]);
    assert_eq!(atlas.counts(), (1, 0));
}

#[tokio::test]
async fn i7_a_redirect_to_another_origin_is_followed_without_the_token() {
    let (atlas, elsewhere) = (Atlas::start(), Atlas::start());
    atlas.redirect(ORGS, &elsewhere.url(ORGS));

    let response = Auth::new(&atlas.client).unwrap().send(get(&atlas.url(ORGS))).await.unwrap();

    assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
    assert!(!elsewhere.received(ORGS).headers.contains_key("authorization"));
    assert!(atlas.received_the_token(ORGS).await);
    assert_eq!((atlas.counts(), elsewhere.counts()), ((1, 1), (1, 0)), "the token was not invalidated");
}

#[tokio::test]
async fn only_a_request_that_has_no_effect_is_repeated_after_a_redirect() {
    let elsewhere = "/api/atlas/v2/elsewhere";
    // The emulator does not know the path.
    for (method, status, tokens) in [(Method::POST, StatusCode::UNAUTHORIZED, 1), (Method::GET, StatusCode::NOT_FOUND, 2)] {
        let atlas = Atlas::start();
        let faults =
            serde_json::json!([{ "path": ORGS, "redirect": atlas.url(elsewhere) }, { "path": elsewhere, "status": 401, "times": 1 }]);
        atlas.emulator.set_faults(faults).unwrap();
        let request = http().request(method.clone(), atlas.url(&format!("{ORGS}#part"))).header(header::ACCEPT, VERSION);

        let response = Auth::new(&atlas.client).unwrap().send(request).await.unwrap();

        assert_eq!(response.status(), status, "{method}");
        assert_eq!(atlas.counts().1, tokens, "{method}");
    }
}

#[tokio::test]
async fn the_timeout_of_a_request_limits_the_wait_for_its_token() {
    let atlas = Atlas::start();
    atlas.slow_tokens();

    let error = Auth::new(&atlas.client).unwrap().send(get(&atlas.url(ORGS)).timeout(Duration::from_millis(1))).await.unwrap_err();

    let SendError::Token(error) = error else { panic!("{error}") };
    assert_eq!(error.status(), Status::Deadline, "{error}");
    atlas.client.token_async(&Default::default()).await.unwrap();
    assert_eq!(atlas.counts(), (0, 1));
}

#[tokio::test]
async fn the_wait_for_the_token_leaves_the_rest_of_the_time_to_the_request() {
    let atlas = Atlas::start();
    atlas.emulator.set_faults(serde_json::json!([{ "path": ORGS, "delay_ms": 60_000, "then_serve": true }])).unwrap();

    let error = Auth::new(&atlas.client).unwrap().send(get(&atlas.url(ORGS)).timeout(Duration::from_millis(300))).await.unwrap_err();

    assert!(matches!(&error, SendError::Request(error) if error.is_timeout()), "{error}");
}

#[tokio::test]
async fn without_a_token_nothing_is_sent() {
    let atlas = Atlas::start();
    atlas.refuse_tokens();

    let error = Auth::new(&atlas.client).unwrap().send(get(&atlas.url(ORGS))).await.unwrap_err();

    assert!(matches!(&error, SendError::Token(_)), "{error}");
    assert_eq!(atlas.counts(), (0, 0));
}

#[tokio::test]
async fn without_a_new_token_the_401_is_the_reply() {
    let atlas = Atlas::start();
    atlas.client.token(&Default::default()).unwrap();
    atlas.emulator.set_faults(serde_json::json!([{ "path": ORGS, "status": 401 }, { "path": "/api/oauth/token", "status": 400 }])).unwrap();

    let response = Auth::new(&atlas.client).unwrap().send(get(&atlas.url(ORGS))).await.unwrap();

    assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(atlas.counts().1, 1);
}
