//! Removes what a public bug report should not contain: ids are shortened, and the home directory,
//! which contains a user name, is replaced. Secrets and tokens are never in a report.

/// A run of hexadecimal digits that is at least this long is an id.
const SHORTEST_ID: usize = 16;
/// How many characters of an id remain, to tell ids apart.
const SHOWN: usize = 4;

/// Shortens the ids in `text`. `client_id` is shortened whatever its shape is.
pub(super) fn redacted(text: &str, client_id: Option<&str>, home: Option<&str>) -> String {
    let mut text = text.to_owned();
    if let Some(home) = home.filter(|home| home.len() > 1) {
        text = text.replace(home, "~");
    }
    if let Some(id) = client_id.filter(|id| id.chars().count() > SHOWN) {
        let is_atlas = id.starts_with("mdb_sa_id_");
        if !is_atlas {
            text = text.replace(id, &shortened(id));
        }
    }
    let mut result = String::with_capacity(text.len());
    let mut run = String::new();
    for character in text.chars() {
        if character.is_ascii_hexdigit() {
            run.push(character);
        } else {
            push_run(&mut result, &mut run);
            result.push(character);
        }
    }
    push_run(&mut result, &mut run);
    result
}

fn push_run(result: &mut String, run: &mut String) {
    if run.len() >= SHORTEST_ID {
        result.push_str(&shortened(run));
    } else {
        result.push_str(run);
    }
    run.clear();
}

fn shortened(id: &str) -> String {
    id.chars().take(SHOWN).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_and_the_home_directory_are_not_in_a_report() {
        let text = "mdb_sa_id_0123456789abcdef01234567 in /home/jane/.config, org 5f0000000000000000000001, `reporting-client` at 10.0.0.1";

        assert_eq!(
            redacted(text, Some("reporting-client"), Some("/home/jane")),
            "mdb_sa_id_0123… in ~/.config, org 5f00…, `repo…` at 10.0.0.1"
        );
        assert_eq!(redacted("/etc/x", None, Some("/")), "/etc/x");
    }
}
