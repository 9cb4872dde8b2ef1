//! What is asked before a change, and what is refused because it would lock out the account that is
//! signed in.

use super::place::AdminSession;
use crate::ask;
use crate::failure::Failure;
use crate::output;
use std::net::IpAddr;
use tokenwell::Status;
use tokenwell::admin::service_accounts::Network;
use tokenwell::admin::{AdminApi, Call};
use tokenwell::error::os_reason;

/// The flags of all commands that change something.
#[derive(clap::Args)]
pub(super) struct Consent {
    /// Do it without a question; required without a terminal
    #[arg(long, short = 'y')]
    yes: bool,

    /// Print the requests that would change something, and send only reads
    #[arg(long, hide_short_help = true)]
    pub(super) dry_run: bool,

    /// Do it even if it locks out the account that is signed in
    #[arg(long, hide_short_help = true)]
    yes_delete_myself: bool,
}

impl Consent {
    /// Refuses an act that would lock out the account that is signed in.
    pub(super) fn require_for_own(&self, would_lock_out: bool, act: &str) -> Result<(), Failure> {
        if self.yes_delete_myself || !would_lock_out {
            return Ok(());
        }
        Err(Failure::new(
            Status::InvalidArgument,
            format!("{act} would lock out the account that is signed in"),
            "Use --as with the profile of another account, or --yes-delete-myself.",
        ))
    }

    /// Asks on a terminal, and requires `--yes` elsewhere.
    pub(super) fn ask(&self, question: &str) -> Result<(), Failure> {
        if self.yes || self.yes_delete_myself || self.dry_run {
            return Ok(());
        }
        if !ask::is_available() {
            return Err(Failure::new(
                Status::InvalidArgument,
                format!("{question} There is no terminal for the answer"),
                "Use --yes to do it without a question, or --dry-run to see the requests.",
            ));
        }
        match ask::yes(question) {
            Ok(true) => Ok(()),
            Ok(false) => Err(Failure::new(Status::Refused, "nothing was changed", "Answer y to continue.")),
            Err(error) => {
                Err(Failure::new(Status::InvalidArgument, format!("cannot read the answer: {}", os_reason(&error)), "Use --yes."))
            }
        }
    }

    /// With `--dry-run`, prints the request and returns true: it must not be sent.
    pub(super) fn is_dry(&self, admin: &AdminSession, method: &str, path: &str) -> Result<bool, Failure> {
        if self.dry_run {
            output::line(&format!("{method} {}{path}", admin.accounts_path()))?;
        }
        Ok(self.dry_run)
    }
}

/// The address of this host as Atlas sees it, if Atlas says so.
pub(super) fn own_address(admin: &AdminSession) -> Option<IpAddr> {
    let api = AdminApi::new(&admin.session.config).ok()?;
    let reply = api.call(&admin.session.client, &Call::get("/api/private/ipinfo").header("Accept", "application/json")).ok()?;
    let answer: serde_json::Value = serde_json::from_slice(&reply.body).ok().filter(|_| reply.status == 200)?;
    answer.get("currentIpv4Address")?.as_str()?.parse().ok()
}

/// Whether the access list allows this host: an empty one allows every address.
pub(super) fn allows(list: &[Network], address: IpAddr) -> bool {
    list.is_empty() || list.iter().any(|network| network.contains(address))
}
