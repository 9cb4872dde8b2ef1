//! Lists the organizations of the account with hyper and layers of tower.
//!
//! ```sh
//! cargo run --example tower_api --features tower
//! ```
//!
//! The connector of this example is for http, so it is for the emulator. For Atlas, use that of
//! hyper-rustls or hyper-tls.

use bytes::Bytes;
use http::{Request, header::ACCEPT};
use http_body_util::{BodyExt, Empty};
use hyper_util::{client::legacy::Client as Hyper, rt::TokioExecutor};
use std::time::Duration;
use tokenwell::{Client, Config, tower::AuthLayer};
use tower::{ServiceBuilder, ServiceExt, timeout::TimeoutLayer};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let client = Client::new(Config::from_environment()?)?;
    let api = ServiceBuilder::new()
        .layer(TimeoutLayer::new(Duration::from_secs(30)))
        .layer(AuthLayer::new(&client)?)
        .service(Hyper::builder(TokioExecutor::new()).build_http());

    let url = format!("{}/api/atlas/v2/orgs", client.base_url().unwrap_or_default());
    let request = Request::get(url).header(ACCEPT, "application/vnd.atlas.2024-08-05+json").body(Empty::<Bytes>::new())?;
    let response = api.oneshot(request).await?;

    let status = response.status();
    let body = response.into_body().collect().await?.to_bytes();
    if !status.is_success() {
        return Err(format!("the API replied with {status}: {}", String::from_utf8_lossy(&body)).into());
    }
    let organizations: serde_json::Value = serde_json::from_slice(&body)?;
    for organization in organizations["results"].as_array().into_iter().flatten() {
        println!("{} {}", organization["id"], organization["name"]);
    }
    Ok(())
}
