//! The source of the client id and the client secret, which are read together for each token
//! request.

use super::bounded::read_bounded;
use super::recipient::{ID_PREFIX, Recipient, SECRET_PREFIX};
use super::rules::SECRET_LIMIT;
use super::secret_provider::{ProvidedSecret, SecretRequests};
use super::setting::Key;
use crate::credential::{Credential, Credentials};
use crate::error::{Error, Exchange, os_reason, printable, printable_path};
use crate::platform;
use crate::secret::Secret;
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// The source of the client id and the client secret.
#[derive(Clone, Debug)]
pub(crate) enum CredentialSource {
    /// Set once, in code or in the environment.
    Fixed(Credential),
    /// The secret is in a file, which is read for every token request.
    ///
    /// Nothing is kept between two reads: a rotated secret needs no restart, and a forked child
    /// inherits no lock. A token request costs a thousand times as much as the read.
    SecretFile {
        /// The client id that belongs to the secret in the file.
        client_id: String,
        /// The file that contains the secret.
        path: PathBuf,
        /// The server that receives the secret.
        recipient: Recipient,
        /// The setting, variable or line of a file that names `path`, for messages.
        location: String,
        /// The sources of the id and the secret, for messages.
        origin: String,
    },
    /// The program delivers the secret for every token request.
    Provided(ProvidedSecret),
}

impl CredentialSource {
    /// Returns the credentials of a new client.
    pub(crate) fn for_client(self) -> Box<dyn Credentials> {
        match self {
            Self::Provided(provided) => Box::new(SecretRequests::new(provided)),
            other => Box::new(other),
        }
    }

    /// Returns the client id, which never changes.
    pub(crate) fn client_id(&self) -> &str {
        match self {
            Self::Fixed(credential) => &credential.client_id,
            Self::SecretFile { client_id, .. } | Self::Provided(ProvidedSecret { client_id, .. }) => client_id,
        }
    }

    /// Returns the file that contains the secret, if it is in a file.
    pub(super) fn file(&self) -> Option<&Path> {
        match self {
            Self::Fixed(_) | Self::Provided(_) => None,
            Self::SecretFile { path, .. } => Some(path),
        }
    }
}

impl Credentials for CredentialSource {
    fn current(&self) -> Result<Credential, Error> {
        match self {
            Self::Fixed(credential) => Ok(credential.clone()),
            Self::SecretFile { client_id, path, recipient, location, origin } => {
                let client_secret = read_secret(path, location, recipient)?;
                Ok(Credential { client_id: client_id.clone(), client_secret, origin: origin.clone() })
            }
            Self::Provided(provided) => SecretRequests::new(provided.clone()).current(),
        }
    }

    fn reload(&self, rejected: &Credential) -> Result<Option<Credential>, Error> {
        if matches!(self, Self::Fixed(_)) {
            return Ok(None);
        }
        let current = self.current()?;
        Ok((current.client_secret.expose() != rejected.client_secret.expose()).then_some(current))
    }
}

/// Returns the client id for a report or a log. A value that looks like a client secret is not
/// shown.
pub(crate) fn client_id_to_show(client_id: &str) -> String {
    if client_id.contains(SECRET_PREFIX) {
        return "[not shown: it looks like a client secret]".to_owned();
    }
    printable(client_id, 200)
}

/// Returns the client id for a sentence. It is enclosed in backquotes unless it is clear where it
/// ends.
pub(crate) fn client_id_in_sentence(client_id: &str) -> String {
    let shown = client_id_to_show(client_id);
    let is_clear = |character: char| character.is_ascii_alphanumeric() || matches!(character, '-' | '_' | '.');
    if client_id.contains(SECRET_PREFIX) || client_id.chars().all(is_clear) { shown } else { format!("`{shown}`") }
}

/// Returns advice on a rejected credential, if its characters suggest a mistake.
pub(crate) fn advice_on(credential: &Credential) -> Option<&'static str> {
    let (id, secret) = (credential.client_id.as_str(), credential.client_secret.expose());
    format_hint(Some(id), Some(secret)).or_else(|| surrounding_characters(id, secret))
}

