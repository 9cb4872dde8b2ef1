//! The numbers of the outcomes, and what else is fixed for each: its name and its exit code.

use std::fmt;

/// The status of a call.
///
/// The numbers are stable and the same in every language. The exit code of the `tokenwell` command
/// is derived from them. Numbers are never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(i32)]
#[non_exhaustive]
pub enum Status {
    /// The call succeeded.
    Ok = 0,
    /// An argument or setting of this call is invalid.
    InvalidArgument = 1,
    /// There is no usable credential, or settings contradict each other.
    NotConfigured = 2,
    /// The authorization server rejected the client, for example with `invalid_client`,
    /// `unauthorized_client` or `invalid_scope`.
    CredentialRejected = 3,
    /// The account already has as many valid access tokens as Atlas allows (100).
    TokenLimit = 4,
    /// The authorization server requires a pause before the next token request.
    RateLimited = 5,
    /// The server could not be reached, or the connection broke.
    Network = 6,
    /// The TLS handshake failed, for example because of an unknown certificate authority, a wrong
    /// host name or an expired certificate.
    Tls = 7,
    /// The deadline of this call was exceeded. A refresh in progress may still finish for other
    /// callers.
    Deadline = 8,
    /// The server answered with an HTTP 5xx status.
    Server = 9,
    /// The server's reply is not a token response.
    Protocol = 10,
    /// tokenwell refused to continue for safety, for example because of a redirect, plain http to a
    /// host that is not loopback, or an unsafe file.
    Refused = 11,
    /// The client was closed.
    Closed = 12,
    /// A bug in tokenwell.
    Internal = 13,
}

impl Status {
    /// The stable name: `RATE_LIMITED`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ok => "OK",
            Self::InvalidArgument => "INVALID_ARGUMENT",
            Self::NotConfigured => "NOT_CONFIGURED",
            Self::CredentialRejected => "CREDENTIAL_REJECTED",
            Self::TokenLimit => "TOKEN_LIMIT",
            Self::RateLimited => "RATE_LIMITED",
            Self::Network => "NETWORK",
            Self::Tls => "TLS",
            Self::Deadline => "DEADLINE",
            Self::Server => "SERVER",
            Self::Protocol => "PROTOCOL",
            Self::Refused => "REFUSED",
            Self::Closed => "CLOSED",
            Self::Internal => "INTERNAL",
        }
    }

    /// The stable number, as the C ABI returns it.
    #[must_use]
    pub const fn code(self) -> i32 {
        self as i32
    }

    /// The status with this number, if there is one.
    #[must_use]
    pub const fn from_code(code: i32) -> Option<Self> {
        Some(match code {
            0 => Self::Ok,
            1 => Self::InvalidArgument,
            2 => Self::NotConfigured,
            3 => Self::CredentialRejected,
            4 => Self::TokenLimit,
            5 => Self::RateLimited,
            6 => Self::Network,
            7 => Self::Tls,
            8 => Self::Deadline,
            9 => Self::Server,
            10 => Self::Protocol,
            11 => Self::Refused,
            12 => Self::Closed,
            13 => Self::Internal,
            _ => return None,
        })
    }

    /// The exit code of the `tokenwell` command for this outcome.
    #[must_use]
    pub const fn exit_code(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::InvalidArgument => 2,
            Self::NotConfigured => 3,
            Self::CredentialRejected => 4,
            Self::Network | Self::Server | Self::Protocol => 5,
            Self::TokenLimit | Self::RateLimited => 6,
            Self::Tls => 7,
            Self::Refused => 8,
            Self::Deadline => 9,
            Self::Closed | Self::Internal => 1,
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_number_maps_back_to_itself() {
        for code in 0..=13 {
            assert_eq!(Status::from_code(code).map(Status::code), Some(code));
        }
        assert_eq!(Status::from_code(14), None);
        assert_eq!(Status::from_code(-1), None);
    }
}
