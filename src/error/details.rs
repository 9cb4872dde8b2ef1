//! The details of an error, whatever its kind: statuses, codes, times, the requests that led to it.

use super::{EndpointKind, EndpointName, Error, Exchange, TimeIsOver};
use std::time::Duration;

impl Error {
    /// The sources that were searched for a credential, in order, each with what was found there.
    /// Empty for all errors except [`Error::NoCredential`].
    ///
    /// The message contains the same entries on one line, for logs.
    #[must_use]
    pub fn checked_sources(&self) -> &[String] {
        match self {
            Self::NoCredential { checked_sources, .. } => checked_sources,
            _ => &[],
        }
    }

    /// The HTTP status of the server's response, if there was a response.
    #[must_use]
    pub fn http_status(&self) -> Option<u16> {
        match self {
            Self::CredentialRejected { http_status, .. }
            | Self::TokenLimit { http_status, .. }
            | Self::RateLimited { http_status, .. }
            | Self::Server { http_status, .. } => Some(*http_status),
            Self::Protocol { http_status, .. } | Self::Refused { http_status, .. } => *http_status,
            Self::Cooldown { original, .. } => original.http_status(),
            _ => None,
        }
    }

    /// The error code that the server sent: the member `error` of its response (RFC 6749 section 5.2)
    /// or of its `WWW-Authenticate` header, for example `invalid_client`. `None` if it sent none.
    ///
    /// It is escaped for display and at most 64 characters long.
    #[must_use]
    pub fn oauth_code(&self) -> Option<&str> {
        match self {
            Self::Cooldown { original, .. } => original.oauth_code(),
            other => other.exchange()?.oauth_code(),
        }
    }

    /// How many requests this failure took, including retries and requests for which no connection
    /// was established. 0 if the failure is not that of a request.
    ///
    /// For a remembered error these are the requests of the earlier call, in this process or another
    /// one.
    #[must_use]
    pub fn attempts(&self) -> u32 {
        match self {
            Self::Cooldown { original, .. } => original.attempts(),
            other => other.exchange().map_or(0, Exchange::attempts),
        }
    }

    /// Whether this is the remembered error of an earlier call: it was returned during a cooldown, and
    /// no request was sent for it.
    #[must_use]
    pub fn is_remembered(&self) -> bool {
        matches!(self, Self::Cooldown { .. })
    }

    /// How long ago the call failed that this error is from. Zero unless the error is
    /// [remembered](Self::is_remembered).
    #[must_use]
    pub fn age(&self) -> Duration {
        match self {
            Self::Cooldown { age, .. } => *age,
            _ => Duration::ZERO,
        }
    }

    /// How long to wait before the next request, if that is known.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::TokenLimit { retry_after, .. } | Self::RateLimited { retry_after, .. } => Some(*retry_after),
            Self::Server { retry_after, .. } => *retry_after,
            Self::Cooldown { ends_in, .. } => Some(*ends_in),
            _ => None,
        }
    }

    /// Records that this failure took `attempts` requests.
    pub(crate) fn with_attempts(mut self, attempts: u32) -> Self {
        if let Some(exchange) = self.exchange_mut() {
            *exchange = std::mem::take(exchange).with_attempts(attempts);
        }
        self
    }

    /// Records the endpoint that the request was sent to.
    pub(crate) fn at(mut self, endpoint: &EndpointName) -> Self {
        if let Some(exchange) = self.exchange_mut() {
            *exchange = std::mem::take(exchange).at(endpoint.clone());
        }
        self
    }

    /// The endpoint that the request was sent to, if it is known.
    fn endpoint(&self) -> Option<&EndpointName> {
        self.exchange()?.endpoint()
    }

    pub(super) fn is_of_revocation(&self) -> bool {
        self.endpoint().is_some_and(|endpoint| endpoint.kind == EndpointKind::Revocation)
    }

    pub(super) fn is_of_api(&self) -> bool {
        self.endpoint().is_some_and(|endpoint| endpoint.kind == EndpointKind::Api)
    }

    /// The setting with the URL of the request. An error of another process does not name it.
    pub(super) fn url_setting(&self) -> &str {
        match self.endpoint() {
            Some(endpoint) => &endpoint.setting,
            None => "the base or token URL",
        }
    }

    /// Records the requests that led to this failure.
    pub(crate) fn with_exchange(mut self, exchange: Exchange) -> Self {
        if let Some(own) = self.exchange_mut() {
            *own = exchange;
        }
        self
    }

    /// The requests that led to this failure. `None` for a failure that is never that of a request.
    pub(crate) fn exchange(&self) -> Option<&Exchange> {
        match self {
            Self::CredentialRejected { exchange, .. }
            | Self::TokenLimit { exchange, .. }
            | Self::RateLimited { exchange, .. }
            | Self::Network { exchange, .. }
            | Self::Tls { exchange, .. }
            | Self::Proxy { exchange, .. }
            | Self::Server { exchange, .. }
            | Self::Protocol { exchange, .. }
            | Self::Refused { exchange, .. } => Some(exchange),
            _ => None,
        }
    }

    fn exchange_mut(&mut self) -> Option<&mut Exchange> {
        match self {
            Self::CredentialRejected { exchange, .. }
            | Self::TokenLimit { exchange, .. }
            | Self::RateLimited { exchange, .. }
            | Self::Network { exchange, .. }
            | Self::Tls { exchange, .. }
            | Self::Proxy { exchange, .. }
            | Self::Server { exchange, .. }
            | Self::Protocol { exchange, .. }
            | Self::Refused { exchange, .. } => Some(exchange),
            _ => None,
        }
    }

    /// Returns whether the time that this process allowed for the request was over. This says nothing
    /// about the server: another process may allow more.
    pub(crate) fn is_own_timeout(&self) -> bool {
        matches!(self, Self::Network { source: Some(source), .. } if source.is::<TimeIsOver>())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Status;

    #[test]
    fn a_cooldown_keeps_the_status_of_its_original_and_reports_its_age_and_end() {
        let original = Error::RateLimited {
            server: "https://cloud.mongodb.com".into(),
            description: "slow down".into(),
            http_status: 429,
            retry_after: Duration::from_secs(30),
            exchange: Exchange::new(2, Some("slow_down")),
        };
        let cooldown =
            Error::Cooldown { original: Box::new(original), age: Duration::from_secs(10), ends_in: Duration::from_millis(19_500) };

        assert_eq!(cooldown.status(), Status::RateLimited);
        assert_eq!(cooldown.http_status(), Some(429));
        assert_eq!(cooldown.retry_after(), Some(Duration::from_millis(19_500)));
        assert!(cooldown.is_remembered());
        assert_eq!((cooldown.age(), cooldown.attempts()), (Duration::from_secs(10), 2));
        assert_eq!(cooldown.oauth_code(), Some("slow_down"));
        let message = cooldown.to_string();
        assert!(message.contains("10 s ago") && message.contains("in 20 s"), "{message}");
    }
}
