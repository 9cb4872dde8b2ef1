//! `tokenwell api`: sends requests to the Atlas Admin API.
//!
//! May depend on: the public API and the command's own settings, session and output. Start reading
//! at [`run`]; `path` and `body` make the request, `pages` follows the pages of a list, `filter` and
//! `show` print the response, `refusal` explains an error status.

mod body;
mod filter;
mod pages;
mod path;
mod refusal;
mod show;

use crate::failure::Failure;
use crate::ids::{ProfileIds, is_member};
use crate::output;
use crate::session::Session;
use crate::settings::Settings;
use body::{BodyFlags, Payload};
use filter::Filter;
use std::time::{Duration, Instant};
use tokenwell::Status;
use tokenwell::admin::{AdminApi, Call, DEFAULT_VERSION, Reply};
use tokenwell::error::{duration_text, printable};
use zeroize::Zeroizing;

/// The shortest pause after a 429, so that `Retry-After: 0` causes no busy loop.
const MIN_PAUSE: Duration = Duration::from_secs(1);

/// Send a request to the Atlas Admin API
///
/// PATH is below /api/atlas/v2: orgs, /orgs and /api/atlas/v2/orgs are the same. {org} and {project}
/// in it are the ids in MONGODB_ATLAS_ORG_ID and MONGODB_ATLAS_PROJECT_ID, or in the profile. The method
/// is GET, or POST if there is a body.
///
/// The response body is written to standard output unchanged; on a terminal, JSON is indented. After
/// a 401 the request is repeated once with a new token, and after a 429 when Retry-After is over, if
/// that is within the timeout. Redirects are not followed: the token is sent only to the host of the
/// base URL.
#[derive(clap::Args)]
#[command(after_long_help = EXAMPLES, override_usage = "tokenwell api [OPTIONS] [METHOD] PATH")]
pub(crate) struct Args {
    /// Path and query, or a URL of the same server; the method may precede it
    #[arg(value_name = "PATH", num_args = 1..=2, required = true)]
    request: Vec<String>,

    /// GET, POST, PATCH, PUT or DELETE
    #[arg(short = 'X', long)]
    method: Option<String>,

    /// Header to send, such as 'Accept: application/json'; not Authorization
    #[arg(short = 'H', long, hide_short_help = true, value_name = "NAME: VALUE")]
    header: Vec<String>,

    #[command(flatten)]
    body: BodyFlags,

    /// Version of the API: the date in its media type
    #[arg(long, hide_short_help = true, value_name = "DATE", default_value = DEFAULT_VERSION)]
    api_version: String,

    /// Get all pages of a list and print one JSON array of their results
    #[arg(long, conflicts_with_all = ["data", "input", "include"])]
    paginate: bool,

    /// Print what this jq expression selects, strings without quotation marks; with --paginate for
    /// each page
    #[arg(long, value_name = "EXPRESSION")]
    jq: Option<String>,

    /// Print the status and the response headers before the body
    #[arg(short = 'i', long, hide_short_help = true)]
    include: bool,

    #[command(flatten)]
    settings: Settings,
}

const EXAMPLES: &str = "\
Examples:
  tokenwell api orgs
  tokenwell api 'groups?itemsPerPage=5' --jq '.results[].name'
  tokenwell api orgs/{org}/serviceAccounts --paginate
  tokenwell api groups -F orgId=$ORG -F name=staging
  tokenwell api -X DELETE groups/{project}/accessList/192.0.2.1
  tokenwell api POST orgs/{org}/serviceAccounts --data @new.json

Fields: -f name=value is a string. -F name=value is a number, true, false, null
or the content of @FILE. name[member]=… and name[]=… make objects and arrays.
With GET the fields are added to the query.

Exit codes:
  0  2xx
  4  401 or 403
  6  429
  5  any other status

The response body is printed for every status, --jq applies to 2xx only.
Without --jq, --paginate prints nothing until the last page has arrived.";

pub(crate) fn run(args: Args) -> Result<(), Failure> {
    if args.jq.is_some() { filter::with_large_stack(|| send(args)) } else { send(args) }
}

fn send(args: Args) -> Result<(), Failure> {
    // All that can be wrong with the command line is reported before the first request.
    let filter = args.jq.as_deref().map(Filter::compile).transpose()?;
    let (method, path) = method_and_path(&args)?;
    let payload = args.body.read(method.as_deref(), has_content_type(&args.header))?;
    let method = method.unwrap_or_else(|| if payload.body.is_some() { "POST" } else { "GET" }.to_owned());
    if args.paginate && method != "GET" {
        let hint = "Leave out --paginate, or use GET.";
        return Err(Failure::new(Status::InvalidArgument, format!("--paginate requires GET, not {}", printable(&method, 40)), hint));
    }
    let session = args.settings.session()?;
    let ids = if path.contains('{') { ProfileIds::of(&session.config) } else { ProfileIds::default() };
    let value = |name: &str| if is_member(name) { ids.get(name).map(str::to_owned) } else { std::env::var(name).ok() };
    let path = path::with_query(path::resolve(&path, value)?, &payload.query);
    let caller = Caller { api: AdminApi::new(&session.config)?, session: &session, call: prototype(&args, &method, payload)?, method };
    if args.paginate {
        return pages::print_all(&caller, &path, filter.as_ref());
    }
    let (reply, body) = caller.send(&path)?;
    if args.include {
        output::line(&show::head(&reply))?;
    }
    match (&filter, is_success(reply.status)) {
        (Some(filter), true) => filter.print(&body, reply.content_type.as_deref())?,
        _ => show::document(&body)?,
    }
    caller.refusal(&path, &reply, &body).map_or(Ok(()), Err)
}

