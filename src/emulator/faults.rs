//! Deliberately faulty replies: `POST /_emulator/faults`.

use super::script::{Content, Delivery, Endless};
use super::settings::named;
use hyper::StatusCode;
use hyper::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, LOCATION, TRANSFER_ENCODING};
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::Duration;

/// The list of faults, in the order of the request.
#[derive(Debug, Default)]
pub(super) struct Faults(Vec<Fault>);

/// A validated fault.
#[derive(Clone, Debug)]
pub(super) struct Fault {
    path: String,
    method: Option<String>,
    client_id: Option<String>,
    left: Option<u64>,
    /// As it was set.
    json: Value,
    pub(super) delay: Duration,
    /// Replace the headers of the same name, also in the emulator's normal reply.
    pub(super) headers: HeaderMap,
    pub(super) answer: Answer,
    pub(super) delivery: Delivery,
}

#[derive(Clone, Debug)]
pub(super) enum Answer {
    /// The emulator's normal reply.
    Normal,
    Custom {
        status: StatusCode,
        content: Content,
    },
    /// Writes these bytes to the socket instead of an HTTP reply, then closes the connection.
    Raw(Content),
    /// Closes the connection, after the request has been processed if it has an effect.
    Close {
        has_effect: bool,
    },
    /// Resets the connection instead.
    Reset {
        has_effect: bool,
    },
}

impl Faults {
    pub(super) fn from_json(list: Value) -> Result<Self, String> {
        let Value::Array(list) = list else { return Err("the list of faults must be a JSON array".to_owned()) };
        let mut faults = Vec::with_capacity(list.len());
        for (number, fault) in list.into_iter().enumerate() {
            let validated =
                serde_json::from_value(fault.clone()).map_err(|error| error.to_string()).and_then(|json| validated(json, fault));
            faults.push(validated.map_err(|problem| format!("fault {number}: {problem}"))?);
        }
        Ok(Self(faults))
    }

    /// The faults that have uses left, each with the number of uses left as `times`.
    pub(super) fn remaining(&self) -> Vec<Value> {
        let remaining = |fault: &Fault| {
            let mut json = fault.json.clone();
            if let (Some(left), Some(members)) = (fault.left, json.as_object_mut()) {
                members.insert("times".to_owned(), left.into());
            }
            json
        };
        self.0.iter().filter(|fault| fault.left != Some(0)).map(remaining).collect()
    }

    /// Returns the first fault for this request that has uses left, and consumes one use.
    pub(super) fn take(&mut self, method: &str, path: &str, client_id: Option<&str>) -> Option<Fault> {
        let fault = self.0.iter_mut().find(|fault| fault.left != Some(0) && fault.names(method, path, client_id))?;
        if let Some(left) = &mut fault.left {
            *left -= 1;
        }
        Some(fault.clone())
    }
}

impl Fault {
    fn names(&self, method: &str, path: &str, client_id: Option<&str>) -> bool {
        if self.method.as_deref().is_some_and(|wanted| wanted != method)
            || (self.client_id.is_some() && self.client_id.as_deref() != client_id)
        {
            return false;
        }
        match self.path.strip_suffix('*') {
            Some(start) => path.starts_with(start),
            None => self.path == path,
        }
    }
}

/// A fault in its JSON form.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct FaultJson {
    path: String,
    method: Option<String>,
    client_id: Option<String>,
    times: Option<u64>,
    delay_ms: u64,
    status: Option<u16>,
    headers: BTreeMap<String, OneOrMany>,
    #[serde(deserialize_with = "named")]
    body: Option<Value>,
    body_hex: Option<String>,
    body_repeat: Option<Repeat>,
    raw: Option<String>,
    drip_ms: Option<u64>,
    endless: bool,
    close: Option<Close>,
    redirect: Option<String>,
    redirect_status: Option<u16>,
    then_serve: bool,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Repeat {
    text: String,
    times: u64,
}

#[derive(Clone, Copy, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
enum Close {
    BeforeReply,
    MidReply,
    AfterEffect,
    Reset,
    ResetAfterEffect,
}

fn validated(json: FaultJson, given: Value) -> Result<Fault, String> {
    if let Some(method) = json.method.as_deref().filter(|method| method.is_empty() || !method.bytes().all(|byte| byte.is_ascii_uppercase()))
    {
        return Err(format!("method {method:?} is not in capital letters, such as POST"));
    }
    if !json.path.starts_with('/') {
        return Err("path must start with /".to_owned());
    }
    let mut headers = headers(&json.headers)?;
    let endless = match (json.endless, &json.raw) {
        (false, _) => Endless::No,
        (true, None) => Endless::Spaces,
        (true, Some(_)) => Endless::Repeat,
    };
    let delivery = Delivery { drip: json.drip_ms.map(Duration::from_millis), endless, cut: json.close == Some(Close::MidReply) };
    let answer = answer(&json, &mut headers)?;
    if delivery.cut && endless != Endless::No {
        return Err("close mid_reply and endless are mutually exclusive".to_owned());
    }
    let FaultJson { path, method, client_id, times: left, .. } = json;
    Ok(Fault { path, method, client_id, left, json: given, delay: Duration::from_millis(json.delay_ms), headers, answer, delivery })
}

