//! The statuses of a call: number, name, exit code and meaning of each, in one table.

use super::ExitCode;
use std::ffi::CStr;
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
    /// `unauthorized_client` or `invalid_scope`. Also if an API rejected several new tokens.
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
    /// The client or queue was closed, or the operation was canceled.
    Closed = 12,
    /// A bug in tokenwell.
    Internal = 13,
    /// The result is not available yet: the operation was started and continues. Never an error.
    Pending = 14,
    /// No usable token is in memory, and the caller allowed nothing else.
    NotCached = 15,
    /// A file or standard output cannot be written. Returned only by the `tokenwell` command.
    CannotWrite = 16,
}

/// What is fixed for each status, in the order of the numbers. README.md has the same table.
#[rustfmt::skip]
const TABLE: [(Status, &CStr, ExitCode, &str); 17] = [
    (Status::Ok, c"OK", ExitCode::Success, "the call succeeded"),
    (Status::InvalidArgument, c"INVALID_ARGUMENT", ExitCode::Usage, "an argument, a flag or a setting is invalid"),
    (Status::NotConfigured, c"NOT_CONFIGURED", ExitCode::NotConfigured, "no usable credential, or settings that contradict each other; the message names the sources that were searched"),
    (Status::CredentialRejected, c"CREDENTIAL_REJECTED", ExitCode::Rejected, "the server rejected the client; a retry does not help"),
    (Status::TokenLimit, c"TOKEN_LIMIT", ExitCode::Limit, "the service account has 100 valid tokens already"),
    (Status::RateLimited, c"RATE_LIMITED", ExitCode::Limit, "too many token requests"),
    (Status::Network, c"NETWORK", ExitCode::Server, "the DNS lookup or the connection failed"),
    (Status::Tls, c"TLS", ExitCode::Tls, "no trusted TLS connection: unknown authority, wrong name, expired certificate"),
    (Status::Deadline, c"DEADLINE", ExitCode::Deadline, "the caller's deadline was exceeded; the refresh may still complete for other callers"),
    (Status::Server, c"SERVER", ExitCode::Server, "the server answered with a 5xx status"),
    (Status::Protocol, c"PROTOCOL", ExitCode::Server, "the response is not a valid token response"),
    (Status::Refused, c"REFUSED", ExitCode::Refused, "not done because it is unsafe: a redirect, plain http to another host, a file that other users can change"),
    (Status::Closed, c"CLOSED", ExitCode::Internal, "the client or queue was closed, or the operation was canceled"),
    (Status::Internal, c"INTERNAL", ExitCode::Internal, "a bug in tokenwell; please report it"),
    (Status::Pending, c"PENDING", ExitCode::Success, "the operation was started and continues; never an error"),
    (Status::NotCached, c"NOT_CACHED", ExitCode::NotCached, "no usable token is in memory, and the caller allowed nothing else"),
    (Status::CannotWrite, c"CANNOT_WRITE", ExitCode::CannotWrite, "a file or standard output cannot be written; only the command returns it"),
];

impl Status {
    /// Every status, in the order of the numbers.
    pub fn all() -> impl Iterator<Item = Self> {
        TABLE.iter().map(|(status, ..)| *status)
    }

    /// The stable name: `RATE_LIMITED`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self.c_name().to_str() {
            Ok(name) => name,
            // Not reached: the names are ASCII.
            Err(_) => "",
        }
    }

    /// The stable name, NUL-terminated for C.
    pub(crate) const fn c_name(self) -> &'static CStr {
        TABLE[self as usize].1
    }

    /// The stable number, as the C ABI returns it.
    #[must_use]
    pub const fn code(self) -> i32 {
        self as i32
    }

    /// The status with this number, if there is one.
    #[must_use]
    pub fn from_code(code: i32) -> Option<Self> {
        TABLE.get(usize::try_from(code).ok()?).map(|(status, ..)| *status)
    }

    /// The exit code of the `tokenwell` command for this status.
    #[must_use]
    pub const fn exit_code(self) -> ExitCode {
        TABLE[self as usize].2
    }

    /// What the status means, in one sentence without a final period.
    #[must_use]
    pub const fn meaning(self) -> &'static str {
        TABLE[self as usize].3
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
    fn every_status_is_in_the_row_of_its_number() {
        for (row, status) in Status::all().enumerate() {
            assert_eq!(usize::try_from(status.code()), Ok(row), "{status}");
            assert_eq!(Status::from_code(status.code()), Some(status));
        }
        assert_eq!(Status::from_code(17), None);
        assert_eq!(Status::from_code(-1), None);
    }

    #[test]
    fn the_names_are_those_of_the_variants() {
        for status in Status::all() {
            assert_eq!(status.name().replace('_', "").to_lowercase(), format!("{status:?}").to_lowercase());
        }
    }
}
