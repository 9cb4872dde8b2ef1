//! All that the emulator remembers, under one lock.

use super::accounts::Accounts;
use super::clock::Clock;
use super::faults::Faults;
use super::limits::Limits;
use super::settings::Settings;
use super::tokens::Tokens;
use super::traffic::{Counters, Traffic};
use super::{EmulatorOptions, Error};
use serde_json::Value;

pub(super) struct World {
    options: EmulatorOptions,
    pub(super) clock: Clock,
    pub(super) settings: Settings,
    pub(super) accounts: Accounts,
    pub(super) tokens: Tokens,
    pub(super) token_limits: Limits,
    pub(super) api_limits: Limits,
    pub(super) faults: Faults,
    pub(super) traffic: Traffic,
    /// How often this world began anew: a connection from before counts again when it carries traffic afterwards.
    pub(super) resets: u64,
}

impl World {
    pub(super) fn new(options: EmulatorOptions) -> Self {
        let clock = Clock::default();
        Self {
            settings: Settings::at_start(&options),
            accounts: Accounts::at_start(clock.now_ms()),
            options,
            clock,
            tokens: Tokens::default(),
            token_limits: Limits::default(),
            api_limits: Limits::default(),
            faults: Faults::default(),
            traffic: Traffic::default(),
            resets: 1,
        }
    }

    pub(super) fn reset(&mut self) {
        let resets = self.resets + 1;
        *self = Self { resets, ..Self::new(self.options.clone()) };
    }

    pub(super) fn counters(&self) -> Counters {
        self.traffic.counters(self.tokens.live(self.clock.now_ms()))
    }

    pub(super) fn set_settings(&mut self, changes: Value) -> Result<(), Error> {
        self.settings = self.settings.changed(changes).map_err(|problem| {
            Error::invalid("settings", problem, "Send a JSON object of the settings that docs/emulator.md lists; nothing was changed.")
        })?;
        Ok(())
    }

    pub(super) fn set_faults(&mut self, faults: Value) -> Result<(), Error> {
        self.faults = Faults::from_json(faults).map_err(|problem| {
            Error::invalid("faults", problem, "Send a JSON array of faults as docs/emulator.md describes them; the old list stays.")
        })?;
        Ok(())
    }
}
