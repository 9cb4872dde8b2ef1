//! The three ways in which a client proves who it is (RFC 6749 section 2.3.1), byte for byte.
//!
//! They are ours and not the `oauth2` crate's: its Basic always form-urlencodes, which Atlas does not undo, and its buffers
//! are not wiped.

use super::{Credential, secret_bytes};
use crate::config::ClientAuthentication;
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

/// Every form in which the secret travels, so that a server's reply that repeats one of them can be cleaned.
pub(super) fn secret_forms(credential: &Credential) -> Vec<Zeroizing<String>> {
    let mut forms = Vec::from(forms(&credential.client_secret));
    for method in [ClientAuthentication::BasicRaw, ClientAuthentication::Basic] {
        forms.push(base64(&pair(method, credential)));
    }
    forms
}

/// The forms in which a secret that is a parameter travels.
pub(super) fn forms(secret: &Secret) -> [Zeroizing<String>; 2] {
    [Zeroizing::new(secret.expose().to_owned()), form_encoded(secret.expose())]
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

    fn proven(method: ClientAuthentication, id: &str, secret: &str) -> (Option<String>, String) {
        let credential = Credential { client_id: id.to_owned(), client_secret: Secret::from(secret) };
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
        let credential = Credential { client_id: "a:b".to_owned(), client_secret: Secret::from("canary-secret") };
        let mut headers = HeaderMap::new();

        let error = prove(ClientAuthentication::BasicRaw, &credential, &mut headers, &mut Zeroizing::new(Vec::new())).unwrap_err();

        assert!(error.to_string().starts_with("client_id: holds a colon"), "{error}");
        assert!(headers.is_empty());
    }
}
