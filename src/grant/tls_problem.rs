//! Why a TLS handshake failed, in words, and what to do about it.

use super::connection_hint::ConnectionHint;
use crate::error::printable;
use rustls::pki_types::alg_id;
use rustls::{AlertDescription, CertificateError as Bad, Error, PeerIncompatible};

/// The maximum length of an error string of the TLS library, in characters.
const LONGEST_REASON: usize = 300;

/// Returns the problem and the hint of a failed handshake.
pub(super) fn explain(error: &Error, hint: &ConnectionHint) -> (String, String) {
    let said = |problem: &str, advice: &str| (problem.to_owned(), advice.to_owned());
    match error {
        Error::InvalidCertificate(bad) => certificate(bad, hint),
        Error::InvalidMessage(_) => ("the server does not speak TLS: is it http://?".to_owned(), hint.not_tls()),
        Error::AlertReceived(AlertDescription::ProtocolVersion)
        | Error::PeerIncompatible(
            PeerIncompatible::ServerDoesNotSupportTls12Or13 | PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig,
        ) => said("the server supports only versions of TLS that are older than 1.2", UPDATE_SERVER),
        Error::AlertReceived(AlertDescription::HandshakeFailure | AlertDescription::InsufficientSecurity)
        | Error::PeerIncompatible(
            PeerIncompatible::NoCipherSuitesInCommon | PeerIncompatible::NoKxGroupsInCommon | PeerIncompatible::NoSignatureSchemesInCommon,
        ) => said(
            "the server and tokenwell have no cipher, key exchange or signature algorithm in common",
            "Configure the server for TLS 1.2 or 1.3 with ECDHE and AES-GCM or ChaCha20, and with an RSA, ECDSA or Ed25519 certificate. With \
             TLS 1.2, a server that requires a client certificate, which tokenwell does not support, can look the same.",
        ),
        // The server rejects the certificate of the client, which is that there is none.
        Error::AlertReceived(
            AlertDescription::CertificateRequired
            | AlertDescription::NoCertificate
            | AlertDescription::BadCertificate
            | AlertDescription::UnsupportedCertificate
            | AlertDescription::CertificateUnknown
            | AlertDescription::AccessDenied,
        ) => said(
            "the server requires a client certificate, which tokenwell does not support",
            "Use an endpoint without client certificates.",
        ),
        Error::AlertReceived(AlertDescription::NoApplicationProtocol) | Error::NoApplicationProtocol => {
            said("the server does not support HTTP/1.1", "Enable HTTP/1.1 on the server, or use a gateway that supports it.")
        }
        Error::AlertReceived(AlertDescription::UnrecognisedName) => {
            ("the server does not know this host name".to_owned(), hint.use_certificate_name())
        }
        Error::AlertReceived(_) | Error::PeerMisbehaved(_) | Error::PeerIncompatible(_) => {
            (printable(&error.to_string(), LONGEST_REASON), CHECK_TLS.to_owned())
        }
        other => (printable(&other.to_string(), LONGEST_REASON), CHECK_AUTHORITY.to_owned()),
    }
}

fn certificate(bad: &Bad, hint: &ConnectionHint) -> (String, String) {
    let said = |problem: &str, advice: &str| (problem.to_owned(), advice.to_owned());
    match bad {
        Bad::UnknownIssuer => said("the certificate is signed by an authority that is not trusted", CHECK_AUTHORITY),
        Bad::NotValidForName | Bad::NotValidForNameContext { .. } => {
            ("the certificate is for another host name".to_owned(), hint.use_certificate_name())
        }
        Bad::Expired | Bad::ExpiredContext { .. } => {
            said("the certificate has expired", "Renew the certificate, or correct the clock of this host if it is ahead.")
        }
        Bad::NotValidYet | Bad::NotValidYetContext { .. } => {
            said("the certificate is not valid yet", "Correct the clock of this host, or wait until the certificate is valid.")
        }
        Bad::Revoked => said("the certificate has been revoked", CHECK_AUTHORITY),
        Bad::BadSignature => said(
            "a signature of the certificate or the handshake does not match its key",
            "Check that the server sends its own certificate, and that its RSA keys have 2048 bits or more. Shorter ones are not accepted.",
        ),
        Bad::UnsupportedSignatureAlgorithmContext { signature_algorithm_id, .. } => unsupported(signature_algorithm_id, None),
        Bad::UnsupportedSignatureAlgorithmForPublicKeyContext { signature_algorithm_id, public_key_algorithm_id } => {
            unsupported(signature_algorithm_id, Some(public_key_algorithm_id))
        }
        Bad::InvalidPurpose | Bad::InvalidPurposeContext { .. } => {
            said("the certificate is not for a server", "Use a certificate with the extended key usage \"server authentication\".")
        }
        Bad::Other(other) if format!("{other:?}").contains("CaUsedAsEndEntity") => said(
            "the server uses the certificate of an authority as its own",
            "Create a certificate for the server that is signed by the authority (openssl: basicConstraints=CA:FALSE).",
        ),
        Bad::BadEncoding => said("the certificate is damaged", CHECK_AUTHORITY),
        other => (printable(&Error::InvalidCertificate(other.clone()).to_string(), LONGEST_REASON), CHECK_AUTHORITY.to_owned()),
    }
}

