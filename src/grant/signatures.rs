//! The signatures that a server's certificates and handshake may have.
//!
//! ring verifies RSA, Ed25519, and ECDSA with SHA-256 or SHA-384 on P-256 and P-384. Authorities of
//! companies and of inspecting proxies also use P-521, and SHA-512 on the smaller curves. These are
//! verified with the crates of RustCrypto. Nothing is signed and nothing secret is an input, so
//! their timing does not matter.

use super::key_exchange;
use ring::digest::{self, Algorithm, SHA256, SHA384, SHA512, digest};
use rustls::SignatureScheme;
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms};
use rustls::pki_types::{AlgorithmIdentifier, InvalidSignature, SignatureVerificationAlgorithm, alg_id};
use std::sync::Arc;
use webpki::ring as webpki_ring;

/// ring with the additional signatures and the key exchange that servers with such a key require.
pub(super) fn provider() -> Arc<CryptoProvider> {
    let mut provider = rustls::crypto::ring::default_provider();
    provider.signature_verification_algorithms = SUPPORTED;
    provider.kx_groups.push(key_exchange::P521);
    Arc::new(provider)
}

/// In TLS 1.3 a scheme names the first algorithm of its row only. In TLS 1.2 a scheme does not
/// determine the curve.
static SUPPORTED: WebPkiSupportedAlgorithms = WebPkiSupportedAlgorithms {
    all: &[
        webpki_ring::ECDSA_P256_SHA256,
        webpki_ring::ECDSA_P256_SHA384,
        P256_SHA512,
        webpki_ring::ECDSA_P384_SHA256,
        webpki_ring::ECDSA_P384_SHA384,
        P384_SHA512,
        P521_SHA256,
        P521_SHA384,
        P521_SHA512,
        webpki_ring::ED25519,
        webpki_ring::RSA_PSS_2048_8192_SHA256_LEGACY_KEY,
        webpki_ring::RSA_PSS_2048_8192_SHA384_LEGACY_KEY,
        webpki_ring::RSA_PSS_2048_8192_SHA512_LEGACY_KEY,
        webpki_ring::RSA_PKCS1_2048_8192_SHA256,
        webpki_ring::RSA_PKCS1_2048_8192_SHA384,
        webpki_ring::RSA_PKCS1_2048_8192_SHA512,
        webpki_ring::RSA_PKCS1_2048_8192_SHA256_ABSENT_PARAMS,
        webpki_ring::RSA_PKCS1_2048_8192_SHA384_ABSENT_PARAMS,
        webpki_ring::RSA_PKCS1_2048_8192_SHA512_ABSENT_PARAMS,
    ],
    mapping: &[
        (SignatureScheme::ECDSA_NISTP384_SHA384, &[webpki_ring::ECDSA_P384_SHA384, webpki_ring::ECDSA_P256_SHA384, P521_SHA384]),
        (SignatureScheme::ECDSA_NISTP256_SHA256, &[webpki_ring::ECDSA_P256_SHA256, webpki_ring::ECDSA_P384_SHA256, P521_SHA256]),
        (SignatureScheme::ECDSA_NISTP521_SHA512, &[P521_SHA512, P384_SHA512, P256_SHA512]),
        (SignatureScheme::ED25519, &[webpki_ring::ED25519]),
        (SignatureScheme::RSA_PSS_SHA512, &[webpki_ring::RSA_PSS_2048_8192_SHA512_LEGACY_KEY]),
        (SignatureScheme::RSA_PSS_SHA384, &[webpki_ring::RSA_PSS_2048_8192_SHA384_LEGACY_KEY]),
        (SignatureScheme::RSA_PSS_SHA256, &[webpki_ring::RSA_PSS_2048_8192_SHA256_LEGACY_KEY]),
        (SignatureScheme::RSA_PKCS1_SHA512, &[webpki_ring::RSA_PKCS1_2048_8192_SHA512]),
        (SignatureScheme::RSA_PKCS1_SHA384, &[webpki_ring::RSA_PKCS1_2048_8192_SHA384]),
        (SignatureScheme::RSA_PKCS1_SHA256, &[webpki_ring::RSA_PKCS1_2048_8192_SHA256]),
    ],
};

static P256_SHA512: &dyn SignatureVerificationAlgorithm =
    &Ecdsa { curve: Curve::P256, key: alg_id::ECDSA_P256, signature: alg_id::ECDSA_SHA512, hash: &SHA512 };
