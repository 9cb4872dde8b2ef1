//! The version of the API that a request asks for: `Accept: application/vnd.atlas.2024-08-05+json`.

use crate::emulator::routes::Peer;
use crate::emulator::routes::replies::ApiError;
use crate::emulator::server::Shared;
use axum::Extension;
use axum::extract::{OriginalUri, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use hyper::header::{ACCEPT, CONTENT_TYPE, HeaderValue};
use std::net::SocketAddr;
use std::sync::Arc;

/// The newest version that the emulator knows. Newer ones are served as the newest version of the
/// operation, as Atlas serves any date after a version.
const NEWEST: &str = "2025-03-12";

/// The version that introduced an operation.
fn first(path: &str) -> &'static str {
    match path {
        _ if path.contains("/serviceAccounts") => "2024-08-05",
        "/api/atlas/v2/rateLimits" => "2025-03-12",
        _ => "2023-01-01",
    }
}

/// Passes a request for a known path on if it asks for a version that the path has.
pub(super) async fn check(
    State(shared): State<Arc<Shared>>,
    Extension(Peer(peer)): Extension<Peer>,
    OriginalUri(uri): OriginalUri,
    request: Request,
    next: Next,
) -> Response {
    match requested(&shared, peer, &request, uri.path()) {
        Ok(_) => applied(next.run(request).await, Some(first(uri.path()))),
        Err(refused) => refused.into_response(),
    }
}

/// Returns the date in `Accept`, which is at least that of the operation's first version; `None` for
/// a path without versions.
pub(super) fn requested(shared: &Shared, peer: SocketAddr, request: &Request, path: &str) -> Result<Option<String>, ApiError> {
    if path != "/api/atlas/v2" && !path.starts_with("/api/atlas/v2/") {
        return Ok(None);
    }
    let first = first(path);
    let strict = shared.world.lock().settings.strict_api_version;
    let accepted = request.headers().get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(','));
    let dates = accepted.filter_map(|media_type| date(media_type.split(';').next().unwrap_or_default().trim()));
    let found = dates.filter(|date| *date >= first && !(strict && *date > NEWEST)).max();
    let Some(date) = found else {
        let until = if strict { format!("from {first} to {NEWEST}") } else { format!("{first} or later") };
        let detail = format!("Accept must be application/vnd.atlas.YYYY-MM-DD+json with the date {until}.");
        return Err(ApiError::new(406, "INVALID_VERSION_DATE", detail).with([first.into()]));
    };
    if date > NEWEST {
        let outcome = format!("requests version {date}, which is newer than {NEWEST}: served as the newest version of the operation");
        shared.log(peer, request.method().as_str(), path, &outcome);
    }
    Ok(Some(date.to_owned()))
}

/// Returns the date of `application/vnd.atlas.2024-08-05+json`. Dates in this format compare
/// correctly as strings.
fn date(media_type: &str) -> Option<&str> {
    let date = media_type.strip_prefix("application/vnd.atlas.")?.strip_suffix("+json")?;
    let digits = |range: std::ops::Range<usize>| date.get(range).filter(|part| part.bytes().all(|byte| byte.is_ascii_digit()));
    let (year, month, day) = (digits(0..4)?, digits(5..7)?, digits(8..10)?);
    let dashes = date.len() == 10 && date.as_bytes()[4] == b'-' && date.as_bytes()[7] == b'-';
    let last = match month {
        "01" | "03" | "05" | "07" | "08" | "10" | "12" => "31",
        "04" | "06" | "09" | "11" => "30",
        "02" if year.parse::<u32>().is_ok_and(|year| year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))) => {
            "29"
        }
        "02" => "28",
        _ => return None,
    };
    (dashes && ("01"..=last).contains(&day)).then_some(date)
}

/// Sets the media type of the reply to that of `version`.
pub(super) fn applied(mut reply: Response, version: Option<&str>) -> Response {
    let media_type = version.map(|version| HeaderValue::from_str(&format!("application/vnd.atlas.{version}+json;charset=utf-8")));
    let has_body = reply.status().is_success() && reply.headers().contains_key(CONTENT_TYPE);
    if let (true, Some(Ok(media_type))) = (has_body, media_type) {
        reply.headers_mut().insert(CONTENT_TYPE, media_type);
    }
    reply
}

#[cfg(test)]
mod tests {
    use super::date;

    #[test]
    fn only_a_calendar_date_is_a_version() {
        assert_eq!(date("application/vnd.atlas.2024-08-05+json"), Some("2024-08-05"));
        assert_eq!(date("application/vnd.atlas.2024-02-29+json"), Some("2024-02-29"));
        for wrong in [
            "application/json",
            "application/vnd.atlas.2024-13-05+json",
            "application/vnd.atlas.2024-08-32+json",
            "application/vnd.atlas.2023-02-29+json",
            "application/vnd.atlas.2024-04-31+json",
            "application/vnd.atlas.2024-04-00+json",
            "application/vnd.atlas.2024-8-5+json",
            "application/vnd.atlas.2024-08-05+csv",
            "application/vnd.atlas.2024/08/05+json",
            "application/vnd.atlas.+json",
            "application/vnd.atlas.2024-08-05é+json",
        ] {
            assert_eq!(date(wrong), None, "{wrong}");
        }
    }
}
