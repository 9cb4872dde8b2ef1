//! An account has at most two secrets, and a new one shortens the life of the other.

use super::place::AdminSession;
use super::print;
use crate::failure::Failure;
use crate::output;
use tokenwell::Status;
use tokenwell::admin::service_accounts::{SecretDescription, milliseconds};
use tokenwell::error::printable;

/// Atlas allows so many. An expired secret counts until it is deleted.
const MOST: usize = 2;

/// Refuses a further secret before anything is created, and says which ones there are.
pub(super) fn require_free(admin: &AdminSession, client_id: &str, secrets: &[SecretDescription]) -> Result<(), Failure> {
    if secrets.len() < MOST {
        return Ok(());
    }
    let now_ms = print::now_ms();
    let shown: Vec<_> = secrets
        .iter()
        .map(|secret| {
            let used = secret.last_used_at.as_deref().map_or("never used".to_owned(), |time| format!("last used {}", printable(time, 40)));
            let verb = if is_expired(secret, now_ms) { "" } else { "ends " };
            format!("{} ({used}, {verb}{})", printable(&secret.id, 64), print::end_text(secret, now_ms))
        })
        .collect();
    let expired = secrets.iter().find(|secret| is_expired(secret, now_ms));
    let (which, id) =
        expired.map_or(("the one that no program uses", "SECRET_ID".to_owned()), |secret| ("the expired one", printable(&secret.id, 64)));
    Err(Failure::new(
        Status::Refused,
        format!("{client_id} has {} secrets, and Atlas allows no further one: {}", secrets.len(), shown.join(", ")),
        format!("Delete {which}: `tokenwell sa secret delete {} {client_id} {id}`.", admin.level_flag()),
    ))
}

fn is_expired(secret: &SecretDescription, now_ms: u64) -> bool {
    secret.expires_at.as_deref().and_then(milliseconds).is_some_and(|end| end <= now_ms)
}

/// Says when the other secrets end since a new one exists. Programs still use them.
pub(super) fn report_shortened(admin: &AdminSession, client_id: &str, before: &[SecretDescription]) {
    if before.is_empty() {
        return;
    }
    // The new secret exists by now. That this cannot be read changes nothing about it.
    let Ok(after) = admin.accounts().get(client_id) else {
        return output::message("the secret that existed before may now end within 7 d; its end cannot be read");
    };
    for secret in &after.secrets {
        let ended = before.iter().find(|known| known.id == secret.id).filter(|known| known.expires_at != secret.expires_at);
        if let (Some(_), Some(end)) = (ended, secret.expires_at.as_deref()) {
            let (id, end) = (printable(&secret.id, 64), printable(end, 40));
            output::message(&format!("Atlas now ends the secret {id} at {end}: programs that use it need the new one by then"));
        }
    }
}
