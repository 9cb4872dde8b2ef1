//! Answers that go wrong on purpose: `POST /_emulator/faults`.

use super::script::{Content, Endless, Manner};
use super::settings::named;
use hyper::StatusCode;
use hyper::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, LOCATION, TRANSFER_ENCODING};
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::Duration;

/// The faults in the order they were given.
#[derive(Debug, Default)]
pub(super) struct Faults(Vec<Fault>);

/// A fault that has passed the rules.
#[derive(Clone, Debug)]
pub(super) struct Fault {
    path: String,
    left: Option<u64>,
    pub(super) delay: Duration,
    /// Are sent in place of those of the same name, whoever answers.
    pub(super) headers: HeaderMap,
    pub(super) answer: Answer,
    pub(super) manner: Manner,
}

#[derive(Clone, Debug)]
pub(super) enum Answer {
    /// The emulator's own, as if there were no fault.
    Own,
    Given {
        status: StatusCode,
        content: Content,
    },
    /// These bytes on the socket in place of an HTTP reply; then the connection ends.
    Raw(Content),
    /// The connection is closed.
    Close,
    /// The connection is reset.
    Reset,
}

impl Faults {
    pub(super) fn from_json(list: Value) -> Result<Self, String> {
        let Value::Array(list) = list else { return Err("the list of faults is a JSON array".to_owned()) };
        let mut faults = Vec::with_capacity(list.len());
        for (number, fault) in list.into_iter().enumerate() {
            let checked = serde_json::from_value(fault).map_err(|error| error.to_string()).and_then(checked);
            faults.push(checked.map_err(|problem| format!("fault {number}: {problem}"))?);
        }
        Ok(Self(faults))
    }

    /// The first fault for this path that has times left, one of which is used up.
    pub(super) fn take(&mut self, path: &str) -> Option<Fault> {
        let fault = self.0.iter_mut().find(|fault| fault.left != Some(0) && fault.names(path))?;
        if let Some(left) = &mut fault.left {
            *left -= 1;
        }
        Some(fault.clone())
    }
}

impl Fault {
    fn names(&self, path: &str) -> bool {
        match self.path.strip_suffix('*') {
            Some(start) => path.starts_with(start),
            None => self.path == path,
        }
    }
}

/// A fault as it is written in JSON.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Written {
    path: String,
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
    Reset,
}

fn checked(written: Written) -> Result<Fault, String> {
    if !written.path.starts_with('/') {
        return Err("path names what the fault applies to and starts with /".to_owned());
    }
    let mut headers = headers(&written.headers)?;
    let endless = match (written.endless, &written.raw) {
        (false, _) => Endless::No,
        (true, None) => Endless::Spaces,
        (true, Some(_)) => Endless::Again,
    };
    let manner = Manner { drip: written.drip_ms.map(Duration::from_millis), endless, cut: written.close == Some(Close::MidReply) };
    let answer = answer(&written, &mut headers)?;
    if manner.cut && endless != Endless::No {
        return Err("close mid_reply and endless contradict each other".to_owned());
    }
    Ok(Fault { path: written.path, left: written.times, delay: Duration::from_millis(written.delay_ms), headers, answer, manner })
}

fn answer(written: &Written, headers: &mut HeaderMap) -> Result<Answer, String> {
    let content = content(written, headers)?;
    let given = [
        ("status", written.status.is_some()),
        ("a body", content.is_some()),
        ("raw", written.raw.is_some()),
        ("redirect", written.redirect.is_some()),
        ("close", matches!(written.close, Some(Close::BeforeReply | Close::Reset))),
        ("then_serve", written.then_serve),
    ];
    let names: Vec<_> = given.iter().filter(|(_, is_given)| *is_given).map(|(name, _)| *name).collect();
    if !matches!(names.as_slice(), [] | [_] | ["status", "a body"]) {
        return Err(format!("{} are different answers: give one of them", names.join(" and ")));
    }
    if written.raw.is_some() && !headers.is_empty() {
        return Err("headers are not sent with raw: write them into it".to_owned());
    }
    if written.redirect_status.is_some() && written.redirect.is_none() {
        return Err("redirect_status is given without redirect".to_owned());
    }

    Ok(match (written.close, &written.raw, &written.redirect) {
        (Some(Close::BeforeReply), ..) => Answer::Close,
        (Some(Close::Reset), ..) => Answer::Reset,
        (_, Some(raw), _) => Answer::Raw(Content::once(raw.clone())),
        (_, _, Some(target)) => {
            headers.insert(LOCATION, HeaderValue::from_str(target).map_err(|_| "redirect holds control characters".to_owned())?);
            Answer::Given { status: status(written.redirect_status.unwrap_or(307))?, content: Content::once("") }
        }
        _ if written.status.is_some() || content.is_some() || (written.endless && !written.then_serve) => {
            Answer::Given { status: status(written.status.unwrap_or(200))?, content: content.unwrap_or(Content::once("")) }
        }
        _ => Answer::Own,
    })
}

fn content(written: &Written, headers: &mut HeaderMap) -> Result<Option<Content>, String> {
    let (content, media_type) = match (&written.body, &written.body_hex, &written.body_repeat) {
        (None, None, None) => return Ok(None),
        (Some(Value::String(text)), None, None) => (Content::once(text.clone()), "text/plain;charset=utf-8"),
        (Some(json), None, None) => (Content::once(json.to_string()), "application/json"),
        (None, Some(hex), None) => (Content::once(from_hex(hex)?), "application/octet-stream"),
        (None, None, Some(repeat)) => (Content::repeated(repeat.text.clone(), repeat.times), "text/plain;charset=utf-8"),
        _ => return Err("body, body_hex and body_repeat are different bodies: give one of them".to_owned()),
    };
    headers.entry(CONTENT_TYPE).or_insert(HeaderValue::from_static(media_type));
    Ok(Some(content))
}

fn headers(written: &BTreeMap<String, OneOrMany>) -> Result<HeaderMap, String> {
    let mut headers = HeaderMap::new();
    for (name, values) in written {
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| format!("headers: {name:?} is no header name"))?;
        if name == CONTENT_LENGTH || name == TRANSFER_ENCODING {
            return Err(format!("headers: {name} follows from the body; to send a false one use raw"));
        }
        let values = match values {
            OneOrMany::One(value) => std::slice::from_ref(value),
            OneOrMany::Many(values) => values,
        };
        for value in values {
            let value = HeaderValue::from_bytes(value.as_bytes())
                .map_err(|_| format!("headers: the value of {name} holds control characters; to send them use raw"))?;
            headers.append(name.clone(), value);
        }
    }
    Ok(headers)
}

fn status(number: u16) -> Result<StatusCode, String> {
    match StatusCode::from_u16(number) {
        Ok(status) if !status.is_informational() => Ok(status),
        _ => Err(format!("{number} is no status of a final reply: they are from 200 on; for others use raw")),
    }
}

fn from_hex(hex: &str) -> Result<Vec<u8>, String> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|value| u8::try_from(value).ok());
    let (pairs, rest) = hex.as_bytes().as_chunks::<2>();
    let bytes: Option<Vec<u8>> = pairs.iter().map(|&[high, low]| Some(digit(high)? << 4 | digit(low)?)).collect();
    bytes.filter(|_| rest.is_empty()).ok_or_else(|| "body_hex is not an even number of hexadecimal digits".to_owned())
}
