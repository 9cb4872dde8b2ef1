//! The programs of `examples/rust`, against the emulator.

use crate::support::{Atlas, ORGS};
use std::process::Command;

/// Runs an example with the features of this test, so that nothing is compiled that is not compiled
/// already.
fn run(name: &str) {
    let atlas = Atlas::start();
    let features = [
        ("capi", cfg!(feature = "capi")),
        ("cli", cfg!(feature = "cli")),
        ("emulator", cfg!(feature = "emulator")),
        ("keyring", cfg!(feature = "keyring")),
        ("reqwest", cfg!(feature = "reqwest")),
        ("tower", cfg!(feature = "tower")),
    ];
    let enabled: Vec<_> = features.iter().filter_map(|(name, enabled)| enabled.then_some(*name)).collect();

    let mut cargo = Command::new(env!("CARGO"));
    // What the outer cargo sets for this package. The build script of ring would run again for other values.
    for (variable, _) in std::env::vars_os() {
        let name = variable.to_string_lossy();
        if ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_CRATE_", "CARGO_BIN_"].iter().any(|prefix| name.starts_with(prefix)) {
            cargo.env_remove(&variable);
        }
    }
    let output = cargo
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .args(["run", "--quiet", "--locked", "--features", &enabled.join(","), "--example", name])
        .env("TOKENWELL_BASE_URL", atlas.emulator.base_url())
        .env("TOKENWELL_CLIENT_ID", atlas.emulator.client_id())
        .env("TOKENWELL_CLIENT_SECRET", atlas.emulator.client_secret())
        .env("TOKENWELL_CACHE", "off")
        .output()
        .unwrap();

    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let printed = String::from_utf8(output.stdout).unwrap();
    assert!(printed.contains(tokenwell::emulator::DEFAULT_ORG_ID), "{printed}");
    assert_eq!(atlas.counts(), (1, 1));
    assert!(atlas.received(ORGS).headers["authorization"][0].starts_with("Bearer "));
}

#[test]
fn the_example_with_reqwest_lists_the_organizations() {
    run("reqwest_api");
}

#[test]
fn the_example_with_tower_lists_the_organizations() {
    run("tower_api");
}
