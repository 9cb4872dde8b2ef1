//! The two error formats of Atlas.

use axum::Json;
use axum::response::{AppendHeaders, IntoResponse, Response};
use hyper::StatusCode;
use hyper::header::{CACHE_CONTROL, HeaderName, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use serde_json::{Value, json};

/// The message of a rate limit, as Atlas writes it: the plural even for one minute. Atlas has no
/// windows in seconds.
fn limit_message(path: &str, requests: u64, window_s: u64) -> String {
    let window = if window_s.is_multiple_of(60) { format!("{} minutes", window_s / 60) } else { format!("{window_s} seconds") };
    format!("Resource {path} is limited to {requests} requests every {window}.")
}

/// `{"error":"invalid_client","error_description":…}` (RFC 6749 section 5.2).
#[derive(Debug)]
pub(super) struct OAuthError {
    status: StatusCode,
    code: &'static str,
    description: String,
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl OAuthError {
    pub(super) fn new(status: StatusCode, code: &'static str, description: impl Into<String>) -> Self {
        Self { status, code, description: description.into(), headers: Vec::new() }
    }

    pub(super) fn invalid_request(description: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid_request", description)
    }

    /// The same reply for an unknown client id, a wrong secret and an expired secret.
    pub(super) fn invalid_client() -> Self {
        let mut error = Self::new(StatusCode::UNAUTHORIZED, "invalid_client", "Invalid credentials provided.");
        error.headers.push((WWW_AUTHENTICATE, HeaderValue::from_static("Basic realm=\"emulator\", error=\"invalid_client\"")));
        error
    }

    pub(super) fn rate_limited(path: &str, requests: u64, window_s: u64, retry_after_s: Option<u64>) -> Self {
        let mut error = Self::new(StatusCode::TOO_MANY_REQUESTS, "rate_limited", limit_message(path, requests, window_s));
        error.headers.extend(retry_after_s.map(|seconds| (RETRY_AFTER, HeaderValue::from(seconds))));
        error
    }
}

impl IntoResponse for OAuthError {
    fn into_response(self) -> Response {
        let body = json!({ "error": self.code, "error_description": self.description });
        (self.status, AppendHeaders(self.headers), [(CACHE_CONTROL, "no-store")], Json(body)).into_response()
    }
}

/// `{"error":404,"errorCode":"RESOURCE_NOT_FOUND","reason":"Not Found","detail":…,"parameters":[…]}`.
#[derive(Debug)]
pub(super) struct ApiError {
    status: StatusCode,
    /// `None` if a token is rejected: Atlas omits the code in this case.
    code: Option<&'static str>,
    detail: String,
    parameters: Vec<Value>,
    /// The attribute or the query parameter that is wrong.
    field: Option<String>,
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl ApiError {
    pub(super) fn new(status: u16, code: &'static str, detail: impl Into<String>) -> Self {
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        Self { status, code: Some(code), detail: detail.into(), parameters: Vec::new(), field: None, headers: Vec::new() }
    }

    pub(super) fn not_found(detail: impl Into<String>) -> Self {
        Self::new(404, "RESOURCE_NOT_FOUND", detail)
    }

    /// A request body with an invalid attribute.
    pub(super) fn invalid_attribute(attribute: &str, detail: impl Into<String>) -> Self {
        Self::new(400, "INVALID_ATTRIBUTE", detail).with([attribute.into()]).in_field(attribute)
    }

    /// A token that is missing, unknown, expired or revoked.
    pub(super) fn unauthorized(detail: &str) -> Self {
        let mut error = Self::new(401, "", detail);
        error.code = None;
        error.headers.push((WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"emulator\", error=\"invalid_token\"")));
        error
    }

    /// The account of a valid token was deleted while the request was processed.
    pub(super) fn account_is_gone() -> Self {
        Self::unauthorized("The service account no longer exists.")
    }

    pub(super) fn rate_limited(path: &str, requests: u64, window_s: u64, retry_after_s: Option<u64>) -> Self {
        let minutes = window_s.div_ceil(60);
        let mut error =
            Self::new(429, "RATE_LIMITED", limit_message(path, requests, window_s)).with([path.into(), requests.into(), minutes.into()]);
        error.headers.extend(retry_after_s.map(|seconds| (RETRY_AFTER, HeaderValue::from(seconds))));
        error
    }

    /// Names the attribute or the query parameter that is wrong, in `badRequestDetail`.
    pub(super) fn in_field(mut self, field: &str) -> Self {
        self.field = Some(field.to_owned());
        self
    }

    pub(super) fn with(mut self, parameters: impl IntoIterator<Item = Value>) -> Self {
        self.parameters = parameters.into_iter().collect();
        self
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut body = json!({
            "error": self.status.as_u16(),
            "reason": self.status.canonical_reason().unwrap_or_default(),
            "detail": self.detail,
            "parameters": self.parameters,
        });
        if let Some(field) = self.field {
            body["badRequestDetail"] = json!({ "fields": [{ "field": field, "description": self.detail }] });
        }
        if let Some(code) = self.code {
            body["errorCode"] = code.into();
        }
        (self.status, AppendHeaders(self.headers), Json(body)).into_response()
    }
}
