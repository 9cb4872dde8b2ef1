//! A strict parser for a successful token response (RFC 6749 section 5.1).
//!
//! Errors never contain a part of the response. Responses are not parsed by the `oauth2` crate,
//! because it keeps them in buffers that are not wiped and includes them in its parse error.
//!
//! Cases that the standard leaves open: a response without a media type, or with `text/plain`, is
//! accepted if its body is a JSON object. `null` for `expires_in` or `scope` and an empty `scope`
//! are the same as an absent member. A `refresh_token` is ignored (item 18). A byte order mark before
//! the JSON is ignored (RFC 8259 section 8.1).

use super::transport::Reply;
use super::{GrantedLifetime, Minted, transport_error};
use crate::atlas;
use crate::config::Endpoint;
use crate::error::Error;
use crate::secret::Secret;
use reqwest::header::CONTENT_TYPE;
use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::fmt;
use std::str::Chars;
use std::time::Duration;
use zeroize::Zeroizing;

/// Ten years, leap days included. A longer lifetime is shortened to this.
const LONGEST_LIFETIME_S: u64 = 315_576_000;

/// Whether a response must have a `token_type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TokenType {
    /// RFC 6749 section 5.1 requires it, and Atlas sends it.
    Required,
    /// Some well-known servers never send it. A response without it is a Bearer token.
    Optional,
}

impl TokenType {
    pub(super) fn expected_from(token_endpoint: &Endpoint) -> Self {
        if token_endpoint.url().path() == atlas::TOKEN_PATH { Self::Required } else { Self::Optional }
    }
}

/// Returns the token in `reply`.
pub(super) fn minted(reply: &Reply, server: &str, expected: TokenType) -> Result<Minted, Error> {
    read(reply, expected).map_err(|problem| transport_error::protocol(server, &problem, Some(reply.status)))
}

/// Whether `reply` is an error response although its status is a success. Some servers send every
/// response with status 200.
pub(super) fn is_error(reply: &Reply) -> bool {
    let members = if is_json(reply) { members(&reply.body).ok() } else { None };
    members.is_some_and(|members| {
        members.access_token.is_none() && members.error.and_then(string).is_some_and(|code| !code.expose().is_empty())
    })
}

fn read(reply: &Reply, expected: TokenType) -> Result<Minted, String> {
    if !is_json(reply) {
        return Err("its media type is not JSON".to_owned());
    }
    let members = members(&reply.body)?;
    if let Some(name) = members.duplicate {
        return Err(format!("its {name} appears more than once"));
    }
    if members.token_type.is_some() || expected == TokenType::Required {
        token_type(members.token_type)?;
    }
    Ok(Minted { value: access_token(members.access_token)?, scope: scope(members.scope)?, lifetime: lifetime(members.expires_in)? })
}

fn is_json(reply: &Reply) -> bool {
    let Some(value) = reply.headers.get(CONTENT_TYPE) else {
        return true;
    };
    let essence = value.as_bytes().split(|byte| *byte == b';').next().unwrap_or_default();
    let essence = String::from_utf8_lossy(essence).trim().to_ascii_lowercase();
    matches!(essence.as_str(), "" | "application/json" | "text/json" | "text/plain") || essence.ends_with("+json")
}

/// The members that are used, each as unparsed JSON.
#[derive(Default)]
struct Members<'a> {
    access_token: Option<&'a RawValue>,
    token_type: Option<&'a RawValue>,
    expires_in: Option<&'a RawValue>,
    scope: Option<&'a RawValue>,
    /// The code of an error response (RFC 6749 section 5.2).
    error: Option<&'a RawValue>,
    /// A member of these that appears more than once. Parsers differ in which value they
    /// use (item 17).
    duplicate: Option<&'static str>,
}

fn members(body: &[u8]) -> Result<Members<'_>, String> {
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    match body.iter().find(|byte| !byte.is_ascii_whitespace()) {
        None => return Err("its body is empty".to_owned()),
        Some(b'{') => {}
        Some(_) => return Err("its body is not a JSON object".to_owned()),
    }
    serde_json::from_slice(body).map_err(|error| format!("its body is not valid JSON (line {}, column {})", error.line(), error.column()))
}

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(MembersVisitor)
    }
}

