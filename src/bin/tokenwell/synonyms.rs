//! What users of similar commands write for flags and commands of this one. clap suggests only names
//! that are spelled alike.

/// A flag of other programs, and flags of ours in the order of preference.
const FLAGS: [(&[&str], &[&str]); 16] = [
    (&["--format", "--output", "--output-format", "--out", "-o", "-f"], &["--format", "--shell", "--json"]),
    (&["--json-output", "--as-json", "-j"], &["--json"]),
    (&["--token", "--access-token"], &["--token-stdin", "--client-secret-stdin"]),
    (&["--stdin"], &["--token-stdin", "--client-secret-stdin"]),
    (&["--id", "--client", "--user", "--username", "--public-key"], &["--client-id"]),
    (&["--secret-file", "--key-file", "--password-file"], &["--client-secret-file"]),
    (&["--url", "--host", "--server", "--endpoint", "--api-url", "--atlas-url", "--ops-manager-url"], &["--base-url"]),
    (&["--token-endpoint", "--issuer"], &["--token-url"]),
    (&["--ttl", "--lifetime", "--min-lifetime", "--min-validity", "--valid-for"], &["--min-ttl"]),
    (&["--deadline", "--wait", "--max-time", "--connect-timeout", "--request-timeout", "--timeout-ms"], &["--timeout"]),
    (&["--refresh", "--renew", "--force", "--new"], &["--force-refresh", "--force", "--mint"]),
    (&["--cacert", "--ca-cert", "--ca", "--cafile", "--ca-bundle"], &["--ca-file"]),
    (&["--cache", "--nocache", "--cache=off"], &["--no-cache"]),
    (&["--reader", "--shell", "--eval"], &["--shell", "--format"]),
    (&["-p", "--account", "--context"], &["--profile"]),
    (&["--silent", "--no-warnings"], &["--quiet"]),
];

/// A command of other programs, the command above it (empty: none), and what to write.
const COMMANDS: [(&[&str], &str, &str); 14] = [
    (&["version"], "", "tokenwell --version"),
    (&["get", "get-token", "print-token", "print-access-token", "access-token", "tokens", "fetch", "new"], "", "tokenwell token"),
    (&["run", "with", "wrap"], "", "tokenwell exec"),
    (&["refresh", "renew"], "", "tokenwell token --force-refresh"),
    (&["auth", "configure", "config", "init", "setup", "add"], "", "tokenwell login"),
    (&["list", "ls", "profiles", "accounts"], "", "tokenwell profile list"),
    (&["use", "switch"], "", "tokenwell profile use"),
    (&["check", "diagnose", "test", "ping"], "", "tokenwell doctor"),
    (&["show", "info", "whoami-check"], "", "tokenwell status"),
    (&["clear", "purge", "clean"], "", "tokenwell cache clear"),
    (&["daemon", "agent", "watch", "serve", "file"], "", "tokenwell sink"),
    (&["request", "call", "curl", "get-url"], "", "tokenwell api"),
    (&["rm", "delete", "del", "purge", "clean"], "cache", "tokenwell cache clear"),
    (&["ls", "dir", "where"], "cache", "tokenwell cache list"),
];

/// The same for commands of `profile`, which have the names of other programs' as they are.
const OF_PROFILES: [(&[&str], &str); 4] = [
    (&["rm", "delete", "del", "logout"], "tokenwell profile remove"),
    (&["ls", "all"], "tokenwell profile list"),
    (&["switch", "select", "default", "set-default", "set"], "tokenwell profile use"),
    (&["add", "create", "new", "login"], "tokenwell login --profile"),
];

/// The flag of a command that has the flags `existing`, for the unknown flag `typed`.
pub(crate) fn flag(typed: &str, existing: &[String]) -> Option<&'static str> {
    let typed = typed.split('=').next().unwrap_or_default();
    let (_, ours) = FLAGS.iter().find(|(theirs, _)| theirs.contains(&typed))?;
    ours.iter().copied().find(|flag| *flag != typed && existing.iter().any(|existing| existing == flag))
}

/// The command to write for the unknown command `typed` below `command`, which is "tokenwell" or
/// "tokenwell cache".
pub(crate) fn command(typed: &str, command: &str) -> Option<&'static str> {
    let above = command.strip_prefix("tokenwell").unwrap_or(command).trim();
    if above == "profile" {
        return OF_PROFILES.iter().find(|(theirs, _)| theirs.contains(&typed)).map(|(_, ours)| *ours);
    }
    COMMANDS.iter().find(|(theirs, below, _)| *below == above && theirs.contains(&typed)).map(|(.., ours)| *ours)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_flags_that_the_command_has_are_suggested() {
        let existing = ["--json", "--base-url"].map(str::to_owned);

        assert_eq!(flag("--format", &existing), Some("--json"));
        assert_eq!(flag("--output=json", &existing), Some("--json"));
        assert_eq!(flag("--host", &existing), Some("--base-url"));
        assert_eq!(flag("--ttl", &existing), None);
        assert_eq!(flag("--nonsense", &existing), None);
    }

    #[test]
    fn every_suggested_command_exists() {
        let exists = |words: &str| {
            let mut found = crate::command_line();
            words.split(' ').skip(1).take_while(|word| !word.starts_with('-')).all(|word| {
                let next = found.find_subcommand(word).cloned();
                next.map(|next| found = next).is_some()
            })
        };
        let all = COMMANDS.iter().map(|(.., ours)| *ours).chain(OF_PROFILES.iter().map(|(_, ours)| *ours));

        for ours in all {
            assert!(exists(ours), "{ours}");
        }
        assert_eq!(command("ls", "tokenwell cache"), Some("tokenwell cache list"));
        assert_eq!(command("ls", "tokenwell"), Some("tokenwell profile list"));
    }

    #[test]
    fn no_suggested_command_is_taken_by_one_of_ours() {
        for (theirs, below, _) in COMMANDS {
            for name in theirs.iter().filter(|_| below.is_empty()) {
                assert!(!crate::COMMANDS.contains(name), "{name}");
            }
        }
    }
}
