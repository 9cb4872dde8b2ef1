//! Errors for responses that are not a success.

use super::challenge::Challenge;
use super::transport::Reply;
use super::transport_error;
use crate::atlas::{self, Refusal};
use crate::error::{Error, Exchange, printable};
use reqwest::header::{CONTENT_TYPE, DATE, HeaderMap, HeaderName, LOCATION, RETRY_AFTER, WWW_AUTHENTICATE};
use std::time::{Duration, SystemTime};
use url::Url;
use zeroize::Zeroizing;

/// The maximum length of a server's description and error code, in characters.
const LONGEST_DESCRIPTION: usize = 1000;
const LONGEST_CODE: usize = 64;
const LONGEST_MEDIA_TYPE: usize = 64;

/// A shorter secret is not redacted from a server's strings, because it would match everywhere.
const SHORTEST_FORM: usize = 4;

/// The request that a response belongs to.
pub(super) struct RequestContext<'a> {
    /// The server's origin, for messages.
    pub(super) server: &'a str,
    pub(super) endpoint: &'a Url,
    /// The setting with the URL of the endpoint.
    pub(super) url_setting: &'a str,
    /// The sent secrets in all encodings. They are redacted, because a debugging proxy may repeat
    /// them.
    pub(super) sent_secrets: &'a [Zeroizing<String>],
    /// The current time, for a `Retry-After` with a date.
    pub(super) now: SystemTime,
}

/// The error for a response that is not a success.
pub(super) fn from_reply(reply: &Reply, context: &RequestContext<'_>) -> Error {
    let status = reply.status;
    if (300..400).contains(&status) {
        return redirect(reply, context);
    }
    let mut refusal = Refusal::read(&reply.body);
    let challenge = Challenge::in_headers(&reply.headers);
    refusal.code = refusal.code.or(challenge.code);
    if refusal.description.is_empty() {
        refusal.description = challenge.description;
    }

    let server = context.server.to_owned();
    let mut description = shown(&refusal.description, LONGEST_DESCRIPTION, context.sent_secrets);
    let retry_after = retry_after(&reply.headers, context.now);
    let code = refusal.code.as_deref();
    // The retries are counted where they are made.
    let exchange = Exchange::new(1, code.map(|code| shown(code, LONGEST_CODE, context.sent_secrets)).as_deref());
    // Some servers send an error with status 200.
    let kind = if (200..300).contains(&status) && code.is_some() { 400 } else { status };
    match (kind, code) {
        // Nothing is at this URL, whatever the body says: the credentials were not checked.
        (404 | 405 | 501, _) => {
            let problem = no_oauth_error(reply, refusal.api_code.as_deref(), code);
            transport_error::protocol(context.server, &problem, Some(status)).with_exchange(exchange)
        }
        (429, _) | (400..500, Some("rate_limited" | "slow_down")) => Error::RateLimited {
            server,
            description,
            http_status: status,
            // A delay of zero would cause the request loop that the limit is meant to prevent.
            retry_after: retry_after.or(refusal.window).unwrap_or(atlas::COOLDOWN).max(Duration::from_secs(1)),
            exchange,
        },
        (408 | 500..600, _) | (400..500, Some("server_error" | "temporarily_unavailable")) => {
            // An empty description means that the response is no OAuth error.
            if description.is_empty() {
                description = shown(code.or(refusal.api_code.as_deref()).unwrap_or_default(), LONGEST_CODE, context.sent_secrets);
            }
            Error::Server { server, description, http_status: status, retry_after, exchange }
        }
        (403, None | Some("access_denied")) if refusal.is_token_limit() => {
            Error::TokenLimit { server, description, http_status: status, retry_after: atlas::COOLDOWN, exchange }
        }
        (401 | 403, _) | (400..500, Some(_)) if code.is_some() || is_answer_of_server(reply, &refusal) => Error::CredentialRejected {
            server,
            client: Box::default(),
            code: shown(code.or(refusal.api_code.as_deref()).unwrap_or_default(), LONGEST_CODE, context.sent_secrets).into(),
            description,
            http_status: status,
            advice: Box::default(),
            exchange,
        },
        _ => transport_error::protocol(context.server, &no_oauth_error(reply, refusal.api_code.as_deref(), None), Some(status)),
    }
}