fn answer(json: &FaultJson, headers: &mut HeaderMap) -> Result<Answer, String> {
    let content = content(json, headers)?;
    let given = [
        ("status", json.status.is_some()),
        ("a body", content.is_some()),
        ("raw", json.raw.is_some()),
        ("redirect", json.redirect.is_some()),
        ("close", json.close.is_some_and(|close| close != Close::MidReply)),
        ("then_serve", json.then_serve),
    ];
    let names: Vec<_> = given.iter().filter(|(_, is_given)| *is_given).map(|(name, _)| *name).collect();
    if !matches!(names.as_slice(), [] | [_] | ["status", "a body"]) {
        return Err(format!("{} are mutually exclusive", names.join(" and ")));
    }
    if json.raw.is_some() && !headers.is_empty() {
        return Err("headers cannot be combined with raw: include them in raw".to_owned());
    }
    if json.redirect_status.is_some() && json.redirect.is_none() {
        return Err("redirect_status requires redirect".to_owned());
    }

    Ok(match (json.close, &json.raw, &json.redirect) {
        (Some(Close::BeforeReply), ..) => Answer::Close { has_effect: false },
        (Some(Close::AfterEffect), ..) => Answer::Close { has_effect: true },
        (Some(Close::Reset), ..) => Answer::Reset { has_effect: false },
        (Some(Close::ResetAfterEffect), ..) => Answer::Reset { has_effect: true },
        (_, Some(raw), _) => Answer::Raw(Content::once(raw.clone())),
        (_, _, Some(target)) => {
            headers.insert(LOCATION, HeaderValue::from_str(target).map_err(|_| "redirect contains control characters".to_owned())?);
            Answer::Custom { status: status(json.redirect_status.unwrap_or(307))?, content: Content::once("") }
        }
        _ if json.status.is_some() || content.is_some() || (json.endless && !json.then_serve) => {
            Answer::Custom { status: status(json.status.unwrap_or(200))?, content: content.unwrap_or(Content::once("")) }
        }
        _ => Answer::Normal,
    })
}

fn content(json: &FaultJson, headers: &mut HeaderMap) -> Result<Option<Content>, String> {
    let (content, media_type) = match (&json.body, &json.body_hex, &json.body_repeat) {
        (None, None, None) => return Ok(None),
        (Some(Value::String(string)), None, None) => (Content::once(string.clone()), "text/plain;charset=utf-8"),
        (Some(json), None, None) => (Content::once(json.to_string()), "application/json"),
        (None, Some(hex), None) => (Content::once(from_hex(hex)?), "application/octet-stream"),
        (None, None, Some(repeat)) => (Content::repeated(repeat.text.clone(), repeat.times), "text/plain;charset=utf-8"),
        _ => return Err("body, body_hex and body_repeat are mutually exclusive".to_owned()),
    };
    headers.entry(CONTENT_TYPE).or_insert(HeaderValue::from_static(media_type));
    Ok(Some(content))
}

fn headers(json: &BTreeMap<String, OneOrMany>) -> Result<HeaderMap, String> {
    let mut headers = HeaderMap::new();
    for (name, values) in json {
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| format!("headers: {name:?} is not a valid header name"))?;
        if name == CONTENT_LENGTH || name == TRANSFER_ENCODING {
            return Err(format!("headers: {name} is set from the body; use raw to send a wrong value"));
        }
        let values = match values {
            OneOrMany::One(value) => std::slice::from_ref(value),
            OneOrMany::Many(values) => values,
        };
        for value in values {
            let value = HeaderValue::from_bytes(value.as_bytes())
                .map_err(|_| format!("headers: the value of {name} contains control characters; use raw to send them"))?;
            headers.append(name.clone(), value);
        }
    }
    Ok(headers)
}

fn status(number: u16) -> Result<StatusCode, String> {
    match StatusCode::from_u16(number) {
        Ok(status) if !status.is_informational() => Ok(status),
        _ => Err(format!("{number} is not the status of a final reply (200 to 999); use raw to send it")),
    }
}

fn from_hex(hex: &str) -> Result<Vec<u8>, String> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|value| u8::try_from(value).ok());
    let (pairs, rest) = hex.as_bytes().as_chunks::<2>();
    let bytes: Option<Vec<u8>> = pairs.iter().map(|&[high, low]| Some(digit(high)? << 4 | digit(low)?)).collect();
    bytes.filter(|_| rest.is_empty()).ok_or_else(|| "body_hex is not an even number of hexadecimal digits".to_owned())
}
