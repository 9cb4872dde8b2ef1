//! `tokenwell emulator npm test`: the command without `--` before it.

use std::ffi::OsString;
use tokenwell::error::printable;

/// The hint for an argument that no flag takes: the line with `--` before it.
pub(crate) fn hint(argument: &str) -> String {
    let line = corrected(&std::env::args_os().collect::<Vec<_>>(), argument);
    let line = line.unwrap_or_else(|| "tokenwell emulator -- COMMAND".to_owned());
    format!("Write `--` before the command: `{line}`. See `tokenwell emulator --help`.")
}

/// The arguments with `--` before the command. `None` if they cannot be shown in one line.
fn corrected(arguments: &[OsString], argument: &str) -> Option<String> {
    const LONGEST: usize = 200;
    // The same word may occur before, as the value of a flag.
    let is_start =
        |index: &usize| arguments[*index] == argument && crate::command_line().try_get_matches_from(&arguments[..*index]).is_ok();
    let start = (2..arguments.len()).find(is_start)?;
    let words: Option<Vec<_>> = arguments.iter().skip(1).map(|word| word.to_str().and_then(quoted)).collect();
    let mut words = words?;
    words.insert(start - 1, "--".to_owned());
    let line = format!("tokenwell {}", words.join(" "));
    (line.chars().count() <= LONGEST).then_some(line)
}

/// A word as a shell reads it. `None` for one that may be a secret, or is not printable.
fn quoted(word: &str) -> Option<String> {
    const SECRET: [&str; 3] = ["mdb_sa_sk_", "eyJ", "Bearer "];
    if SECRET.iter().any(|sign| word.contains(sign)) || printable(word, usize::MAX) != word {
        return None;
    }
    let is_plain = !word.is_empty() && word.chars().all(|character| character.is_ascii_alphanumeric() || "/._-+:@%,=".contains(character));
    Some(if is_plain { word.to_owned() } else { format!("'{}'", word.replace('\'', r"'\''")) })
}

#[cfg(test)]
mod tests {
    use super::corrected;

    #[test]
    fn the_command_starts_at_the_word_that_no_flag_takes() {
        let line = |words: &[&str], argument: &str| {
            let all: Vec<_> = ["tokenwell", "emulator"].iter().chain(words).map(std::ffi::OsString::from).collect();
            corrected(&all, argument)
        };

        assert_eq!(line(&["npm", "test"], "npm").as_deref(), Some("tokenwell emulator -- npm test"));
        assert_eq!(line(&["--log", "sh", "sh", "-c", "it's"], "sh").as_deref(), Some(r"tokenwell emulator --log sh -- sh -c 'it'\''s'"));
        assert_eq!(line(&["sh", "-c", "exec sh"], "sh").as_deref(), Some("tokenwell emulator -- sh -c 'exec sh'"));
        assert_eq!(line(&["sh", "mdb_sa_sk_canary"], "sh"), None);
        assert_eq!(line(&["sh", "\u{1b}[0m"], "sh"), None);
        assert_eq!(line(&["sh", &"x".repeat(300)], "sh"), None);
    }
}