/// Whether a 401 or 403 without an OAuth error comes from the server nevertheless. A web filter or an
/// access list answers with a page or with JSON of its own.
fn is_answer_of_server(reply: &Reply, refusal: &Refusal) -> bool {
    refusal.is_api_error || (reply.status == 401 && (reply.body.is_empty() || reply.headers.contains_key(WWW_AUTHENTICATE)))
}

/// The problem for an unexpected status. The only part of the body in it is an Admin API error
/// code.
fn no_oauth_error(reply: &Reply, api_code: Option<&str>, oauth_code: Option<&str>) -> String {
    let status = reply.status;
    // One of RFC 6749 section 5.2 and of its extensions. Other servers put sentences there.
    let is_oauth_code = |code: &&str| code.len() <= LONGEST_CODE && code.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    if let Some(code) = oauth_code.filter(is_oauth_code) {
        return format!("HTTP status {status} with the error {code}");
    }
    let is_code = |code: &&str| {
        code.len() <= LONGEST_CODE && code.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_')
    };
    match (api_code.filter(is_code), media_type(&reply.headers)) {
        (Some(code), _) => format!("HTTP status {status} with the error code {code}"),
        (None, Some(media_type)) => format!("HTTP status {status} without an OAuth error ({media_type})"),
        (None, None) => format!("HTTP status {status} without an OAuth error"),
    }
}

/// The media type without its parameters. `None` if it is missing or not valid.
fn media_type(headers: &HeaderMap) -> Option<String> {
    let essence = header_value(headers, &CONTENT_TYPE)?.split(';').next()?.trim().to_ascii_lowercase();
    let is_token = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-+._".contains(&byte));
    let (kind, subtype) = essence.split_once('/')?;
    (essence.len() <= LONGEST_MEDIA_TYPE && is_token(kind) && is_token(subtype)).then_some(essence)
}

/// A redirect is never followed, because it would send the secret to its target (item 10, I7).
fn redirect(reply: &Reply, context: &RequestContext<'_>) -> Error {
    let target = reply.headers.get(LOCATION).map(|location| String::from_utf8_lossy(location.as_bytes()));
    let target = match target.map(|target| context.endpoint.join(&target)) {
        Some(Ok(target)) if target.origin() == context.endpoint.origin() => "another path on the same server".to_owned(),
        Some(Ok(target)) if target.origin().is_tuple() => {
            shown(&target.origin().ascii_serialization(), LONGEST_DESCRIPTION, context.sent_secrets)
        }
        _ => "an invalid URL".to_owned(),
    };
    Error::Refused {
        problem: format!("{} sent a redirect (HTTP {}) to {target}, which was not followed", context.server, reply.status),
        hint: format!("A redirect could send the client secret to another server. Set {} to the actual endpoint.", context.url_setting),
        http_status: Some(reply.status),
        exchange: Exchange::default(),
    }
}

/// A server's string for display: sent secrets redacted, control characters escaped, truncated to
/// `limit`.
pub(super) fn shown(value: &str, limit: usize, sent_secrets: &[Zeroizing<String>]) -> String {
    let mut value = value.to_owned();
    for form in sent_secrets.iter().filter(|form| form.len() >= SHORTEST_FORM) {
        if value.contains(form.as_str()) {
            value = value.replace(form.as_str(), "[redacted]");
        }
    }
    printable(&value, limit)
}

/// The delay in `Retry-After`, capped. A date is compared with the server's `Date` header if there
/// is one, and with `now` otherwise (item 23).
fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let value = header_value(headers, &RETRY_AFTER)?;
    let wait = if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        Duration::from_secs(value.parse().unwrap_or(u64::MAX))
    } else {
        let end = httpdate::parse_http_date(value).ok()?;
        let now = header_value(headers, &DATE).and_then(|date| httpdate::parse_http_date(date).ok()).unwrap_or(now);
        end.duration_since(now).unwrap_or_default()
    };
    Some(wait.min(atlas::LONGEST_COOLDOWN))
}

