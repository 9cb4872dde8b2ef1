//! `tokenwell help`: the help of a command, and the page of all settings.

use crate::failure::Failure;
use crate::style::{Style, paint};
use crate::terminal::{Stream, wrap};
use crate::{command_line, output, printed};
use std::fmt::Write as _;
use tokenwell::Status;
use tokenwell::config::{Setting, settings};
use tokenwell::error::printable;

/// Print the help of a command, or of all settings
#[derive(clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct Args {
    /// A command such as `exec` or `cache list`, or `settings`
    #[arg(value_name = "TOPIC")]
    topic: Vec<String>,
}

const EXAMPLES: &str = "\
Examples:
  tokenwell help exec
  tokenwell help settings";

/// The sources of a setting, highest precedence first.
pub(crate) const PRECEDENCE: [&str; 6] = [
    "An explicit option: in code, or a flag of the command.",
    "`TOKENWELL_*` variables.",
    "`MONGODB_ATLAS_*` variables.",
    "`MCLI_*` variables.",
    "A profile in `tokenwell/config.toml`.",
    "A profile of the Atlas CLI.",
];

/// The rule for the two halves of a credential.
pub(crate) const PAIR_RULE: &str = "The client id and the client secret come from the same source: the first source that has either of them must \
                                    have both. A flag for one half and a `TOKENWELL_*` variable for the other count as the same source, unless \
                                    the variables name another client id.";

pub(crate) fn run(args: Args) -> Result<(), Failure> {
    if args.topic == ["settings"] {
        return output::line(&settings_page());
    }
    let mut command = command_line();
    command.build();
    let mut found = &mut command;
    for name in &args.topic {
        let known: Vec<_> = found.get_subcommands().map(|command| command.get_name().to_owned()).collect();
        found = found.find_subcommand_mut(name).ok_or_else(|| {
            let topics =
                if known.is_empty() { "See `tokenwell help`.".to_owned() } else { format!("Use one of: {}, settings.", known.join(", ")) };
            Failure::new(Status::InvalidArgument, format!("unknown help topic `{}`", printable(name, 80)), topics)
        })?;
    }
    output::line(&printed(&found.render_long_help(), Stream::Out))
}

/// The settings that no flag and no user of the command sets.
const INTERNAL: [&str; 2] = ["environment", "manual_clock_ms"];

fn settings_page() -> String {
    let width = Stream::Out.width();
    let heading = |name: &str| paint(Stream::Out, Style::Bold, name).into_owned();
    let paragraph = |prose: &str, indent: usize| format!("{:indent$}{}\n", "", wrap(prose, width, indent, indent));
    let mut page = paragraph(
        "All commands that need a token have the flags of this page. A setting without a flag comes from a variable or a profile. Each setting \
         comes from the first of these sources that has it:",
        0,
    );
    for (index, source) in PRECEDENCE.iter().enumerate() {
        let _ = writeln!(page, "  {}. {}", index + 1, source.replace('`', ""));
    }
    page += &format!("\n{}\n", paragraph(&PAIR_RULE.replace('`', ""), 0));
    page += &paragraph("`tokenwell status` shows the source of each setting. See docs/configuration.md for profiles and all rules.", 0);
    for setting in settings().filter(|setting| !INTERNAL.contains(&setting.name())) {
        let flag = flag_of(setting).map(|flag| format!("  {flag}")).unwrap_or_default();
        let _ = writeln!(page, "\n{}{flag}", heading(setting.name()));
        page += &paragraph(&setting.about().replace('`', ""), 4);
        let variables: Vec<_> = setting.variables().collect();
        page += &paragraph(&format!("Variables: {}", variables.join(", ")), 4);
    }
    page.trim_end().to_owned()
}

/// The flag of a setting. No flag takes the secret itself.
fn flag_of(setting: &Setting) -> Option<String> {
    match setting.name() {
        "client_secret" => Some("--client-secret-stdin".to_owned()),
        "cache" => Some("--no-cache".to_owned()),
        "timeout_ms" => Some("--timeout DURATION".to_owned()),
        "ca_pem" | "proxy" | "no_proxy" | "cache_unsafe" => None,
        name => Some(format!("--{}", name.replace('_', "-"))),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn every_setting_has_the_flag_that_the_page_shows() {
        let mut command = command_line();
        let token = command.find_subcommand_mut("token").unwrap().render_long_help().to_string();

        for setting in settings().filter(|setting| !INTERNAL.contains(&setting.name())) {
            if let Some(flag) = flag_of(setting) {
                assert!(token.contains(flag.split(' ').next().unwrap()), "{flag}");
            }
        }
    }

    #[test]
    fn the_page_of_the_configuration_has_the_same_table_and_rules() {
        let page = include_str!("../../../docs/configuration.md");
        let rows: Vec<_> = page.lines().skip_while(|line| !line.starts_with("| setting | environment variables")).skip(2).collect();
        let rows = rows.iter().take_while(|line| line.starts_with('|'));

        let expected = settings().map(|setting| {
            let variables: Vec<_> = setting.variables().map(|name| format!("`{name}`")).collect();
            let variables = if variables.is_empty() { "never read from the environment".to_owned() } else { variables.join(", ") };
            format!("| `{}` | {variables} | {} |", setting.name(), setting.about())
        });
        assert_eq!(rows.map(|row| (*row).to_owned()).collect::<Vec<_>>(), expected.collect::<Vec<_>>());
        for (index, source) in PRECEDENCE.iter().enumerate() {
            assert!(page.contains(&format!("\n{}. {source}\n", index + 1)), "{source}");
        }
        let words = |prose: &str| prose.split_whitespace().map(str::to_owned).collect::<Vec<_>>().join(" ");
        assert!(words(page).contains(&words(PAIR_RULE)), "{PAIR_RULE}");
    }
}
