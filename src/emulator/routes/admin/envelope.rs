//! The query parameters `envelope` and `pretty`, which change the form of any reply.

use axum::body::Body;
use axum::response::Response;
use hyper::StatusCode;
use hyper::header::CONTENT_LENGTH;
use serde_json::{Value, json};
use url::form_urlencoded;

/// The form that a request asks for.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Form {
    envelope: bool,
    pretty: bool,
}

impl Form {
    pub(super) fn of(query: Option<&str>) -> Self {
        let mut form = Self::default();
        for (name, value) in form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
            match &*name {
                "envelope" => form.envelope = value == "true",
                "pretty" => form.pretty = value == "true",
                _ => {}
            }
        }
        form
    }

    /// Applies the form. An envelope has the status of the reply, for clients that cannot read it
    /// elsewhere: a list and an error get a member `status`, anything else becomes `content`.
    pub(super) async fn apply(self, reply: Response) -> Response {
        if !self.envelope && !self.pretty {
            return reply;
        }
        let (mut parts, body) = reply.into_parts();
        // The emulator's own bodies are short and in memory, so collecting one cannot fail.
        let bytes = axum::body::to_bytes(body, usize::MAX).await.unwrap_or_default();
        let content = serde_json::from_slice::<Value>(&bytes).ok();
        let shaped = match content {
            Some(content) if self.envelope => Some(enveloped(content, parts.status)),
            None if self.envelope => Some(json!({ "status": parts.status.as_u16() })),
            content => content,
        };
        if self.envelope {
            parts.status = StatusCode::OK;
        }
        let Some(shaped) = shaped else { return Response::from_parts(parts, Body::from(bytes)) };
        parts.headers.remove(CONTENT_LENGTH);
        Response::from_parts(parts, Body::from(if self.pretty { format!("{shaped:#}") } else { shaped.to_string() }))
    }
}

fn enveloped(content: Value, status: StatusCode) -> Value {
    let is_list = content.get("results").is_some_and(Value::is_array);
    match content {
        Value::Object(mut members) if is_list || !status.is_success() => {
            members.insert("status".to_owned(), status.as_u16().into());
            Value::Object(members)
        }
        content => json!({ "status": status.as_u16(), "content": content }),
    }
}