fn header_value<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name)?.to_str().ok().map(str::trim)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::*;
    use crate::error::Status;
    use reqwest::header::HeaderValue;

    /// 2023-11-14 22:13:20 UTC.
    const NOW_S: u64 = 1_700_000_000;

    type Headers<'a> = &'a [(HeaderName, &'a str)];

    fn refused(status: u16, headers: Headers<'_>, body: &str) -> Error {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        let reply = Reply { status, headers: map, body: Zeroizing::new(body.as_bytes().to_vec()) };
        let sent_secrets = [Zeroizing::new("s3cret-s3cret".to_owned()), Zeroizing::new("abc".to_owned())];
        let context = RequestContext {
            server: "https://cloud.mongodb.com",
            endpoint: &Url::parse("https://cloud.mongodb.com/api/oauth/token").unwrap(),
            url_setting: "base_url",
            sent_secrets: &sent_secrets,
            now: SystemTime::UNIX_EPOCH + Duration::from_secs(NOW_S),
        };
        from_reply(&reply, &context)
    }

    fn rejected(error: &Error) -> (&str, &str, u16) {
        match error {
            Error::CredentialRejected { code, description, http_status, .. } => (code, description, *http_status),
            other => panic!("{other}"),
        }
    }

    #[test]
    fn item_22_an_oauth_error_is_a_rejection_with_its_code_and_words() {
        let codes = [
            "invalid_request",
            "invalid_client",
            "invalid_grant",
            "unauthorized_client",
            "unsupported_grant_type",
            "invalid_scope",
            "invalid_target",
            "unsupported_token_type",
            "something_new",
        ];
        for code in codes {
            let error = refused(400, &[], &format!(r#"{{"error":"{code}","error_description":"Because."}}"#));

            assert_eq!(rejected(&error), (code, "Because.", 400));
            assert_eq!(error.to_string(), format!(r#"https://cloud.mongodb.com rejected the client: {code}; the server says: "Because.""#));
        }
    }

    #[test]
    fn item_22_a_401_is_a_rejection_whatever_else_it_says() {
        let basic = [(WWW_AUTHENTICATE, r#"Basic realm="error=\"x", charset="UTF-8""#)];
        let explained =
            (WWW_AUTHENTICATE, r#"Digest qop="auth", Bearer realm="a, b", error = "invalid_token", error_description="Ended, \"gone\".""#);
        let cases: [(Headers<'_>, &str, (&str, &str)); 6] = [
            (&[], "", ("", "")),
            (&basic, "<html>no</html>", ("", "")),
            (
                &basic,
                r#"{"error":"invalid_client","error_description":"Invalid credentials provided."}"#,
                ("invalid_client", "Invalid credentials provided."),
            ),
            (&basic, "", ("", "")),
            (&[basic[0].clone(), explained.clone()], "", ("invalid_token", "Ended, \"gone\".")),
            (&[explained], r#"{"error":401,"reason":"Unauthorized","detail":"Who?"}"#, ("invalid_token", "Who?")),
        ];
        for (headers, body, (code, description)) in cases {
            assert_eq!(rejected(&refused(401, headers, body)), (code, description, 401), "{headers:?} {body}");
        }
    }

    #[test]
    fn a_403_about_the_token_limit_is_a_token_limit_and_every_other_403_is_a_rejection() {
        let limit = refused(403, &[], r#"{"error":"access_denied","error_description":"The access token limit has been reached."}"#);
        let limit_of_api = refused(403, &[], r#"{"error":403,"errorCode":"MAX_TOKENS","detail":"Maximum number of tokens exceeded"}"#);

        for error in [limit, limit_of_api] {
            assert_eq!((error.status(), error.http_status()), (Status::TokenLimit, Some(403)), "{error}");
            assert_eq!(error.retry_after(), Some(Duration::from_secs(60)));
        }
        let denied = refused(403, &[], r#"{"error":"access_denied","error_description":"Not for you."}"#);
        assert_eq!(rejected(&denied), ("access_denied", "Not for you.", 403));
        let other = refused(403, &[], r#"{"error":"unauthorized_client","error_description":"token limit"}"#);
        assert_eq!(rejected(&other), ("unauthorized_client", "token limit", 403));
    }

    #[test]
    fn a_denial_that_the_server_may_not_have_sent_names_no_code() {
        let html = [(CONTENT_TYPE, "Text/HTML; charset=utf-8")];
        let other = [(CONTENT_TYPE, "application/json")];
        let hostile = [(CONTENT_TYPE, "a/<b>\u{202e}")];
        let cases: [(u16, Headers<'_>, &str, &str); 7] = [
            (401, &html, "<html>log in</html>", "HTTP status 401 without an OAuth error (text/html)"),
            (403, &html, "<html>blocked</html>", "HTTP status 403 without an OAuth error (text/html)"),
            (401, &other, r#"{"message":"Unauthorized"}"#, "HTTP status 401 without an OAuth error (application/json)"),
            (403, &other, r#"{"message":"Forbidden"}"#, "HTTP status 403 without an OAuth error (application/json)"),
            (403, &other, r#"{"error":{"code":"x"}}"#, "HTTP status 403 without an OAuth error (application/json)"),
            (403, &[], "", "HTTP status 403 without an OAuth error"),
            (403, &hostile, "x", "HTTP status 403 without an OAuth error"),
        ];
        for (status, headers, body, problem) in cases {
            let error = refused(status, headers, body);

            assert_eq!((error.status(), error.http_status()), (Status::Protocol, Some(status)), "{error}");
            assert_eq!(error.to_string(), format!("https://cloud.mongodb.com sent an invalid token response: {problem}"));
            assert!(error.hint().starts_with("A proxy, a web filter or an access list may have answered"), "{}", error.hint());
        }
    }

    #[test]
    fn a_denial_of_the_server_names_only_what_it_sent() {
        let empty = refused(401, &[], "");
        assert_eq!(empty.to_string(), "https://cloud.mongodb.com rejected the client (HTTP 401 without an error code)");
        assert!(empty.hint().starts_with("Check that the client id and secret belong together"), "{}", empty.hint());

        let of_api = refused(403, &[], r#"{"error":403,"errorCode":"IP_ADDRESS_NOT_ON_ACCESS_LIST","detail":"Not from here."}"#);
        assert_eq!(rejected(&of_api), ("IP_ADDRESS_NOT_ON_ACCESS_LIST", "Not from here.", 403));
        let without_code = refused(401, &[], r#"{"error":401,"reason":"Unauthorized"}"#);
        assert_eq!(rejected(&without_code), ("", "Unauthorized", 401));
    }

    #[test]
    fn an_error_with_status_200_is_that_error() {
        let error = refused(200, &[], r#"{"error":"invalid_client","error_description":"Because."}"#);
        assert_eq!(rejected(&error), ("invalid_client", "Because.", 200));

        let limited = refused(200, &[], r#"{"error":"slow_down"}"#);
        assert_eq!((limited.status(), limited.http_status()), (Status::RateLimited, Some(200)));
    }

    #[test]
    fn a_401_is_about_the_credentials_whatever_its_code() {
        let error =
            refused(401, &[], r#"{"error":"unauthorized_client","error_description":"Invalid client or Invalid client credentials"}"#);

        assert!(error.hint().starts_with("Check that the client id and secret belong together"), "{}", error.hint());
    }

    #[test]
    fn item_23_a_rate_limit_ends_when_the_header_or_the_body_says() {
        let oauth = r#"{"error":"rate_limited","error_description":"Limit: 10 requests every 2 minutes."}"#;
        let api = r#"{"error":429,"errorCode":"RATE_LIMITED","reason":"Too Many Requests","detail":"Slow down","parameters":["/api/oauth/token",50,1]}"#;
        let cases: [(Headers<'_>, &str, u64); 13] = [
            (&[], oauth, 120),
            (&[], api, 60),
            (&[], "", 60),
            (&[], "<html>", 60),
            (&[(RETRY_AFTER, "7")], oauth, 7),
            (&[(RETRY_AFTER, "0")], api, 1),
            (&[(RETRY_AFTER, "999999")], api, 3600),
            (&[(RETRY_AFTER, "99999999999999999999999")], api, 3600),
            (&[(RETRY_AFTER, "-5")], oauth, 120),
            (&[(RETRY_AFTER, "soon")], "", 60),
            (&[(RETRY_AFTER, "Tue, 14 Nov 2023 22:13:50 GMT")], oauth, 30),
            (&[(RETRY_AFTER, "Tue, 14 Nov 2023 22:13:50 GMT"), (DATE, "Tue, 14 Nov 2023 22:13:45 GMT")], oauth, 5),
            (&[(RETRY_AFTER, "Tue, 14 Nov 2023 22:00:00 GMT")], oauth, 1),
        ];
        for (headers, body, seconds) in cases {
            let error = refused(429, headers, body);

            assert_eq!(error.status(), Status::RateLimited, "{headers:?} {body}");
            assert_eq!(error.retry_after(), Some(Duration::from_secs(seconds)), "{headers:?} {body}");
        }
        assert_eq!(refused(400, &[], oauth).status(), Status::RateLimited);
    }

    #[test]
    fn item_23_a_failing_server_is_told_from_a_refusing_one() {
        for (status, body) in [
            (500, ""),
            (502, "<html>"),
            (503, r#"{"error":"server_error"}"#),
            (599, ""),
            (408, ""),
            (400, r#"{"error":"temporarily_unavailable"}"#),
        ] {
            let error = refused(status, &[], body);
            assert_eq!((error.status(), error.http_status(), error.retry_after()), (Status::Server, Some(status), None), "{error}");
            // R29: only an error without a description may come from a proxy.
            assert_eq!(error.to_string().contains("the server says"), body.starts_with('{'), "{error}");

            let error = refused(status, &[(RETRY_AFTER, "12")], body);
            assert_eq!(error.retry_after(), Some(Duration::from_secs(12)), "{error}");
        }
    }

    #[test]
    fn status_404_405_and_501_are_about_the_url_whatever_the_body_says() {
        for status in [404, 405, 501] {
            for (body, problem) in [
                ("", format!("HTTP status {status} without an OAuth error")),
                (r#"{"error":"invalid_client"}"#, format!("HTTP status {status} with the error invalid_client")),
                (r#"{"error":"Unable to find matching target resource method"}"#, format!("HTTP status {status} without an OAuth error")),
            ] {
                let error = refused(status, &[], body);

                assert_eq!((error.status(), error.http_status()), (Status::Protocol, Some(status)), "{error}");
                assert!(error.to_string().ends_with(&problem), "{error}");
                assert!(error.hint().starts_with("The server has no token endpoint at this URL."), "{}", error.hint());
            }
        }
    }

    #[test]
    fn an_unexpected_status_is_a_protocol_error_without_the_body() {
        let cases = [
            (404, "", "HTTP status 404 without an OAuth error"),
            (
                404,
                r#"{"error":404,"errorCode":"RESOURCE_NOT_FOUND","detail":"canary"}"#,
                "HTTP status 404 with the error code RESOURCE_NOT_FOUND",
            ),
            (404, r#"{"error":404,"errorCode":"canary canary","detail":"canary"}"#, "HTTP status 404 without an OAuth error"),
            (400, "canary", "HTTP status 400 without an OAuth error"),
            (201, r#"{"access_token":"canary","token_type":"Bearer"}"#, "HTTP status 201 without an OAuth error"),
            (204, "", "HTTP status 204 without an OAuth error"),
            (101, "", "HTTP status 101 without an OAuth error"),
            (999, "", "HTTP status 999 without an OAuth error"),
        ];
        for (status, body, problem) in cases {
            let error = refused(status, &[], body);

            assert_eq!((error.status(), error.http_status()), (Status::Protocol, Some(status)), "{error}");
            assert_eq!(error.to_string(), format!("https://cloud.mongodb.com sent an invalid token response: {problem}"));
        }
    }

    #[test]
    fn i4_a_servers_words_are_made_printable_and_cut() {
        let hostile = r#"{"error":"bad\u001b[2Jcode","error_description":"a\u001b[31m\u0007\u202e\u0000\r\nb"}"#;
        let error = refused(400, &[], hostile);

        assert_eq!(rejected(&error), ("bad\\u{1b}[2Jcode", "a\\u{1b}[31m\\u{7}\\u{202e}\\u{0}\\u{d}\\u{a}b", 400));
        let long = refused(400, &[], &format!(r#"{{"error":"{0}","error_description":"{0}"}}"#, "x".repeat(10_000)));
        let (code, description, _) = rejected(&long);
        // S14: the useful words of a description may come late.
        assert_eq!((code.chars().count(), description.chars().count()), (65, 1001));
        let location = refused(302, &[(LOCATION, "https://a\u{202e}b.example/")], "");
        assert!(location.to_string().is_ascii(), "{location}");
    }

    #[test]
    fn i21_what_was_sent_in_confidence_is_not_repeated() {
        let error = refused(400, &[], r#"{"error":"s3cret-s3cret","error_description":"got s3cret-s3cret and s3cret-s3cret, abc"}"#);

        // A secret that is too short is not redacted.
        assert_eq!(rejected(&error), ("[redacted]", "got [redacted] and [redacted], abc", 400));
    }
}
