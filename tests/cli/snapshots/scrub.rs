//! Replaces what differs between two runs by words of the same length where a table or the end of a
//! line depends on it.

use std::path::Path;

pub struct Scrub<'a> {
    pub home: &'a Path,
    pub base_url: &'a str,
}

impl Scrub<'_> {
    pub fn apply(&self, page: &str) -> String {
        let home = self.home.to_str().unwrap();
        let port = self.base_url.rsplit(':').next().unwrap();
        assert_eq!(port.len(), 5, "a port of the system's range has five digits");
        let page = page.replace(home, "/tmp/tokenwell-XXXXXX").replace(&format!(":{port}"), ":50000");
        let page = page.replace(concat!("tokenwell ", env!("CARGO_PKG_VERSION")), "tokenwell X.Y.Z");
        page.split('\n').map(|line| fingerprints(&numbers(&times(line)))).collect::<Vec<_>>().join("\n")
    }
}

/// Times of RFC 3339.
fn times(line: &str) -> String {
    const FORM: &[u8] = b"0000-00-00T00:00:00Z";
    let mut bytes = line.as_bytes().to_vec();
    for start in 0..bytes.len().saturating_sub(FORM.len() - 1) {
        let found = bytes[start..start + FORM.len()].iter().zip(FORM).all(
            |(byte, form)| {
                if *form == b'0' { byte.is_ascii_digit() } else { byte == form }
            },
        );
        if found {
            bytes[start..start + FORM.len()].copy_from_slice(b"YYYY-MM-DDThh:mm:ssZ");
        }
    }
    String::from_utf8(bytes).unwrap()
}

/// The part of a file name that depends on the server.
fn fingerprints(line: &str) -> String {
    let Some((before, after)) = line.split_once('~') else { return line.to_owned() };
    let length = after.bytes().take_while(u8::is_ascii_hexdigit).count();
    if length < 32 { line.to_owned() } else { format!("{before}~{}{}", "f".repeat(length), &after[length..]) }
}

/// Times that a run took, and how long a token is valid: the minutes depend on the seconds of the run.
fn numbers(line: &str) -> String {
    const UNITS: [&str; 4] = ["ms", "s", "min", "h"];
    let mut result: Vec<String> = Vec::new();
    for word in line.split(' ') {
        let unit = word.trim_matches(['(', ')', ',', ';', '.', ':']);
        let number = result.last().map(|last| last.trim_start_matches('(').to_owned()).unwrap_or_default();
        let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
        if !(UNITS.contains(&unit) && is_number) {
            result.push(word.to_owned());
            continue;
        }
        let last = result.pop().unwrap_or_default();
        let before = &last[..last.len() - number.len()];
        if unit == "ms" {
            // A column of numbers: the width is kept by the empty words before it.
            let padding = if before.is_empty() { number.len() - 1 } else { 0 };
            result.extend(std::iter::repeat_n(String::new(), padding));
            result.push(format!("{before}N"));
            result.push(word.to_owned());
        } else if result.last().is_some_and(|last| last.ends_with("TIME")) {
            let last = result.pop().unwrap_or_default();
            result.push(last + &word[unit.len() + word.find(unit).unwrap_or(0)..]);
        } else {
            result.push(format!("{before}TIME{}", &word[unit.len() + word.find(unit).unwrap_or(0)..]));
        }
    }
    result.join(" ")
}

#[test]
fn only_what_differs_between_two_runs_is_replaced() {
    assert_eq!(numbers("ok    114 ms  name  (32 ms)"), "ok      N ms  name  (N ms)");
    assert_eq!(numbers("expires in 59 min 59 s (x), 10 of 3"), "expires in TIME (x), 10 of 3");
    assert_eq!(numbers("in 1 h 2 min."), "in TIME.");
    assert_eq!(times("at 2026-11-28T03:40:30Z."), "at YYYY-MM-DDThh:mm:ssZ.");
}
