//! A certificate authority that is generated at each start, and a server certificate signed by it.

use super::EmulatorOptions;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose};
use std::io;
use std::sync::Arc;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio_rustls::rustls::{self, ServerConfig};
use url::Url;

/// The kind of server certificate that the emulator uses. Each is signed by the authority of
/// [`Emulator::ca_pem`](super::Emulator::ca_pem).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Certificate {
    /// Valid for 127.0.0.1, ::1, localhost and the names of the options. A client must accept it.
    Loopback,
    /// Issued for another host name. A client must reject it.
    WrongName,
    /// Issued for the right host names, but expired. A client must reject it.
    Expired,
}

/// Returns the TLS acceptor and the authority's certificate as PEM.
pub(super) fn acceptor(certificate: Certificate, names: &[String]) -> io::Result<(TlsAcceptor, String)> {
    let (config, ca_pem) = server_config(certificate, names)?;
    Ok((TlsAcceptor::from(Arc::new(config)), ca_pem))
}

/// The names by which clients reach the emulator: those of loopback, the address that it listens on,
/// the host of the public URL and the allowed host names.
pub(super) fn names(options: &EmulatorOptions) -> Vec<String> {
    let mut names = ["localhost", "127.0.0.1", "::1"].map(str::to_owned).to_vec();
    let public = options.public_url.as_deref().and_then(|url| Url::parse(url).ok());
    let public = public.as_ref().and_then(Url::host_str).map(|host| host.trim_matches(['[', ']']).to_owned());
    let listening = (!options.address.is_unspecified()).then(|| options.address.to_string());
    for name in listening.into_iter().chain(public).chain(options.allow_hosts.iter().cloned()) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

fn server_config(certificate: Certificate, names: &[String]) -> io::Result<(ServerConfig, String)> {
    let authority = authority().map_err(io::Error::other)?;
    let (key, params) = server_params(certificate, names).map_err(io::Error::other)?;
    let signed = params.signed_by(&key, &authority).map_err(io::Error::other)?;
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));

    // The explicit provider avoids a dependency on the one that the process has installed.
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(vec![signed.der().clone()], key))
        .map_err(|error: rustls::Error| io::Error::other(error))?;
    Ok((config, authority.pem()))
}

fn authority() -> Result<CertifiedIssuer<'static, KeyPair>, rcgen::Error> {
    let mut params = CertificateParams::new(Vec::<String>::new())?;
    params.distinguished_name.push(DnType::CommonName, "tokenwell emulator authority (generated, for tests only)");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    CertifiedIssuer::self_signed(params, KeyPair::generate()?)
}

fn server_params(certificate: Certificate, names: &[String]) -> Result<(KeyPair, CertificateParams), rcgen::Error> {
    let names = match certificate {
        Certificate::Loopback | Certificate::Expired => names.to_vec(),
        Certificate::WrongName => vec!["other.example".to_owned()],
    };
    let mut params = CertificateParams::new(names)?;
    params.distinguished_name.push(DnType::CommonName, "tokenwell emulator");
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.use_authority_key_identifier_extension = true;
    if certificate == Certificate::Expired {
        params.not_before = rcgen::date_time_ymd(2020, 1, 1);
        params.not_after = rcgen::date_time_ymd(2021, 1, 1);
    }
    Ok((KeyPair::generate()?, params))
}
