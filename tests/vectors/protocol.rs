//! The shim protocol: one request per line, one answer per line (see README.md).

use crate::case::{STAT_NAMES, STATUS_NAMES};
use std::fmt::Write as _;

/// An answer of a shim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// `ok` and its fields.
    Ok(Vec<String>),
    Many(Many),
    /// The counters in the order of the header.
    Stats(Vec<u64>),
    /// The settings in effect and their sources.
    Sources(Vec<(String, String)>),
    Error(ShimError),
    Unimplemented(String),
    Response(Response),
}

/// A response of the Admin API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    pub status: u16,
    pub body: String,
    /// In the order received, names in lower case.
    pub headers: Vec<(String, String)>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Many {
    pub ok: u64,
    pub distinct: u64,
    pub first_value: Option<String>,
    pub failed: u64,
    pub first_status: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShimError {
    pub name: String,
    pub http_status: Option<u16>,
    pub retry_after_ms: Option<u64>,
    pub message: String,
    pub hint: String,
    /// The string that the language makes of the error.
    pub formatted: String,
    pub oauth_code: Option<String>,
    pub is_remembered: bool,
    pub age_ms: u64,
    pub attempts: u64,
}

pub fn hex(bytes: &[u8]) -> String {
    let mut digits = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        let _ = write!(digits, "{byte:02x}");
    }
    digits
}

pub fn unhex(digits: &str) -> Option<Vec<u8>> {
    if !digits.len().is_multiple_of(2) || digits.bytes().any(|b| b.is_ascii_uppercase()) {
        return None;
    }
    let digit = |b: u8| char::from(b).to_digit(16);
    digits.as_bytes().chunks(2).map(|pair| u8::try_from(digit(pair[0])? * 16 + digit(pair[1])?).ok()).collect()
}

/// Encodes a string for the protocol.
pub fn encode(bytes: &[u8]) -> String {
    format!("x{}", hex(bytes))
}

/// Encodes an optional number.
pub fn number(value: Option<u64>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| value.to_string())
}

/// Parses an answer, or returns a description of the error.
pub fn parse(line: &str) -> Result<Answer, String> {
    let mut fields = line.split(' ');
    let word = fields.next().unwrap_or_default();
    let fields: Vec<&str> = fields.collect();
    match (word, fields.as_slice()) {
        ("ok", fields) if !fields.contains(&"") => Ok(Answer::Ok(fields.iter().map(|&field| field.to_owned()).collect())),
        ("many", [ok, distinct, first_value, failed, first_status]) => Ok(Answer::Many(Many {
            ok: integer(ok)?,
            distinct: integer(distinct)?,
            first_value: optional(first_value, decode)?,
            failed: integer(failed)?,
            first_status: optional(first_status, status_name)?,
        })),
        ("stats", counters) => counters_in_order(counters).map(Answer::Stats),
        ("sources", sources) => sources.iter().map(|field| source(field)).collect::<Result<_, _>>().map(Answer::Sources),
        ("error", [code, name, http_status, retry_after_ms, message, hint, formatted, oauth_code, remembered, age_ms, attempts]) => {
            let name = status_name(name)?;
            let code = usize::try_from(integer(code)?).unwrap_or(usize::MAX);
            if STATUS_NAMES.get(code) != Some(&name.as_str()) {
                return Err(format!("the code {code} and the name {name} do not match"));
            }
            Ok(Answer::Error(ShimError {
                name,
                http_status: optional(http_status, integer)?.map(u16::try_from).transpose().map_err(|_| "an HTTP status above 65535")?,
                retry_after_ms: optional(retry_after_ms, integer)?,
                message: decode(message)?,
                hint: decode(hint)?,
                formatted: decode(formatted)?,
                oauth_code: optional(oauth_code, decode)?,
                is_remembered: match *remembered {
                    "0" => false,
                    "1" => true,
                    other => return Err(format!("{other} is neither 0 nor 1")),
                },
                age_ms: integer(age_ms)?,
                attempts: integer(attempts)?,
            }))
        }
        ("response", [status, body, headers @ ..]) => Ok(Answer::Response(Response {
            status: integer(status)?.try_into().map_err(|_| "an HTTP status above 65535")?,
            body: decode(body)?,
            headers: headers.iter().map(|field| header(field)).collect::<Result<_, _>>()?,
        })),
        ("unimplemented", [reason]) => decode(reason).map(Answer::Unimplemented),
        _ => Err("not an answer of the protocol".to_owned()),
    }
}

/// Decodes a string field.
pub fn decode(field: &str) -> Result<String, String> {
    let bytes = field.strip_prefix('x').and_then(unhex).ok_or_else(|| format!("{field} is not a string field"))?;
    String::from_utf8(bytes).map_err(|_| format!("{field} is not UTF-8"))
}

/// Returns a name that the protocol defines. A shim may send it unencoded or as a string field.
pub fn word(field: &str) -> String {
    decode(field).unwrap_or_else(|_| field.to_owned())
}

pub fn integer(field: &str) -> Result<u64, String> {
    field.parse().map_err(|_| format!("{field} is not a number"))
}

fn status_name(field: &str) -> Result<String, String> {
    let name = word(field);
    if STATUS_NAMES.contains(&name.as_str()) { Ok(name) } else { Err(format!("{name} is not a status")) }
}

fn optional<T>(field: &str, read: impl Fn(&str) -> Result<T, String>) -> Result<Option<T>, String> {
    if field == "-" { Ok(None) } else { read(field).map(Some) }
}

fn header(field: &str) -> Result<(String, String), String> {
    let (name, value) = field.split_once('=').ok_or_else(|| format!("{field} is not NAME=VALUE"))?;
    Ok((decode(name)?, decode(value)?))
}

fn source(field: &str) -> Result<(String, String), String> {
    let (name, source) = field.split_once('=').ok_or_else(|| format!("{field} is not NAME=SOURCE"))?;
    Ok((name.to_owned(), decode(source)?))
}

fn counters_in_order(counters: &[&str]) -> Result<Vec<u64>, String> {
    if counters.len() < STAT_NAMES.len() {
        return Err(format!("{} counters instead of {}", counters.len(), STAT_NAMES.len()));
    }
    let mut values = Vec::new();
    for (index, counter) in counters.iter().enumerate() {
        let (name, value) = counter.split_once('=').ok_or_else(|| format!("{counter} is not NAME=VALUE"))?;
        if STAT_NAMES.get(index).is_some_and(|expected| *expected != name) {
            return Err(format!("{name} instead of {}, which the header has at this position", STAT_NAMES[index]));
        }
        values.push(integer(value)?);
    }
    Ok(values)
}