static P384_SHA512: &dyn SignatureVerificationAlgorithm =
    &Ecdsa { curve: Curve::P384, key: alg_id::ECDSA_P384, signature: alg_id::ECDSA_SHA512, hash: &SHA512 };
static P521_SHA256: &dyn SignatureVerificationAlgorithm =
    &Ecdsa { curve: Curve::P521, key: alg_id::ECDSA_P521, signature: alg_id::ECDSA_SHA256, hash: &SHA256 };
static P521_SHA384: &dyn SignatureVerificationAlgorithm =
    &Ecdsa { curve: Curve::P521, key: alg_id::ECDSA_P521, signature: alg_id::ECDSA_SHA384, hash: &SHA384 };
static P521_SHA512: &dyn SignatureVerificationAlgorithm =
    &Ecdsa { curve: Curve::P521, key: alg_id::ECDSA_P521, signature: alg_id::ECDSA_SHA512, hash: &SHA512 };

/// ECDSA with a curve and a hash that ring does not combine.
#[derive(Debug)]
struct Ecdsa {
    curve: Curve,
    key: AlgorithmIdentifier,
    signature: AlgorithmIdentifier,
    hash: &'static Algorithm,
}

#[derive(Clone, Copy, Debug)]
enum Curve {
    P256,
    P384,
    P521,
}

impl SignatureVerificationAlgorithm for Ecdsa {
    fn public_key_alg_id(&self) -> AlgorithmIdentifier {
        self.key
    }

    fn signature_alg_id(&self) -> AlgorithmIdentifier {
        self.signature
    }

    fn verify_signature(&self, key: &[u8], message: &[u8], signature: &[u8]) -> Result<(), InvalidSignature> {
        self.curve.verify(key, &digest(self.hash, message), signature).ok_or(InvalidSignature)
    }
}

