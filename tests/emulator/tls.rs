//! TLS with a certificate that only explicitly configured clients trust.

use crate::client::{Reply, TIMEOUT, address, connect, request};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{CertificateError, ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use std::io::{Read, Write};
use std::sync::Arc;
use std::time::Instant;
use tokenwell::emulator::{Certificate, Emulator, EmulatorOptions};

fn emulator(certificate: Certificate) -> Emulator {
    Emulator::start(EmulatorOptions { certificate: Some(certificate), ..EmulatorOptions::default() }).unwrap()
}

fn get(emulator: &Emulator, name: &str, path: &str) -> std::io::Result<Reply> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(emulator.ca_pem().unwrap().as_bytes()).unwrap()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let connection = ClientConnection::new(Arc::new(config), ServerName::try_from(name.to_owned()).unwrap()).unwrap();
    let mut stream = StreamOwned::new(connection, connect(emulator));
    stream.write_all(&request("GET", path, &[], ""))?;
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes)?;
    Ok(Reply::parse(&bytes))
}

fn refusal(emulator: &Emulator) -> CertificateError {
    let error = get(emulator, "127.0.0.1", "/").unwrap_err();
    match error.get_ref().and_then(|error| error.downcast_ref::<rustls::Error>()) {
        Some(rustls::Error::InvalidCertificate(problem)) => problem.clone(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_client_that_trusts_the_generated_authority_is_served() {
    let emulator = emulator(Certificate::Loopback);
    assert!(emulator.base_url().starts_with("https://127.0.0.1:"));

    for name in ["127.0.0.1", "localhost"] {
        assert_eq!(get(&emulator, name, "/api/atlas/v2/orgs").unwrap().status, 401);
    }
    assert_eq!(emulator.counters().connections, 2);
}

#[test]
fn control_traffic_over_tls_is_not_counted() {
    let emulator = emulator(Certificate::Loopback);

    assert_eq!(get(&emulator, "localhost", "/_emulator/counters").unwrap().json()["connections"], 0);
}

#[test]
fn a_wrong_name_and_an_expired_certificate_are_rejected_for_that_reason() {
    let wrong = refusal(&emulator(Certificate::WrongName));
    let expired = refusal(&emulator(Certificate::Expired));

    assert!(matches!(wrong, CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. }), "{wrong:?}");
    assert!(matches!(expired, CertificateError::Expired | CertificateError::ExpiredContext { .. }), "{expired:?}");
}

#[test]
fn a_handshake_that_fails_counts_as_a_connection() {
    let emulator = emulator(Certificate::WrongName);
    refusal(&emulator);

    let start = Instant::now();
    while emulator.counters().connections != 1 {
        assert!(start.elapsed() < TIMEOUT, "{:?}", emulator.counters());
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    assert_eq!(emulator.counters().requests, 0);
}

#[test]
fn each_start_generates_another_authority() {
    let [one, two] = [emulator(Certificate::Loopback), emulator(Certificate::Loopback)];

    assert_ne!(one.ca_pem(), two.ca_pem());
    assert_ne!(address(&one), address(&two));
    assert_eq!(crate::client::emulator().ca_pem(), None);
}