/// What sends the requests of one command.
struct Caller<'a> {
    api: AdminApi,
    session: &'a Session,
    call: Prototype,
    method: String,
}

/// A request without its path.
struct Prototype {
    version: String,
    headers: Vec<(String, String)>,
    body: Option<Zeroizing<Vec<u8>>>,
}

impl Caller<'_> {
    /// Sends the request. After a 429 it is repeated when Retry-After is over, as long as that is
    /// within the timeout: the server has not processed the request, so this is safe for any method.
    fn send(&self, path: &str) -> Result<(Reply, Zeroizing<Vec<u8>>), Failure> {
        let mut call = Call::new(&self.method, path).version(&self.call.version);
        for (name, value) in &self.call.headers {
            call = call.header(name, value);
        }
        if let Some(body) = &self.call.body {
            call = call.body(body.to_vec());
        }
        let started = Instant::now();
        loop {
            let mut reply = self.api.call(&self.session.client, &call)?;
            let pause = refusal::retry_after(&reply).map(|pause| pause.max(MIN_PAUSE));
            match pause.filter(|pause| *pause < self.session.config.timeout().saturating_sub(started.elapsed())) {
                Some(pause) => {
                    tracing::debug!("HTTP status 429: the request is sent again in {}", duration_text(pause));
                    std::thread::sleep(pause);
                }
                None => {
                    // It may contain a new secret.
                    let body = Zeroizing::new(std::mem::take(&mut reply.body));
                    return Ok((reply, body));
                }
            }
        }
    }

    /// The failure for an error status.
    fn refusal(&self, path: &str, reply: &Reply, body: &[u8]) -> Option<Failure> {
        refusal::explain(&format!("{} {}", self.method, printable(path, 200)), &self.call.version, reply, body)
    }
}

fn is_success(status: u16) -> bool {
    (200..300).contains(&status)
}

fn prototype(args: &Args, method: &str, payload: Payload) -> Result<Prototype, Failure> {
    let headers = args.header.iter().map(|line| header(line)).collect::<Result<_, _>>()?;
    let prototype = Prototype { version: args.api_version.clone(), headers, body: payload.body };
    if method == "GET" && prototype.body.is_some() {
        let hint = "Use -f and -F, which add to the query of a GET, or another method.";
        return Err(Failure::new(Status::InvalidArgument, "a GET request has no body", hint));
    }
    Ok(prototype)
}

/// The methods that may be written before the path.
const METHODS: [&str; 5] = ["GET", "POST", "PUT", "PATCH", "DELETE"];

/// The method, if it is given, and the path as it was typed.
fn method_and_path(args: &Args) -> Result<(Option<String>, String), Failure> {
    let wrong =
        |problem: String| Failure::new(Status::InvalidArgument, problem, "Write tokenwell api PATH, or tokenwell api -X METHOD PATH.");
    let method = |name: &str| name.to_ascii_uppercase();
    match (args.request.as_slice(), &args.method) {
        ([_, path], Some(_)) => {
            Err(wrong(format!("--method is set and there are two arguments; the last one is `{}`", printable(path, 60))))
        }
        ([first, path], None) if METHODS.contains(&method(first).as_str()) => Ok((Some(method(first)), path.clone())),
        ([first, path], None) => {
            let first = printable(first, 60);
            Err(wrong(format!("`{first}` is not a method, so `{}` is one argument too many", printable(path, 60))))
        }
        ([only], None) if METHODS.contains(&only.as_str()) => Err(wrong(format!("{only}: the path is missing"))),
        ([only], named) => Ok((named.as_deref().map(method), only.clone())),
        _ => Err(wrong("the path is missing".to_owned())),
    }
}

fn header(line: &str) -> Result<(String, String), Failure> {
    let (name, value) = line.split_once(':').ok_or_else(|| {
        // The value may be a secret, so only what looks like a name is shown.
        let name = printable(line.split([' ', '=']).next().unwrap_or_default(), 40);
        Failure::new(Status::InvalidArgument, format!("--header: there is no colon after `{name}`"), "Write -H 'Name: value'.")
    })?;
    Ok((name.trim().to_owned(), value.trim().to_owned()))
}

/// Whether the user says what the body is; it is then not necessarily JSON.
fn has_content_type(headers: &[String]) -> bool {
    headers.iter().any(|line| line.split(':').next().is_some_and(|name| name.trim().eq_ignore_ascii_case("content-type")))
}