#[derive(Deserialize)]
#[serde(field_identifier, rename_all = "snake_case")]
enum Name {
    AccessToken,
    TokenType,
    ExpiresIn,
    Scope,
    Error,
    #[serde(other)]
    Other,
}

struct MembersVisitor;

impl<'de> Visitor<'de> for MembersVisitor {
    type Value = Members<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = Members::default();
        while let Some(name) = map.next_key()? {
            let (member, name) = match name {
                Name::AccessToken => (&mut members.access_token, "access_token"),
                Name::TokenType => (&mut members.token_type, "token_type"),
                Name::ExpiresIn => (&mut members.expires_in, "expires_in"),
                Name::Scope => (&mut members.scope, "scope"),
                Name::Error => {
                    members.error = Some(map.next_value()?);
                    continue;
                }
                Name::Other => {
                    map.next_value::<IgnoredAny>()?;
                    continue;
                }
            };
            if member.replace(map.next_value()?).is_some() {
                members.duplicate = Some(name);
            }
        }
        Ok(members)
    }
}

/// The value of a JSON string, wiped when dropped. `None` for any other JSON value, and for half of a
/// surrogate pair.
fn string(raw: &RawValue) -> Option<Secret> {
    let inner = raw.get().strip_prefix('"')?.strip_suffix('"')?;
    if !inner.contains('\\') {
        return Some(Secret::from(inner));
    }
    // serde_json would unescape into a buffer that is not wiped. A value is never longer than its
    // escaped form, so this buffer does not grow.
    let mut value = Zeroizing::new(String::with_capacity(inner.len()));
    let mut characters = inner.chars();
    while let Some(character) = characters.next() {
        value.push(if character == '\\' { unescaped(&mut characters)? } else { character });
    }
    Some(Secret::from(value.as_str()))
}

/// The character that an escape sequence means (RFC 8259 section 7). `characters` follow the
/// backslash.
fn unescaped(characters: &mut Chars<'_>) -> Option<char> {
    Some(match characters.next()? {
        'b' => '\u{8}',
        'f' => '\u{c}',
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        'u' => {
            let first = code_unit(characters)?;
            let second = if (0xD800..0xDC00).contains(&first) {
                let escape = characters.next() == Some('\\') && characters.next() == Some('u');
                Some(if escape { code_unit(characters)? } else { return None })
            } else {
                None
            };
            char::decode_utf16([first].into_iter().chain(second)).next()?.ok()?
        }
        // The quotation mark, the backslash and the slash. The parser accepts no other.
        other => other,
    })
}

fn code_unit(characters: &mut Chars<'_>) -> Option<u16> {
    (0..4).try_fold(0, |unit, _| Some(unit * 16 + u16::try_from(characters.next()?.to_digit(16)?).ok()?))
}

/// Only visible ASCII without blanks is accepted (items 12 and 21), because the token is written to
/// headers, files and the input of other programs.
fn access_token(raw: Option<&RawValue>) -> Result<Secret, &'static str> {
    let token = string(raw.ok_or("it has no access_token")?).ok_or("its access_token is not a string")?;
    if token.expose().is_empty() {
        Err("its access_token is empty")
    } else if token.expose().bytes().all(|byte| byte.is_ascii_graphic()) {
        Ok(token)
    } else {
        Err("its access_token contains a character that is not allowed (visible ASCII characters only)")
    }
}

fn token_type(raw: Option<&RawValue>) -> Result<(), &'static str> {
    let kind = string(raw.ok_or("it has no token_type")?).ok_or("its token_type is not a string")?;
    if kind.expose().eq_ignore_ascii_case("bearer") { Ok(()) } else { Err("its token_type is not Bearer") }
}

