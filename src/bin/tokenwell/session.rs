//! One configured client for the time of one command.

use crate::failure::Failure;
use tokenwell::error::Error;
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
        self.client.token(options).map_err(|error| match error {
            Error::Deadline { .. } => Failure::Late { error, client: self.client.clone() },
            error => error.into(),
        })
    }

    pub(crate) fn at_hand(&self) -> Result<AtHand, Failure> {
        Ok(self.client.at_hand()?)
    }
}
