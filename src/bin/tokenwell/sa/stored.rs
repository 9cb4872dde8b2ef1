//! Which secret a target has, after a command was killed that may have stored one there.

use crate::settings::is_variable_of;
use tokenwell::Config;
use tokenwell::config::profiles::ConfigFile;
use tokenwell::secret::Secret;
use zeroize::Zeroizing;

/// Whether a target has a secret of which only the mask is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    Yes,
    No,
    /// The mask does not show which secret the target has, or the target cannot be read.
    Unknown,
    /// Standard output, which cannot be read back.
    Printed,
}

/// The targets as flags of a command, in the form in which a shell reads them.
pub(super) fn as_flags(targets: &[String]) -> String {
    let quoted = |target: &String| shlex::try_quote(target).map_or_else(|_| "TARGET".to_owned(), std::borrow::Cow::into_owned);
    let flag = |target: &String| if target == SHOWN { format!("--{SHOWN}") } else { format!("--to {}", quoted(target)) };
    targets.iter().map(flag).collect::<Vec<_>>().join(" ")
}

/// The name of the target that is a flag of its own.
pub(super) const SHOWN: &str = "show-secret";

/// Looks for a secret of the account, by the characters that the `mask` of the API shows.
pub(super) fn find_secret(target: &str, client_id: &str, mask: Option<&str>) -> Found {
    let shown = mask.and_then(|mask| mask.rsplit('*').next()).unwrap_or_default();
    let compare = |value: &str| match value.ends_with(shown) {
        _ if shown.is_empty() => Found::Unknown,
        true => Found::Yes,
        false => Found::No,
    };
    match target.split_once(':') {
        Some(("file", path)) => match std::fs::read_to_string(path).map(Zeroizing::new) {
            Ok(content) => compare(content.trim_end_matches('\n')),
            Err(_) => Found::No,
        },
        Some(("profile" | "keyring", name)) => {
            let stored = ConfigFile::for_current_user().ok().and_then(|file| credential_of(&file, name));
            stored.filter(|(id, _)| id == client_id).map_or(Found::No, |(_, secret)| compare(secret.expose()))
        }
        // Only the command knows what it has stored.
        Some(("stdin-of", _)) => Found::Unknown,
        _ => Found::Printed,
    }
}

/// Reads the profile as a program would, without an account in the environment.
pub(super) fn credential_of(file: &ConfigFile, name: &str) -> Option<(String, Secret)> {
    let path = file.path().as_os_str().to_owned();
    let mut builder = Config::builder().environment(move |variable| match variable {
        "TOKENWELL_CONFIG_FILE" => Some(path.clone()),
        "TOKENWELL_EMULATOR" => std::env::var_os(variable),
        variable if is_variable_of(variable, |_| true) => None,
        variable => std::env::var_os(variable),
    });
    let config = builder.set("profile", name.as_bytes()).and_then(|()| builder.build()).ok()?;
    config.credential().ok()
}
