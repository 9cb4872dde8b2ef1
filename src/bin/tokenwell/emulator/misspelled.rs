//! Misspelled variables of the flags: TOKENWELL_EMULATOR_PROT.

use super::args::{Args, VARIABLES, has_variable};
use super::wrong;
use crate::failure::Failure;
use tokenwell::config::misspelled;
use tokenwell::error::printable;

/// Fails if a variable is a misspelled one of the emulator, which would start with other settings than
/// intended. Other variables with the prefix may belong to the user's scripts.
pub(super) fn check() -> Result<(), Failure> {
    let known = known();
    let mut names: Vec<_> = std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value))).collect();
    names.sort();
    for (name, value) in &names {
        let Some(written) = name.strip_prefix(VARIABLES) else { continue };
        if is_of_a_service(written, &value.to_string_lossy()) {
            continue;
        }
        if let Some(meant) = meant(written, &known) {
            let problem = format!("is not a variable of the emulator: did you mean {VARIABLES}{meant}?");
            return Err(wrong(&printable(name, 64), problem, &format!("Rename it to {VARIABLES}{meant}, or unset it.")).into());
        }
    }
    Ok(())
}

/// The names of the variables, without the prefix.
fn known() -> Vec<String> {
    let flags = <Args as clap::Args>::augment_args(clap::Command::new("emulator"));
    let names = flags.get_arguments().map(|flag| flag.get_id().as_str()).filter(|flag| has_variable(flag));
    names.map(str::to_ascii_uppercase).collect()
}

/// The variable that was probably intended.
fn meant<'a>(written: &str, known: &'a [String]) -> Option<&'a str> {
    // Set with --background, for the programs that use the emulator.
    if written == "PID" || known.iter().any(|known| known == written) {
        return None;
    }
    let letters = |name: &str| {
        let mut letters: Vec<_> = name.chars().collect();
        letters.sort_unstable();
        letters
    };
    // Two letters that are swapped are two differences, too many for a short name.
    let swapped = || known.iter().find(|known| letters(known) == letters(written)).map(String::as_str);
    misspelled(written, known.iter().map(String::as_str)).or_else(swapped)
}

/// Whether Kubernetes sets this variable beside a service whose name begins with tokenwell-emulator.
fn is_of_a_service(written: &str, value: &str) -> bool {
    written.ends_with("SERVICE_HOST")
        || written.contains("SERVICE_PORT")
        || value.contains("://") && written.ends_with("PORT")
        || written.split_once("PORT_").is_some_and(|(_, rest)| rest.starts_with(|first: char| first.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelled_variable_is_answered_with_the_intended_one() {
        let known = known();
        for (written, intended) in [
            ("PROT", "PORT"),
            ("TSL", "TLS"),
            ("NO_RATELIMIT", "NO_RATE_LIMIT"),
            ("TOKEN_LIFETIM", "TOKEN_LIFETIME"),
            ("ALLOW_HOSTS", "ALLOW_HOST"),
            ("SEEDS", "SEED"),
            ("UNTIL_STDIN_CLOSE", "UNTIL_STDIN_CLOSES"),
        ] {
            assert_eq!(meant(written, &known), Some(intended), "{written}");
        }
    }

    #[test]
    fn a_variable_of_a_flag_or_of_another_program_is_not_misspelled() {
        let known = known();
        assert!(known.len() > 12 && known.iter().any(|name| name == "NO_RATE_LIMIT"), "{known:?}");
        for written in known.iter().map(String::as_str).chain(["PID", "URL", "IMAGE", "VERSION", "TAG", "HOME", "COMMAND", ""]) {
            assert_eq!(meant(written, &known), None, "{written}");
        }
        for (written, value) in
            [("PORT", "tcp://10.0.0.1:80"), ("SERVICE_HOST", "10.0.0.1"), ("PORT_80_TCP_PROTO", "tcp"), ("SERVICE_PORT", "80")]
        {
            assert!(is_of_a_service(written, value), "{written}");
        }
        assert!(!is_of_a_service("PROT", "8080"));
    }
}
