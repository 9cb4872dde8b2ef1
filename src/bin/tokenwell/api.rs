//! `tokenwell api`: one call of the Atlas Admin API.

use crate::failure::Failure;
use crate::output;
use crate::settings::Settings;
use std::io::Read as _;
use tokenwell::Status;
use tokenwell::admin::{AdminApi, Call, DEFAULT_VERSION, Reply};
use tokenwell::error::printable;

/// The largest body that is sent.
const LARGEST_BODY: u64 = 16 * 1024 * 1024;

/// Call the Atlas Admin API
///
/// The body of the reply goes to standard output as it came. After a 401 the call is made once more with another token. Redirects are not followed, and
/// the token goes to the base URL's host and to no other.
#[derive(clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct Args {
    /// GET, POST, PATCH, PUT or DELETE
    method: String,

    /// Path and query, from the slash on
    path: String,

    /// JSON to send: the text itself, @FILE for the content of a file, - for standard input
    #[arg(long, value_name = "JSON|@FILE|-")]
    data: Option<String>,

    /// The API's version, the date in its media type
    #[arg(long, value_name = "DATE", default_value = DEFAULT_VERSION)]
    api_version: String,

    /// Print the status and the headers before the body
    #[arg(long)]
    include: bool,

    #[command(flatten)]
    settings: Settings,
}

const EXAMPLES: &str = "\
Examples:
  tokenwell api GET '/api/atlas/v2/orgs?itemsPerPage=5'
  tokenwell api GET /api/atlas/v2/groups | jq -r '.results[].name'
  tokenwell api POST /api/atlas/v2/orgs/$ORG/serviceAccounts --data @account.json

Exit codes:
  0  2xx
  4  401 or 403
  6  429
  5  any other status; the body is printed all the same";

pub(crate) fn run(args: Args) -> Result<(), Failure> {
    let session = args.settings.session()?;
    let api = AdminApi::new(&session.config)?;
    let mut call = Call::new(&args.method.to_ascii_uppercase(), &args.path).version(&args.api_version);
    if let Some(data) = &args.data {
        call = call.body(body(data)?);
    }
    let reply = api.call(&session.client, &call)?;
    if args.include {
        output::line(&head(&reply))?;
    }
    output::document(&reply.body)?;
    refusal(reply.status).map_or(Ok(()), Err)
}

fn body(data: &str) -> Result<Vec<u8>, Failure> {
    let failed = |error: std::io::Error| {
        Failure::new(
            Status::InvalidArgument,
            format!("--data: `{}` cannot be read: {error}", printable(data, 200)),
            "Give the JSON itself, @ and the name of a file that you may read, or - for standard input.",
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
    let wrong = |problem: String| Failure::new(Status::InvalidArgument, problem, "The Admin API takes JSON bodies only.");
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

fn refusal(status: u16) -> Option<Failure> {
    let (exit_code, hint) = match status {
        200..=299 => return None,
        401 => (
            Status::CredentialRejected.exit_code(),
            "The server took no token of this account, not even a fresh one. Check that the account lives on this server.",
        ),
        403 => (
            Status::CredentialRejected.exit_code(),
            "The token is good. Check the service account's IP access list and its roles in the organization and project.",
        ),
        429 => (Status::RateLimited.exit_code(), "Call less often; --include shows Retry-After and the limits."),
        500..=599 => (Status::Server.exit_code(), "The fault is on the server's side; try again later."),
        _ => (Status::Server.exit_code(), "The body of the reply, on standard output, says what is wrong with the call."),
    };
    Some(Failure::Own { exit_code, problem: format!("the Admin API answered with HTTP status {status}"), hint: hint.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exit_code_tells_the_kinds_of_refusal_apart() {
        let code = |status| match refusal(status) {
            None => 0,
            Some(Failure::Own { exit_code, .. }) => exit_code,
            Some(other) => panic!("{other:?}"),
        };

        let codes: Vec<_> = [200, 204, 400, 401, 403, 404, 409, 429, 500, 503].into_iter().map(code).collect();
        assert_eq!(codes, [0, 0, 5, 4, 4, 5, 5, 6, 5, 5]);
    }
}
