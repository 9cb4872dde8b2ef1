//! What errors and logs must not contain.

use super::*;

/// A log writer that keeps the log in memory.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Everything that this process logs while `work` runs, at level TRACE.
fn log_of(work: impl FnOnce()) -> String {
    let log = Log::default();
    let writer = log.clone();
    let subscriber =
        tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_ansi(false).with_writer(move || writer.clone()).finish();
    tracing::subscriber::set_global_default(subscriber).unwrap();
    work();
    String::from_utf8(log.0.lock().unwrap().clone()).unwrap()
}

/// Replies of every kind that repeat `echo`, or contain a token in each member of a token response.
fn indiscreet_replies(echo: &str) -> Vec<String> {
    vec![
        token_reply(),
        json(200, &format!(r#"{{"access_token":"{TOKEN}","token_type":"{TOKEN}"}}"#)),
        json(200, &format!(r#"{{"access_token":["{TOKEN}"],"token_type":"Bearer","expires_in":"{TOKEN}"}}"#)),
        json(200, &format!(r#"{{"access_token":"{TOKEN}","token_type":"Bearer","expires_in":"{TOKEN}"}}"#)),
        json(200, &format!(r#"{{"access_token":"{TOKEN}","token_type":"Bearer","scope":["{TOKEN}"]}}"#)),
        json(200, &format!(r#""{TOKEN}""#)),
        json(200, &format!(r#"{{"access_token":"{TOKEN}" {TOKEN}"#)),
        json(400, &format!(r#"{{"error":"{echo}","error_description":"{echo}"}}"#)),
        json(401, &format!(r#"{{"error":"invalid_client","error_description":"{echo}"}}"#)),
        reply(401, &[("WWW-Authenticate", &format!("Basic realm=\"x\", error=\"invalid_client\", error_description=\"{echo}\""))], ""),
        json(403, &format!(r#"{{"error":"access_denied","error_description":"access token limit: {echo}"}}"#)),
        json(404, &format!(r#"{{"error":404,"errorCode":"{echo}","detail":"{echo}"}}"#)),
        json(429, &format!(r#"{{"error":429,"errorCode":"RATE_LIMITED","detail":"{echo}"}}"#)),
        json(500, &format!(r#"{{"error":"server_error","error_description":"{echo}"}}"#)),
        reply(302, &[("Location", &format!("https://login.example/{SECRET}?{TOKEN}"))], ""),
        format!("{SECRET} {TOKEN}\r\n\r\n"),
        format!("HTTP/1.1 200 {SECRET}\r\nContent-Length: 100\r\n\r\n{TOKEN}"),
        reply(404, &[], echo),
    ]
}

#[test]
fn i21_no_error_and_no_log_holds_a_secret_even_if_the_server_repeats_it() {
    // The first subscriber determines for the whole process which events are logged, so the test
    // needs its own process.
    if std::env::var_os(CHILD).is_none() {
        return assert_passes(&mut in_child_process("discretion::i21_no_error_and_no_log_holds_a_secret_even_if_the_server_repeats_it"));
    }
    let encoded = STANDARD.encode(format!("{ID}:{SECRET}"));
    let token_encoded: String = url::form_urlencoded::byte_serialize(TOKEN.as_bytes()).collect();
    let echo = format!("you sent {SECRET} as Basic {encoded}");
    let mut errors = Vec::new();
    let mut debug = String::new();
    let log = log_of(|| {
        for authentication in [ClientAuthentication::BasicRaw, ClientAuthentication::Basic, ClientAuthentication::Post] {
            for reply in indiscreet_replies(&echo) {
                let server = TestServer::replying(vec![reply]);
                let mut config = config(&server.url("/token?key=canary-query"));
                config.authentication = authentication;
                let grant = grant(&config);
                let minted = grant.mint(&credential(), ENOUGH);
                debug.push_str(&format!("{grant:?} {minted:?} {minted:#?} {:?}\n", credential()));
                errors.extend(minted.err());
            }
            for reply in indiscreet_replies(&format!("{echo} for {TOKEN} or {token_encoded}")) {
                let server = TestServer::replying(vec![reply]);
                let mut config = config("http://127.0.0.1:1/");
                config.authentication = authentication;
                config.revocation_endpoint = Some(Endpoint::for_tests(&server.url("/revoke?key=canary-query")));
                errors.extend(grant(&config).revoke(&credential(), &Secret::from(TOKEN), ENOUGH).err());
            }
        }
    });

    let mut shown = String::new();
    for error in &errors {
        shown.push_str(&format!("{error} {error:?} {}\n", error.hint()));
        let mut source = std::error::Error::source(error);
        while let Some(cause) = source {
            shown.push_str(&format!("{cause} {cause:?}\n"));
            source = cause.source();
        }
    }
    assert!(errors.len() > 70 && shown.contains("you sent [redacted] as Basic [redacted]"), "{} errors: {shown}", errors.len());
    assert!(log.contains("http://127.0.0.1:") && log.contains("status=401"), "{log}");
    let reversed: String = SECRET.chars().rev().collect();
    for (name, output) in [("errors", &shown), ("log", &log), ("debug output", &debug)] {
        for canary in [SECRET, TOKEN, &encoded, &token_encoded, &reversed, "canary-secret", "canary.token"] {
            assert!(!output.contains(canary), "{canary} in the {name}: {output}");
        }
    }
    // A query in a configured URL may contain a tenant or a key, so neither a log nor an error may
    // show it.
    assert!(!log.contains("canary-query") && !shown.contains("canary-query"), "{log} {shown}");
}
