//! `tokenwell sa secret`.

use super::changes::{ADD_SECRET, Begun, Creation, Record};
use super::guard::Consent;
use super::interrupted::{self, Resolved};
use super::lifetime;
use super::place::{Place, ShownAccount};
use super::print;
use super::refusal::in_flag;
use super::secret_slots;
use super::target::{Delivery, Targets};
use crate::failure::Failure;
use crate::output;
use crate::secret_end::may_be;
use crate::wanted::duration;
use clap::Subcommand;
use std::time::Duration;
use tokenwell::admin::service_accounts::{SecretDescription, check_id, milliseconds};
use tokenwell::error::printable;

pub(super) const EXAMPLES: &str = "\
Examples:
  tokenwell sa secret list $id
  tokenwell sa secret add $id --to profile:deploy
  tokenwell sa secret delete $id $secret_id --yes";

#[derive(Subcommand)]
pub(super) enum Action {
    /// List the secrets of an account, without their values
    #[command(after_long_help = EXAMPLES)]
    List(ShownAccount),
    /// Create a second secret and store it; the older one then ends within seven days
    #[command(after_long_help = EXAMPLES)]
    Add(AddArgs),
    /// Delete a secret
    #[command(after_long_help = EXAMPLES)]
    Delete(DeleteArgs),
}

#[derive(clap::Args)]
pub(super) struct AddArgs {
    /// Client id of the account
    #[arg(value_name = "CLIENT_ID")]
    account: String,

    /// How long the secret is valid: 8h to 365d
    #[arg(long, hide_short_help = true, value_name = "DURATION", value_parser = duration, default_value = "90d")]
    expires: Duration,

    #[command(flatten)]
    targets: Targets,

    /// Print the requests that would change something, and send only reads
    #[arg(long, hide_short_help = true)]
    dry_run: bool,

    #[command(flatten)]
    place: Place,
}

#[derive(clap::Args)]
pub(super) struct DeleteArgs {
    /// Client id of the account
    #[arg(value_name = "CLIENT_ID")]
    account: String,

    /// Id of the secret, as `sa secret list` shows it
    #[arg(value_name = "ID")]
    id: String,

    #[command(flatten)]
    consent: Consent,

    #[command(flatten)]
    place: Place,
}

pub(super) fn run(action: Action) -> Result<(), Failure> {
    match action {
        Action::List(args) => list(&args),
        Action::Add(args) => add(&args),
        Action::Delete(args) => delete(&args),
    }
}

fn list(shown: &ShownAccount) -> Result<(), Failure> {
    let (admin, id) = shown.open()?;
    let account = admin.accounts().get(&id).map_err(|error| admin.failure(error))?;
    admin.remember_end(&account);
    let secrets = account.secrets;
    if shown.json {
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

fn add(args: &AddArgs) -> Result<(), Failure> {
    let hours = lifetime::hours(args.expires)?;
    let wanted = args.targets.parse(false)?;
    let admin = args.place.open(Some(&args.account))?;
    let delivery = Delivery::prepare(&admin, wanted, Some(&args.account))?;
    let accounts = admin.accounts();
    let existing = accounts.get(&args.account).map_err(|error| admin.failure(error))?.secrets;
    secret_slots::require_free(&admin, &args.account, &existing)?;
    if args.dry_run {
        lifetime::require_allowed(&admin, hours)?;
        return output::line(&format!("POST {}/{}/secrets", admin.accounts_path(), args.account));
    }
    let record =
        Record { client_id: Some(args.account.clone()), ..admin.record(ADD_SECRET, "POST", &format!("/{}/secrets", args.account)) };
    let begun = Begun::new(record, delivery.targets(), admin.session.config.timeout());
    let mut creation = None;
    let result = accounts
        .create_secret_recorded(&args.account, hours, |ids, date_ms| Creation::begin(&mut creation, &admin.log, begun, ids, date_ms));
    let (created, mut creation) = Creation::of(result, creation).map_err(|error| lifetime::failure(&admin, hours, error))?;
    creation.created(&args.account, &created.description.id);
    let until = print::time(created.description.expires_at.as_deref(), "an unknown time");
    output::message(&format!("created the secret {} of {}, which is valid until {until}", created.description.id, args.account));
    let delivered = creation.finish(|creation| {
        delivery.deliver(&admin, &args.account, &created)?;
        creation.stored();
        Ok(())
    });
    secret_slots::report_shortened(&admin, &args.account, &existing);
    delivered?;
    interrupted::resolve(&admin, &args.account, &Resolved::SecretAdded);
    Ok(())
}

fn delete(args: &DeleteArgs) -> Result<(), Failure> {
    check_id("secret", &args.id).map_err(|error| in_flag("ID", &error))?;
    let admin = args.place.open(Some(&args.account))?;
    let accounts = admin.accounts();
    let secrets = accounts.get(&args.account).map_err(|error| admin.failure(error))?.secrets;
    if args.account == admin.session.config.client_id() {
        let now_ms = print::now_ms();
        let is_usable = |secret: &SecretDescription| secret.expires_at.as_deref().and_then(milliseconds).is_none_or(|end| end > now_ms);
        let is_last = !secrets.iter().any(|secret| secret.id != args.id && is_usable(secret));
        let is_own = secrets.iter().any(|secret| secret.id == args.id && is_in_use(secret, &admin.session.config));
        args.consent.require_for_own(is_last || is_own, &format!("deleting the secret {}", args.id))?;
    }
    args.consent.ask(&format!("Delete the secret {} of {}? Programs that use it get no more tokens.", args.id, args.account))?;
    if args.consent.is_dry(&admin, "DELETE", &format!("/{}/secrets/{}", args.account, args.id))? {
        return Ok(());
    }
    let record = Record {
        client_id: Some(args.account.clone()),
        secret_id: Some(args.id.clone()),
        ..admin.record("sa secret delete", "DELETE", &format!("/{}/secrets/{}", args.account, args.id))
    };
    admin.logged(&record, || accounts.delete_secret(&args.account, &args.id))?;
    interrupted::resolve(&admin, &args.account, &Resolved::SecretDeleted(&args.id));
    output::message(&format!("deleted the secret {} of {}", args.id, args.account));
    Ok(())
}

/// Whether this may be the secret of the session, by the characters that the masked value shows.
fn is_in_use(secret: &SecretDescription, config: &tokenwell::Config) -> bool {
    match config.credential() {
        Ok((_, own)) => may_be(secret, &own),
        // It cannot be compared, so it may be the one.
        Err(_) => true,
    }
}
