//! Whether the user wants JSON: `--json`, or `--format json` where a command has formats. The result is
//! then JSON if the command has one, and an error is.

use clap::ArgMatches;

/// Whether the flags of the command request JSON.
pub(crate) fn is_requested(matches: &ArgMatches) -> bool {
    let is_set = matches.try_get_one::<bool>("json").is_ok_and(|value| value.is_some_and(|value| *value));
    let format = matches.try_get_raw("format").ok().flatten().and_then(|mut values| values.next());
    is_set || format.is_some_and(|format| format == "json") || matches.subcommand().is_some_and(|(_, matches)| is_requested(matches))
}

/// The same, if the arguments could not be parsed.
pub(crate) fn is_in_arguments() -> bool {
    // What follows `--` belongs to another program.
    is_in(std::env::args_os().skip(1).map(|argument| argument.to_string_lossy().into_owned()).take_while(|argument| argument != "--"))
}

fn is_in(arguments: impl Iterator<Item = String>) -> bool {
    let arguments: Vec<_> = arguments.collect();
    let is_json = |argument: &String| argument == "--json" || argument == "--format=json";
    arguments.iter().any(is_json) || arguments.windows(2).any(|pair| pair == ["--format", "json"])
}

#[cfg(test)]
mod tests {
    use super::is_in;

    #[test]
    fn arguments_that_are_wrong_can_request_json() {
        let requested = |arguments: &str| is_in(arguments.split(' ').map(str::to_owned));

        for arguments in ["token --jsn --json", "token --format json --x", "token --x --format=json"] {
            assert!(requested(arguments), "{arguments}");
        }
        for arguments in ["token --jsn", "token --format yaml json", "token --jsonx", "json"] {
            assert!(!requested(arguments), "{arguments}");
        }
    }
}
