//! The whole state of the emulator, protected by one lock.

use super::accounts::{Accounts, View};
use super::clock::Clock;
use super::faults::Faults;
use super::journal::RequestLog;
use super::limits::Limits;
use super::seed::Seed;
use super::settings::Settings;
use super::stubs::Stubs;
use super::tokens::Tokens;
use super::traffic::{Counters, Traffic};
use super::{EmulatorOptions, Error, Login};
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
    pub(super) stubs: Stubs,
    pub(super) traffic: Traffic,
    pub(super) journal: RequestLog,
    /// The number of valid token requests since `reject_every_nth_token_request` was set.
    pub(super) token_requests: u64,
    /// The number of resets plus one. A connection that was opened before a reset is counted again
    /// if it carries traffic afterwards.
    pub(super) resets: u64,
}

impl World {
    pub(super) fn new(options: EmulatorOptions) -> Self {
        let clock = Clock::default();
        let stubs = options.seed.as_ref().map(Seed::stubs).unwrap_or_default();
        Self {
            settings: Settings::initial(&options),
            accounts: options.seed.as_ref().map_or_else(|| Accounts::initial(clock.now_ms()), |seed| seed.accounts(clock.now_ms())),
            options,
            clock,
            tokens: Tokens::default(),
            token_limits: Limits::default(),
            api_limits: Limits::default(),
            faults: Faults::default(),
            stubs,
            traffic: Traffic::default(),
            journal: RequestLog::default(),
            token_requests: 0,
            resets: 1,
        }
    }

    pub(super) fn reset(&mut self) {
        let resets = self.resets + 1;
        *self = Self { resets, ..Self::new(self.options.clone()) };
    }

    /// The credential of the first account, before anything has changed it.
    pub(super) fn login(&self) -> Option<Login> {
        let (account, secret) = self.accounts.first()?;
        let in_org = || self.accounts.projects.iter().filter(|project| project.org_id == account.org_id);
        let project = in_org().find(|project| account.project_roles.contains_key(&project.id)).or_else(|| in_org().next());
        Some(Login {
            client_id: account.client_id.clone(),
            client_secret: secret.value.clone(),
            org_id: account.org_id.clone(),
            project_id: project.map(|project| project.id.clone()),
        })
    }

    /// The time, and how documents show it.
    pub(super) fn view(&self) -> View {
        View { now_ms: self.clock.now_ms(), last_used_late_ms: self.settings.last_used_late_s.saturating_mul(1000) }
    }

    /// The time from which an object that is created now is visible.
    pub(super) fn visible_from_ms(&self) -> u64 {
        self.clock.now_ms().saturating_add(self.settings.visible_after_s.saturating_mul(1000))
    }

    pub(super) fn counters(&self) -> Counters {
        self.traffic.counters(self.tokens.valid_count(self.clock.now_ms()))
    }

    pub(super) fn set_settings(&mut self, changes: Value) -> Result<(), Error> {
        let before = self.settings.reject_every_nth_token_request;
        self.settings = self.settings.changed(changes).map_err(|problem| {
            Error::invalid("settings", problem, "Send a JSON object with settings from docs/emulator.md. No setting was changed.")
        })?;
        if self.settings.reject_every_nth_token_request != before {
            self.token_requests = 0;
        }
        Ok(())
    }

    pub(super) fn set_stubs(&mut self, stubs: Value) -> Result<(), Error> {
        self.stubs = Stubs::from_json(stubs).map_err(|problem| {
            Error::invalid(
                "stubs",
                problem,
                "Send a JSON array of stubs as described in docs/emulator.md. The list of stubs was not changed.",
            )
        })?;
        Ok(())
    }

    pub(super) fn set_faults(&mut self, faults: Value) -> Result<(), Error> {
        self.faults = Faults::from_json(faults).map_err(|problem| {
            Error::invalid(
                "faults",
                problem,
                "Send a JSON array of faults as described in docs/emulator.md. The list of faults was not changed.",
            )
        })?;
        Ok(())
    }
}
