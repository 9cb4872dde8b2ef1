//! The hint for a server that cannot be reached. It names the setting that the address comes from.

use crate::config::{Config, Endpoint};
use crate::error::CHECK_CONNECTION;

/// The facts about an endpoint that the hint depends on.
#[derive(Clone, Debug)]
pub(crate) struct ConnectionHint {
    /// The option, environment variable or profile that names the server. `None`: the default,
    /// Atlas.
    source: Option<String>,
    on_loopback: bool,
}

impl ConnectionHint {
    pub(super) fn for_endpoint(endpoint: &Endpoint, config: &Config) -> Self {
        Self { source: config.server_named_by(endpoint).map(str::to_owned), on_loopback: endpoint.is_loopback() }
    }

    /// The hint for a failed connection. `was_refused`: the host rejected the connection, because
    /// no program listens on the port.
    pub(super) fn message(&self, was_refused: bool) -> String {
        match &self.source {
            Some(source) if was_refused && self.on_loopback => {
                format!(
                    "No program listens at this address. Start `tokenwell emulator`, or correct the address, which comes from {source}. \
                     Without that setting, Atlas is used."
                )
            }
            Some(source) => format!("{CHECK_CONNECTION} The server address comes from {source}."),
            None => CHECK_CONNECTION.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hint(source: Option<&str>, on_loopback: bool) -> ConnectionHint {
        ConnectionHint { source: source.map(str::to_owned), on_loopback }
    }

    #[test]
    fn a_refused_connection_on_loopback_suggests_the_emulator() {
        let message = hint(Some("option base_url"), true).message(true);

        assert!(message.contains("`tokenwell emulator`") && message.contains("from option base_url"), "{message}");
    }

    #[test]
    fn every_other_failure_suggests_the_network_and_names_the_source_of_the_address() {
        for (source, on_loopback, was_refused) in
            [(Some("option base_url"), false, true), (Some("option base_url"), true, false), (None, false, true)]
        {
            let message = hint(source, on_loopback).message(was_refused);

            assert!(message.starts_with(CHECK_CONNECTION) && !message.contains("emulator"), "{message}");
            assert_eq!(message.contains("comes from option base_url"), source.is_some(), "{message}");
        }
    }
}
