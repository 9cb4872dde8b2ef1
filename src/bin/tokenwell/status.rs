//! `tokenwell status`: shows the account, its server and the cached token. Sends no request.

use crate::failure::Failure;
use crate::form::expiry;
use crate::output;
use crate::secret_end::SecretEnd;
use crate::session::Session;
use crate::settings::Settings;
use crate::terminal::{Stream, Table};
use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};
use tokenwell::config::unknown_variables;
use tokenwell::error::{Error, duration_text, printable, printable_path};
use tokenwell::grant::ServerRoute;
use tokenwell::{CachedState, Config};

/// Show the settings and the cached token; sends no request
#[derive(clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct Args {
    /// Print one JSON object
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    settings: Settings,
}

const EXAMPLES: &str = "\
Examples:
  tokenwell status
  tokenwell status --json | jq .token.expires_in

  To check the connection to the server too
    tokenwell doctor";

pub(crate) fn run(args: Args) -> Result<(), Failure> {
    let session = args.settings.session()?;
    let route = ServerRoute::new(&session.config)?;
    let cached = session.cached_state()?;
    let end = SecretEnd::remembered(&session.config);
    let end = end.as_ref();
    output::line(&if args.json { as_json(&session, &route, &cached, end) } else { as_text(&session, &route, &cached, end) })
}

fn as_json(session: &Session, route: &ServerRoute, cached: &CachedState, end: Option<&SecretEnd>) -> String {
    let config = &session.config;
    let token = cached.token.as_ref().map(|token| {
        serde_json::json!({
            "expires_in": left(token.expires_at()).as_secs(),
            "expires_at": expiry(token),
            "scope": token.scope(),
        })
    });
    let cooldown = cached.cooldown.as_ref().map(|error| {
        serde_json::json!({
            "status": error.status().name(),
            "message": error.to_string(),
            "ends_in": error.retry_after().map(|left| left.as_secs_f64()),
        })
    });
    serde_json::json!({
        "client_id": config.client_id_to_show(),
        "token_endpoint": config.token_endpoint().as_str(),
        "revocation_endpoint": config.revocation_endpoint().map(|endpoint| endpoint.as_str()),
        "admin_api": config.api_base().map(|base| base.origin()),
        "auth_method": config.authentication().name(),
        "scope": config.scope(),
        "audience": config.audience(),
        "resource": config.resource(),
        "authorities": route.authorities(),
        "proxy": route.proxy(),
        "sources": config.provenance().iter().map(|from| (from.setting(), from.source())).collect::<BTreeMap<_, _>>(),
        "cache": cached.store,
        "cache_problem": cached.store_problem,
        "unknown_variables": unknown_variables().iter().map(|unknown| (unknown.name().to_owned(), unknown.nearest())).collect::<BTreeMap<_, _>>(),
        "token": token,
        "cooldown": cooldown,
        "secret_expires_at": end.map(SecretEnd::expires_at),
        "secret_expires_in_seconds": end.map(|end| end.left().as_secs()),
        "secret_expiry_learned_at": end.map(SecretEnd::learned_at),
    })
    .to_string()
}

fn as_text(session: &Session, route: &ServerRoute, cached: &CachedState, end: Option<&SecretEnd>) -> String {
    let config = &session.config;
    let endpoint = |endpoint: Option<&tokenwell::config::Endpoint>| endpoint.map_or("none".to_owned(), |found| found.as_str().to_owned());
    let source = |name: &str| {
        let from = config.provenance().iter().find(|from| from.setting() == name);
        from.map_or("unknown".to_owned(), |from| printable(from.source(), 1000))
    };
    let secret =
        if config.provenance().iter().any(|from| from.setting() == "client_secret_file") { "client_secret_file" } else { "client_secret" };
    let server = if config.api_base().is_some() { "base_url" } else { "token_url" };
    let mut rows = vec![
        ("client id", config.client_id_to_show()),
        ("  from", source("client_id")),
        ("  secret from", secret_source(config, source(secret))),
        ("  server from", source(server)),
        ("token endpoint", config.token_endpoint().as_str().to_owned()),
        ("revocation", endpoint(config.revocation_endpoint())),
        ("Admin API", config.api_base().map_or("none: the server is not Atlas".to_owned(), |base| base.origin())),
        ("auth method", config.authentication().name().to_owned()),
    ];
    for (name, value) in [("scope", config.scope()), ("audience", config.audience()), ("resource", config.resource())] {
        rows.extend(value.map(|value| (name, printable(value, 200))));
    }
    rows.extend([
        ("authorities", route.authorities().unwrap_or("not needed: http on loopback".to_owned())),
        ("proxy", route.proxy().unwrap_or("none".to_owned())),
        ("token cache", cache(cached)),
        ("token", cached.token.as_ref().map_or("none in the cache".to_owned(), validity)),
        ("remembered refusal", cached.cooldown.as_ref().map_or("none".to_owned(), refusal)),
    ]);
    if config.api_base().is_some() {
        let shown = |end: &SecretEnd| format!("{}, as of {}", end.text(), printable(end.learned_at(), 40));
        rows.push(("secret", end.map_or("its end is not known; `tokenwell doctor` asks the API".to_owned(), shown)));
    }
    let soon = end.filter(|end| end.is_soon());
    rows.extend(soon.map(|end| ("warning", format!("the secret {}. {}", end.text(), end.advice(config)))));
    rows.extend(unknown_variables().iter().map(|unknown| ("warning", unknown.to_string())));
    let mut table = Table::default();
    for (name, value) in rows {
        table.row([name.into(), value.into()]);
    }
    table.render(Stream::Out)
}

/// The source of the secret: the file that contains it, if there is one, and what names the file.
fn secret_source(config: &Config, source: String) -> String {
    let named_by = if source.starts_with("profile ") { "client_secret_file in " } else { "" };
    match config.client_secret_file() {
        Some(file) => format!("{} ({named_by}{source})", printable_path(file)),
        None => source,
    }
}

fn validity(token: &tokenwell::Token) -> String {
    format!("expires in {} ({})", duration_text(whole_seconds(left(token.expires_at()))), expiry(token))
}

fn refusal(error: &Error) -> String {
    printable(&error.to_string(), 2000)
}

fn left(expiry: SystemTime) -> Duration {
    expiry.duration_since(SystemTime::now()).unwrap_or_default()
}

fn whole_seconds(duration: Duration) -> Duration {
    Duration::from_secs(duration.as_secs())
}

fn cache(cached: &CachedState) -> String {
    let problem = cached.store_problem.as_ref().map(|problem| format!(" (cannot be read: {problem})")).unwrap_or_default();
    format!("{}{problem}", cached.store)
}
