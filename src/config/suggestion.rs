//! Suggestions for misspelled names, and the rule for names that may be shown.

/// Returns the candidate closest to `written`, if one is close enough: `client_id` for `clientId`.
pub(super) fn nearest<'a>(written: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    within(3, written, candidates)
}

/// Returns the candidate closest to `written`, if it differs in at most `limit` letters.
pub(crate) fn within<'a>(limit: usize, written: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    if written.len() > 64 {
        return None;
    }
    let plain = |text: &str| text.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase();
    let wanted = plain(written);
    let (distance, candidate) =
        candidates.into_iter().map(|candidate| (edits(&wanted, &plain(candidate)), candidate)).min_by_key(|(distance, _)| *distance)?;
    (distance <= limit && distance * 2 < wanted.len()).then_some(candidate)
}

/// Returns the number of characters to add, remove or replace to change `a` into `b`.
fn edits(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut previous: Vec<usize> = (0..=b.len()).collect();
    for (row, left) in a.chars().enumerate() {
        let mut current = vec![row + 1];
        for (column, right) in b.iter().enumerate() {
            let replaced = previous[column] + usize::from(left != *right);
            current.push(replaced.min(previous[column + 1] + 1).min(current[column] + 1));
        }
        previous = current;
    }
    previous[b.len()]
}

/// Returns `name` if it looks like a name. Otherwise it may be a misplaced value, even a secret.
pub(super) fn shown_name(name: &str) -> Option<&str> {
    let looks_like_a_name = name.len() <= 32
        && !name.is_empty()
        && !name.starts_with("mdb_sa_sk_")
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.'));
    looks_like_a_name.then_some(name)
}

#[cfg(test)]
mod tests {
    use super::super::setting::{Setting, settings};
    use super::*;

    #[test]
    fn an_unknown_name_is_answered_with_the_nearest() {
        let nearest = |written| nearest(written, settings().map(Setting::name));

        assert_eq!(nearest("clientId"), Some("client_id"));
        assert_eq!(nearest("client-secret"), Some("client_secret"));
        assert_eq!(nearest("CLIENT_ID"), Some("client_id"));
        assert_eq!(nearest("timeout"), Some("timeout_ms"));
        assert_eq!(nearest("resuorce"), Some("resource"));
        assert_eq!(nearest("color"), None);
        assert_eq!(nearest(""), None);
    }
}
