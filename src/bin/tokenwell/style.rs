//! Colors. The command uses them on a terminal only; `--color`, `NO_COLOR` and `CLICOLOR_FORCE` decide otherwise.

use crate::terminal::Stream;
use clap::ValueEnum;
use std::borrow::Cow;
use std::sync::OnceLock;

/// The value of `--color`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum ColorChoice {
    /// On a terminal; the variables `NO_COLOR` and `CLICOLOR_FORCE` have precedence
    #[default]
    Auto,
    Always,
    Never,
}

/// The meaning of a part of the output. A color never carries a meaning alone: the words are the
/// same without it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Style {
    Ok,
    Warn,
    Fail,
    /// Less important: a check that was skipped, a value that is not set.
    Dim,
    /// A heading, a name.
    Bold,
}

static CHOICE: OnceLock<ColorChoice> = OnceLock::new();

/// Sets the choice of the user, once for the process.
pub(crate) fn choose(choice: ColorChoice) {
    let _ = CHOICE.set(choice);
}

/// Whether `stream` gets colors.
pub(crate) fn is_on(stream: Stream) -> bool {
    let choice = CHOICE.get().copied().unwrap_or_default();
    decide(choice, |name| std::env::var(name).ok(), || stream.is_terminal())
}

/// The rule: `--color`, then `NO_COLOR` (no-color.org), then `CLICOLOR_FORCE` and `CLICOLOR`, then
/// whether the stream is a terminal that understands colors. An empty variable counts as not set.
fn decide(choice: ColorChoice, variable: impl Fn(&str) -> Option<String>, is_terminal: impl FnOnce() -> bool) -> bool {
    let set = |name: &str| variable(name).filter(|value| !value.is_empty());
    match choice {
        ColorChoice::Always => true,
        ColorChoice::Never => false,
        ColorChoice::Auto if set("NO_COLOR").is_some() => false,
        ColorChoice::Auto if set("CLICOLOR_FORCE").is_some_and(|value| value != "0") => true,
        ColorChoice::Auto => {
            let refused = set("CLICOLOR").as_deref() == Some("0") || set("TERM").as_deref() == Some("dumb");
            !refused && is_terminal()
        }
    }
}

/// `string` in the color of `style`, if `stream` gets colors. The string must not contain a newline:
/// a pager would lose the color there.
pub(crate) fn paint(stream: Stream, style: Style, string: &str) -> Cow<'_, str> {
    if string.is_empty() || !is_on(stream) {
        return string.into();
    }
    let code = match style {
        Style::Ok => "32",
        Style::Warn => "33",
        Style::Fail => "1;31",
        Style::Dim => "2",
        Style::Bold => "1",
    };
    format!("\x1b[{code}m{string}\x1b[0m").into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_flag_comes_before_the_variables_and_they_before_the_terminal() {
        let on = |choice, variables: &[(&str, &str)], terminal| {
            let find = |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
            decide(choice, find, || terminal)
        };
        use ColorChoice::{Always, Auto, Never};

        assert!(on(Auto, &[], true) && !on(Auto, &[], false));
        assert!(on(Always, &[("NO_COLOR", "1")], false) && !on(Never, &[("CLICOLOR_FORCE", "1")], true));
        assert!(!on(Auto, &[("NO_COLOR", "1"), ("CLICOLOR_FORCE", "1")], true));
        assert!(on(Auto, &[("NO_COLOR", ""), ("CLICOLOR_FORCE", "1")], false));
        assert!(!on(Auto, &[("CLICOLOR_FORCE", "0")], false) && on(Auto, &[("CLICOLOR_FORCE", "0")], true));
        assert!(!on(Auto, &[("CLICOLOR", "0")], true) && !on(Auto, &[("TERM", "dumb")], true));
    }
}
