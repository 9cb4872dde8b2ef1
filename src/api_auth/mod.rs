//! Adds the token to the requests that a program sends to its API with an HTTP client: `tower` and
//! `reqwest`, each with the feature of that name.
//!
//! May depend on: client, config (to check an origin), grant (the header value), token, error. Start
//! reading at [`Authorizer`], then `origin`, which decides where a token may be sent.
//!
//! The rules are those of the packages for Python, Go and Node:
//!
//! - Only the API's origin gets the token. All other requests are sent unchanged.
//! - A request that has an `Authorization` header is sent unchanged.
//! - After a 401 the token is invalidated, and the request is sent once more with a new token if its
//!   body can be sent again. If there is no new token, the caller gets the 401.

mod origin;
#[cfg(feature = "reqwest")]
pub mod reqwest;
#[cfg(feature = "tower")]
pub mod tower;

use crate::client::{Client, TokenOptions};
use crate::error::Error;
use crate::grant::transport::authorization_value;
use crate::token::Token;
use ::reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use origin::Origin;

/// The client whose tokens are sent, and the only origin that receives them.
#[derive(Debug)]
struct Authorizer {
    client: Client,
    origin: Origin,
}

impl Authorizer {
    /// The origin is that of the client's base URL if `origin` is `None`.
    fn new(client: &Client, origin: Option<&str>) -> Result<Self, Error> {
        let origin = Origin::new(origin.or(client.base_url()))?;
        Ok(Self { client: client.clone(), origin })
    }

    async fn token(&self) -> Result<Token, Error> {
        self.client.token_async(&TokenOptions::default()).await
    }

    /// Invalidates a token that the API rejected. Returns false if the client is closed.
    async fn invalidate(&self, rejected: &Token) -> bool {
        self.client.invalidate_async(rejected.value()).await.is_ok()
    }
}

/// Adds the `Authorization` header (RFC 6750 section 2.1).
fn authorize(headers: &mut HeaderMap<HeaderValue>, token: &Token) -> Result<(), Error> {
    headers.insert(AUTHORIZATION, authorization_value(token)?);
    Ok(())
}
