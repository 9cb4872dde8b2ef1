//! A program that depends on the package, with its default features.

use tokenwell::{Client, Config, TokenOptions};

fn main() -> Result<(), tokenwell::Error> {
    let client = Client::new(Config::from_environment()?)?;
    let token = client.token(&TokenOptions::default())?;
    assert_eq!(client.stats().mints, 1);
    println!("{}", token.authorization());
    client.revoke(None)
}
