//! The body of a request, or its query, from the flags.

use crate::failure::Failure;
use serde_json::{Map, Value};
use std::io::Read as _;
use tokenwell::Status;
use tokenwell::error::{os_reason, printable};
use zeroize::Zeroizing;

/// The largest request body that is sent.
const LARGEST_BODY: u64 = 16 * 1024 * 1024;

#[derive(clap::Args)]
pub(super) struct BodyFlags {
    /// Request body: JSON, @FILE to read a file, or - to read standard input
    #[arg(long, value_name = "JSON|@FILE|-", conflicts_with_all = ["input", "raw_field", "field"])]
    data: Option<String>,

    /// File with the request body, or - for standard input; fields are then added to the query
    #[arg(long, hide_short_help = true, value_name = "FILE")]
    input: Option<String>,

    /// String field of the JSON body, or of the query of a GET
    #[arg(short = 'f', long, hide_short_help = true, value_name = "NAME=STRING")]
    raw_field: Vec<String>,

    /// Field whose value is a number, true, false, null, or the content of @FILE
    #[arg(short = 'F', long, value_name = "NAME=VALUE")]
    field: Vec<String>,
}

/// What the flags send.
pub(super) struct Payload {
    pub(super) body: Option<Zeroizing<Vec<u8>>>,
    pub(super) query: Vec<(String, String)>,
}

impl BodyFlags {
    /// `any_type`: the user says what the body is, so it may be something other than JSON.
    pub(super) fn read(&self, method: Option<&str>, any_type: bool) -> Result<Payload, Failure> {
        let given = match (&self.data, &self.input) {
            (Some(data), _) => Some(read_data(data, any_type)?),
            (None, Some(file)) => Some(read_input(file, any_type)?),
            (None, None) => None,
        };
        let fields = self.fields()?;
        if fields.is_empty() || given.is_some() || method == Some("GET") {
            let query = fields.into_iter().map(|(name, value)| (name, as_text(value))).collect();
            return Ok(Payload { body: given, query });
        }
        let mut object = Map::new();
        for (name, value) in fields {
            insert(&mut object, &name, value)?;
        }
        // A map of strings can always be written.
        let body = serde_json::to_vec(&object).unwrap_or_default();
        Ok(Payload { body: Some(Zeroizing::new(body)), query: Vec::new() })
    }

    fn fields(&self) -> Result<Vec<(String, Value)>, Failure> {
        let raw = self.raw_field.iter().map(|field| {
            let (name, value) = split("--raw-field", field)?;
            Ok((name, Value::String(value.to_owned())))
        });
        let typed = self.field.iter().map(|field| {
            let (name, value) = split("--field", field)?;
            Ok((name, typed(value)?))
        });
        raw.chain(typed).collect()
    }
}

fn wrong(problem: String, hint: &str) -> Failure {
    Failure::new(Status::InvalidArgument, problem, hint)
}

fn split<'a>(flag: &str, field: &'a str) -> Result<(String, &'a str), Failure> {
    let (name, value) = field.split_once('=').filter(|(name, _)| !name.is_empty()).ok_or_else(|| {
        wrong(
            format!("{flag}: `{}` is not NAME=VALUE", printable(field, 60)),
            "Write the name, an equals sign and the value: -f name=staging.",
        )
    })?;
    Ok((name.to_owned(), value))
}

fn typed(value: &str) -> Result<Value, Failure> {
    if let Some(file) = value.strip_prefix('@') {
        let content = read_file("--field", file)?;
        let text = std::str::from_utf8(&content)
            .map_err(|_| wrong(format!("--field: `{}` is not UTF-8", printable(file, 60)), "Pass a file in UTF-8."))?;
        return Ok(Value::String(text.to_owned()));
    }
    Ok(match value {
        "true" => Value::Bool(true),
        "false" => Value::Bool(false),
        "null" => Value::Null,
        // A number is one that JSON writes as it was typed. An id such as 0e0000000000000000000001 or 007 is a string.
        other => serde_json::from_str::<serde_json::Number>(other)
            .ok()
            .filter(|number| number.to_string() == other)
            .map_or_else(|| Value::String(other.to_owned()), Value::Number),
    })
}

fn as_text(value: Value) -> String {
    match value {
        Value::String(text) => text,
        other => other.to_string(),
    }
}

