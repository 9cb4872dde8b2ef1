//! The shim for Rust. It uses only the crate's public API.

use crate::protocol::{encode, unhex};
use std::collections::BTreeSet;
use std::io::{BufRead, Write};
use std::process::ExitCode;
use std::sync::Barrier;
use std::time::{Duration, UNIX_EPOCH};
use tokenwell::{Client, Config, Error, Token, TokenOptions};

type Settings = Vec<(String, Vec<u8>)>;

/// Answers requests until `quit`.
pub fn serve() -> ExitCode {
    let mut settings = Settings::new();
    let mut client = None;
    let mut output = std::io::stdout();
    for line in std::io::stdin().lock().lines() {
        let Ok(line) = line else { return ExitCode::FAILURE };
        let answer = answer(&line, &mut settings, &mut client);
        if writeln!(output, "{answer}").and_then(|()| output.flush()).is_err() {
            return ExitCode::FAILURE;
        }
        if line == "quit" {
            return ExitCode::SUCCESS;
        }
    }
    // The runner exited without `quit`.
    ExitCode::FAILURE
}

fn answer(line: &str, settings: &mut Settings, client: &mut Option<Client>) -> String {
    let words: Vec<&str> = line.split(' ').collect();
    match words.as_slice() {
        ["hello"] => format!("ok rust {}", env!("CARGO_PKG_VERSION")),
        ["set", name, value] => {
            settings.push((String::from_utf8(bytes(name)).unwrap(), bytes(value)));
            "ok".to_owned()
        }
        ["client", environment] => {
            *client = None;
            match create(std::mem::take(settings), *environment == "1") {
                Ok(created) => {
                    *client = Some(created);
                    "ok".to_owned()
                }
                Err(error) => failed(&error),
            }
        }
        ["quit"] => {
            *client = None;
            "ok".to_owned()
        }
        words => call(client.as_ref().expect("the runner creates a client first"), words),
    }
}

fn create(settings: Settings, from_environment: bool) -> Result<Client, Error> {
    let mut builder = Config::builder();
    for (name, value) in settings {
        builder.set(&name, &value)?;
    }
    if from_environment {
        builder.use_environment();
    }
    Client::new(builder.build()?)
}

fn call(client: &Client, words: &[&str]) -> String {
    match *words {
        ["token", min_ttl, deadline, force] => match client.token(&options(min_ttl, deadline, force)) {
            Ok(token) => {
                let expires_at = token.expires_at().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
                format!("ok {} {expires_at}", encode(token.value().as_bytes()))
            }
            Err(error) => failed(&error),
        },
        ["authorization"] => match client.token(&TokenOptions::default()) {
            Ok(token) => format!("ok {}", encode(token.authorization().as_bytes())),
            Err(error) => failed(&error),
        },
        ["together", count, min_ttl, deadline, force] => {
            let (count, options) = (count.parse().expect("a number"), options(min_ttl, deadline, force));
            let barrier = Barrier::new(count);
            let results = std::thread::scope(|scope| {
                let get = || {
                    barrier.wait();
                    client.token(&options)
                };
                let threads: Vec<_> = (0..count).map(|_| scope.spawn(get)).collect();
                threads.into_iter().map(|thread| thread.join().expect("a get does not panic")).collect::<Vec<_>>()
            });
            many(&results)
        }
        ["loop", count] => {
            let count: usize = count.parse().expect("a number");
            many(&(0..count).map(|_| client.token(&TokenOptions::default())).collect::<Vec<_>>())
        }
        ["invalidate", value] => done(client.invalidate(&String::from_utf8(bytes(value)).unwrap()).map(drop)),
        ["revoke", deadline] => done(client.revoke(milliseconds(deadline))),
        ["stats"] => {
            let stats = client.stats();
            format!(
                "stats hits={} waits={} refreshes={} mints={} mint_failures={} stale_served={} cooldown_answers={} invalidations={}",
                stats.hits,
                stats.waits,
                stats.refreshes,
                stats.mints,
                stats.mint_failures,
                stats.stale_served,
                stats.cooldown_answers,
                stats.invalidations
            )
        }
        ["request", ..] => {
            let reason = "a Rust program uses tokenwell::admin, or its own HTTP client with tokenwell::reqwest";
            format!("unimplemented {}", encode(reason.as_bytes()))
        }
        ["base_url"] => format!("ok {}", client.base_url().map_or_else(|| "-".to_owned(), |url| encode(url.as_bytes()))),
        ["sources"] => {
            let sources = client.sources().iter().map(|from| format!(" {}={}", from.setting(), encode(from.source().as_bytes())));
            format!("sources{}", sources.collect::<String>())
        }
        ["advance", ms] => done(client.advance_clock(milliseconds(ms).unwrap_or_default())),
        ["close"] => {
            client.close();
            "ok".to_owned()
        }
        _ => format!("unknown request {words:?}"),
    }
}

fn options(min_ttl: &str, deadline: &str, force: &str) -> TokenOptions {
    let mut options = TokenOptions::default();
    if let Some(min_ttl) = milliseconds(min_ttl) {
        options = options.min_ttl(min_ttl);
    }
    if let Some(deadline) = milliseconds(deadline) {
        options = options.deadline(deadline);
    }
    if force == "1" { options.force_refresh(true) } else { options }
}

fn many(results: &[Result<Token, Error>]) -> String {
    let tokens: Vec<&str> = results.iter().flatten().map(Token::value).collect();
    let distinct = tokens.iter().collect::<BTreeSet<_>>().len();
    let first = tokens.first().map_or_else(|| "-".to_owned(), |value| encode(value.as_bytes()));
    let failed = results.len() - tokens.len();
    let first_failure = results.iter().find_map(|result| result.as_ref().err()).map_or("-", |error| error.status().name());
    format!("many {} {distinct} {first} {failed} {first_failure}", tokens.len())
}

fn done(result: Result<(), Error>) -> String {
    match result {
        Ok(()) => "ok".to_owned(),
        Err(error) => failed(&error),
    }
}

fn failed(error: &Error) -> String {
    let optional = |number: Option<u128>| number.map_or_else(|| "-".to_owned(), |number| number.to_string());
    format!(
        "error {} {} {} {} {} {} {} {} {} {} {}",
        error.status().code(),
        error.status().name(),
        optional(error.http_status().map(u128::from)),
        optional(error.retry_after().map(|after| after.as_millis())),
        encode(error.to_string().as_bytes()),
        encode(error.hint().as_bytes()),
        encode(error.to_string().as_bytes()),
        error.oauth_code().map_or_else(|| "-".to_owned(), |code| encode(code.as_bytes())),
        u8::from(error.is_remembered()),
        error.age().as_millis(),
        error.attempts()
    )
}

fn bytes(field: &str) -> Vec<u8> {
    field.strip_prefix('x').and_then(unhex).expect("a string field")
}

fn milliseconds(field: &str) -> Option<Duration> {
    (field != "-").then(|| Duration::from_millis(field.parse().expect("a number")))
}
