use crate::support::{Atlas, ORGS, VERSION, client};
use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::{Client as Hyper, connect::HttpConnector};
use hyper_util::rt::TokioExecutor;
use std::collections::VecDeque;
use std::convert::Infallible;
use std::future::{Ready, ready};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;
use tokenwell::Status;
use tokenwell::tower::AuthLayer;
use tower::timeout::TimeoutLayer;
use tower::{Layer, Service, ServiceBuilder, ServiceExt};
use tower_http::follow_redirect::FollowRedirectLayer;

fn hyper() -> Hyper<HttpConnector, Full<Bytes>> {
    Hyper::builder(TokioExecutor::new()).build_http()
}

fn get(url: &str) -> Request<Full<Bytes>> {
    Request::get(url).header(header::ACCEPT, VERSION).body(Full::default()).unwrap()
}

fn post(url: &str, body: &'static str) -> Request<Full<Bytes>> {
    Request::post(url).header(header::ACCEPT, VERSION).body(Full::from(body)).unwrap()
}

/// A service that sends nothing. It records requests, and replies with the statuses of its script, then
/// with 200. A call before it is ready is a fault.
#[derive(Default)]
struct Recorder<B> {
    seen: Arc<Mutex<Vec<Request<B>>>>,
    script: Arc<Mutex<VecDeque<u16>>>,
    is_ready: bool,
}

impl<B> Recorder<B> {
    fn with(script: &[u16]) -> Self {
        Self { seen: Arc::default(), script: Arc::new(Mutex::new(script.iter().copied().collect())), is_ready: false }
    }

    fn headers(&self) -> Vec<HeaderMap> {
        self.seen.lock().unwrap().iter().map(|request| request.headers().clone()).collect()
    }
}

impl<B> Clone for Recorder<B> {
    fn clone(&self) -> Self {
        Self { seen: Arc::clone(&self.seen), script: Arc::clone(&self.script), is_ready: false }
    }
}

impl<B> Service<Request<B>> for Recorder<B> {
    type Response = Response<String>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.is_ready = true;
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        assert!(std::mem::take(&mut self.is_ready), "called before it was ready");
        self.seen.lock().unwrap().push(request);
        let status = self.script.lock().unwrap().pop_front().unwrap_or(200);
        ready(Ok(Response::builder().status(status).body(format!("reply {}", self.seen.lock().unwrap().len())).unwrap()))
    }
}

#[tokio::test]
async fn the_api_answers_before_and_after_its_token_was_revoked_with_one_repetition() {
    let atlas = Atlas::start();
    let mut api = AuthLayer::new(&atlas.client).unwrap().layer(hyper());
    let url = atlas.url(ORGS);

    let response = api.ready().await.unwrap().call(get(&url)).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(atlas.counts(), (1, 1));

    atlas.revoke_at_the_server().await;
    let response = api.ready().await.unwrap().call(get(&url)).await.unwrap();

    assert_eq!(response.status(), StatusCode::OK);
    let body: serde_json::Value = serde_json::from_slice(&response.into_body().collect().await.unwrap().to_bytes()).unwrap();
    assert_eq!(body["totalCount"], 1);
    assert_eq!(atlas.counts(), (3, 2));
    assert!(atlas.received_the_token(ORGS).await);
}

