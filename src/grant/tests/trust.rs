//! Certificates and authorities.

use super::*;

#[test]
fn item_8_a_server_with_a_certificate_of_the_named_authority_is_trusted() {
    let authority = authority();

    let minted = mint_over_tls(&authority, &authority, "localhost", 2400);

    assert_eq!(minted.unwrap().value.expose(), TOKEN);
}

#[test]
fn item_8_a_server_that_cannot_be_trusted_is_a_tls_error_that_says_why() {
    let (one, other) = (authority(), authority());
    let cases = [
        (mint_over_tls(&one, &other, "localhost", 2400), "an authority that is not trusted", "ca_file"),
        (
            mint_over_tls(&one, &one, "evil.example", 2400),
            "for another host name",
            "Use the host name that is in the certificate in TOKENWELL_TOKEN_URL.",
        ),
        (mint_over_tls(&one, &one, "localhost", 2001), "has expired", "Renew the certificate"),
    ];
    for (outcome, reason, advice) in cases {
        let error = outcome.unwrap_err();

        assert_eq!(error.status(), Status::Tls, "{error}");
        assert!(error.to_string().contains(reason), "{error}");
        assert!(error.hint().contains(advice), "{}", error.hint());
    }
}

#[test]
fn item_8_a_server_that_cannot_be_trusted_is_asked_once_and_told_nothing() {
    let server = TestServer::over_tls(authority().server("localhost", 2400), token_reply());
    let (_directory, file) = ca_file(&authority());
    let mut config = config(&format!("https://localhost:{}/token", server.port()));
    config.authorities = Authorities::File(file);

    let error = grant(&config).mint(&credential(), ENOUGH).unwrap_err();

    assert_eq!(error.status(), Status::Tls, "{error}");
    let seen = server.finish();
    assert_eq!((seen.connections, seen.requests.len()), (1, 0));
}

fn mint_from(tls: Arc<rustls::ServerConfig>, authority_pem: &str) -> Error {
    let server = TestServer::over_tls(tls, token_reply());
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("ca.pem");
    std::fs::write(&file, authority_pem).unwrap();
    let mut config = config(&format!("https://localhost:{}/token", server.port()));
    config.authorities = Authorities::File(file);
    grant(&config).mint(&credential(), ENOUGH).unwrap_err()
}

#[test]
fn a_server_that_requires_a_client_certificate_is_named() {
    let authority = authority();
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let error = mint_from(authority.server_for_clients_with_certificates("localhost", version), authority.pem());

        assert_eq!(error.status(), Status::Tls, "{error}");
        assert!(error.to_string().ends_with("the server requires a client certificate, which tokenwell does not support"), "{error}");
        assert!(!error.hint().contains("ca_file"), "{}", error.hint());
    }
}

#[test]
fn an_authority_that_is_its_own_server_is_named() {
    let (tls, pem) = super::test_server::authority_as_server("localhost");

    let error = mint_from(tls, &pem);

    assert_eq!(error.status(), Status::Tls, "{error}");
    assert!(error.to_string().ends_with("the server uses the certificate of an authority as its own"), "{error}");
    assert!(error.hint().contains("CA:FALSE"), "{}", error.hint());
}

#[test]
fn item_8_plain_http_where_tls_is_wanted_is_a_tls_error() {
    let plain = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = plain.local_addr().unwrap().port();
    let answering = std::thread::spawn(move || {
        use std::io::{Read, Write};

        let (mut connection, _) = plain.accept().unwrap();
        let read = connection.read(&mut [0; 4096]).unwrap();
        connection.write_all(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n").unwrap();
        read
    });
    let (_directory, file) = ca_file(&authority());
    let mut config = config(&format!("https://localhost:{port}/token"));
    config.authorities = Authorities::File(file);

    let error = grant(&config).mint(&credential(), ENOUGH).unwrap_err();

    assert!(answering.join().unwrap() > 0);
    assert_eq!(error.status(), Status::Tls, "{error}");
    assert!(error.to_string().contains("does not speak TLS: is it http://?"), "{error}");
    assert!(error.hint().contains("use http:// in "), "{}", error.hint());
}

#[test]
fn a_missing_ca_file_is_reported_when_the_grant_is_created() {
    for url in ["https://cloud.example/token", "http://127.0.0.1:1/token"] {
        let mut config = config(url);
        config.authorities = Authorities::File(PathBuf::from("/nonexistent/ca.pem"));

        let error = HttpGrant::new(&config, Arc::new(ManualClock::new(0))).unwrap_err();

        assert_eq!(error.status(), Status::NotConfigured);
        assert!(error.to_string().starts_with("ca_file: `/nonexistent/ca.pem`"), "{error}");
    }
}

#[test]
fn a_ca_file_that_was_deleted_later_fails_the_request_before_it_is_sent() {
    let authority = authority();
    let server = TestServer::over_tls(authority.server("localhost", 2400), token_reply());
    let (directory, file) = ca_file(&authority);
    let mut config = config(&format!("https://localhost:{}/token", server.port()));
    config.authorities = Authorities::File(file);
    let grant = grant(&config);
    directory.close().unwrap();

    let error = grant.mint(&credential(), ENOUGH).unwrap_err();

    assert_eq!(error.status(), Status::NotConfigured, "{error}");
    assert_eq!(server.finish().connections, 0);
}
