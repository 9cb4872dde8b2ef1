//! The three ways in which a client proves who it is (RFC 6749 section 2.3.1), byte for byte.
//!
//! They are ours and not the `oauth2` crate's: its Basic always form-urlencodes, which Atlas does not undo, and its buffers
//! are not wiped.

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

/// Adds the proof to a request that has none: to its headers or to its body, never to both.
pub(super) fn prove(
    method: ClientAuthentication,
    credential: &Credential,
    headers: &mut HeaderMap,
    body: &mut Zeroizing<Vec<u8>>,
) -> Result<(), Error> {
    match method {
        ClientAuthentication::BasicRaw if credential.client_id.contains(':') => Err(Error::invalid(
            "client_id",
            "holds a colon, which HTTP Basic with the raw pair cannot carry",
            "Check the client id, or set auth_method to client_secret_basic or client_secret_post.",
        )),
        ClientAuthentication::BasicRaw | ClientAuthentication::Basic => {
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
    // Grown by hand: a vector that grows by itself leaves its old, unwiped allocation behind.
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

/// Every form in which the secret travels, or that a server may make of it, so that a reply that repeats one of them can be cleaned.
pub(super) fn secret_forms(credential: &Credential) -> Vec<Zeroizing<String>> {
    let mut forms = forms(&credential.client_secret);
    for method in [ClientAuthentication::BasicRaw, ClientAuthentication::Basic] {
        forms.push(unpadded(base64(&pair(method, credential))));
    }
    forms
}

/// The forms in which a secret that is a parameter travels, and those that servers and what stands before them write into messages.
pub(super) fn forms(secret: &Secret) -> Vec<Zeroizing<String>> {
    let text = secret.expose();
    let each_byte = |keep: fn(u8) -> bool, escape: &str, digits: &[u8; 16]| {
        let mut escaped = Zeroizing::new(String::with_capacity(text.len() * (escape.len() + 2)));
        for byte in text.bytes() {
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
    // Not kept by everybody: which punctuation is escaped differs from one encoder to the next.
    let unreserved = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    vec![
        Zeroizing::new(text.to_owned()),
        form_encoded(text),
        unpadded(base64(text)),
        each_byte(unreserved, "%", UPPER),
        each_byte(unreserved, "%", LOWER),
        each_byte(|byte| byte.is_ascii_alphanumeric(), "%", UPPER),
        each_byte(|byte| byte.is_ascii_alphanumeric(), "%", LOWER),
        each_byte(|_| false, "", UPPER),
        each_byte(|_| false, "", LOWER),
    ]
}

/// Without its padding, it is found with and without it.
fn unpadded(mut encoded: Zeroizing<String>) -> Zeroizing<String> {
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

    let proof = base64(pair);
    let mut text = Zeroizing::new(Vec::with_capacity(SCHEME.len() + proof.len()));
    text.extend_from_slice(SCHEME.as_bytes());
    text.extend_from_slice(proof.as_bytes());
    let mut value = HeaderValue::from_maybe_shared(secret_bytes(text))
        .map_err(|_| Error::internal("base64 text was not accepted as the value of a header"))?;
    value.set_sensitive(true);
    Ok(value)
}

fn base64(text: &str) -> Zeroizing<String> {
    let mut encoded = Zeroizing::new(String::with_capacity(text.len().div_ceil(3) * 4));
    STANDARD.encode_string(text, &mut encoded);
    encoded
}

/// `application/x-www-form-urlencoded` as the WHATWG URL standard has it: letters, digits and `*-._` stay, so that for all
/// ids and secrets of Atlas' shape it changes nothing.
fn form_encoded(text: &str) -> Zeroizing<String> {
    let mut encoded = Zeroizing::new(String::with_capacity(text.len() * 3));
    for piece in byte_serialize(text.as_bytes()) {
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

    fn proven(method: ClientAuthentication, id: &str, secret: &str) -> (Option<String>, String) {
        let credential = Credential { client_id: id.to_owned(), client_secret: Secret::from(secret), origin: String::new() };
        let mut headers = HeaderMap::new();
        let mut body = Zeroizing::new(b"grant_type=client_credentials".to_vec());

        prove(method, &credential, &mut headers, &mut body).unwrap();

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
                assert_eq!(proven(method, id, secret).0.as_deref(), Some(header), "{method:?}");
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
            let header = proven(method, "mdb_sa_id_1", "a b+c:d€").0.unwrap();
            String::from_utf8(STANDARD.decode(header.strip_prefix("Basic ").unwrap()).unwrap()).unwrap()
        };

        assert_eq!(decoded(ClientAuthentication::Basic), "mdb_sa_id_1:a+b%2Bc%3Ad%E2%82%AC");
        assert_eq!(decoded(ClientAuthentication::BasicRaw), "mdb_sa_id_1:a b+c:d€");
    }

    #[test]
    fn item_3_each_method_leaves_the_other_place_alone() {
        for method in [ClientAuthentication::Basic, ClientAuthentication::BasicRaw] {
            assert_eq!(proven(method, "id", "secret").1, "grant_type=client_credentials", "{method:?}");
        }
        let (header, body) = proven(ClientAuthentication::Post, "an id", "s&cret=1");

        assert_eq!(header, None);
        assert_eq!(body, "grant_type=client_credentials&client_id=an+id&client_secret=s%26cret%3D1");
    }

    #[test]
    fn a_colon_in_the_id_is_refused_where_basic_cannot_carry_it() {
        let credential = Credential { client_id: "a:b".to_owned(), client_secret: Secret::from("canary-secret"), origin: String::new() };
        let mut headers = HeaderMap::new();

        let error = prove(ClientAuthentication::BasicRaw, &credential, &mut headers, &mut Zeroizing::new(Vec::new())).unwrap_err();

        assert!(error.to_string().starts_with("client_id: holds a colon"), "{error}");
        assert!(headers.is_empty());
    }
}