fn unsupported(signature: &[u8], key: Option<&Vec<u8>>) -> (String, String) {
    let key = key.and_then(|key| name_of(key)).map(|name| format!(" and a key on {name}")).unwrap_or_default();
    let signature = name_of(signature).unwrap_or("an uncommon algorithm");
    (
        format!("the certificate is signed with {signature}{key}, which tokenwell does not support"),
        "Use a certificate and an authority with RSA (2048 bits or more), ECDSA on P-256, P-384 or P-521, or Ed25519, and with SHA-256 or \
         longer."
            .to_owned(),
    )
}

/// The name of a signature algorithm or of the curve of a key, from its identifier in a certificate.
fn name_of(algorithm: &[u8]) -> Option<&'static str> {
    let known: [(&[u8], &str); 8] = [
        (alg_id::ECDSA_P256.as_ref(), "P-256"),
        (alg_id::ECDSA_P384.as_ref(), "P-384"),
        (alg_id::ECDSA_P521.as_ref(), "P-521"),
        (alg_id::ECDSA_P256K1.as_ref(), "secp256k1"),
        (alg_id::ED448.as_ref(), "Ed448"),
        (alg_id::ECDSA_SHA256.as_ref(), "ECDSA with SHA-256"),
        (alg_id::ECDSA_SHA384.as_ref(), "ECDSA with SHA-384"),
        (alg_id::ECDSA_SHA512.as_ref(), "ECDSA with SHA-512"),
    ];
    known.into_iter().find(|(id, _)| *id == algorithm).map(|(_, name)| name).or_else(|| {
        // An algorithm may have parameters after its identifier.
        OTHERS.iter().find(|(id, _)| algorithm.starts_with(id)).map(|(_, name)| *name)
    })
}

/// Identifiers in DER.
#[rustfmt::skip]
const OTHERS: [(&[u8], &str); 11] = [
    (&[6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 2], "RSA with MD2"),
    (&[6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 4], "RSA with MD5"),
    (&[6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 5], "RSA with SHA-1"),
    (&[6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 10], "RSA-PSS with uncommon parameters"),
    (&[6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 14], "RSA with SHA-224"),
    (&[6, 7, 0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 1], "ECDSA with SHA-1"),
    (&[6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 1], "ECDSA with SHA-224"),
    (&[6, 7, 0x2a, 0x86, 0x48, 0xce, 0x38, 4, 3], "DSA with SHA-1"),
    (&[6, 9, 0x60, 0x86, 0x48, 1, 0x65, 3, 4, 3, 2], "DSA with SHA-256"),
    (&[6, 7, 0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1, 6, 9, 0x2b, 0x24, 3, 3, 2, 8, 1], "a Brainpool curve"),
    (&[6, 7, 0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1], "an uncommon curve"),
];

const UPDATE_SERVER: &str = "Update the server, or enable TLS 1.2 or 1.3 on it.";

/// The hint for a handshake that the server ended.
const CHECK_TLS: &str = "Check the log of the server, and every proxy and load balancer in between.";

/// The hint for a certificate that is not trusted.
const CHECK_AUTHORITY: &str = "If a proxy or a private certificate authority signs this server's certificate, set ca_file \
     (TOKENWELL_CA_FILE) to the authority's PEM file.";
