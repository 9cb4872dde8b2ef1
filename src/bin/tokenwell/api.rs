//! `tokenwell api`: sends one request to the Atlas Admin API.

use crate::failure::Failure;
use crate::output;
use crate::settings::Settings;
use std::io::Read as _;
use tokenwell::Status;
use tokenwell::admin::{AdminApi, Call, DEFAULT_VERSION, Reply};
use tokenwell::error::{ExitCode, printable};

/// The largest request body that is sent.
const LARGEST_BODY: u64 = 16 * 1024 * 1024;

/// Send a request to the Atlas Admin API
///
/// The response body is written to standard output unchanged. After a 401 the request is repeated
/// once with a new token. Redirects are not followed: the token is sent only to the host of the
/// base URL.
#[derive(clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct Args {
    /// GET, POST, PATCH, PUT or DELETE
    method: String,

    /// Path and query, starting with a slash
    path: String,

    /// Request body: JSON, @FILE to read a file, or - to read standard input
    #[arg(long, value_name = "JSON|@FILE|-")]
    data: Option<String>,

    /// Version of the API: the date in its media type
    #[arg(long, value_name = "DATE", default_value = DEFAULT_VERSION)]
    api_version: String,

    /// Print the status and the response headers before the body
    #[arg(long)]
    include: bool,

    #[command(flatten)]
    settings: Settings,
}

const EXAMPLES: &str = "\
Examples:
  tokenwell api GET '/api/atlas/v2/orgs?itemsPerPage=5'
  tokenwell api GET /api/atlas/v2/groups | jq -r '.results[].name'
  tokenwell api POST /api/atlas/v2/orgs/$ORG/serviceAccounts --data @new.json

Exit codes:
  0  2xx
  4  401 or 403
  6  429
  5  any other status

The response body is printed for every status.";

pub(crate) fn run(args: Args) -> Result<(), Failure> {
    let session = args.settings.session()?;
    let api = AdminApi::new(&session.config)?;
    let mut call = Call::new(&args.method.to_ascii_uppercase(), &args.path).version(&args.api_version);
    if let Some(data) = &args.data {
        call = call.body(read_body(data)?);
    }
    let reply = api.call(&session.client, &call)?;
    if args.include {
        output::line(&head(&reply))?;
    }
    output::document(&reply.body)?;
    error_for_status(&args, &reply).map_or(Ok(()), Err)
}

fn read_body(data: &str) -> Result<Vec<u8>, Failure> {
    let failed = |error: std::io::Error| {
        Failure::new(
            Status::InvalidArgument,
            format!("--data: cannot read `{}`: {error}", printable(data, 60)),
            "Pass JSON, @ and the name of a readable file, or - for standard input.",
        )
    };
    let mut body = Vec::new();
    let read = if data == "-" {
        std::io::stdin().take(LARGEST_BODY + 1).read_to_end(&mut body)
    } else if let Some(path) = data.strip_prefix('@') {
        std::fs::File::open(path).and_then(|file| file.take(LARGEST_BODY + 1).read_to_end(&mut body))
    } else {
        body.extend_from_slice(data.as_bytes());
        Ok(body.len())
    };
    read.map_err(failed)?;
    let wrong =
        |problem: String| Failure::new(Status::InvalidArgument, problem, "The Admin API accepts JSON bodies only. Correct the body.");
    if body.len() as u64 > LARGEST_BODY {
        return Err(wrong(format!("--data: the body is larger than {} MiB", LARGEST_BODY / (1024 * 1024))));
    }
    let Err(error) = serde_json::from_slice::<serde::de::IgnoredAny>(&body) else { return Ok(body) };
    let shown = if data == "-" { "standard input".to_owned() } else { format!("`{}`", printable(data, 60)) };
    let problem = format!("--data: {shown} is not JSON (line {}, column {})", error.line(), error.column());
    let hint = if data == "-" || data.is_empty() || data.starts_with(['@', '{', '[', '"']) {
        "The Admin API accepts JSON bodies only. Correct the body.".to_owned()
    } else {
        format!("To send the content of a file, write --data @{}.", if data.len() > 60 { "FILE".to_owned() } else { printable(data, 60) })
    };
    Err(Failure::new(Status::InvalidArgument, problem, hint))
}

fn head(reply: &Reply) -> String {
    let headers = reply.headers.iter().map(|(name, value)| format!("{name}: {}\n", printable(value, 4000)));
    format!("HTTP {}\n{}", reply.status, headers.collect::<String>())
}

fn error_for_status(args: &Args, reply: &Reply) -> Option<Failure> {
    let (exit_code, hint) = advice(reply.status)?;
    let reason = reqwest::StatusCode::from_u16(reply.status).ok().and_then(|status| status.canonical_reason());
    let reason = reason.map(|reason| format!(" ({reason})")).unwrap_or_default();
    let request = format!("{} {}", args.method.to_ascii_uppercase(), printable(&args.path, 200));
    let hint = retry_after(reply).map_or(hint.to_owned(), |seconds| format!("Send fewer requests. Try again in {seconds} s."));
    Some(Failure::Own { exit_code, problem: format!("{request}: HTTP status {}{reason}", reply.status), hint })
}

/// The seconds of Retry-After in a 429.
fn retry_after(reply: &Reply) -> Option<u64> {
    let mut headers = reply.headers.iter().filter(|(name, _)| reply.status == 429 && name.eq_ignore_ascii_case("retry-after"));
    headers.next()?.1.parse().ok()
}

/// The exit code and the hint for an HTTP status that is an error.
fn advice(status: u16) -> Option<(ExitCode, &'static str)> {
    Some(match status {
        200..=299 => return None,
        401 => (
            Status::CredentialRejected.exit_code(),
            "The server rejected a new token too. Check that the service account belongs to this server (see `tokenwell status`).",
        ),
        403 => (
            Status::CredentialRejected.exit_code(),
            "The token is valid. Check the service account's IP access list and its roles in the organization and project.",
        ),
        429 => (Status::RateLimited.exit_code(), "Send fewer requests. --include shows Retry-After and the limits."),
        500..=599 => (Status::Server.exit_code(), "This is a server error. Try again later."),
        _ => (Status::Server.exit_code(), "Read the response body on standard output: it describes the error."),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exit_code_depends_on_the_http_status() {
        let code = |status| advice(status).map_or(ExitCode::Success, |(exit_code, _)| exit_code).number();

        let codes: Vec<_> = [200, 204, 400, 401, 403, 404, 409, 429, 500, 503].into_iter().map(code).collect();
        assert_eq!(codes, [0, 0, 5, 4, 4, 5, 5, 6, 5, 5]);
    }
}
