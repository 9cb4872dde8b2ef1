//! The value of a new secret, which one response contains.

use crate::secret::Secret;
use serde::Deserialize;
use serde_json::value::RawValue;
use zeroize::Zeroizing;

#[derive(Deserialize)]
struct Revealed<'a> {
    #[serde(borrow, default)]
    secret: Option<&'a RawValue>,
    #[serde(borrow, default)]
    secrets: Option<Vec<One<'a>>>,
}

#[derive(Deserialize)]
struct One<'a> {
    #[serde(borrow, default)]
    secret: Option<&'a RawValue>,
}

/// Takes the value of the secret out of a response: of a secret, or of an account with one. It is
/// overwritten in `body`, so that nothing that is parsed from it afterwards contains the value.
pub(super) fn take(body: &mut Zeroizing<Vec<u8>>) -> Option<Secret> {
    let mut ranges = Vec::new();
    let mut found = None;
    {
        let start = body.as_ptr() as usize;
        let revealed: Revealed<'_> = serde_json::from_slice(body).ok()?;
        let nested = revealed.secrets.into_iter().flatten().filter_map(|one| one.secret);
        for raw in revealed.secret.into_iter().chain(nested) {
            if !raw.get().starts_with('"') {
                continue;
            }
            let offset = raw.get().as_ptr() as usize - start;
            ranges.push(offset..offset + raw.get().len());
            if found.is_none() {
                found = serde_json::from_str::<String>(raw.get()).ok().filter(|value| !value.is_empty()).map(Secret::new);
            }
        }
    }
    for range in ranges {
        // Still valid JSON: a value of the same length.
        body[range.clone()].fill(b' ');
        body[range.start..range.start + 2].copy_from_slice(b"\"\"");
    }
    found
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::take;
    use zeroize::Zeroizing;

    #[test]
    fn the_value_is_taken_out_of_the_body() {
        for body in [
            r#"{"id":"a","secret":"mdb_sa_sk_canary"}"#,
            r#"{"clientId":"a","secrets":[{"id":"b","secret" : "mdb_sa_sk_canary" }],"name":"x"}"#,
        ] {
            let mut body = Zeroizing::new(body.as_bytes().to_vec());
            assert_eq!(take(&mut body).unwrap().expose(), "mdb_sa_sk_canary");
            let rest = String::from_utf8_lossy(&body).into_owned();
            assert!(!rest.contains("canary") && serde_json::from_str::<serde_json::Value>(&rest).is_ok(), "{rest}");
        }
    }

    #[test]
    fn a_response_without_a_value_is_unchanged() {
        for body in ["{}", "[]", "", r#"{"secrets":[{"id":"b"}]}"#, r#"{"secret":null}"#, r#"{"secret":1}"#, r#"{"secrets":null}"#] {
            let mut unchanged = Zeroizing::new(body.as_bytes().to_vec());
            assert!(take(&mut unchanged).is_none(), "{body}");
            assert_eq!(unchanged.as_slice(), body.as_bytes());
        }
    }
}
