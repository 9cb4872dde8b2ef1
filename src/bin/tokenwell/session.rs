//! One configured client for the time of one command.

use crate::failure::Failure;
use tokenwell::error::Error;
use tokenwell::{CachedState, Client, Config, Status, Token, TokenOptions};

/// A client and the configuration that it was made of.
pub(crate) struct Session {
    pub(crate) config: Config,
    pub(crate) client: Client,
}

impl Session {
    pub(crate) fn open(config: Config) -> Result<Self, Failure> {
        Ok(Self { client: Client::new(config.clone())?, config })
    }

    pub(crate) fn token(&self, options: &TokenOptions) -> Result<Token, Failure> {
        self.client.token(options).map_err(|error| match error {
            Error::Deadline { .. } => Failure::Late { error, client: self.client.clone() },
            error => error.into(),
        })
    }

    pub(crate) fn at_hand(&self) -> Result<CachedState, Failure> {
        Ok(self.client.cached_state()?)
    }

    /// The live token in the cache, for those who are about to end it: where the cache cannot be read there may be one that they leave alive.
    pub(crate) fn cached_token(&self) -> Result<Option<Token>, Failure> {
        let at_hand = self.at_hand()?;
        match at_hand.store_problem {
            Some(problem) if at_hand.token.is_none() => Err(unread(&at_hand.store, &problem)),
            _ => Ok(at_hand.token),
        }
    }

    /// Fails where another process would still be given `token`, which was to be ended: a client of its own looks, as that process would.
    pub(crate) fn refuse_if_others_find(&self, token: &Token) -> Result<(), Failure> {
        let found = Client::new(self.config.clone())?.cached_state()?;
        if found.token.is_some_and(|found| found.value() == token.value()) {
            return Err(Failure::new(
                Status::Refused,
                format!("the token is still in the token cache at {}", found.store),
                "Try again: another process may have written it at the same moment. If that does not help, `tokenwell doctor` tells what is wrong with \
                 the cache, and `tokenwell cache clear` removes its files.",
            ));
        }
        Ok(())
    }
}

fn unread(store: &str, problem: &str) -> Failure {
    Failure::new(
        Status::Refused,
        format!("the token cache at {store} cannot be read: {problem}; a live token may be in it"),
        "Mend the cache (`tokenwell doctor` tells what is wrong with it) and try again.",
    )
}