/// Inserts `value` under `name`, which may be `a[b]`, `a[]` or `a[b][]`.
fn insert(object: &mut Map<String, Value>, name: &str, value: Value) -> Result<(), Failure> {
    let malformed = || wrong(format!("field `{}`: the brackets do not match", printable(name, 60)), "Write name[member]=… or name[]=….");
    let clash = || {
        let problem = format!("field `{}` does not fit an earlier field of that name", printable(name, 60));
        wrong(problem, "Use a name either for a value, or with [member], or with [].")
    };
    let (first, mut rest) = name.split_once('[').map_or((name, ""), |(first, _)| (first, &name[first.len()..]));
    if first.is_empty() || first.contains(']') {
        return Err(malformed());
    }
    let mut place = object.entry(first).or_insert(Value::Null);
    while !rest.is_empty() {
        let (part, after) = rest.strip_prefix('[').and_then(|rest| rest.split_once(']')).ok_or_else(malformed)?;
        if part.is_empty() {
            if place.is_null() {
                *place = Value::Array(Vec::new());
            }
            let items = place.as_array_mut().ok_or_else(clash)?;
            items.push(Value::Null);
            place = items.last_mut().ok_or_else(clash)?;
        } else {
            if place.is_null() {
                *place = Value::Object(Map::new());
            }
            place = place.as_object_mut().ok_or_else(clash)?.entry(part).or_insert(Value::Null);
        }
        rest = after;
    }
    if !place.is_null() {
        return Err(clash());
    }
    *place = value;
    Ok(())
}

fn read_input(file: &str, any_type: bool) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let body = read_file("--input", file)?;
    if any_type {
        return Ok(body);
    }
    let shown = if file == "-" { "standard input".to_owned() } else { format!("`{}`", printable(file, 60)) };
    require_json(
        "--input",
        &shown,
        &body,
        "The Admin API accepts JSON bodies only. Correct the body, or set -H 'Content-Type: …'.".to_owned(),
    )?;
    Ok(body)
}

fn read_data(data: &str, any_type: bool) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let body = match data.strip_prefix('@') {
        _ if data == "-" => read_file("--data", "-")?,
        Some(path) => read_file("--data", path)?,
        None => Zeroizing::new(data.as_bytes().to_vec()),
    };
    if any_type {
        return Ok(body);
    }
    let shown = if data == "-" { "standard input".to_owned() } else { format!("`{}`", printable(data, 60)) };
    let hint = if data == "-" || data.is_empty() || data.starts_with(['@', '{', '[', '"']) {
        "The Admin API accepts JSON bodies only. Correct the body.".to_owned()
    } else {
        format!("To send the content of a file, write --data @{}.", if data.len() > 60 { "FILE".to_owned() } else { printable(data, 60) })
    };
    require_json("--data", &shown, &body, hint)?;
    Ok(body)
}

fn read_file(flag: &str, path: &str) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let mut content = Zeroizing::new(Vec::new());
    let read = if path == "-" {
        std::io::stdin().take(LARGEST_BODY + 1).read_to_end(&mut content)
    } else {
        std::fs::File::open(path).and_then(|file| file.take(LARGEST_BODY + 1).read_to_end(&mut content))
    };
    read.map_err(|error| {
        let hint = "Pass the name of a readable file, or - for standard input.";
        wrong(format!("{flag}: cannot read `{}`: {}", printable(path, 60), os_reason(&error)), hint)
    })?;
    if content.len() as u64 > LARGEST_BODY {
        return Err(wrong(format!("{flag}: the body is larger than {} MiB", LARGEST_BODY / (1024 * 1024)), "Send a smaller body."));
    }
    Ok(content)
}

fn require_json(flag: &str, shown: &str, body: &[u8], hint: String) -> Result<(), Failure> {
    let Err(error) = serde_json::from_slice::<serde::de::IgnoredAny>(body) else { return Ok(()) };
    let problem = format!("{flag}: {shown} is not JSON (line {}, column {})", error.line(), error.column());
    Err(Failure::new(Status::InvalidArgument, problem, hint))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn body(fields: &[&str], raw: &[&str]) -> Result<String, String> {
        let owned = |fields: &[&str]| fields.iter().map(|field| (*field).to_owned()).collect();
        let flags = BodyFlags { data: None, input: None, raw_field: owned(raw), field: owned(fields) };
        let payload = flags.read(Some("POST"), false).map_err(|failure| failure.message().unwrap())?;
        Ok(String::from_utf8(payload.body.unwrap().to_vec()).unwrap())
    }

    #[test]
    fn fields_make_a_json_object() {
        let made =
            body(&["a=1", "b=true", "c=null", "d=x", "e[f]=-2.5", "g[]=1", "g[]=two", "h[i][]=0", "k=007"], &["j=1", "l=a=b"]).unwrap();

        let expected = r#"{"a":1,"b":true,"c":null,"d":"x","e":{"f":-2.5},"g":[1,"two"],"h":{"i":[0]},"j":"1","k":"007","l":"a=b"}"#;
        assert_eq!(made, expected);
    }

    #[test]
    fn a_field_that_is_wrong_is_named() {
        for (fields, expected) in [
            (&["a"][..], "--field: `a` is not NAME=VALUE"),
            (&["=a"], "is not NAME=VALUE"),
            (&["a[=1"], "field `a[`: the brackets do not match"),
            (&["a]=1"], "the brackets do not match"),
            (&["a=1", "a=2"], "field `a` does not fit an earlier field"),
            (&["a[]=1", "a[b]=2"], "field `a[b]` does not fit an earlier field"),
            (&["a=@/nowhere/x"], "--field: cannot read `/nowhere/x`"),
        ] {
            let message = body(fields, &[]).unwrap_err();
            assert!(message.contains(expected), "{message}");
        }
    }
}
