//! Who else than this user can get at a file or folder, and the command that closes it to them.

use std::fs::Metadata;

/// Who else than this user can get at a file or folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Exposure {
    /// The number of the user who owns it, if that is neither this one nor the administrator.
    pub(crate) stranger: Option<u32>,
    /// Whether others than its owner may read it.
    pub(crate) readable: bool,
    /// Whether others than its owner may write to it.
    pub(crate) writable: bool,
}

#[cfg(unix)]
pub(crate) fn exposure(metadata: &Metadata) -> Exposure {
    use std::os::unix::fs::MetadataExt;

    exposure_of(metadata.uid(), metadata.mode(), nix::unistd::geteuid().as_raw())
}

#[cfg(unix)]
fn exposure_of(owner: u32, mode: u32, this_user: u32) -> Exposure {
    let stranger = (owner != this_user && owner != 0).then_some(owner);
    Exposure { stranger, readable: mode & 0o044 != 0, writable: mode & 0o022 != 0 }
}

/// The folders of a user are closed to others by their access lists, which programs do not set one by one.
#[cfg(not(unix))]
pub(crate) fn exposure(_metadata: &Metadata) -> Exposure {
    Exposure { stranger: None, readable: false, writable: false }
}

/// How to make it private again, as a command.
pub(crate) fn closing_command(path: &str, mode: &str) -> String {
    let path = quoted(path);
    if cfg!(unix) { format!("chmod {mode} {path}") } else { format!("icacls {path} /inheritance:r /grant:r \"%USERNAME%\":F") }
}

/// A path as one word of a command.
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
    fn only_the_owner_and_the_administrator_are_no_strangers() {
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
        for (owner, mode, this_user, stranger, readable, writable) in table {
            let exposure = exposure_of(owner, 0o100_000 | mode, this_user);
            assert_eq!(exposure, Exposure { stranger, readable, writable }, "{owner} {mode:o} {this_user}");
        }
    }

    #[test]
    fn a_path_in_a_command_is_one_word_and_plain_where_it_can_be() {
        assert_eq!(closing_command("/home/x/.config/tokenwell/config.toml", "600"), "chmod 600 /home/x/.config/tokenwell/config.toml");
        assert_eq!(closing_command("/a b/$(c)", "600"), "chmod 600 '/a b/$(c)'");
        assert_eq!(closing_command("it's", "600"), r"chmod 600 'it'\''s'");
        assert_eq!(closing_command("", "600"), "chmod 600 ''");
    }
}
