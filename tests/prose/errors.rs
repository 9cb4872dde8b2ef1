//! Formats every error of the library and checks its message, its hint and both together.

use crate::sentences::{Part, faults};
use crate::words::Words;
use std::path::Path;
use std::time::Duration;
use tokenwell::Error;
use tokenwell::error::Exchange;

/// A description by a server. Its style is not checked.
const THEIRS: &str = "Invalid credentials provided.. (a text of theirs)";

/// Every variant, with and without its optional parts.
fn examples() -> Vec<(&'static str, Error)> {
    let server = || "https://cloud.mongodb.com".to_owned();
    let mut all = Vec::new();
    for description in [String::new(), THEIRS.to_owned()] {
        for client in ["", "the client id mdb_sa_id_0123456789abcdef01234567 (set by TOKENWELL_CLIENT_ID)"] {
            for (code, advice) in [
                ("invalid_client", ""),
                ("invalid_scope", ""),
                ("", ""),
                ("invalid_client", "The client secret has leading or trailing whitespace. Remove it."),
            ] {
                all.push((
                    "CredentialRejected",
                    Error::CredentialRejected {
                        server: server(),
                        client: client.into(),
                        code: code.into(),
                        description: description.clone(),
                        http_status: 401,
                        advice: advice.into(),
                        exchange: Exchange::default(),
                    },
                ));
            }
        }
        let (retry_after, description) = (Duration::from_millis(1_234), description.clone());
        all.push((
            "TokenLimit",
            Error::TokenLimit {
                server: server(),
                description: description.clone(),
                http_status: 403,
                retry_after,
                exchange: Exchange::default(),
            },
        ));
        all.push((
            "RateLimited",
            Error::RateLimited {
                server: server(),
                description: description.clone(),
                http_status: 429,
                retry_after,
                exchange: Exchange::default(),
            },
        ));
        all.push((
            "Server",
            Error::Server {
                server: server(),
                description: description.clone(),
                http_status: 503,
                retry_after: None,
                exchange: Exchange::default(),
            },
        ));
        all.push((
            "Server",
            Error::Server {
                server: server(),
                description,
                http_status: 503,
                retry_after: Some(retry_after),
                exchange: Exchange::default(),
            },
        ));
    }
    for advice in [String::new(), "Is the emulator running?".to_owned()] {
        let problem = "connection refused".to_owned();
        all.push((
            "Network",
            Error::Network { server: server(), problem, reached: false, advice, source: None, exchange: Exchange::default() },
        ));
    }
    let rejected = "407 Proxy Authentication Required";
    let filtered = "403 Filtered; the proxy says: \"blocked by policy\"";
    for (proxy_status, answer, has_login) in [
        (Some(407), rejected, true),
        (Some(407), rejected, false),
        (Some(403), filtered, false),
        (Some(502), "502 Bad Gateway", true),
        (None, "", true),
    ] {
        let proxy = "the proxy http://p.example:3128 (set by HTTPS_PROXY)".into();
        all.push((
            "Proxy",
            Error::Proxy {
                server: server(),
                proxy,
                proxy_status,
                answer: answer.into(),
                has_login,
                advice: "Correct it.".into(),
                exchange: Exchange::default(),
            },
        ));
    }
    for http_status in [401, 403] {
        let problem = format!("HTTP status {http_status} without an OAuth error (text/html)");
        all.push((
            "Protocol",
            Error::Protocol { server: server(), problem, http_status: Some(http_status), exchange: Exchange::default() },
        ));
    }
    for blocked_by in [String::new(), "another process holds the lock /cache/a.lock".to_owned()] {
        all.push(("Deadline", Error::Deadline { waited: Duration::from_nanos(1_499_999_999), blocked_by }));
    }
    let text = |text: &str| text.to_owned();
    all.extend([
        (
            "InvalidArgument",
            Error::InvalidArgument { name: text("timeout_ms"), problem: text("is not a number"), hint: text("Pass milliseconds.") },
        ),
        ("TokensRejected", Error::TokensRejected { server: server(), count: 2 }),
        ("NotConfigured", Error::NotConfigured { problem: text("there is no profile prod"), hint: text("Run `tokenwell login`.") }),
        (
            "NoCredential",
            Error::NoCredential { checked_sources: vec![text("profile default: no such file")], hint: text("Run `tokenwell login`.") },
        ),
        (
            "Tls",
            Error::Tls {
                server: server(),
                problem: text("unknown certificate authority"),
                advice: text("Set ca_file."),
                source: None,
                exchange: Exchange::default(),
            },
        ),
        (
            "Protocol",
            Error::Protocol {
                server: server(),
                problem: text("it is not a JSON object"),
                http_status: Some(200),
                exchange: Exchange::default(),
            },
        ),
        (
            "Refused",
            Error::Refused {
                problem: text("the server redirects to https://elsewhere.example/"),
                hint: text("Set base_url."),
                http_status: Some(302),
                exchange: Exchange::default(),
            },
        ),
        ("CannotWrite", Error::CannotWrite { problem: text("cannot write /a/b: no space left on device"), hint: text("Free some space.") }),
        ("Closed", Error::Closed),
        ("QueueClosed", Error::QueueClosed),
        ("Canceled", Error::Canceled),
        ("NotCached", Error::NotCached),
        ("Internal", Error::Internal { problem: text("the refresh ended without a result") }),
    ]);
    let remembered: Vec<_> = all
        .iter()
        .map(|(_, original)| {
            let (age, ends_in) = (Duration::from_millis(9_876), Duration::from_nanos(19_999_999_999));
            ("Cooldown", Error::Cooldown { original: Box::new(original.clone()), age, ends_in })
        })
        .collect();
    all.extend(remembered);
    all
}

