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

/// [`MethodsTried`] with the methods instead of their names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Known {
    pub(super) finding: Finding,
    pub(super) at_ms: u64,
}

/// What the server said about the methods.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Finding {
    /// It rejected one method and accepts this one.
    Accepted(ClientAuthentication),
    /// It rejected this method and has not answered the other one, for example because it failed.
    Rejected(ClientAuthentication),
    RejectedBoth,
}

/// The method to send first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct First {
    pub(super) method: ClientAuthentication,
    /// Whether an earlier call sent the other method, which was rejected.
    pub(super) after_rejection: bool,
}

impl Known {
    /// `None` if a later version has found a method that this one does not know.
    pub(super) fn of(tried: &MethodsTried) -> Option<Self> {
        let known = |name: &str| ClientAuthentication::ALL.into_iter().find(|method| method.name() == name);
        let finding = match (&tried.accepted, &tried.rejected) {
            (Some(name), _) => Finding::Accepted(known(name)?),
            (None, Some(name)) => Finding::Rejected(known(name)?),
            (None, None) => Finding::RejectedBoth,
        };
        Some(Self { finding, at_ms: tried.at_ms })
    }

    pub(super) fn named(self) -> MethodsTried {
        let named = |method: ClientAuthentication| Some(method.name().to_owned());
        let (accepted, rejected) = match self.finding {
            Finding::Accepted(method) => (named(method), None),
            Finding::Rejected(method) => (None, named(method)),
            Finding::RejectedBoth => (None, None),
        };
        MethodsTried { accepted, rejected, at_ms: self.at_ms }
    }
}

impl MethodSearch {
    pub(super) fn new(configured: ClientAuthentication) -> Self {
        Self { configured, known: ArcSwapOption::empty() }
    }

    /// The method to send first.
    pub(super) fn first(&self, secret: &Secret, now_ms: u64) -> First {
        let usual = First { method: self.configured.or_first_of_auto(), after_rejection: false };
        if self.configured != ClientAuthentication::Auto {
            return usual;
        }
        match self.known(secret) {
            Some(Known { finding: Finding::Accepted(method), .. }) => First { method, after_rejection: false },
            Some(Known { finding: Finding::Rejected(method), at_ms }) if is_recent(at_ms, now_ms) => {
                First { method: other(method), after_rejection: true }
            }
            _ => usual,
        }
    }

    /// The method to send after the server has rejected `sent` with `error`, if one may be sent.
    pub(super) fn second(&self, sent: ClientAuthentication, error: &Error, secret: &Secret, now_ms: u64) -> Option<ClientAuthentication> {
        let is_about_method = matches!(error, Error::CredentialRejected { code, http_status: 401, .. } if **code == *"invalid_client");
        let was_tried = self.known(secret).is_some_and(|tried| is_recent(tried.at_ms, now_ms));
        (self.configured == ClientAuthentication::Auto && is_about_method && !was_tried).then(|| other(sent))
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
        let sent: &[ClientAuthentication] = match self.known(secret).map(|known| known.finding) {
            Some(Finding::RejectedBoth) => &[ClientAuthentication::Basic, ClientAuthentication::Post],
            Some(Finding::Accepted(method)) => &[method],
            Some(Finding::Rejected(_)) | None => &[self.configured.or_first_of_auto()],
        };
        let names = sent.iter().map(|method| method.name()).collect::<Vec<_>>().join(" and ");
        format!("{CHECK} The server rejected {names}: if it expects {}, set auth_method (TOKENWELL_AUTH_METHOD).", others(sent))
    }
}

/// Whether methods that were tried at `at_ms` are not tried again.
fn is_recent(at_ms: u64, now_ms: u64) -> bool {
    now_ms.abs_diff(at_ms) < PAUSE_MS
}

fn other(method: ClientAuthentication) -> ClientAuthentication {
    if method == ClientAuthentication::Post { ClientAuthentication::Basic } else { ClientAuthentication::Post }
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
    fn the_second_method_is_sent_only_where_it_can_help() {
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
    fn what_was_tried_is_remembered_for_a_day_and_for_one_secret() {
        let search = MethodSearch::new(ClientAuthentication::Auto);
        let (secret, another) = (Secret::from("canary"), Secret::from("another"));
        let rejected = rejection("invalid_client", 401);
        let second = |secret, now_ms| search.second(ClientAuthentication::Basic, &rejected, secret, now_ms).is_some();

        search.remember(&secret, Known { finding: Finding::RejectedBoth, at_ms: 1000 });
        assert!(!second(&secret, 1000) && !second(&secret, 0) && !second(&secret, 999 + PAUSE_MS));
        assert!(second(&secret, 1000 + PAUSE_MS) && second(&another, 1000));
        assert!(
            search.advice(&secret).contains("rejected client_secret_basic and client_secret_post: if it expects client_secret_basic_raw")
        );

        search.remember(&secret, Known { finding: Finding::Accepted(ClientAuthentication::Post), at_ms: 2000 });
        search.remember(&secret, Known { finding: Finding::RejectedBoth, at_ms: 1500 });
        assert_eq!(search.first(&secret, 2000).method, ClientAuthentication::Post);
        assert_eq!(search.first(&another, 2000).method, ClientAuthentication::Basic);
        assert!(!format!("{search:?} {}", search.advice(&secret)).contains("canary"));
    }

    #[test]
    fn a_rejected_method_is_not_sent_again_while_the_other_one_has_no_answer() {
        let search = MethodSearch::new(ClientAuthentication::Auto);
        let secret = Secret::from("canary");
        let rejected = Known { finding: Finding::Rejected(ClientAuthentication::Basic), at_ms: 1000 };

        search.remember(&secret, rejected);

        assert_eq!(search.first(&secret, 1001), First { method: ClientAuthentication::Post, after_rejection: true });
        assert_eq!(search.first(&secret, 1000 + PAUSE_MS), First { method: ClientAuthentication::Basic, after_rejection: false });
        assert_eq!(search.second(ClientAuthentication::Post, &rejection("invalid_client", 401), &secret, 1001), None);
        for finding in [rejected.finding, Finding::Accepted(ClientAuthentication::Post), Finding::RejectedBoth] {
            let known = Known { finding, at_ms: 7 };
            assert_eq!(Known::of(&known.named()), Some(known));
        }
        let later = MethodsTried { accepted: None, rejected: Some("of_a_later_version".to_owned()), at_ms: 7 };
        assert_eq!(Known::of(&later), None);
    }
}
