//! The flags that say whose token is meant and how to get it: the same for every command that needs a client.

use crate::failure::Failure;
use clap::Args;
use std::io::Read;
use std::path::PathBuf;
use tokenwell::error::Error;
use tokenwell::{Client, Config};
use zeroize::Zeroizing;

/// As much of standard input as is read for a secret: beyond it, what is there is no secret.
const LONGEST_SECRET: u64 = 64 * 1024;

#[derive(Args)]
#[command(next_help_heading = "Whose token")]
pub(crate) struct Settings {
    /// Client id of the service account [env: TOKENWELL_CLIENT_ID, MONGODB_ATLAS_CLIENT_ID, MCLI_CLIENT_ID]
    ///
    /// The secret has no flag, because everybody on the host can read a command line: it comes from the environment
    /// (TOKENWELL_CLIENT_SECRET, MONGODB_ATLAS_CLIENT_SECRET), from a file or from standard input.
    #[arg(long, value_name = "ID")]
    client_id: Option<String>,

    /// File that holds the client secret; read anew for every token request [env: TOKENWELL_CLIENT_SECRET_FILE]
    #[arg(long, value_name = "FILE", requires = "client_id")]
    client_secret_file: Option<PathBuf>,

    /// Read the client secret from standard input
    #[arg(long, requires = "client_id", conflicts_with = "client_secret_file")]
    client_secret_stdin: bool,

    /// Where Atlas is [default: https://cloud.mongodb.com] [env: TOKENWELL_BASE_URL, MONGODB_ATLAS_BASE_URL]
    #[arg(long, value_name = "URL")]
    base_url: Option<String>,

    /// Token endpoint of any other OAuth 2.0 server [env: TOKENWELL_TOKEN_URL]
    #[arg(long, value_name = "URL", conflicts_with = "base_url")]
    token_url: Option<String>,

    /// Revocation endpoint that belongs to --token-url [env: TOKENWELL_REVOCATION_URL]
    #[arg(long, value_name = "URL", requires = "token_url")]
    revocation_url: Option<String>,

    /// client_secret_basic_raw (Atlas), client_secret_basic (RFC 6749) or client_secret_post [env: TOKENWELL_AUTH_METHOD]
    #[arg(long, value_name = "METHOD")]
    auth_method: Option<String>,

    /// Scope to ask for, of a server that knows scopes [env: TOKENWELL_SCOPE]
    #[arg(long)]
    scope: Option<String>,

    /// Audience to ask for [env: TOKENWELL_AUDIENCE]
    #[arg(long)]
    audience: Option<String>,

    /// Resource to ask for (RFC 8707) [env: TOKENWELL_RESOURCE]
    #[arg(long, value_name = "URI")]
    resource: Option<String>,

    /// PEM file of the authorities to trust, in place of the system's [env: TOKENWELL_CA_FILE]
    #[arg(long, value_name = "FILE")]
    ca_file: Option<PathBuf>,
}

impl Settings {
    pub(crate) fn client(&self) -> Result<Client, Failure> {
        Ok(Client::new(self.config()?)?)
    }

    pub(crate) fn config(&self) -> Result<Config, Failure> {
        let mut builder = Config::builder();
        builder.use_environment();
        let texts = [
            ("client_id", &self.client_id),
            ("base_url", &self.base_url),
            ("token_url", &self.token_url),
            ("revocation_url", &self.revocation_url),
            ("auth_method", &self.auth_method),
            ("scope", &self.scope),
            ("audience", &self.audience),
            ("resource", &self.resource),
        ];
        for (name, value) in texts {
            if let Some(value) = value {
                builder.set(name, value.as_bytes())?;
            }
        }
        for (name, path) in [("client_secret_file", &self.client_secret_file), ("ca_file", &self.ca_file)] {
            if let Some(path) = path {
                builder.set(name, path.as_os_str().as_encoded_bytes())?;
            }
        }
        if self.client_secret_stdin {
            builder.set("client_secret", secret_from_standard_input()?.trim_end_matches(['\r', '\n']).as_bytes())?;
        }
        Ok(builder.build()?)
    }
}

fn secret_from_standard_input() -> Result<Zeroizing<String>, Failure> {
    let mut secret = Zeroizing::new(String::with_capacity(usize::try_from(LONGEST_SECRET).unwrap_or(usize::MAX)));
    std::io::stdin().take(LONGEST_SECRET).read_to_string(&mut secret).map_err(|error| {
        Failure::from(Error::NotConfigured {
            problem: format!("the client secret cannot be read from standard input: {error}"),
            hint: "Pipe the secret in, for example: tokenwell token --client-id ID --client-secret-stdin < secret.txt".to_owned(),
        })
    })?;
    Ok(secret)
}
