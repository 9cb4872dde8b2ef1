//! `tokenwell bench`: measures the time to get a token on this machine with this configuration.

use crate::failure::Failure;
use crate::output;
use crate::settings::Settings;
use crate::terminal::{Stream, Table};
use std::hint::black_box;
use std::time::{Duration, Instant};
use tokenwell::TokenOptions;
use tokenwell::admin::{AdminApi, Call};

/// Measure the time to get the first token and a cached token
///
/// Sends at most one token request. If the server is Atlas, it also sends one
/// GET /api/atlas/v2/orgs.
#[derive(clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct Args {
    /// Number of tokens to get from the cache
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..))]
    gets: u32,

    /// Print one JSON object
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    settings: Settings,
}

const EXAMPLES: &str = "\
Examples:
  tokenwell bench
  tokenwell bench --gets 1000000 --json";

pub(crate) fn run(args: Args) -> Result<(), Failure> {
    let session = args.settings.session()?;
    let (client, api) = (&session.client, AdminApi::new(&session.config).ok());
    let options = TokenOptions::default();

    let begun = Instant::now();
    client.token(&options)?;
    let first_token = begun.elapsed();
    let api_status = api.map(|api| api.call(client, &Call::get("/api/atlas/v2/orgs"))).transpose()?.map(|reply| reply.status);

    let begun = Instant::now();
    for _ in 0..args.gets {
        black_box(client.token(&options)?);
    }
    let per_get = begun.elapsed() / args.gets;

    output::line(&if args.json {
        as_json(&args, api_status, per_get, first_token)
    } else {
        as_text(&args, api_status, per_get, first_token)
    })
}

fn as_json(args: &Args, api_status: Option<u16>, per_get: Duration, first_token: Duration) -> String {
    serde_json::json!({
        "language": "Shell",
        "api_status": api_status,
        "gets": args.gets,
        "ns_per_get": u64::try_from(per_get.as_nanos()).unwrap_or(u64::MAX),
        "first_token_ms": first_token.as_secs_f64() * 1000.0,
    })
    .to_string()
}

fn as_text(args: &Args, api_status: Option<u16>, per_get: Duration, first_token: Duration) -> String {
    let api = api_status.map_or("not called: the server is not Atlas".to_owned(), |status| format!("HTTP {status}"));
    let mut table = Table::default();
    table.row(["first token".into(), format!("{:.1} ms", first_token.as_secs_f64() * 1000.0).into()]);
    table.row(["Admin API".into(), api.into()]);
    table.row(["cached token".into(), format!("{} ns each, over {} gets", per_get.as_nanos(), args.gets).into()]);
    table.render(Stream::Out)
}
