//! `tokenwell sa secret`.

use super::place::Place;
use super::print;
use crate::failure::Failure;
use crate::output;
use clap::Subcommand;
use tokenwell::error::printable;

pub(super) const EXAMPLES: &str = "\
Examples:
  tokenwell sa secret list mdb_sa_id_0123456789abcdef01234567";

#[derive(Subcommand)]
pub(super) enum Action {
    /// List the secrets of an account, without their values
    #[command(after_long_help = EXAMPLES)]
    List(ListArgs),
}

#[derive(clap::Args)]
pub(super) struct ListArgs {
    /// Client id of the account; without it, the one that is signed in
    #[arg(value_name = "CLIENT_ID")]
    account: Option<String>,

    /// Print one JSON array of the secrets, as the API describes them
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    place: Place,
}

pub(super) fn run(action: Action) -> Result<(), Failure> {
    match action {
        Action::List(args) => list(&args),
    }
}

fn list(args: &ListArgs) -> Result<(), Failure> {
    let office = args.place.open(args.account.as_deref())?;
    let id = office.account_or_own(args.account.as_deref());
    let secrets = office.accounts().get(&id).map_err(|error| office.failure(error))?.secrets;
    if args.json {
        return print::json(&secrets);
    }
    if output::is_quiet() {
        return print::ids(secrets.iter().map(|secret| secret.id.as_str()));
    }
    if secrets.is_empty() {
        output::message(&format!("{id} has no secret: it cannot get a token"));
        return Ok(());
    }
    let now_ms = print::now_ms();
    let rows = secrets.iter().map(|secret| {
        let masked = print::time(secret.masked_secret_value.as_deref(), "");
        let used = print::time(secret.last_used_at.as_deref(), "never");
        vec![printable(&secret.id, 64).into(), masked.into(), used.into(), print::end(secret, now_ms)]
    });
    print::table(&["SECRET ID", "VALUE", "LAST USED", "ENDS"], rows.collect())
}
