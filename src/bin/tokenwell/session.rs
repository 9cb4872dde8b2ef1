//! The configured client of one command.

use crate::failure::{Failure, LATE_TOKEN_WAIT};
use crate::form::expiry;
use crate::log;
use crate::spelling;
use std::cell::Cell;
use tokenwell::error::{Error, duration_text};
use tokenwell::{CachedState, Client, Config, Status, Token, TokenOptions};

/// A client and its configuration.
pub(crate) struct Session {
    pub(crate) config: Config,
    pub(crate) client: Client,
    /// Whether the end of the session waits for a pending refresh.
    saves_at_end: Cell<bool>,
}

impl Session {
    pub(crate) fn open(config: Config) -> Result<Self, Failure> {
        log::detail(&format!("tokenwell {}", env!("CARGO_PKG_VERSION")));
        spelling::use_sources_of(&config);
        for from in config.provenance() {
            log::detail(&format!("{}: {}", from.setting(), from.source()));
        }
        Ok(Self { client: Client::new(config.clone())?, config, saves_at_end: Cell::new(true) })
    }

    /// Returns a token that is still valid after this call.
    pub(crate) fn token(&self, options: &TokenOptions) -> Result<Token, Failure> {
        let token = self.any_token(options)?;
        self.require_lifetime(&token)?;
        Ok(token)
    }

    /// Like [`Session::token`], but accepts a token for one request.
    pub(crate) fn any_token(&self, options: &TokenOptions) -> Result<Token, Failure> {
        self.client.token(options).map_err(|error| match error {
            Error::Deadline { .. } => {
                self.saves_at_end.set(false);
                Failure::Late { error, client: self.client.clone() }
            }
            // The only source of it is the flag.
            Error::InvalidArgument { name, problem, hint } if name == "min_ttl" => {
                Error::InvalidArgument { name: "--min-ttl".to_owned(), problem, hint }.into()
            }
            error => error.into(),
        })
    }

    /// Refuses a token that the server issued with a lifetime of 0 s. A library returns it to one
    /// caller for one request, but the output of a command is used after the command has ended.
    pub(crate) fn require_lifetime(&self, token: &Token) -> Result<(), Failure> {
        if token.generation() != Token::NO_GENERATION {
            return Ok(());
        }
        Err(Failure::new(
            Status::Protocol,
            format!("{} issued a token with a lifetime of 0 s (expires_in)", self.config.token_endpoint().origin()),
            "Change the lifetime of tokens at the authorization server: this token may have expired before a program uses it.",
        ))
    }

    /// Makes a valid token in the token cache the current one. What prevents that, the next get reports.
    pub(crate) fn read_cache(&self) {
        let _ = self.client.cached_state();
    }

    pub(crate) fn cached_state(&self) -> Result<CachedState, Failure> {
        Ok(self.client.cached_state()?)
    }

    /// The valid token in the cache, for commands that drop or revoke it. A cache that cannot be
    /// read is an error, because it may contain a token.
    pub(crate) fn cached_token(&self) -> Result<Option<Token>, Failure> {
        let cached = self.cached_state()?;
        match cached.store_problem {
            Some(problem) if cached.token.is_none() => Err(unreadable_cache(&cached.store, &problem)),
            _ => Ok(cached.token),
        }
    }

    /// Revokes the cached `token`. If the server does not confirm, the token stays in the cache, and
    /// `way_out` says what the user can do.
    pub(crate) fn revoke(&self, token: &Token, way_out: &str) -> Result<(), Failure> {
        let Err(error) = self.client.revoke(None) else { return self.ensure_not_cached(token) };
        let state = format!("The token stays in the cache and is valid at the server until it expires ({}). {way_out}", expiry(token));
        Err(not_revoked(&error, "the token was not revoked", &state))
    }

    /// Like [`Session::revoke`], but drops `token` from the cache even if the server does not
    /// confirm.
    pub(crate) fn revoke_or_forget(&self, token: &Token) -> Result<(), Failure> {
        let Err(error) = self.client.revoke(None) else { return self.ensure_not_cached(token) };
        self.client.forget(token.value())?;
        self.ensure_not_cached(token)?;
        let state = format!("The token is valid at the server until it expires ({}).", expiry(token));
        Err(not_revoked(&error, "the token was dropped from the cache but not revoked", &state))
    }

    /// Returns an error if another process would still get `token`. It checks with a new client, as
    /// that process would.
    pub(crate) fn ensure_not_cached(&self, token: &Token) -> Result<(), Failure> {
        let found = Client::new(self.config.clone())?.cached_state()?;
        if found.token.is_some_and(|found| found.value() == token.value()) {
            return Err(Failure::new(
                Status::Refused,
                format!("the token is still in the token cache at {}", found.store),
                "Try again: another process may have cached it at the same time. If that does not help, check the cache with `tokenwell doctor` or \
                 remove its files with `tokenwell cache clear`.",
            ));
        }
        Ok(())
    }
}

/// The process exits or is replaced next. A token that was requested must be in the cache before
/// that, or the next process sends another request.
impl Drop for Session {
    fn drop(&mut self) {
        if self.saves_at_end.get() {
            self.client.drain(LATE_TOKEN_WAIT);
        }
    }
}

/// The failure of a revocation, with the `state` of the token after it.
fn not_revoked(error: &Error, problem: &str, state: &str) -> Failure {
    let (cause, hint) = match error {
        Error::Deadline { waited, .. } => (format!("no response within {}", duration_text(*waited)), "Use a longer timeout_ms.".to_owned()),
        error => (error.to_string(), error.hint()),
    };
    Failure::reworded(error, format!("{problem}: {cause}"), format!("{hint} {state}"))
}

fn unreadable_cache(store: &str, problem: &str) -> Failure {
    Failure::new(
        Status::Refused,
        format!("cannot read the token cache at {store}: {problem}; it may contain a valid token"),
        "Run `tokenwell doctor` to check the cache, fix it and try again.",
    )
}