/// The variants that the source declares: a new one must have an example.
fn declared() -> Vec<String> {
    let source = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/error/mod.rs")).unwrap();
    let body = source.split("pub enum Error {\n").nth(1).unwrap().split("\n}\n").next().unwrap();
    let names =
        body.lines().filter_map(|line| line.strip_prefix("    ")).filter(|line| line.starts_with(|first: char| first.is_ascii_uppercase()));
    names.map(|line| line.split([' ', ',', '(']).next().unwrap().to_owned()).collect()
}

#[test]
fn every_variant_is_among_the_examples() {
    let examples = examples();

    let declared = declared();

    assert!(declared.len() >= 14, "{declared:?}");
    for variant in declared {
        assert!(examples.iter().any(|(name, _)| *name == variant), "no example of {variant}");
    }
}

#[test]
fn every_message_and_hint_reads_as_prose() {
    let words = Words::of_this_project();
    for (name, error) in examples() {
        let (message, hint) = (error.to_string(), error.hint());
        // As the wrappers join them.
        let formatted = format!("{} ({hint})", message.trim_end_matches('.'));
        for (part, line) in [(Part::Message, &message), (Part::Hint, &hint), (Part::Formatted, &formatted)] {
            let faults = faults(&words, part, line, &[THEIRS]);
            assert!(faults.is_empty(), "{name}: {line:?} has {faults:?}");
        }
    }
}

#[test]
fn r27_no_duration_in_a_message_has_a_long_fraction() {
    let error = Error::Deadline { waited: Duration::from_nanos(2_999_985_755), blocked_by: String::new() };

    assert!(error.to_string().ends_with("after 3 s"), "{error}");
}

/// What the command prints, as its snapshots show it.
#[test]
fn no_error_of_the_command_has_the_number_of_an_io_error_or_a_separated_predicate() {
    let words = Words::parse("").unwrap();
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cli/snapshots");
    let mut read = 0;
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        // A line may be wrapped anywhere.
        let joined = text.replace("\n  ", " ");
        for line in joined.lines().filter(|line| line.contains("tokenwell: ") || line.contains("os error")) {
            read += 1;
            let faults = faults(&words, Part::Hint, line, &[]);
            let found: Vec<_> = faults.iter().filter(|fault| fault.contains("the colon before") || fault.contains("I/O error")).collect();
            assert!(found.is_empty(), "{}: {line}: {found:?}", path.display());
        }
    }
    assert!(read > 20, "only {read} messages were read");
}
