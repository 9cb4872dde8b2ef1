//! The account that sends the requests, and the organization or project whose accounts they are about.

use super::changes::ChangeLog;
use super::interrupted::{self, Interrupted};
use super::refusal::{self, in_flag};
use crate::failure::{self, Failure};
use crate::ids::{IDS, ProfileIds, is_member};
use crate::output;
use crate::secret_end::SecretEnd;
use crate::session::Session;
use crate::settings::Settings;
use serde::Deserialize;
use std::cell::RefCell;
use tokenwell::admin::service_accounts::{AdminError, Level, ServiceAccount, ServiceAccounts, check_client_id};
use tokenwell::admin::{AdminApi, Call};
use tokenwell::error::printable;
use tokenwell::{Config, Status};

/// The flags of all commands below `sa`.
#[derive(clap::Args)]
pub(super) struct Place {
    /// Organization, by its id [env: MONGODB_ATLAS_ORG_ID, MCLI_ORG_ID]
    #[arg(long, value_name = "ID", conflicts_with = "project")]
    org: Option<String>,

    /// Project, by its id [env: MONGODB_ATLAS_PROJECT_ID, MCLI_PROJECT_ID]
    #[arg(long, value_name = "ID")]
    project: Option<String>,

    /// Profile whose account sends the requests, like --profile
    #[arg(long = "as", value_name = "PROFILE", conflicts_with_all = ["profile", "client_id"])]
    as_profile: Option<String>,

    #[command(flatten)]
    settings: Settings,
}

/// The arguments of the commands that show one account, or something of it.
#[derive(clap::Args)]
pub(super) struct ShownAccount {
    /// Client id of the account; without it, the one that is signed in
    #[arg(value_name = "CLIENT_ID")]
    account: Option<String>,

    /// Print JSON, as the API describes it
    #[arg(long)]
    pub(super) json: bool,

    #[command(flatten)]
    place: Place,
}

impl ShownAccount {
    /// Opens the session, and returns the client id of the account too.
    pub(super) fn open(&self) -> Result<(AdminSession, String), Failure> {
        let admin = self.place.open(self.account.as_deref())?;
        let id = self.account.as_deref().unwrap_or(admin.session.config.client_id()).to_owned();
        Ok((admin, id))
    }
}

/// What a command needs to send requests about service accounts.
pub(super) struct AdminSession {
    pub(super) session: Session,
    api: AdminApi,
    level: Level,
    pub(super) log: ChangeLog,
    /// What is still to be completed or undone of commands that were killed.
    pub(super) interrupted: RefCell<Vec<Interrupted>>,
}

impl Place {
    /// Opens the session and finds the organization or project. Everything in the arguments is checked
    /// before the first request, also the client id of the `account`.
    pub(super) fn open(&self, account: Option<&str>) -> Result<AdminSession, Failure> {
        self.open_checked(account, |_, _| Ok(()))
    }

    /// Like [`Place::open`], with another check before the first request. An organization that only a
    /// request can find has no id yet.
    pub(super) fn open_checked(
        &self,
        account: Option<&str>,
        check: impl FnOnce(&Config, &Level) -> Result<(), Failure>,
    ) -> Result<AdminSession, Failure> {
        let admin = self.open_unreported(account, check)?;
        interrupted::report(&admin);
        Ok(admin)
    }

    /// Like [`Place::open_checked`], to create an account with this name and description. It is an error if an
    /// earlier command was killed that has created it.
    pub(super) fn open_to_create(
        &self,
        name: &str,
        description: &str,
        check: impl FnOnce(&Config, &Level) -> Result<(), Failure>,
    ) -> Result<AdminSession, Failure> {
        let admin = self.open_unreported(None, check)?;
        interrupted::require_none(&admin, name, description)?;
        Ok(admin)
    }

    fn open_unreported(
        &self,
        account: Option<&str>,
        check: impl FnOnce(&Config, &Level) -> Result<(), Failure>,
    ) -> Result<AdminSession, Failure> {
        let log = ChangeLog::of_environment()?;
        account.map_or(Ok(()), check_client_id)?;
        let config = match &self.as_profile {
            Some(profile) => self.settings.config_of_profile(profile)?,
            None => self.settings.config_of_requests()?,
        };
        let ids = ProfileIds::of(&config);
        let named = self.named(|name| if is_member(name) { ids.get(name).map(str::to_owned) } else { std::env::var(name).ok() })?;
        match &named {
            Some(level) => check(&config, level)?,
            None => check(&config, &Level::organization("not-known-yet")?)?,
        }
        let session = Session::open(config)?;
        let api = AdminApi::new(&session.config)?;
        let level = match named {
            Some(level) => level,
            None => only_organization(&api, &session)?,
        };
        Ok(AdminSession { session, api, level, log, interrupted: RefCell::default() })
    }