impl Curve {
    /// `key` is a point (SEC 1, section 2.3.3), `signature` is DER (RFC 3279, section 2.2.3).
    fn verify(self, key: &[u8], hash: &digest::Digest, signature: &[u8]) -> Option<()> {
        use p256::ecdsa::signature::hazmat::PrehashVerifier;

        match self {
            Self::P256 => {
                let key = p256::ecdsa::VerifyingKey::from_sec1_bytes(key).ok()?;
                key.verify_prehash(hash.as_ref(), &p256::ecdsa::Signature::from_der(signature).ok()?).ok()
            }
            Self::P384 => {
                let key = p384::ecdsa::VerifyingKey::from_sec1_bytes(key).ok()?;
                key.verify_prehash(hash.as_ref(), &p384::ecdsa::Signature::from_der(signature).ok()?).ok()
            }
            Self::P521 => {
                let key = p521::ecdsa::VerifyingKey::from_sec1_bytes(key).ok()?;
                key.verify_prehash(hash.as_ref(), &p521::ecdsa::Signature::from_der(signature).ok()?).ok()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::*;
    use crate::config::Authorities;
    use crate::error::{Error, Status};
    use crate::grant::test_server::TestServer;
    use crate::grant::tests::{ENOUGH, config, credential, grant, token_reply};
    use crate::grant::{Grant, Minted};
    use p521::ecdsa::signature::Signer as _;
    use rustls::pki_types::pem::PemObject;
    use rustls::pki_types::{CertificateDer, PrivateKeyDer};
    use rustls::sign::{CertifiedKey, Signer, SigningKey, SingleCertAndKey};
    use rustls::{ServerConfig, SignatureAlgorithm};

    /// An authority, the certificate that it issued to localhost and the key of that certificate,
    /// made by `tests/certificates/make.sh`.
    struct Chain {
        authority: &'static str,
        certificate: CertificateDer<'static>,
        key: PrivateKeyDer<'static>,
    }

    macro_rules! chain {
        ($name:literal) => {
            Chain::read(include_str!(concat!("../../tests/certificates/", $name, ".pem")))
        };
    }

    impl Chain {
        fn read(pem: &'static str) -> Self {
            let certificate = CertificateDer::pem_slice_iter(pem.as_bytes()).nth(1).unwrap().unwrap();
            Self { authority: pem, certificate, key: PrivateKeyDer::from_pem_slice(pem.as_bytes()).unwrap() }
        }

        /// Requests a token from a server with this chain. `signer` changes the server's key.
        fn mint(&self, key: Arc<dyn SigningKey>, version: &'static rustls::SupportedProtocolVersion) -> Result<Minted, Error> {
            self.mint_from(rustls::crypto::ring::default_provider(), key, version)
        }

        fn mint_from(
            &self,
            provider: CryptoProvider,
            key: Arc<dyn SigningKey>,
            version: &'static rustls::SupportedProtocolVersion,
        ) -> Result<Minted, Error> {
            let tls = ServerConfig::builder_with_provider(Arc::new(provider))
                .with_protocol_versions(&[version])
                .unwrap()
                .with_no_client_auth()
                .with_cert_resolver(Arc::new(SingleCertAndKey::from(CertifiedKey::new(vec![self.certificate.clone()], key))));
            let server = TestServer::over_tls(Arc::new(tls), token_reply());
            let directory = tempfile::tempdir().unwrap();
            let file = directory.path().join("ca.pem");
            std::fs::write(&file, self.authority.split_inclusive("-----END CERTIFICATE-----\n").next().unwrap()).unwrap();
            let mut config = config(&format!("https://localhost:{}/token", server.port()));
            config.authorities = Authorities::File(file);
            grant(&config).mint(&credential(), ENOUGH)
        }

        fn ring_key(&self) -> Arc<dyn SigningKey> {
            rustls::crypto::ring::sign::any_supported_type(&self.key).unwrap()
        }

        fn p521_key(&self, damaged: bool) -> Arc<dyn SigningKey> {
            Arc::new(P521 { key: p521_signing_key(&self.key), damaged })
        }
    }

    fn p521_signing_key(key: &PrivateKeyDer<'_>) -> Arc<p521::ecdsa::SigningKey> {
        let der = key.secret_der();
        // The scalar is the only string of 66 bytes.
        let start = der.windows(2).position(|window| window == [0x04, 0x42]).unwrap() + 2;
        Arc::new(p521::ecdsa::SigningKey::from_slice(&der[start..start + 66]).unwrap())
    }

    #[derive(Clone)]
    struct P521 {
        key: Arc<p521::ecdsa::SigningKey>,
        damaged: bool,
    }

    impl std::fmt::Debug for P521 {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("P521")
        }
    }

    impl SigningKey for P521 {
        fn choose_scheme(&self, offered: &[SignatureScheme]) -> Option<Box<dyn Signer>> {
            offered.contains(&SignatureScheme::ECDSA_NISTP521_SHA512).then(|| Box::new(self.clone()) as Box<dyn Signer>)
        }

        fn algorithm(&self) -> SignatureAlgorithm {
            SignatureAlgorithm::ECDSA
        }
    }

    impl Signer for P521 {
        fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rustls::Error> {
            let signature: p521::ecdsa::DerSignature = self.key.sign(message);
            let mut signature = signature.as_bytes().to_vec();
            *signature.last_mut().unwrap() ^= u8::from(self.damaged);
            Ok(signature)
        }

        fn scheme(&self) -> SignatureScheme {
            SignatureScheme::ECDSA_NISTP521_SHA512
        }
    }

    const VERSIONS: [&rustls::SupportedProtocolVersion; 2] = [&rustls::version::TLS12, &rustls::version::TLS13];

    #[test]
    fn an_authority_and_a_server_on_p521_are_verified() {
        for chain in [chain!("p521"), chain!("p521_sha256"), chain!("p521_sha384")] {
            for version in VERSIONS {
                chain.mint(chain.p521_key(false), version).unwrap();
            }
        }
    }

    #[test]
    fn a_key_exchange_on_p521_is_offered_last_and_works() {
        let offered: Vec<_> = provider().kx_groups.iter().map(|group| group.name()).collect();
        assert_eq!(offered.last(), Some(&rustls::NamedGroup::secp521r1));
        assert_eq!(offered.len(), rustls::crypto::ring::ALL_KX_GROUPS.len() + 1);

        let chain = chain!("p521");
        for version in VERSIONS {
            let mut provider = rustls::crypto::ring::default_provider();
            provider.kx_groups = vec![key_exchange::P521];
            chain.mint_from(provider, chain.p521_key(false), version).unwrap();
        }
    }

    #[test]
    fn a_key_share_that_is_no_point_is_refused() {
        let start = || key_exchange::P521.start().unwrap();
        let (one, other) = (start(), start());
        let mut wrong = other.pub_key().to_vec();
        *wrong.last_mut().unwrap() ^= 1;
        let compressed = [&[2], &other.pub_key()[1..67]].concat();

        for share in [&b""[..], &[0], &[4; 133], &[4; 132], &wrong, &compressed] {
            assert!(start().complete(share).is_err());
        }
        let (shares, ours) = ((one.pub_key().to_vec(), other.pub_key().to_vec()), one);
        let (one, other) = (ours.complete(&shares.1).unwrap(), other.complete(&shares.0).unwrap());
        assert_eq!((one.secret_bytes(), one.secret_bytes().len()), (other.secret_bytes(), 66));
    }

    #[test]
    fn sha_512_on_the_smaller_curves_is_verified() {
        for chain in [chain!("p256_sha512"), chain!("p384_sha512")] {
            for version in VERSIONS {
                chain.mint(chain.ring_key(), version).unwrap();
            }
        }
    }

    #[test]
    fn a_certificate_with_a_wrong_signature_is_refused() {
        for mut chain in [chain!("p521"), chain!("p521_sha256"), chain!("p521_sha384"), chain!("p256_sha512"), chain!("p384_sha512")] {
            let mut damaged = chain.certificate.to_vec();
            *damaged.last_mut().unwrap() ^= 1;
            chain.certificate = damaged.into();
            let key = rustls::crypto::ring::sign::any_supported_type(&chain.key).unwrap_or_else(|_| chain.p521_key(false));

            let error = chain.mint(key, &rustls::version::TLS13).unwrap_err();

            assert_eq!(error.status(), Status::Tls, "{error}");
            assert!(error.to_string().contains("a signature of the certificate or the handshake does not match its key"), "{error}");
        }
    }

    #[test]
    fn a_handshake_with_a_wrong_signature_is_refused() {
        let chain = chain!("p521");
        for version in VERSIONS {
            let error = chain.mint(chain.p521_key(true), version).unwrap_err();

            assert_eq!(error.status(), Status::Tls, "{error}");
            assert!(error.to_string().contains("a signature of the certificate or the handshake does not match its key"), "{error}");
        }
    }

    #[test]
    fn a_signature_counts_for_its_own_hash_key_and_message_only() {
        use p521::ecdsa::signature::hazmat::PrehashSigner;

        let key = p521_signing_key(&chain!("p521").key);
        let point = key.verifying_key().to_sec1_point(false);
        let algorithms = [(P521_SHA256, &SHA256), (P521_SHA384, &SHA384), (P521_SHA512, &SHA512)];
        for (signed, (_, hash)) in algorithms.iter().enumerate() {
            let signature: p521::ecdsa::DerSignature = key.sign_prehash(digest(hash, b"message").as_ref()).unwrap();
            let mut other_point = point.as_bytes().to_vec();
            *other_point.last_mut().unwrap() ^= 1;
            for (verified, (algorithm, _)) in algorithms.iter().enumerate() {
                let outcome = algorithm.verify_signature(point.as_bytes(), b"message", signature.as_bytes());

                assert_eq!(outcome.is_ok(), signed == verified, "{signed} {verified}");
                assert!(algorithm.verify_signature(point.as_bytes(), b"massage", signature.as_bytes()).is_err());
                assert!(algorithm.verify_signature(&other_point, b"message", signature.as_bytes()).is_err());
                assert!(algorithm.verify_signature(b"", b"message", signature.as_bytes()).is_err());
                assert!(algorithm.verify_signature(point.as_bytes(), b"message", b"").is_err());
            }
        }
        // r and s of zero.
        let zero = [0x30, 6, 2, 1, 0, 2, 1, 0];
        assert!(algorithms.iter().all(|(algorithm, _)| algorithm.verify_signature(point.as_bytes(), b"message", &zero).is_err()));
    }

    #[test]
    fn what_stays_unsupported_is_named_in_words() {
        let cases = [
            (chain!("sha1"), "ECDSA with SHA-1"),
            (chain!("ed448"), "Ed448"),
            (chain!("rsa_sha1"), "RSA with SHA-1"),
            (chain!("secp256k1"), "ECDSA with SHA-256 and a key on secp256k1"),
        ];
        for (chain, name) in cases {
            let error = chain.mint(chain.ring_key(), &rustls::version::TLS13).unwrap_err();

            assert_eq!(error.status(), Status::Tls, "{error}");
            let message = error.to_string();
            assert!(message.ends_with(&format!("the certificate is signed with {name}, which tokenwell does not support")), "{message}");
            assert!(error.hint().contains("P-521"), "{}", error.hint());
        }
        let short = chain!("rsa1024");
        let error = short.mint(short.ring_key(), &rustls::version::TLS13).unwrap_err();
        assert!(error.hint().contains("2048 bits"), "{error} {}", error.hint());
    }
}
