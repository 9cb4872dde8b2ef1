//! `tokenwell sa`: the service accounts of an organization or a project.
//!
//! May depend on: `tokenwell::admin` and the command's own settings, session and output. Start reading
//! at [`run`]; `place` opens the session and finds the organization or project, `print` has the tables,
//! `refusal` explains an error of the API.

mod access;
mod audit;
mod changes;
mod create;
mod delete;
mod guard;
mod interrupted;
mod invite;
mod lifetime;
mod list;
mod place;
mod print;
mod projects;
mod refusal;
mod secret;
mod secret_slots;
mod show;
mod stored;
mod target;
mod update;

use crate::failure::Failure;
use clap::Subcommand;

/// Create, list, change and delete service accounts
///
/// Of an organization, or with --project of a project. Without --org and --project it is the
/// organization in MONGODB_ATLAS_ORG_ID (or MCLI_ORG_ID), otherwise the project in
/// MONGODB_ATLAS_PROJECT_ID (or MCLI_PROJECT_ID), otherwise org_id or project_id of the profile, otherwise
/// the only organization that the account can access. CLIENT_ID is the account that is shown or changed; --as selects the one that sends the requests.
#[derive(clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Action,
}

const EXAMPLES: &str = "\
Examples:
  When does the secret of this account end?
    tokenwell sa show

  tokenwell sa list --project $MONGODB_ATLAS_PROJECT_ID
  tokenwell sa create deploy --role ORG_READ_ONLY --to profile:deploy
  tokenwell sa access list $id

  Exit code 12 if the secrets of an account end within 30 days
    tokenwell sa list --expiring-within 30d";

#[derive(Subcommand)]
enum Action {
    /// List the service accounts, and when their secrets end
    List(list::Args),
    /// Show a service account and its secrets; without CLIENT_ID, the one that is signed in
    Show(show::Args),
    /// Report what needs attention: secrets, unused accounts, access lists
    Audit(audit::Args),
    /// Create an account with a secret, and store the secret
    Create(create::Args),
    /// Change the name, the description or the roles of an account
    Update(update::Args),
    /// Delete an account, or detach it from a project
    Delete(delete::Args),
    /// Add an account of the organization to a project
    Invite(invite::Args),
    /// List the projects in which an account of an organization has roles
    Projects(projects::Args),
    /// List, add or delete entries of the API access list of an account
    #[command(after_long_help = access::EXAMPLES)]
    Access {
        #[command(subcommand)]
        action: access::Action,
    },
    /// List, add or delete secrets of an account
    #[command(after_long_help = secret::EXAMPLES)]
    Secret {
        #[command(subcommand)]
        action: secret::Action,
    },
}

pub(crate) fn run(args: Args) -> Result<(), Failure> {
    match args.action {
        Action::List(args) => list::run(&args),
        Action::Show(args) => show::run(&args),
        Action::Audit(args) => audit::run(&args),
        Action::Create(args) => create::run(&args),
        Action::Update(args) => update::run(&args),
        Action::Delete(args) => delete::run(&args),
        Action::Invite(args) => invite::run(&args),
        Action::Projects(args) => projects::run(&args),
        Action::Access { action } => access::run(action),
        Action::Secret { action } => secret::run(action),
    }
}
