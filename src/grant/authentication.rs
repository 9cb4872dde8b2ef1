//! The three client authentication methods (RFC 6749 section 2.3.1).
//!
//! They are implemented here because the `oauth2` crate always form-urlencodes HTTP Basic
//! credentials, which Atlas does not decode, and does not wipe its buffers.

use super::transport::secret_bytes;
use crate::config::ClientAuthentication;
use crate::credential::Credential;
use crate::error::Error;
use crate::secret::Secret;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use url::form_urlencoded::byte_serialize;
use zeroize::Zeroizing;

/// Adds client authentication to a request, either to its headers or to its body.
pub(super) fn authenticate(
    method: ClientAuthentication,
    credential: &Credential,
    headers: &mut HeaderMap,
    body: &mut Zeroizing<Vec<u8>>,
) -> Result<(), Error> {
    match method {
        ClientAuthentication::BasicRaw if credential.client_id.contains(':') => Err(Error::invalid(
            "client_id",
            "contains a colon, which HTTP Basic without encoding does not allow",
            "Check the client id, or set auth_method to client_secret_basic or client_secret_post.",
        )),
        ClientAuthentication::BasicRaw | ClientAuthentication::Basic | ClientAuthentication::Auto => {
            headers.insert(AUTHORIZATION, basic(&pair(method, credential))?);
            Ok(())
        }
        ClientAuthentication::Post => {
            append(body, "client_id", &credential.client_id);
            append(body, "client_secret", credential.client_secret.expose());
            Ok(())
        }
    }
}

/// Adds one parameter to a form-urlencoded body.
pub(super) fn append(body: &mut Zeroizing<Vec<u8>>, name: &str, value: &str) {
    let value = form_encoded(value);
    // Copied explicitly: a vector that reallocates itself frees its old buffer without wiping it.
    let mut longer = Zeroizing::new(Vec::with_capacity(body.len() + 1 + name.len() + 1 + value.len()));
    longer.extend_from_slice(body);
    if !longer.is_empty() {
        longer.push(b'&');
    }
    longer.extend_from_slice(name.as_bytes());
    longer.push(b'=');
    longer.extend_from_slice(value.as_bytes());
    *body = longer;
}

/// All encodings in which the secret is sent or a server may repeat it. They are redacted from
/// responses.
pub(super) fn secret_forms(credential: &Credential) -> Vec<Zeroizing<String>> {
    let mut forms = forms(&credential.client_secret);
    for method in [ClientAuthentication::BasicRaw, ClientAuthentication::Basic] {
        forms.push(unpadded(base64(&pair(method, credential))));
    }
    forms
}

/// All encodings in which a secret request parameter is sent, or in which servers and proxies write
/// it into messages.
pub(super) fn forms(secret: &Secret) -> Vec<Zeroizing<String>> {
    let value = secret.expose();
    let each_byte = |keep: fn(u8) -> bool, escape: &str, digits: &[u8; 16]| {
        let mut escaped = Zeroizing::new(String::with_capacity(value.len() * (escape.len() + 2)));
        for byte in value.bytes() {
            if keep(byte) {
                escaped.push(char::from(byte));
            } else {
                escaped.push_str(escape);
                escaped.extend([byte >> 4, byte & 15].map(|digit| char::from(digits[usize::from(digit)])));
            }
        }
        escaped
    };
    const UPPER: &[u8; 16] = b"0123456789ABCDEF";
    const LOWER: &[u8; 16] = b"0123456789abcdef";
    // Encoders differ in which of these punctuation characters they escape.
    let unreserved = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    vec![
        Zeroizing::new(value.to_owned()),
        form_encoded(value),
        unpadded(base64(value)),
        each_byte(unreserved, "%", UPPER),
        each_byte(unreserved, "%", LOWER),
        each_byte(|byte| byte.is_ascii_alphanumeric(), "%", UPPER),
        each_byte(|byte| byte.is_ascii_alphanumeric(), "%", LOWER),
        each_byte(|_| false, "", UPPER),
        each_byte(|_| false, "", LOWER),
    ]
}

/// Removes the base64 padding, so that a search finds the value with and without it.
pub(super) fn unpadded(mut encoded: Zeroizing<String>) -> Zeroizing<String> {
    let length = encoded.trim_end_matches('=').len();
    encoded.truncate(length);
    encoded
}

fn pair(method: ClientAuthentication, credential: &Credential) -> Zeroizing<String> {
    let (id, secret) = (&credential.client_id, credential.client_secret.expose());
    if method == ClientAuthentication::BasicRaw { joined(id, secret) } else { joined(&form_encoded(id), &form_encoded(secret)) }
}

fn joined(id: &str, secret: &str) -> Zeroizing<String> {
    let mut pair = Zeroizing::new(String::with_capacity(id.len() + 1 + secret.len()));
    pair.push_str(id);
    pair.push(':');
    pair.push_str(secret);
    pair
}

