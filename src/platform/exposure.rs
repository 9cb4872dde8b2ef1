//! Checks whether other users can access a file or directory, and builds the command that makes it
//! private.

use std::fs::Metadata;

/// The access that other users have to a file or directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Exposure {
    /// The user id of the owner, if the owner is neither this user nor root.
    pub(crate) foreign_owner: Option<u32>,
    /// Whether users other than the owner may read it.
    pub(crate) readable: bool,
    /// Whether users other than the owner may write to it.
    pub(crate) writable: bool,
}

#[cfg(unix)]
pub(crate) fn exposure(metadata: &Metadata) -> Exposure {
    use std::os::unix::fs::MetadataExt;

    exposure_of(metadata.uid(), metadata.mode(), nix::unistd::geteuid().as_raw())
}

#[cfg(unix)]
fn exposure_of(owner: u32, mode: u32, this_user: u32) -> Exposure {
    let foreign_owner = (owner != this_user && owner != 0).then_some(owner);
    Exposure { foreign_owner, readable: mode & 0o044 != 0, writable: mode & 0o022 != 0 }
}

/// Reports no exposure. Outside Unix, inherited access lists keep other users out of a user's
/// directories; programs do not set them for each file.
#[cfg(not(unix))]
pub(crate) fn exposure(_metadata: &Metadata) -> Exposure {
    Exposure { foreign_owner: None, readable: false, writable: false }
}

/// Returns the shell command that makes the file or directory at `path` private.
///
/// `mode` is the octal mode for `chmod`; it is not used outside Unix.
pub(crate) fn make_private_command(path: &str, mode: &str) -> String {
    let path = quoted(path);
    if cfg!(unix) { format!("chmod {mode} {path}") } else { format!("icacls {path} /inheritance:r /grant:r \"%USERNAME%\":F") }
}

/// Returns `path` as one word of a shell command, quoted if necessary.
pub(crate) fn quoted(path: &str) -> String {
    let plain = |character: char| character.is_ascii_alphanumeric() || "/._-+:@%=,".contains(character);
    if cfg!(unix) && !path.is_empty() && path.chars().all(plain) {
        return path.to_owned();
    }
    if cfg!(unix) { format!("'{}'", path.replace('\'', r"'\''")) } else { format!("\"{path}\"") }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn every_owner_except_this_user_and_root_is_foreign() {
        let table = [
            (1000, 0o600, 1000, None, false, false),
            (0, 0o600, 1000, None, false, false),
            (1001, 0o600, 1000, Some(1001), false, false),
            (1000, 0o600, 0, Some(1000), false, false),
            (1000, 0o640, 1000, None, true, false),
            (1000, 0o604, 1000, None, true, false),
            (1000, 0o620, 1000, None, false, true),
            (1000, 0o602, 1000, None, false, true),
            (1000, 0o711, 1000, None, false, false),
        ];
        for (owner, mode, this_user, foreign_owner, readable, writable) in table {
            let exposure = exposure_of(owner, 0o100_000 | mode, this_user);
            assert_eq!(exposure, Exposure { foreign_owner, readable, writable }, "{owner} {mode:o} {this_user}");
        }
    }

    #[test]
    fn a_path_in_a_command_is_one_word_and_is_quoted_only_if_necessary() {
        assert_eq!(make_private_command("/home/x/.config/tokenwell/config.toml", "600"), "chmod 600 /home/x/.config/tokenwell/config.toml");
        assert_eq!(make_private_command("/a b/$(c)", "600"), "chmod 600 '/a b/$(c)'");
        assert_eq!(make_private_command("it's", "600"), r"chmod 600 'it'\''s'");
        assert_eq!(make_private_command("", "600"), "chmod 600 ''");
    }
}
