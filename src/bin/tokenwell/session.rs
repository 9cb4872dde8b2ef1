//! One configured client for the time of one command.

use crate::failure::Failure;
use tokenwell::error::{Error, Status};
use tokenwell::{AtHand, Client, Config, Token, TokenOptions};

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
        self.client.token(options).map_err(|error| self.explained(error))
    }

    pub(crate) fn at_hand(&self) -> Result<AtHand, Failure> {
        Ok(self.client.at_hand()?)
    }

    /// A rejected pair may have been the wrong way round: its shape tells, and now that it was rejected it is worth saying.
    pub(crate) fn explained(&self, error: Error) -> Failure {
        let rejected = error.status() == Status::CredentialRejected;
        match self.config.credential_mix_up().filter(|_| rejected) {
            Some(mix_up) => Failure::new(error.status(), error.to_string(), format!("{mix_up} {}", error.hint())),
            None => error.into(),
        }
    }
}