fn scope(raw: Option<&RawValue>) -> Result<Option<String>, &'static str> {
    let Some(raw) = raw.filter(|raw| raw.get() != "null") else {
        return Ok(None);
    };
    let scope = string(raw).ok_or("its scope is not a string")?;
    let scope = scope.expose();
    if scope.is_empty() {
        Ok(None)
    } else if scope.bytes().all(|byte| matches!(byte, 0x20 | 0x21 | 0x23..=0x5B | 0x5D..=0x7E)) {
        Ok(Some(scope.to_owned()))
    } else {
        Err("its scope contains a character that is not allowed")
    }
}

/// Accepts any notation of a number of seconds, as a number or as a string, and rounds it down (item
/// 14). A lifetime of more than ten years is shortened to ten years.
fn lifetime(raw: Option<&RawValue>) -> Result<GrantedLifetime, &'static str> {
    let Some(raw) = raw.filter(|raw| raw.get() != "null") else {
        return Ok(GrantedLifetime::Unstated);
    };
    let json = raw.get();
    let seconds = if let Some(value) = string(raw) {
        seconds_of(value.expose()).ok_or("its expires_in is a string that is not a number of seconds")?
    } else if json.starts_with('-') {
        return Err("its expires_in is negative");
    } else if json.starts_with(|first: char| first.is_ascii_digit()) {
        seconds_of(json).ok_or("its expires_in is not a number of seconds")?
    } else {
        return Err("its expires_in is not a number");
    };
    Ok(match seconds {
        0 => GrantedLifetime::DoNotCache,
        _ => GrantedLifetime::Stated(Duration::from_secs(seconds.min(LONGEST_LIFETIME_S))),
    })
}

