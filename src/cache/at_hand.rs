//! What is known without asking the server, for those who show it or end it.

use super::failure::Failure;
use super::process::Memory;
use super::slot::Slot;
use crate::clock::Moment;
use crate::error::Error;
use crate::lifetime::Lifetime;
use crate::store::StoredToken;
use crate::token::Token;

/// What is known without asking the server.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct AtHand {
    /// A token that is still alive, however little of its life is left.
    pub token: Option<Token>,
    /// The refusal that still stands: an [`Error::Cooldown`].
    pub cooldown: Option<Error>,
    /// Where processes share tokens, as the store words it: a path, say.
    pub store: String,
    /// Why the store could not be read, if it could not: there may be a token in it all the same.
    pub store_problem: Option<String>,
}

impl Slot {
    /// What memory and the store know, without a request. A live token that only the store has becomes the current one.
    pub(crate) fn at_hand(&self) -> Result<AtHand, Error> {
        self.refuse_if_closed()?;
        let credential = self.parts.credentials.current()?;
        let loaded = self.parts.store.load(&self.key(&credential));
        let store_problem = loaded.as_ref().err().map(ToString::to_string);
        let record = self.tried(loaded).unwrap_or_default();
        let process = self.process();
        self.lift_a_rejection_of_another_secret(&process);

        let now = self.now();
        let alive = |token: &Token| !now.until(token.lifetime().expires).is_zero();
        let memory = process.memory();
        if self.current.token().filter(alive).is_none()
            && let Some(token) = record.token.and_then(|stored| self.recalled(&stored, &memory, now)).filter(alive)
        {
            self.publish(Some(&token), &memory);
        }
        let remembered = memory.failure().and_then(|failure| failure.standing(now));
        let cooldown = remembered.or_else(|| Failure::recall(&record.cooldown?, &credential, now)?.standing(now));
        Ok(AtHand { token: self.current.token().filter(alive), cooldown, store: self.parts.store.location(), store_problem })
    }

    /// The token that `stored` is here and now; `None` where its times cannot be true, and where a resource server has turned it down.
    pub(super) fn recalled(&self, stored: &StoredToken, memory: &Memory, now: Moment) -> Option<Token> {
        if memory.was_turned_down(stored.value.expose()) {
            return None;
        }
        let lifetime = Lifetime::recalled(now, stored.obtained_at_ms, stored.refresh_at_ms, stored.expires_at_ms)?;
        Some(Token::new(stored.value.expose(), stored.scope.clone(), lifetime, self.next_generation()))
    }
}