/// Finds characters that shells, variable files and copying leave around a value. The server treats
/// them as part of the value.
fn surrounding_characters(client_id: &str, client_secret: &str) -> Option<&'static str> {
    let wrapped_in = |text: &str, marks: fn(char) -> bool| text.starts_with(marks) || text.ends_with(marks);
    let quotes = |mark| matches!(mark, '"' | '\'' | '`');
    let space = char::is_whitespace;
    if wrapped_in(client_secret, space) {
        return Some("The client secret has leading or trailing whitespace. Remove it.");
    }
    if wrapped_in(client_secret, quotes) {
        return Some("The client secret has a leading or trailing quotation mark. Remove the quotation marks.");
    }
    if wrapped_in(client_id, space) {
        return Some("The client id has leading or trailing whitespace. Remove it.");
    }
    wrapped_in(client_id, quotes).then_some("The client id has a leading or trailing quotation mark. Remove the quotation marks.")
}

/// Returns what the format of an id and a secret suggests. The format proves nothing, so no value
/// is ever rejected for it.
pub(super) fn format_hint(client_id: Option<&str>, client_secret: Option<&str>) -> Option<&'static str> {
    let id_is_a_secret = client_id.is_some_and(|id| id.starts_with(SECRET_PREFIX));
    let secret_is_an_id = client_secret.is_some_and(|secret| secret.starts_with(ID_PREFIX));
    if id_is_a_secret && secret_is_an_id {
        return Some("The client id and the client secret look swapped. Swap the two values.");
    }
    if id_is_a_secret {
        return Some("The value of the client id looks like a client secret (mdb_sa_sk_…).");
    }
    if secret_is_an_id {
        return Some("The value of the client secret looks like a client id (mdb_sa_id_…).");
    }
    if client_id.is_some_and(is_public_key_like) && client_secret.is_some_and(is_uuid) {
        return Some(
            "These values look like the public and the private key of a programmatic API key, which cannot be used to request tokens. Create a \
             service account and use its client id and client secret.",
        );
    }
    None
}

fn is_public_key_like(text: &str) -> bool {
    text.len() == 8 && text.bytes().all(|byte| byte.is_ascii_lowercase())
}

fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text
            .bytes()
            .enumerate()
            .all(|(index, byte)| if matches!(index, 8 | 13 | 18 | 23) { byte == b'-' } else { byte.is_ascii_hexdigit() })
}

/// Reads the secret from the file at `path`, without the newline at its end.
fn read_secret(path: &Path, location: &str, recipient: &Recipient) -> Result<Secret, Error> {
    let content = read(path, location)?;
    let bytes = content.strip_suffix(b"\n").map_or(&content[..], |line| line.strip_suffix(b"\r").unwrap_or(line));
    let unusable = |problem: &str, hint: &str| unusable_file(path, location, problem, hint);
    if bytes.is_empty() {
        let shown = printable_path(path);
        let hint = format!("Write the client secret to it. To replace it safely, write a new file and rename it to {shown}.");
        return Err(unusable("is empty", &hint));
    }
    if bytes.len() > SECRET_LIMIT {
        return Err(unusable("is longer than 64 KiB", "Check that it is the file that contains the client secret."));
    }
    if bytes.starts_with(b"\xef\xbb\xbf") || bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") {
        return Err(unusable("begins with a byte order mark", "Save it as plain ASCII or as UTF-8 without a byte order mark."));
    }
    const ONE_LINE: &str = "The file must contain only the client secret, and at most one newline at its end.";
    if let Some(index) = bytes.iter().position(|byte| *byte == b'\n') {
        return Err(unusable(&format!("contains more than one line (newline at byte {})", index + 1), ONE_LINE));
    }
    let checked = Key::ClientSecret.setting().check("the client secret", bytes);
    match checked.and_then(|text| recipient.check_secret("the client secret", text).map(|()| text)) {
        Ok(text) => Ok(Secret::from(text)),
        Err(Error::InvalidArgument { problem, .. }) => Err(unusable(&problem, ONE_LINE)),
        Err(error) => Err(error),
    }
}

