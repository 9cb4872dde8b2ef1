//! `tokenwell sa show`.

use super::place::ShownAccount;
use super::print;
use crate::failure::Failure;
use crate::output;
use crate::terminal::{Stream, Table};
use tokenwell::admin::service_accounts::ServiceAccount;
use tokenwell::error::printable;

#[derive(clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub(super) struct Args {
    #[command(flatten)]
    shown: ShownAccount,
}

const EXAMPLES: &str = "\
Examples:
  tokenwell sa show
  tokenwell sa show $id --json | jq .roles";

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let (admin, id) = args.shown.open()?;
    let account = admin.accounts().get(&id).map_err(|error| admin.failure(error))?;
    admin.remember_end(&account);
    if args.shown.json {
        return print::json(&account);
    }
    if output::is_quiet() {
        return print::ids([account.client_id.as_str()].into_iter());
    }
    output::line(&as_text(&account, print::now_ms()))
}

fn as_text(account: &ServiceAccount, now_ms: u64) -> String {
    let mut table = Table::default();
    table.row(["client id".into(), printable(&account.client_id, 64).into()]);
    table.row(["name".into(), printable(&account.name, 64).into()]);
    table.row(["description".into(), printable(&account.description, 250).into()]);
    table.row(["created".into(), print::time(account.created_at.as_deref(), "unknown").into()]);
    table.row(["roles".into(), print::roles(&account.roles).into()]);
    if account.secrets.is_empty() {
        table.row(["secrets".into(), "none: the account cannot get a token".into()]);
    }
    for (index, secret) in account.secrets.iter().enumerate() {
        table.row([if index == 0 { "secrets" } else { "" }.into(), printable(&secret.id, 64).into()]);
        table.row(["  ends".into(), print::end(secret, now_ms)]);
        table.row(["  last used".into(), print::time(secret.last_used_at.as_deref(), "never").into()]);
    }
    table.render(Stream::Out)
}
