//! The exit codes of the `tokenwell` command, of commands that exist and of commands that are
//! planned, in one table.

/// An exit code of the `tokenwell` command.
///
/// Numbers are stable and are never reused. `docs/cli.md` has the same table, and `tokenwell --help`
/// prints the codes of the commands that exist. Helpers for other programs (git, docker …) exit as
/// the protocol of that program requires, with 0 or 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
#[non_exhaustive]
pub enum ExitCode {
    /// The command succeeded.
    Success = 0,
    /// A bug, or a client that was closed.
    Internal = 1,
    /// Invalid command-line usage.
    Usage = 2,
    /// No usable credential.
    NotConfigured = 3,
    /// The server rejected the client.
    Rejected = 4,
    /// The network or the server failed.
    Server = 5,
    /// A limit of the server is reached.
    Limit = 6,
    /// No trusted TLS connection.
    Tls = 7,
    /// Refused for safety.
    Refused = 8,
    /// The deadline was exceeded.
    Deadline = 9,
    /// A file or standard output cannot be written.
    CannotWrite = 10,
    /// No usable token is cached.
    NotCached = 11,
    /// A check found something to report.
    Findings = 12,
    /// A rotation is not due.
    NotDue = 13,
    /// A secret was created, but a target does not have it.
    TargetFailed = 14,
    /// A change that needs several requests was interrupted.
    HalfDone = 15,
    /// Another host rotates the same secret.
    RotatedElsewhere = 16,
    /// The emulator failed before its command ended.
    EmulatorFailed = 125,
    /// The command of `exec` or `emulator` cannot be started.
    CannotStart = 126,
    /// The command of `exec` or `emulator` does not exist.
    NoSuchCommand = 127,
}

/// Whether a command that returns the code exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Use {
    Now,
    Planned,
}

impl ExitCode {
    /// Every exit code, in ascending order.
    const ALL: [Self; 20] = [
        Self::Success,
        Self::Internal,
        Self::Usage,
        Self::NotConfigured,
        Self::Rejected,
        Self::Server,
        Self::Limit,
        Self::Tls,
        Self::Refused,
        Self::Deadline,
        Self::CannotWrite,
        Self::NotCached,
        Self::Findings,
        Self::NotDue,
        Self::TargetFailed,
        Self::HalfDone,
        Self::RotatedElsewhere,
        Self::EmulatorFailed,
        Self::CannotStart,
        Self::NoSuchCommand,
    ];

    /// Every exit code, in ascending order.
    pub fn all() -> impl Iterator<Item = Self> {
        Self::ALL.into_iter()
    }

    /// The number.
    #[must_use]
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// Whether only commands that are planned return it.
    #[must_use]
    pub fn is_planned(self) -> bool {
        self.row().0 == Use::Planned
    }

    /// What the code means, in one sentence without a final period.
    #[must_use]
    pub const fn meaning(self) -> &'static str {
        self.row().1
    }

    /// The table. The compiler checks that every code has a row.
    #[rustfmt::skip]
    const fn row(self) -> (Use, &'static str) {
        match self {
            Self::Success => (Use::Now, "success"),
            Self::Internal => (Use::Now, "the client was closed, or a bug in tokenwell"),
            Self::Usage => (Use::Now, "invalid argument, flag or setting"),
            Self::NotConfigured => (Use::Now, "no usable credential, or conflicting settings"),
            Self::Rejected => (Use::Now, "the server rejected the client; a retry does not help"),
            Self::Server => (Use::Now, "network, server or protocol error"),
            Self::Limit => (Use::Now, "too many valid tokens, or too many requests"),
            Self::Tls => (Use::Now, "TLS handshake failed"),
            Self::Refused => (Use::Now, "refused for safety"),
            Self::Deadline => (Use::Now, "deadline exceeded: no token within the timeout"),
            Self::CannotWrite => (Use::Now, "a file or standard output cannot be written"),
            Self::NotCached => (Use::Planned, "no usable token is cached, and no request was allowed"),
            Self::Findings => (Use::Now, "the check is complete and found something to report"),
            Self::NotDue => (Use::Planned, "rotation: nothing to do"),
            Self::TargetFailed => (Use::Now, "done, but a target does not have the new secret"),
            Self::HalfDone => (Use::Now, "half done; the message says how to complete or undo it"),
            Self::RotatedElsewhere => (Use::Planned, "rotation: another host is rotating this secret"),
            Self::EmulatorFailed => (Use::Now, "emulator: it failed before its command ended"),
            Self::CannotStart => (Use::Now, "exec, emulator: the command cannot be started"),
            Self::NoSuchCommand => (Use::Now, "exec, emulator: the command does not exist"),
        }
    }
}

impl From<ExitCode> for std::process::ExitCode {
    fn from(code: ExitCode) -> Self {
        Self::from(code.number())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Status;

    #[test]
    fn the_table_is_in_ascending_order_without_a_gap_below_the_codes_of_a_shell() {
        let numbers: Vec<u8> = ExitCode::all().map(ExitCode::number).collect();

        let expected: Vec<u8> = (0..=16).chain(125..=127).collect();
        assert_eq!(numbers, expected);
    }

    #[test]
    fn every_status_has_an_exit_code_of_the_table_and_only_a_missing_token_a_planned_one() {
        for status in Status::all() {
            let code = status.exit_code();
            assert!(ExitCode::all().any(|each| each == code), "{status}");
            assert_eq!(code.is_planned(), status == Status::NotCached, "{status}");
        }
    }
}