/// Reads enough of the file to detect that it is too long.
fn read(path: &Path, location: &str) -> Result<Zeroizing<Vec<u8>>, Error> {
    const HINT: &str = "Check that the path is correct, and that this user may read the file.";
    let failed = |error: &std::io::Error| unusable_file(path, location, &format!("cannot be read: {}", os_reason(error)), HINT);

    let mut file = platform::open_nonblocking(path).map_err(|error| failed(&error))?;
    // Check the opened file: the path may lead to another file by now.
    let metadata = file.metadata().map_err(|error| failed(&error))?;
    if !metadata.is_file() {
        return Err(unusable_file(path, location, "is not a regular file", HINT));
    }
    // Readable by others is accepted: containers mount secrets with such modes. No container system
    // mounts a secret writable.
    if platform::exposure(&metadata).writable {
        return Err(writable_by_others(path, location));
    }
    read_bounded(&mut file, SECRET_LIMIT + "\r\n".len() + 1).map_err(|error| failed(&error))
}

fn unusable_file(path: &Path, location: &str, problem: &str, hint: &str) -> Error {
    Error::NotConfigured {
        problem: format!("the client secret file {} (set by {location}) {problem}", printable_path(path)),
        hint: hint.to_owned(),
    }
}

fn writable_by_others(path: &Path, location: &str) -> Error {
    let path = printable_path(&std::path::absolute(path).unwrap_or(path.to_owned()));
    let for_readers =
        if cfg!(unix) { format!(" (or chmod go-w {}, if others must read it)", platform::quoted(&path)) } else { String::new() };
    Error::Refused {
        problem: format!("the client secret file {path} (set by {location}) is writable by other users, who could replace the credential"),
        hint: format!(
            "Remove the permissions of other users: {}{for_readers}. If the file system does not show the real permissions, set the secret \
             itself (client_secret, TOKENWELL_CLIENT_SECRET, or --client-secret-stdin of the command).",
            platform::make_private_command(&path, "600")
        ),
        http_status: None,
        exchange: Exchange::default(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::*;
    use crate::error::Status;
    use std::fs;

    fn secret_file(path: PathBuf) -> CredentialSource {
        let (client_id, location, origin) = ("id".to_owned(), "client_secret_file".to_owned(), String::new());
        CredentialSource::SecretFile { client_id, path, recipient: Recipient::atlas(), location, origin }
    }

    fn source(content: &[u8]) -> (tempfile::TempDir, CredentialSource, PathBuf) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("secret");
        fs::write(&path, content).unwrap();
        set_mode(&path, 0o600);
        let source = secret_file(path.clone());
        (directory, source, path)
    }

    #[cfg(unix)]
    fn set_mode(path: &Path, mode: u32) {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    #[cfg(not(unix))]
    fn set_mode(_path: &Path, _mode: u32) {}

    #[cfg(unix)]
    #[test]
    fn i10_a_file_that_others_may_write_is_refused_and_one_that_they_may_read_is_not() {
        let (_directory, source, path) = source(b"canary");
        for mode in [0o666, 0o622, 0o620, 0o602, 0o664, 0o777] {
            set_mode(&path, mode);

            let error = source.current().unwrap_err();

            assert_eq!(error.status(), Status::Refused, "{mode:o}: {error}");
            assert!(error.to_string().contains(path.to_str().unwrap()), "{error}");
            assert!(error.hint().contains(&format!("chmod 600 {}", path.display())), "{}", error.hint());
            assert!(!format!("{error} {error:?}").contains("canary"));
        }
        for mode in [0o644, 0o444, 0o440, 0o640, 0o600, 0o400] {
            set_mode(&path, mode);
            assert_eq!(source.current().unwrap().client_secret.expose(), "canary", "{mode:o}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn i11_the_file_that_a_link_leads_to_is_judged_and_not_the_link() {
        let (directory, _, path) = source(b"canary");
        // The mode of a link itself allows everything; only the mode of the file counts.
        let link = directory.path().join("link");
        std::os::unix::fs::symlink(&path, &link).unwrap();
        let source = secret_file(link);

        assert!(source.current().is_ok());
        set_mode(&path, 0o666);
        assert_eq!(source.current().unwrap_err().status(), Status::Refused);
    }

    #[test]
    fn one_newline_at_the_end_of_the_file_is_not_part_of_the_secret() {
        for content in ["canary", "canary\n", "canary\r\n"] {
            let (_directory, source, _) = source(content.as_bytes());

            let credential = source.current().unwrap();

            assert_eq!(credential.client_secret.expose(), "canary");
            assert_eq!(credential.client_id, "id");
        }
    }

    #[test]
    fn a_changed_file_brings_the_new_secret_without_a_restart() {
        let (_directory, source, path) = source(b"first");
        let first = source.current().unwrap();

        // The same length, and most likely the same timestamp: neither must matter.
        fs::write(&path, "secnd").unwrap();

        assert_eq!(source.current().unwrap().client_secret.expose(), "secnd");
        assert_eq!(source.reload(&first).unwrap().unwrap().client_secret.expose(), "secnd");
    }

    #[test]
    fn reloading_an_unchanged_file_brings_nothing() {
        let (_directory, source, _) = source(b"canary\n");
        let rejected = source.current().unwrap();

        assert!(source.reload(&rejected).unwrap().is_none());
    }

    #[test]
    fn reloading_a_fixed_pair_brings_nothing() {
        let credential = Credential { client_id: "id".to_owned(), client_secret: Secret::from("canary"), origin: String::new() };
        let source = CredentialSource::Fixed(credential.clone());

        assert!(source.reload(&credential).unwrap().is_none());
    }

    #[test]
    fn a_file_of_64_kib_is_read_and_a_longer_one_is_not() {
        let longest = "s".repeat(SECRET_LIMIT);
        for newline in ["", "\n", "\r\n"] {
            let (_directory, source, _) = source(format!("{longest}{newline}").as_bytes());
            assert_eq!(source.current().unwrap().client_secret.expose(), longest);
        }

        for more in ["s", "s\n", "ssssssssss"] {
            let (_directory, source, _) = source(format!("{longest}{more}").as_bytes());
            assert_eq!(source.current().unwrap_err().status(), Status::NotConfigured);
        }
    }

    #[test]
    fn an_unusable_file_is_named_and_its_content_is_not() {
        let table: [&[u8]; 9] = [
            b"",
            b"\n",
            b"can\nary",
            b"canary\n\n",
            b"canary\0",
            b"can\x1bary",
            b"canary\xff",
            b"\xef\xbb\xbfcanary",
            "can\u{e4}ry canary".as_bytes(),
        ];
        for content in table {
            let (_directory, source, path) = source(content);

            let error = source.current().unwrap_err();

            assert_eq!(error.status(), Status::NotConfigured, "{error}");
            let shown = format!("{error} {error:?} {}", error.hint());
            assert!(error.to_string().contains(path.file_name().unwrap().to_str().unwrap()), "{shown}");
            assert!(!shown.contains("canary"), "{shown}");
        }
    }

    #[test]
    fn a_missing_file_and_a_directory_are_errors_that_name_the_path() {
        let (directory, mut source, path) = source(b"canary");
        fs::remove_file(&path).unwrap();
        let missing = source.current().unwrap_err();
        assert!(missing.status() == Status::NotConfigured && missing.to_string().contains("secret"), "{missing}");

        source = secret_file(directory.path().to_owned());
        assert_eq!(source.current().unwrap_err().status(), Status::NotConfigured);
    }

    #[cfg(unix)]
    #[test]
    fn a_pipe_is_not_waited_for() {
        let (directory, _, _) = source(b"");
        let path = directory.path().join("pipe");
        nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).unwrap();

        let error = secret_file(path).current().unwrap_err();

        assert!(error.to_string().contains("not a regular file"), "{error}");
    }

    #[cfg(unix)]
    #[test]
    fn a_link_that_is_swapped_leads_to_the_new_secret() {
        let (directory, _, first) = source(b"first");
        let (link, second) = (directory.path().join("link"), directory.path().join("second"));
        std::os::unix::fs::symlink(&first, &link).unwrap();
        let source = secret_file(link.clone());
        assert_eq!(source.current().unwrap().client_secret.expose(), "first");

        fs::write(&second, "second\n").unwrap();
        set_mode(&second, 0o600);
        std::os::unix::fs::symlink(&second, directory.path().join("new")).unwrap();
        fs::rename(directory.path().join("new"), &link).unwrap();

        assert_eq!(source.current().unwrap().client_secret.expose(), "second");
    }

    #[test]
    fn what_is_wrapped_around_an_id_or_a_secret_is_pointed_out_without_showing_it() {
        let advice = |id: &str, secret: &str| {
            let pair = Credential { client_id: id.to_owned(), client_secret: Secret::from(secret), origin: String::new() };
            advice_on(&pair).unwrap_or_default()
        };
        let secrets = [
            (" canary", "secret has leading or trailing whitespace"),
            ("canary ", "secret has leading or trailing whitespace"),
            ("\"canary\"", "secret has a leading or trailing quotation mark"),
            ("'canary", "secret has a leading or trailing quotation mark"),
            ("canary`", "secret has a leading or trailing quotation mark"),
            ("can ' ary", ""),
        ];

        for (value, expected) in secrets {
            let (of_secret, of_id) = (advice("id", value), advice(value, "secret"));

            assert!(of_secret.contains(expected) && of_secret.is_empty() == expected.is_empty(), "{value}: {of_secret}");
            assert!(of_id.contains(&expected.replace("secret", "id")) && of_id.is_empty() == expected.is_empty(), "{value}: {of_id}");
            assert!(!of_secret.contains("canary") && !of_id.contains("canary"));
        }
    }

    #[test]
    fn i21_what_looks_like_a_secret_is_not_shown_as_a_client_id() {
        for id in ["mdb_sa_sk_canary", "\"mdb_sa_sk_canary\"", " mdb_sa_sk_canary"] {
            assert!(!client_id_to_show(id).contains("canary"), "{id}");
        }
        assert_eq!(client_id_to_show("mdb_sa_id_0123\u{1b}"), "mdb_sa_id_0123\\u{1b}");
    }

    #[test]
    fn a_client_id_of_an_unusual_form_is_quoted_in_a_sentence() {
        assert_eq!(client_id_in_sentence("mdb_sa_id_0123"), "mdb_sa_id_0123");
        assert_eq!(client_id_in_sentence("$ATLAS_ID"), "`$ATLAS_ID`");
        assert_eq!(client_id_in_sentence("id "), "`id `");
        assert!(!client_id_in_sentence(" mdb_sa_sk_canary").contains(['`', 'y']));
    }

    #[test]
    fn shapes_hint_at_mix_ups() {
        let (id, secret) = ("mdb_sa_id_0123456789abcdef01234567", "mdb_sa_sk_0123456789");
        let hint = |id, secret| format_hint(Some(id), Some(secret)).unwrap_or_default();

        assert_eq!(hint(id, secret), "");
        assert_eq!(hint("any", "thing"), "");
        assert!(hint(secret, id).contains("swapped"));
        assert!(hint(secret, secret).contains("looks like a client secret"));
        assert!(hint(id, id).contains("looks like a client id"));
        assert!(hint("abcdefgh", "01234567-89ab-cdef-0123-456789abcdef").contains("programmatic API key"));
        assert_eq!(hint("abcdefgh", "0123456789abcdef"), "");
    }
}
