//! Tells whether the environment of this process comes from a user who must not control it.

/// Returns whether this process has more privileges than the user that started it: it is
/// set-user-ID or set-group-ID, or its file has capabilities. Its environment variables are then
/// those of a user who may want to use these privileges.
///
/// The user ids alone do not show this: a program with file capabilities runs under the user's own
/// id.
pub(crate) fn is_privileged() -> bool {
    #[cfg(unix)]
    return is_secure_execution(super::unix::sys::secure_execution());
    #[cfg(not(unix))]
    return false;
}

/// `flag` is what the system reports. A system that reports nothing could hide a privileged
/// process, so that counts as yes.
#[cfg(unix)]
fn is_secure_execution(flag: Option<bool>) -> bool {
    flag.unwrap_or(true)
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn r5_an_unknown_flag_counts_as_privileged() {
        assert!(is_secure_execution(None) && is_secure_execution(Some(true)));
        assert!(!is_secure_execution(Some(false)));
    }

    #[test]
    fn r5_the_test_program_is_not_privileged() {
        assert!(!is_privileged());
    }
}