    /// The level that a flag, a variable or the profile selects.
    fn named(&self, value: impl Fn(&str) -> Option<String>) -> Result<Option<Level>, Failure> {
        if let Some(id) = &self.org {
            return Ok(Some(Level::organization(id).map_err(|error| in_flag("--org", &error))?));
        }
        if let Some(id) = &self.project {
            return Ok(Some(Level::project(id).map_err(|error| in_flag("--project", &error))?));
        }
        // The environment comes before the profile, and the organization before the project.
        let variables = IDS.iter().flat_map(|id| id.variables.map(|name| (name, id.member)));
        let mut sources = variables.chain(IDS.iter().map(|id| (id.member, id.member)));
        let found = sources.find_map(|(name, member)| Some((name, member, value(name).filter(|value| !value.is_empty())?)));
        let Some((name, member, id)) = found else { return Ok(None) };
        let level = if member == "org_id" { Level::organization(&id) } else { Level::project(&id) };
        Ok(Some(level.map_err(|error| in_flag(name, &error))?))
    }
}

/// A note for people: an error as JSON is the only line on standard error.
fn note(message: &str) {
    if !failure::is_json() {
        output::message(message);
    }
}

#[derive(Deserialize)]
struct Organizations {
    results: Vec<Organization>,
}

#[derive(Deserialize)]
struct Organization {
    id: String,
    #[serde(default)]
    name: String,
}

/// The only organization of the account. A service account belongs to one.
fn only_organization(api: &AdminApi, session: &Session) -> Result<Level, Failure> {
    const HINT: &str =
        "Use --org or --project with an id. `tokenwell api orgs` and `tokenwell api groups` list what the account can access.";
    let not_found = |problem: String| Failure::new(Status::InvalidArgument, problem, HINT);
    session.any_token(&tokenwell::TokenOptions::default())?;
    let reply = api.call(&session.client, &Call::get("/api/atlas/v2/orgs?itemsPerPage=10"))?;
    if reply.status != 200 {
        return Err(refusal::of_reply("GET /api/atlas/v2/orgs", &reply, &session.config));
    }
    let found: Organizations = serde_json::from_slice(&reply.body).map_err(|_| {
        Failure::new(
            Status::Protocol,
            "GET /api/atlas/v2/orgs: the response is not a list",
            "Check the base URL, and any proxy in between.",
        )
    })?;
    match found.results.as_slice() {
        [only] => {
            note(&format!("organization {} ({}), the only one of this account", printable(&only.id, 64), printable(&only.name, 200)));
            Ok(Level::organization(&only.id)?)
        }
        [] => Err(not_found("the account can access no organization, so the organization or project has to be named".to_owned())),
        several => {
            let ids: Vec<_> = several.iter().map(|each| format!("{} ({})", printable(&each.id, 64), printable(&each.name, 60))).collect();
            Err(not_found(format!("the account can access several organizations: {}", ids.join(", "))))
        }
    }
}

impl AdminSession {
    pub(super) fn accounts(&self) -> ServiceAccounts<'_> {
        ServiceAccounts::new(&self.api, &self.session.client, self.level.clone()).patience(self.session.config.timeout())
    }

    /// The flag that selects the organization or project, for commands in messages: `--org ID`.
    pub(super) fn level_flag(&self) -> String {
        format!("{} {}", if self.level.is_project() { "--project" } else { "--org" }, self.level.id())
    }

    /// Remembers for `status` when the secret in use ends, if this is the account that is signed in.
    pub(super) fn remember_end(&self, account: &ServiceAccount) {
        let config = &self.session.config;
        let own = || config.credential().ok().and_then(|(_, own)| SecretEnd::of(account, &self.level, &own));
        if let Some(end) = (account.client_id == config.client_id()).then(own).flatten() {
            end.remember(config);
        }
    }

    /// The path of the accounts, for `--dry-run`.
    pub(super) fn accounts_path(&self) -> String {
        self.level.path()
    }

    /// The failure for an error of the API, with what a user of the command can do.
    pub(super) fn failure(&self, error: AdminError) -> Failure {
        refusal::of_error(error, self)
    }
}