#[tokio::test]
async fn a_repeated_request_has_its_body_its_method_and_its_headers() {
    let atlas = Atlas::start();
    atlas.fail(ORGS, 401, 1);
    let mut api = AuthLayer::new(&atlas.client).unwrap().layer(hyper());
    let mut request = post(&atlas.url("/api/atlas/v2/orgs?pretty=true"), r#"{"name":"a"}"#);
    request.headers_mut().insert("x-request-id", "7".parse().unwrap());

    api.ready().await.unwrap().call(request).await.unwrap();

    let received = atlas.received(ORGS);
    assert_eq!((received.method.as_str(), received.body.as_str()), ("POST", r#"{"name":"a"}"#));
    assert_eq!(received.query.as_deref(), Some("pretty=true"));
    assert_eq!(received.headers["x-request-id"], ["7"]);
    assert_eq!(received.headers["authorization"].len(), 1);
    assert_eq!(atlas.counts(), (2, 2));
}

#[tokio::test]
async fn a_second_401_is_the_reply() {
    let atlas = Atlas::start();
    let recorder = Recorder::with(&[401, 401]);
    let api = AuthLayer::new(&atlas.client).unwrap().layer(recorder.clone());

    let response = api.oneshot(get(&atlas.url(ORGS))).await.unwrap();

    assert_eq!((response.status(), response.body().as_str()), (StatusCode::UNAUTHORIZED, "reply 2"));
    let headers = recorder.headers();
    assert_eq!(headers.len(), 2);
    assert_ne!(headers[0][header::AUTHORIZATION], headers[1][header::AUTHORIZATION]);
    assert!(headers.iter().all(|headers| headers[header::AUTHORIZATION].is_sensitive()));
}

#[tokio::test]
async fn a_body_that_cannot_be_copied_is_sent_once_and_the_next_request_has_a_new_token() {
    /// Not [`Clone`], like a stream.
    #[derive(Debug)]
    struct Stream(&'static str);
    for (body, first, requests) in [("content", StatusCode::UNAUTHORIZED, 1), ("", StatusCode::OK, 2)] {
        let atlas = Atlas::start();
        let recorder = Recorder::with(&[401]);
        let layer = AuthLayer::new(&atlas.client).unwrap().clone_body_with(|body: &Stream| body.0.is_empty().then_some(Stream("")));
        let send = |body| layer.layer(recorder.clone()).oneshot(Request::post(atlas.url(ORGS)).body(Stream(body)).unwrap());

        assert_eq!(send(body).await.unwrap().status(), first, "{body:?}");
        assert_eq!(recorder.headers().len(), requests, "{body:?}");
        assert_eq!(send(body).await.unwrap().status(), StatusCode::OK, "{body:?}");
        assert_eq!(atlas.counts().1, 2, "{body:?}");
    }
}

#[tokio::test]
async fn i5_other_origins_get_no_token_and_none_is_requested() {
    let atlas = Atlas::start();
    let recorder = Recorder::with(&[401; 20]);
    let layer = AuthLayer::new(&atlas.client).unwrap();
    let port = atlas.emulator.base_url().rsplit(':').next().unwrap();
    let mut with_host = get(&atlas.url(ORGS));
    with_host.headers_mut().insert(header::HOST, "evil.example".parse().unwrap());
    let mut requests = vec![with_host, Request::connect("evil.example:443").body(Full::default()).unwrap()];
    for url in [
        "https://cloud.mongodb.com/".to_owned(),
        format!("https://127.0.0.1:{port}/"),
        format!("http://localhost:{port}/"),
        format!("http://127.0.0.1.evil.example:{port}/"),
        format!("http://127.0.0.1:{port}@evil.example/"),
        "http://127.0.0.1:1/".to_owned(),
        "http://127.0.0.1/".to_owned(),
    ] {
        requests.push(get(&url));
    }
    let count = requests.len();

    for request in requests {
        let response = layer.layer(recorder.clone()).oneshot(request).await.unwrap();
        assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
    }

    let headers = recorder.headers();
    assert_eq!(headers.len(), count);
    assert!(headers.iter().all(|headers| !headers.contains_key(header::AUTHORIZATION)));
    assert_eq!(atlas.emulator.counters().connections, 0);
}

#[tokio::test]
async fn a_request_with_its_own_authorization_is_not_changed() {
    let atlas = Atlas::start();
    let recorder = Recorder::with(&[401]);
    let mut request = get(&atlas.url(ORGS));
    request.headers_mut().insert(header::AUTHORIZATION, "Digest own".parse().unwrap());

    let response = AuthLayer::new(&atlas.client).unwrap().layer(recorder.clone()).oneshot(request).await.unwrap();

    assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(recorder.headers().iter().map(|headers| &headers[header::AUTHORIZATION]).collect::<Vec<_>>(), ["Digest own"]);
    assert_eq!(atlas.emulator.counters().connections, 0);
}

#[tokio::test]
async fn a_request_that_names_no_server_is_an_error() {
    let atlas = Atlas::start();
    let recorder = Recorder::with(&[]);

    let error = AuthLayer::new(&atlas.client).unwrap().layer(recorder.clone()).oneshot(get("/api/atlas/v2/orgs")).await.unwrap_err();

    let error = error.downcast_ref::<tokenwell::Error>().unwrap();
    assert_eq!(error.status(), Status::InvalidArgument, "{error}");
    assert!(recorder.headers().is_empty());
}

#[tokio::test]
async fn i7_a_redirect_to_another_origin_is_followed_without_the_token() {
    let (atlas, elsewhere) = (Atlas::start(), Atlas::start());
    atlas.redirect(ORGS, &elsewhere.url(ORGS));
    let api = ServiceBuilder::new().layer(FollowRedirectLayer::new()).layer(AuthLayer::new(&atlas.client).unwrap()).service(hyper());

    let response = api.oneshot(get(&atlas.url(ORGS))).await.unwrap();

    assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
    assert!(!elsewhere.received(ORGS).headers.contains_key("authorization"));
    assert!(atlas.received_the_token(ORGS).await);
    assert_eq!((atlas.counts(), elsewhere.counts()), ((1, 1), (1, 0)), "the token was not invalidated");
}

#[tokio::test]
async fn i7_with_the_redirects_outside_no_server_of_a_chain_gets_the_token_of_another() {
    for last_is_the_api in [false, true] {
        let (atlas, elsewhere) = (Atlas::start(), Atlas::start());
        let last = if last_is_the_api { &atlas } else { &elsewhere };
        atlas.redirect(ORGS, &elsewhere.url(ORGS));
        elsewhere.redirect(ORGS, &last.url("/api/atlas/v2/second"));
        let api = ServiceBuilder::new().layer(FollowRedirectLayer::new()).layer(AuthLayer::new(&atlas.client).unwrap()).service(hyper());

        api.oneshot(get(&atlas.url(ORGS))).await.unwrap();

        assert!(atlas.received_the_token(ORGS).await);
        assert_eq!(elsewhere.authorization(ORGS), None);
        // A request for the API has the token, whichever server it follows.
        assert_eq!(last.authorization("/api/atlas/v2/second").is_some(), last_is_the_api);
        assert_eq!((atlas.counts().1, elsewhere.counts().1), (1, 0), "the token was invalidated");
    }
}

#[tokio::test]
async fn without_a_token_nothing_is_sent_and_the_error_is_that_of_the_client() {
    let atlas = Atlas::start();
    atlas.refuse_tokens();
    let recorder = Recorder::with(&[]);

    let error = AuthLayer::new(&atlas.client).unwrap().layer(recorder.clone()).oneshot(get(&atlas.url(ORGS))).await.unwrap_err();

    let expected = atlas.client.token(&Default::default()).unwrap_err().status();
    assert_eq!(error.downcast_ref::<tokenwell::Error>().unwrap().status(), expected);
    assert!(recorder.headers().is_empty());
}

#[tokio::test]
async fn without_a_new_token_the_401_is_the_reply() {
    let atlas = Atlas::start();
    atlas.client.token(&Default::default()).unwrap();
    atlas.refuse_tokens();
    let recorder = Recorder::with(&[401]);

    let response = AuthLayer::new(&atlas.client).unwrap().layer(recorder.clone()).oneshot(get(&atlas.url(ORGS))).await.unwrap();

    assert_eq!((response.status(), response.body().as_str()), (StatusCode::UNAUTHORIZED, "reply 1"));
    assert_eq!(recorder.headers().len(), 1);
    assert!(atlas.client.cached_state().unwrap().token.is_none(), "the rejected token was kept");
}

#[tokio::test]
async fn a_future_that_is_dropped_sends_nothing_and_does_not_spoil_the_refresh() {
    let atlas = Atlas::start();
    atlas.slow_tokens();
    let recorder = Recorder::with(&[]);
    let body = Arc::new(());
    let request = Request::get(atlas.url(ORGS)).body(Arc::clone(&body)).unwrap();
    let api = ServiceBuilder::new()
        .layer(TimeoutLayer::new(Duration::from_millis(1)))
        .layer(AuthLayer::new(&atlas.client).unwrap())
        .service(recorder.clone());

    let error = api.oneshot(request).await.unwrap_err();

    assert!(error.is::<tower::timeout::error::Elapsed>(), "{error}");
    assert!(recorder.headers().is_empty());
    assert_eq!(Arc::strong_count(&body), 1, "the request was kept");
    atlas.client.token_async(&Default::default()).await.unwrap();
    assert_eq!(atlas.counts(), (0, 1));
    assert!(atlas.client.drain(Duration::from_secs(60)));
    assert!(recorder.headers().is_empty());
}

#[test]
fn an_origin_must_be_known() {
    let client = client(&[("token_url", "http://127.0.0.1:1/token"), ("client_id", "id"), ("client_secret", "canary-secret")]);

    let error = AuthLayer::new(&client).unwrap_err();
    let expected = "origin is not set, and the client has no base URL, because its server was set by token_url or by custom parts";
    assert!(error.to_string().ends_with(expected.trim_start_matches("origin: ")), "{error}");
    assert_eq!(error.status(), Status::InvalidArgument);

    let layer = AuthLayer::with_origin(&client, "https://api.example.com").unwrap();
    assert!(!format!("{layer:?}").contains("canary"), "{layer:?}");
    assert_eq!(AuthLayer::with_origin(&client, "http://api.example.com").unwrap_err().status(), Status::Refused);
}
