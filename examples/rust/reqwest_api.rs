//! Lists the organizations of the account with reqwest.
//!
//! ```sh
//! cargo run --example reqwest_api --features reqwest
//! ```

use tokenwell::{Client, Config, reqwest::Auth};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    // A program whose reqwest has its default features does not need this line.
    let _ = rustls::crypto::ring::default_provider().install_default();

    let client = Client::new(Config::from_environment()?)?;
    let api = Auth::new(&client, reqwest::Client::builder())?;

    let url = format!("{}/api/atlas/v2/orgs", client.base_url().unwrap_or_default());
    let request = api.http().get(url).header("Accept", "application/vnd.atlas.2024-08-05+json");
    let response = api.send(request).await?.error_for_status()?;

    let organizations: serde_json::Value = serde_json::from_slice(&response.bytes().await?)?;
    for organization in organizations["results"].as_array().into_iter().flatten() {
        println!("{} {}", organization["id"], organization["name"]);
    }
    Ok(())
}
