//! The cached token and the remembered refusal, without a token request. For callers that display,
//! revoke or delete them.

use super::cooldown::Cooldown;
use super::process::Memory;
use super::slot::Slot;
use crate::clock::Moment;
use crate::error::Error;
use crate::lifetime::Lifetime;
use crate::store::{Record, StoredToken};
use crate::token::Token;
use std::time::Duration;

/// The state of the cache, read without sending a request.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct CachedState {
    /// The token, if it has not expired. Its remaining lifetime may be shorter than
    /// [`Client::token`](crate::Client::token) accepts.
    pub token: Option<Token>,
    /// The remembered refusal that is in effect: an [`Error::Cooldown`].
    pub cooldown: Option<Error>,
    /// The location of the shared store, for display: for example a path.
    pub store: String,
    /// The reason why the store could not be read, if it could not. The store may contain a token
    /// in this case.
    pub store_problem: Option<String>,
}

impl Slot {
    /// Returns what memory and the store contain, without a request. A valid token that only the
    /// store has becomes the current one.
    pub(crate) fn cached_state(&self) -> Result<CachedState, Error> {
        self.refuse_if_closed()?;
        self.refuse_inside_callback()?;
        let credential = self.parts.credentials.known()?;
        let loaded = self.parts.store.load(&self.key(&credential));
        let store_problem = loaded.as_ref().err().map(ToString::to_string);
        let record = self.ok_or_warn(loaded).unwrap_or_default();
        self.recall_methods(&self.key(&credential), &record);
        let process = self.process();
        // The same checks as before a refresh: this call reads the record anyway.
        let _ = self.check_cooldown();

        let now = self.now();
        let is_valid = |token: &Token| !now.until(token.lifetime().expires_at).is_zero();
        let memory = process.memory();
        if self.current.token().filter(is_valid).is_none()
            && let Some(token) = record.token.as_ref().and_then(|stored| self.restore(stored, &record, &memory, now)).filter(is_valid)
        {
            let ends_in_s = now.until(token.lifetime().expires_at).as_secs();
            tracing::debug!(cache = self.parts.store.location(), ends_in_s, "using the token in the token cache");
            self.publish(Some(&token), &memory);
        }
        let remembered = memory.cooldown().and_then(|cooldown| cooldown.active_error(now));
        let cooldown = remembered.or_else(|| Cooldown::in_record(&record, || self.server(), &credential, now)?.active_error(now));
        Ok(CachedState { token: self.current.token().filter(is_valid), cooldown, store: self.parts.store.location(), store_problem })
    }

    /// Creates a token from `stored`, the token in `record`. Returns `None` if its times are impossible
    /// or a resource server rejected it.
    pub(super) fn restore(&self, stored: &StoredToken, record: &Record, memory: &Memory, now: Moment) -> Option<Token> {
        if memory.is_rejected_token(stored.value.expose()) {
            return None;
        }
        let lifetime = Lifetime::from_stored(now, stored.obtained_at_ms, stored.refresh_at_ms, stored.expires_at_ms)?
            .with_request_time(Duration::from_millis(record.last_mint_ms.unwrap_or(0)));
        Some(Token::new(stored.value.expose(), stored.scope.clone(), lifetime, self.next_generation()))
    }
}
