//! The search for the authentication method that a server accepts (`auth_method=auto`).
//!
//! RFC 6749 section 2.3.1 lets a server choose between HTTP Basic and the request body. A client that
//! sends the wrong one is rejected like a client with a wrong secret. Every rejected request may count
//! towards a lockout, so the second method is sent rarely.

use super::MethodsTried;
use crate::config::ClientAuthentication;
use crate::error::Error;
use crate::secret::Secret;
use arc_swap::ArcSwapOption;
use std::sync::Arc;

/// How long the second method is not sent again.
const PAUSE_MS: u64 = 24 * 60 * 60 * 1000;

/// The configured method, and what is known about the methods of a server.
#[derive(Debug)]
pub(super) struct MethodSearch {
    configured: ClientAuthentication,
    /// For the latest secret only. Without a lock, because a forked child uses it too.
    known: ArcSwapOption<(Secret, Known)>,
}

/// [`MethodsTried`] with the method instead of its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Known {
    pub(super) accepted: Option<ClientAuthentication>,
    pub(super) at_ms: u64,
}

impl Known {
    /// `None` if a later version has found a method that this one does not know.
    pub(super) fn of(tried: &MethodsTried) -> Option<Self> {
        let known = |name: &str| ClientAuthentication::ALL.into_iter().find(|method| method.name() == name);
        let accepted = match &tried.accepted {
            Some(name) => Some(known(name)?),
            None => None,
        };
        Some(Self { accepted, at_ms: tried.at_ms })
    }

    pub(super) fn named(self) -> MethodsTried {
        MethodsTried { accepted: self.accepted.map(|method| method.name().to_owned()), at_ms: self.at_ms }
    }
}

impl MethodSearch {
    pub(super) fn new(configured: ClientAuthentication) -> Self {
        Self { configured, known: ArcSwapOption::empty() }
    }

    /// The method to send first.
    pub(super) fn first(&self, secret: &Secret) -> ClientAuthentication {
        let accepted = || self.known(secret)?.accepted;
        match self.configured {
            ClientAuthentication::Auto => accepted().unwrap_or(self.configured.or_first_of_auto()),
            configured => configured,
        }
    }

    /// The method to send after the server has rejected `sent` with `error`, if one may be sent.
    pub(super) fn second(&self, sent: ClientAuthentication, error: &Error, secret: &Secret, now_ms: u64) -> Option<ClientAuthentication> {
        let is_about_method = matches!(error, Error::CredentialRejected { code, http_status: 401, .. } if **code == *"invalid_client");
        let was_tried = self.known(secret).is_some_and(|tried| now_ms.abs_diff(tried.at_ms) < PAUSE_MS);
        if self.configured != ClientAuthentication::Auto || !is_about_method || was_tried {
            return None;
        }
        Some(if sent == ClientAuthentication::Post { ClientAuthentication::Basic } else { ClientAuthentication::Post })
    }

    pub(super) fn known(&self, secret: &Secret) -> Option<Known> {
        let known = self.known.load_full()?;
        (known.0.expose() == secret.expose()).then_some(known.1)
    }

    /// Remembers `tried` unless something later is known.
    pub(super) fn remember(&self, secret: &Secret, tried: Known) {
        if self.configured == ClientAuthentication::Auto && self.known(secret).is_none_or(|known| known.at_ms <= tried.at_ms) {
            self.known.store(Some(Arc::new((secret.clone(), tried))));
        }
    }

    /// What to do about a rejection by a server other than Atlas: which methods were sent, and the
    /// setting that selects one.
    pub(super) fn advice(&self, secret: &Secret) -> String {
        const CHECK: &str = "Check that the client id and secret belong together and that the secret has not expired.";
        let others = |sent: &[ClientAuthentication]| {
            let all = [ClientAuthentication::Basic, ClientAuthentication::BasicRaw, ClientAuthentication::Post];
            all.into_iter().filter(|method| !sent.contains(method)).map(ClientAuthentication::name).collect::<Vec<_>>().join(" or ")
        };
        let sent: &[ClientAuthentication] = match self.configured {
            ClientAuthentication::Auto if self.known(secret).is_some_and(|tried| tried.accepted.is_none()) => {
                &[ClientAuthentication::Basic, ClientAuthentication::Post]
            }
            _ => &[self.first(secret)],
        };
        let names = sent.iter().map(|method| method.name()).collect::<Vec<_>>().join(" and ");
        format!("{CHECK} The server rejected {names}: if it expects {}, set auth_method (TOKENWELL_AUTH_METHOD).", others(sent))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Exchange;

    fn rejection(code: &str, http_status: u16) -> Error {
        Error::CredentialRejected {
            server: "https://login.example".into(),
            client: Box::default(),
            code: code.into(),
            description: String::new(),
            http_status,
            advice: Box::default(),
            exchange: Exchange::default(),
        }
    }

    #[test]
    fn s7_the_second_method_is_sent_only_where_it_can_help() {
        let secret = Secret::from("canary");
        let second = |configured, error: &Error| MethodSearch::new(configured).second(ClientAuthentication::Basic, error, &secret, 5);
        let rejected = rejection("invalid_client", 401);

        assert_eq!(second(ClientAuthentication::Auto, &rejected), Some(ClientAuthentication::Post));
        for configured in [ClientAuthentication::Basic, ClientAuthentication::BasicRaw, ClientAuthentication::Post] {
            assert_eq!(second(configured, &rejected), None);
        }
        for error in [rejection("invalid_client", 400), rejection("unauthorized_client", 401), rejection("", 401), Error::Closed] {
            assert_eq!(second(ClientAuthentication::Auto, &error), None, "{error}");
        }
    }

    #[test]
    fn s7_what_was_tried_is_remembered_for_a_day_and_for_one_secret() {
        let search = MethodSearch::new(ClientAuthentication::Auto);
        let (secret, another) = (Secret::from("canary"), Secret::from("another"));
        let rejected = rejection("invalid_client", 401);
        let second = |secret, now_ms| search.second(ClientAuthentication::Basic, &rejected, secret, now_ms).is_some();

        search.remember(&secret, Known { accepted: None, at_ms: 1000 });
        assert!(!second(&secret, 1000) && !second(&secret, 0) && !second(&secret, 999 + PAUSE_MS));
        assert!(second(&secret, 1000 + PAUSE_MS) && second(&another, 1000));
        assert!(
            search.advice(&secret).contains("rejected client_secret_basic and client_secret_post: if it expects client_secret_basic_raw")
        );

        search.remember(&secret, Known { accepted: Some(ClientAuthentication::Post), at_ms: 2000 });
        search.remember(&secret, Known { accepted: None, at_ms: 1500 });
        assert_eq!(search.first(&secret), ClientAuthentication::Post);
        assert_eq!(search.first(&another), ClientAuthentication::Basic);
        assert!(!format!("{search:?} {}", search.advice(&secret)).contains("canary"));
    }
}
