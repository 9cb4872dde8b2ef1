//! `tokenwell whoami`: the account of the token, where it comes from, and what the token says about
//! itself.

use crate::failure::Failure;
use crate::form::expiry;
use crate::jwt::{self, Claims};
use crate::output;
use crate::session::Session;
use crate::settings::Settings;
use crate::terminal::{Stream, Table};
use serde_json::{Value, json};
use std::time::{Duration, SystemTime};
use tokenwell::admin::{AdminApi, Call};
use tokenwell::error::{duration_text, printable};
use tokenwell::{Config, Status, Token, TokenOptions};

/// Show the account, the source of its credential, and its token
///
/// Decodes the token of the cache, or requests one. The claims are not verified: only the API that
/// receives the token can do that, and --check asks it. The token itself is not shown.
#[derive(clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct Args {
    /// Ask the Admin API which organizations the account can access
    #[arg(long)]
    check: bool,

    /// Print one JSON object
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    settings: Settings,
}

const EXAMPLES: &str = "\
Examples:
  tokenwell whoami

  Does the API accept the token?
    tokenwell whoami --check

  tokenwell whoami --json | jq -r .client_id";

/// How many organizations are listed. Few accounts have more than one.
const MOST_ORGANIZATIONS: usize = 100;

pub(crate) fn run(args: Args) -> Result<(), Failure> {
    let session = args.settings.session()?;
    if args.check && session.config.api_base().is_none() {
        return Err(Failure::new(
            Status::InvalidArgument,
            format!("--check: {} is not Atlas, whose API lists the organizations", session.config.token_endpoint().origin()),
            "Leave out --check.",
        ));
    }
    let token = session.token(&TokenOptions::default())?;
    let claims = jwt::claims(token.value());
    let organizations = if args.check { Some(organizations(&session)?) } else { None };
    output::line(&if args.json {
        as_json(&session.config, &token, claims.as_ref(), organizations.as_deref()).to_string()
    } else {
        as_text(&session.config, &token, claims.as_ref(), organizations.as_deref())
    })
}

struct Organization {
    id: String,
    name: String,
}

fn organizations(session: &Session) -> Result<Vec<Organization>, Failure> {
    let path = format!("/api/atlas/v2/orgs?itemsPerPage={MOST_ORGANIZATIONS}");
    let reply = AdminApi::new(&session.config)?.call(&session.client, &Call::get(&path))?;
    let problem = format!("GET /api/atlas/v2/orgs: HTTP status {}", reply.status);
    match reply.status {
        200..=299 => {}
        401 | 403 => {
            return Err(Failure::new(
                Status::CredentialRejected,
                problem,
                "The API does not accept the token for this. Run `tokenwell doctor`: it tells an IP access list from a wrong server.",
            ));
        }
        429 => return Err(Failure::new(Status::RateLimited, problem, "Too many requests with this account. Wait a minute.")),
        _ => return Err(Failure::new(Status::Server, problem, "Try again later.")),
    }
    let body: Value = serde_json::from_slice(&reply.body).unwrap_or_default();
    let Some(results) = body.get("results").and_then(Value::as_array) else {
        return Err(Failure::new(
            Status::Protocol,
            format!("{problem}, but the response has no list of organizations"),
            "Check the base URL, and any proxy in between.",
        ));
    };
    let member = |organization: &Value, name: &str| organization.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    Ok(results.iter().map(|found| Organization { id: member(found, "id"), name: member(found, "name") }).collect())
}

fn source<'a>(config: &'a Config, setting: &str) -> Option<&'a str> {
    config.provenance().iter().find(|from| from.setting() == setting).map(|from| from.source())
}

fn secret_source(config: &Config) -> String {
    let source = source(config, "client_secret").or_else(|| source(config, "client_secret_file")).unwrap_or("unknown");
    match config.client_secret_file() {
        Some(file) => format!("{source} ({})", file.display()),
        None => source.to_owned(),
    }
}

/// The profile of the account: its name is in the description of the source.
fn profile(config: &Config) -> Option<&str> {
    Some(source(config, "client_id")?.strip_prefix("profile ")?.split_once(" in ")?.0)
}

fn as_json(config: &Config, token: &Token, claims: Option<&Claims>, organizations: Option<&[Organization]>) -> Value {
    let organizations = organizations.map(|all| all.iter().map(|one| json!({ "id": one.id, "name": one.name })).collect::<Vec<_>>());
    json!({
        "client_id": config.client_id_to_show(),
        "profile": profile(config),
        "sources": { "client_id": source(config, "client_id"), "client_secret": secret_source(config) },
        "token_endpoint": config.token_endpoint().as_str(),
        "admin_api": config.api_base().map(|base| base.origin()),
        "expires_at": expiry(token),
        "scope": token.scope(),
        "claims": claims.map(|claims| &claims.all),
        "claims_verified": false,
        "organizations": organizations,
    })
}

fn as_text(config: &Config, token: &Token, claims: Option<&Claims>, organizations: Option<&[Organization]>) -> String {
    let left = token.expires_at().duration_since(SystemTime::now()).unwrap_or_default();
    let mut table = Table::default();
    let mut row = |name: &str, value: String| table.row([name.into(), value.into()]);
    row("client id", config.client_id_to_show());
    row("  from", printable(source(config, "client_id").unwrap_or("unknown"), 1000));
    row("  secret from", printable(&secret_source(config), 1000));
    row("profile", profile(config).unwrap_or("none").to_owned());
    row("server", config.token_endpoint().origin());
    row("token", format!("expires in {} ({})", duration_text(Duration::from_secs(left.as_secs())), expiry(token)));
    match claims {
        Some(claims) => {
            row("claims", "decoded, not verified: only the API can do that".to_owned());
            for (name, value) in claims.known() {
                row(&format!("  {name}"), value);
            }
        }
        None => row("claims", "none: the token is opaque".to_owned()),
    }
    match organizations {
        None => {}
        Some([]) => row("organizations", "none: the API accepts the token, which can access no organization".to_owned()),
        Some(all) => {
            for (index, one) in all.iter().enumerate() {
                row(if index == 0 { "organizations" } else { "" }, format!("{} {}", printable(&one.id, 64), printable(&one.name, 200)));
            }
        }
    }
    table.render(Stream::Out)
}
