//! `tokenwell api`: sends one request to the Atlas Admin API.

use crate::failure::Failure;
use crate::output;
use crate::settings::Settings;
use std::io::Read as _;
use tokenwell::Status;
use tokenwell::admin::{AdminApi, Call, DEFAULT_VERSION, Reply};
use tokenwell::error::printable;

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
    error_for_status(reply.status).map_or(Ok(()), Err)
}

fn read_body(data: &str) -> Result<Vec<u8>, Failure> {
    let failed = |error: std::io::Error| {
        Failure::new(
            Status::InvalidArgument,
            format!("--data: cannot read `{}`: {error}", printable(data, 200)),
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
    match serde_json::from_slice::<serde::de::IgnoredAny>(&body) {
        Ok(_) => Ok(body),
        Err(error) => Err(wrong(format!("--data: the body is not JSON: {error}"))),
    }
}

fn head(reply: &Reply) -> String {
    let headers = reply.headers.iter().map(|(name, value)| format!("{name}: {}\n", printable(value, 4000)));
    format!("HTTP {}\n{}", reply.status, headers.collect::<String>())
}

fn error_for_status(status: u16) -> Option<Failure> {
    let (exit_code, hint) = match status {
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
    };
    Some(Failure::Own { exit_code, problem: format!("the Admin API answered with HTTP status {status}"), hint: hint.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokenwell::error::ExitCode;

    #[test]
    fn the_exit_code_depends_on_the_http_status() {
        let code = |status| match error_for_status(status) {
            None => ExitCode::Success.number(),
            Some(Failure::Own { exit_code, .. }) => exit_code.number(),
            Some(other) => panic!("{other:?}"),
        };

        let codes: Vec<_> = [200, 204, 400, 401, 403, 404, 409, 429, 500, 503].into_iter().map(code).collect();
        assert_eq!(codes, [0, 0, 5, 4, 4, 5, 5, 6, 5, 5]);
    }
}