fn basic(pair: &str) -> Result<HeaderValue, Error> {
    const SCHEME: &str = "Basic ";

    let encoded = base64(pair);
    let mut bytes = Zeroizing::new(Vec::with_capacity(SCHEME.len() + encoded.len()));
    bytes.extend_from_slice(SCHEME.as_bytes());
    bytes.extend_from_slice(encoded.as_bytes());
    let mut value = HeaderValue::from_maybe_shared(secret_bytes(bytes))
        .map_err(|_| Error::internal("a base64 string was not accepted as a header value"))?;
    value.set_sensitive(true);
    Ok(value)
}

fn base64(value: &str) -> Zeroizing<String> {
    let mut encoded = Zeroizing::new(String::with_capacity(value.len().div_ceil(3) * 4));
    STANDARD.encode_string(value, &mut encoded);
    encoded
}

/// Encodes as `application/x-www-form-urlencoded` (WHATWG URL standard). Letters, digits and `*-._`
/// are not escaped, so the ids and secrets of Atlas do not change.
fn form_encoded(value: &str) -> Zeroizing<String> {
    let mut encoded = Zeroizing::new(String::with_capacity(value.len() * 3));
    for piece in byte_serialize(value.as_bytes()) {
        encoded.push_str(piece);
    }
    encoded
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::*;

    #[test]
    fn i21_a_secret_is_known_again_in_the_forms_that_servers_write() {
        let forms = forms(&Secret::new("a_b/c~".to_owned()));

        for form in
            ["a_b/c~", "a_b%2Fc%7E", "YV9iL2N+", "a_b%2Fc~", "a_b%2fc~", "a%5Fb%2Fc%7E", "a%5fb%2fc%7e", "615F622F637E", "615f622f637e"]
        {
            assert!(forms.iter().any(|known| known.as_str() == form), "{form}");
        }
    }

    fn authenticated(method: ClientAuthentication, id: &str, secret: &str) -> (Option<String>, String) {
        let credential = Credential { client_id: id.to_owned(), client_secret: Secret::from(secret), origin: String::new() };
        let mut headers = HeaderMap::new();
        let mut body = Zeroizing::new(b"grant_type=client_credentials".to_vec());

        authenticate(method, &credential, &mut headers, &mut body).unwrap();

        assert!(headers.get(AUTHORIZATION).is_none_or(HeaderValue::is_sensitive));
        let header = headers.get(AUTHORIZATION).map(|value| value.to_str().unwrap().to_owned());
        (header, String::from_utf8(body.to_vec()).unwrap())
    }

    #[test]
    fn item_4_the_vectors_of_basic() {
        let cases = [
            ("s6BhdRkqt3", "7Fjfp0ZBr1KtDRbnfVdmIw", "Basic czZCaGRSa3F0Mzo3RmpmcDBaQnIxS3REUmJuZlZkbUl3"),
            ("s6BhdRkqt3", "gX1fBat3bV", "Basic czZCaGRSa3F0MzpnWDFmQmF0M2JW"),
        ];
        for (id, secret, header) in cases {
            for method in [ClientAuthentication::Basic, ClientAuthentication::BasicRaw] {
                assert_eq!(authenticated(method, id, secret).0.as_deref(), Some(header), "{method:?}");
            }
        }
    }

    #[test]
    fn item_4_the_vector_of_form_urlencoding() {
        assert_eq!(form_encoded(" %&+£€").as_str(), "+%25%26%2B%C2%A3%E2%82%AC");
        assert_eq!(form_encoded("mdb_sa_id_0a-Z.*").as_str(), "mdb_sa_id_0a-Z.*");
        assert_eq!(form_encoded("~!'():").as_str(), "%7E%21%27%28%29%3A");
    }

    #[test]
    fn item_4_basic_encodes_first_and_raw_basic_does_not() {
        let decoded = |method| {
            let header = authenticated(method, "mdb_sa_id_1", "a b+c:d€").0.unwrap();
            String::from_utf8(STANDARD.decode(header.strip_prefix("Basic ").unwrap()).unwrap()).unwrap()
        };

        assert_eq!(decoded(ClientAuthentication::Basic), "mdb_sa_id_1:a+b%2Bc%3Ad%E2%82%AC");
        assert_eq!(decoded(ClientAuthentication::BasicRaw), "mdb_sa_id_1:a b+c:d€");
    }

    #[test]
    fn item_3_each_method_leaves_the_other_place_alone() {
        for method in [ClientAuthentication::Basic, ClientAuthentication::BasicRaw] {
            assert_eq!(authenticated(method, "id", "secret").1, "grant_type=client_credentials", "{method:?}");
        }
        let (header, body) = authenticated(ClientAuthentication::Post, "an id", "s&cret=1");

        assert_eq!(header, None);
        assert_eq!(body, "grant_type=client_credentials&client_id=an+id&client_secret=s%26cret%3D1");
    }

    #[test]
    fn a_colon_in_the_id_is_refused_for_basic_without_encoding() {
        let credential = Credential { client_id: "a:b".to_owned(), client_secret: Secret::from("canary-secret"), origin: String::new() };
        let mut headers = HeaderMap::new();

        let error = authenticate(ClientAuthentication::BasicRaw, &credential, &mut headers, &mut Zeroizing::new(Vec::new())).unwrap_err();

        assert!(error.to_string().starts_with("client_id contains a colon"), "{error}");
        assert!(headers.is_empty());
    }
}
