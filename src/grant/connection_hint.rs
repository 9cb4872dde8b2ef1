//! What names a server: where to look when nobody is found there.

use crate::config::{Config, Endpoint};
use crate::error::CHECK_THE_WAY;

/// What leads to an endpoint.
#[derive(Clone, Debug)]
pub(crate) struct Signpost {
    /// The option, variable or profile that names the server; `None`: nothing does, and it is Atlas.
    named_by: Option<String>,
    on_loopback: bool,
}

impl Signpost {
    pub(super) fn to(endpoint: &Endpoint, config: &Config) -> Self {
        Self { named_by: config.server_named_by(endpoint).map(str::to_owned), on_loopback: endpoint.is_loopback() }
    }

    /// What to look at when no connection comes about.
    pub(super) fn advice(&self, was_refused: bool) -> String {
        match &self.named_by {
            Some(named_by) if was_refused && self.on_loopback => {
                format!(
                    "Nothing listens there: is `tokenwell emulator` running? The address is from {named_by}: correct it, or take it away to ask Atlas."
                )
            }
            Some(named_by) => format!("{CHECK_THE_WAY} The server is named by {named_by}."),
            None => CHECK_THE_WAY.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signpost(named_by: Option<&str>, on_loopback: bool) -> Signpost {
        Signpost { named_by: named_by.map(str::to_owned), on_loopback }
    }

    #[test]
    fn where_nobody_listens_on_loopback_the_emulator_is_asked_for() {
        let advice = signpost(Some("option base_url"), true).advice(true);

        assert!(advice.contains("`tokenwell emulator`") && advice.contains("from option base_url"), "{advice}");
    }

    #[test]
    fn elsewhere_and_otherwise_the_way_is_to_be_checked_and_what_names_the_server() {
        for (named_by, on_loopback, was_refused) in
            [(Some("option base_url"), false, true), (Some("option base_url"), true, false), (None, false, true)]
        {
            let advice = signpost(named_by, on_loopback).advice(was_refused);

            assert!(advice.starts_with(CHECK_THE_WAY) && !advice.contains("emulator"), "{advice}");
            assert_eq!(advice.contains("named by option base_url"), named_by.is_some(), "{advice}");
        }
    }
}
