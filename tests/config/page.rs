//! The documentation page agrees with the table of settings.

use crate::support::assert_has;
use tokenwell::config::settings;

#[test]
fn the_page_lists_every_setting() {
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/configuration.md")).unwrap();
    for setting in settings() {
        let variables = setting.variables().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
        let variables = if variables.is_empty() { "never read from the environment".to_owned() } else { variables };
        assert_has(&page, &[&format!("\n| `{}` | {variables} | {} |\n", setting.name(), setting.about())]);
    }
}