/// Parses `3600`, `3599.5` and `3.6e3`, rounded down. A number that does not fit becomes `u64::MAX`.
fn seconds_of(value: &str) -> Option<u64> {
    if !value.starts_with(|first: char| first.is_ascii_digit()) {
        return None;
    }
    if value.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some(value.parse().unwrap_or(u64::MAX));
    }
    let number: f64 = value.parse().ok()?;
    // The conversion saturates and rounds toward zero.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    Some(number as u64)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::*;
    use crate::error::Status;
    use reqwest::header::{HeaderMap, HeaderValue};

    fn answered(media_type: Option<&str>, body: &[u8]) -> Result<Minted, Error> {
        let mut headers = HeaderMap::new();
        if let Some(media_type) = media_type {
            headers.insert(CONTENT_TYPE, HeaderValue::from_str(media_type).unwrap());
        }
        minted(&Reply { status: 200, headers, body: Zeroizing::new(body.to_vec()) }, "https://a.example", TokenType::Required)
    }

    fn minted_from(body: &str) -> Result<Minted, Error> {
        answered(Some("application/json"), body.as_bytes())
    }

    /// A valid response with `members` added.
    fn with(members: &str) -> Result<Minted, Error> {
        minted_from(&format!(r#"{{"access_token":"t","token_type":"Bearer",{members}}}"#))
    }

    /// The problem of a protocol error. Asserts that the error repeats no part of the response.
    fn problem(outcome: Result<Minted, Error>) -> String {
        let error = outcome.unwrap_err();
        assert_eq!((error.status(), error.http_status()), (Status::Protocol, Some(200)), "{error}");
        let shown = format!("{error} {error:?}");
        assert!(!shown.contains("canary"), "{shown}");
        error.to_string().strip_prefix("https://a.example sent an invalid token response: ").unwrap().to_owned()
    }

    #[test]
    fn item_12_a_reply_that_is_not_a_token_response_is_an_error() {
        let cases: [(&[u8], &str); 27] = [
            (b"", "its body is empty"),
            (b" \r\n\t", "its body is empty"),
            (b"null", "its body is not a JSON object"),
            (b"[\"canary\"]", "its body is not a JSON object"),
            (b"\"canary\"", "its body is not a JSON object"),
            (b"12", "its body is not a JSON object"),
            (b"access_token=canary&token_type=bearer", "its body is not a JSON object"),
            (b"<html>canary</html>", "its body is not a JSON object"),
            (b"\xef\xbb\xbf{}", "it has no token_type"),
            (b"\xef\xbb\xbf\xef\xbb\xbf{}", "its body is not a JSON object"),
            (b"{", "its body is not valid JSON (line 1, column "),
            (b"{\"access_token\":\"canary", "its body is not valid JSON (line 1, column "),
            (b"{\"access_token\":\"t\",\"token_type\":\"Bearer\"} canary", "its body is not valid JSON (line 1, column "),
            (b"{\"access_token\":\"t\",\"token_type\":\"Bearer\",}", "its body is not valid JSON (line 1, column "),
            (b"{\"access_token\":\"\xff\",\"token_type\":\"Bearer\"}", "its body is not valid JSON (line 1, column "),
            (b"{\"access_token\":\"t\",\"token_type\":\"Bearer\",\"expires_in\":NaN}", "its body is not valid JSON (line 1, column "),
            (b"{}", "it has no token_type"),
            (b"{\"token_type\":\"Bearer\"}", "it has no access_token"),
            (b"{\"error\":\"canary\",\"token_type\":\"Bearer\"}", "it has no access_token"),
            (b"{\"access_token\":\"canary\"}", "it has no token_type"),
            (b"{\"access_token\":null,\"token_type\":\"Bearer\"}", "its access_token is not a string"),
            (b"{\"access_token\":12,\"token_type\":\"Bearer\"}", "its access_token is not a string"),
            (b"{\"access_token\":[\"canary\"],\"token_type\":\"Bearer\"}", "its access_token is not a string"),
            (b"{\"access_token\":{\"a\":\"canary\"},\"token_type\":\"Bearer\"}", "its access_token is not a string"),
            (b"{\"access_token\":\"\",\"token_type\":\"Bearer\"}", "its access_token is empty"),
            (b"{\"access_token\":\"t\",\"token_type\":null}", "its token_type is not a string"),
            (b"{\"access_token\":\"t\",\"token_type\":[\"Bearer\"]}", "its token_type is not a string"),
        ];
        for (body, expected) in cases {
            let problem = problem(answered(None, body));

            assert!(problem.starts_with(expected), "{problem} for {}", String::from_utf8_lossy(body));
        }
    }

    #[test]
    fn only_a_json_media_type_is_accepted() {
        let body = br#"{"access_token":"t","token_type":"Bearer"}"#;
        let good = [
            None,
            Some("application/json"),
            Some("application/json;charset=ISO-8859-1"),
            Some("Application/JSON ; charset=utf-8"),
            Some("application/vnd.example+json"),
            Some("text/json"),
            Some("text/plain; charset=utf-8"),
            Some(""),
        ];
        for media_type in good {
            assert_eq!(answered(media_type, body).unwrap().value.expose(), "t", "{media_type:?}");
        }
        for media_type in [
            "text/html",
            "text/html; charset=utf-8",
            "application/xhtml+xml",
            "application/x-www-form-urlencoded",
            "application/jsonp",
            "image/png",
        ] {
            assert_eq!(problem(answered(Some(media_type), body)), "its media type is not JSON", "{media_type}");
        }
    }

    #[test]
    fn item_13_the_token_type_is_bearer_in_any_case() {
        for kind in ["Bearer", "bearer", "BEARER", "bEaReR", "\\u0062earer"] {
            let minted = minted_from(&format!(r#"{{"access_token":"t","token_type":"{kind}"}}"#));

            assert_eq!(minted.unwrap().value.expose(), "t", "{kind}");
        }
        for kind in ["", "mac", "DPoP", "N_A", "Bearer ", "canary", "b\u{435}arer"] {
            let minted = minted_from(&format!(r#"{{"access_token":"canary","token_type":"{kind}"}}"#));

            assert_eq!(problem(minted), "its token_type is not Bearer", "{kind}");
        }
    }

    #[test]
    fn a_server_other_than_atlas_may_leave_the_token_type_out() {
        let read_body = |body: &str| {
            let reply = Reply { status: 200, headers: HeaderMap::new(), body: Zeroizing::new(body.as_bytes().to_vec()) };
            minted(&reply, "https://a.example", TokenType::Optional)
        };

        assert_eq!(read_body(r#"{"access_token":"t"}"#).unwrap().value.expose(), "t");
        assert_eq!(problem(read_body(r#"{"access_token":"canary","token_type":"mac"}"#)), "its token_type is not Bearer");
        assert_eq!(problem(read_body(r#"{"access_token":"canary","token_type":null}"#)), "its token_type is not a string");
    }

    #[test]
    fn a_byte_order_mark_before_the_json_is_ignored() {
        let body = b"\xef\xbb\xbf{\"access_token\":\"t\",\"token_type\":\"Bearer\"}";

        assert_eq!(answered(None, body).unwrap().value.expose(), "t");
    }

    #[test]
    fn item_14_expires_in_is_read_liberally() {
        let stated = |seconds| GrantedLifetime::Stated(Duration::from_secs(seconds));
        let cases = [
            ("3600", stated(3600)),
            ("\"3600\"", stated(3600)),
            ("\"0003600\"", stated(3600)),
            ("3600.0", stated(3600)),
            ("3.6e3", stated(3600)),
            ("36E+2", stated(3600)),
            ("1", stated(1)),
            ("3599.5", stated(3599)),
            ("\"3600.0\"", stated(3600)),
            ("\"3599.9\"", stated(3599)),
            ("315576001", stated(315_576_000)),
            ("2147483647", stated(315_576_000)),
            ("1e9", stated(315_576_000)),
            ("1e300", stated(315_576_000)),
            ("18446744073709551616", stated(315_576_000)),
            ("\"99999999999999999999999999\"", stated(315_576_000)),
            ("0.9", GrantedLifetime::DoNotCache),
            ("5e-324", GrantedLifetime::DoNotCache),
            ("315576000", stated(315_576_000)),
            ("0", GrantedLifetime::DoNotCache),
            ("0.0", GrantedLifetime::DoNotCache),
            ("\"0\"", GrantedLifetime::DoNotCache),
            ("null", GrantedLifetime::Unstated),
        ];
        for (value, lifetime) in cases {
            assert_eq!(with(&format!(r#""expires_in":{value}"#)).unwrap().lifetime, lifetime, "{value}");
        }
        assert_eq!(with(r#""other":1"#).unwrap().lifetime, GrantedLifetime::Unstated);
    }

    #[test]
    fn item_14_an_expires_in_without_sense_is_an_error() {
        let cases = [
            ("-1", "its expires_in is negative"),
            ("-0.5", "its expires_in is negative"),
            ("-0", "its expires_in is negative"),
            ("\"\"", "its expires_in is a string that is not a number of seconds"),
            ("\"-1\"", "its expires_in is a string that is not a number of seconds"),
            ("\"+1\"", "its expires_in is a string that is not a number of seconds"),
            ("\" 1\"", "its expires_in is a string that is not a number of seconds"),
            ("\"1h\"", "its expires_in is a string that is not a number of seconds"),
            ("\"canary\"", "its expires_in is a string that is not a number of seconds"),
            ("true", "its expires_in is not a number"),
            ("[3600]", "its expires_in is not a number"),
            ("{\"canary\":1}", "its expires_in is not a number"),
        ];
        for (value, expected) in cases {
            assert_eq!(problem(with(&format!(r#""expires_in":{value}"#))), expected, "{value}");
        }
    }

    #[test]
    fn item_16_unknown_members_and_sizes_do_not_matter() {
        for size in [1, 2, 4096, 65_537, 1024 * 1024 - 100] {
            let token = "a".repeat(size);

            let minted = minted_from(&format!(r#"{{"a":[{{"b":null}}],"access_token":"{token}","token_type":"Bearer"}}"#)).unwrap();

            assert!(minted.value.expose() == token, "{size}");
        }
    }

    #[test]
    fn item_17_a_member_that_counts_must_not_come_twice() {
        let cases = [
            (r#""access_token":"u""#, "access_token"),
            (r#""access_token":"t""#, "access_token"),
            (r#""access\u005ftoken":"u""#, "access_token"),
            (r#""token_type":"Bearer""#, "token_type"),
            (r#""expires_in":1,"expires_in":1"#, "expires_in"),
            (r#""scope":null,"scope":"a""#, "scope"),
        ];
        for (members, name) in cases {
            assert_eq!(problem(with(members)), format!("its {name} appears more than once"), "{members}");
        }
        assert!(with(r#""x":1,"x":2"#).is_ok());
    }

    #[test]
    fn item_18_a_refresh_token_is_not_kept() {
        let minted = with(r#""refresh_token":"canary-refresh""#).unwrap();

        assert_eq!(minted.value.expose(), "t");
        assert!(!format!("{minted:?} {:?}", minted.scope).contains("canary"));
    }

    #[test]
    fn item_19_the_granted_scope_is_told() {
        assert_eq!(with(r#""scope":"read write:all""#).unwrap().scope.as_deref(), Some("read write:all"));
        for none in [r#""scope":null"#, r#""scope":"""#, r#""x":1"#] {
            assert_eq!(with(none).unwrap().scope, None, "{none}");
        }
        for bad in [r#""scope":"a\"b""#, r#""scope":"a\\b""#, r#""scope":"a\nb""#, r#""scope":"\u00e9""#, r#""scope":"a\u0000""#] {
            assert_eq!(problem(with(bad)), "its scope contains a character that is not allowed", "{bad}");
        }
        for bad in [r#""scope":["canary"]"#, r#""scope":1"#] {
            assert_eq!(problem(with(bad)), "its scope is not a string", "{bad}");
        }
    }

    #[test]
    fn item_21_a_token_is_visible_ascii_and_nothing_else() {
        let visible: String = ('!'..='~').filter(|character| !matches!(character, '"' | '\\')).collect();
        let minted = minted_from(&format!(r#"{{"access_token":"{visible}\"\\\/\u0041","token_type":"Bearer"}}"#)).unwrap();
        assert_eq!(minted.value.expose(), format!("{visible}\"\\/A"));

        for bad in ["\\r", "\\n", "\\u0000", " ", "\\t", "\\u007f", "\\u0080", "\u{e9}", "\u{202e}", "\\u001b", "\u{7f}"] {
            for token in [format!("{bad}canary"), format!("can{bad}ary"), format!("canary{bad}")] {
                let outcome = minted_from(&format!(r#"{{"access_token":"{token}","token_type":"Bearer"}}"#));

                assert!(problem(outcome).starts_with("its access_token contains a character"), "{bad:?}");
            }
        }
        // Half of a surrogate pair is not a valid string.
        assert_eq!(problem(minted_from(r#"{"access_token":"\ud800","token_type":"Bearer"}"#)), "its access_token is not a string");
    }

    #[test]
    fn r29_escapes_mean_what_a_json_parser_says() {
        let fixed = [
            r#"\b\f\n\r\t\/\\\""#,
            r"\u0041\u00e9\u20AC",
            r"\ud83d\ude00",
            r"a\ud83d\ude00b",
            r"\ud83d",
            r"\ude00",
            r"\ud83d\n",
            r"\ud83d\u0041",
            r"\ud83dx",
        ];
        let each = (0..=0xFFFF_u32).map(|unit| format!("x\\u{unit:04x}y"));
        for escaped in fixed.into_iter().map(str::to_owned).chain(each) {
            let json = format!("\"{escaped}\"");
            let raw: &RawValue = serde_json::from_str(&json).unwrap();

            let value = string(raw).map(|value| value.expose().to_owned());

            assert_eq!(value, serde_json::from_str::<String>(&json).ok(), "{json}");
        }
    }

    #[test]
    fn i25_nesting_without_end_does_no_harm() {
        for opening in ["[", "{\"a\":"] {
            let deep = opening.repeat(100_000);
            for member in ["other", "access_token", "expires_in"] {
                problem(minted_from(&format!(r#"{{"{member}":{deep}"#)));
            }
        }
    }
}
