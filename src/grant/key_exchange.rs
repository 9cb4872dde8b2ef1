//! Key exchange on P-521, which ring does not have.
//!
//! In TLS 1.2 a server with a key on P-521 refuses a client that does not offer this curve for the
//! key exchange too. It is offered last, so other servers choose a faster curve.

use p521::elliptic_curve::ecdh::diffie_hellman;
use p521::elliptic_curve::sec1::ToSec1Point;
use p521::{PublicKey, SecretKey};
use ring::rand::{SecureRandom, SystemRandom};
use rustls::crypto::{ActiveKeyExchange, GetRandomFailed, SharedSecret, SupportedKxGroup};
use rustls::{Error, NamedGroup, PeerMisbehaved};
use zeroize::Zeroizing;

/// The size of a coordinate, and of an uncompressed point (SEC 1, section 2.3.3).
const COORDINATE: usize = 66;
const POINT: usize = 1 + 2 * COORDINATE;
const UNCOMPRESSED: u8 = 4;

/// The group `secp521r1`.
pub(super) static P521: &dyn SupportedKxGroup = &P521Group;

#[derive(Debug)]
struct P521Group;

struct P521Exchange {
    secret: SecretKey,
    public: Vec<u8>,
}

impl SupportedKxGroup for P521Group {
    fn start(&self) -> Result<Box<dyn ActiveKeyExchange>, Error> {
        let secret = random_key()?;
        let public = secret.public_key().to_sec1_point(false).as_bytes().to_vec();
        Ok(Box::new(P521Exchange { secret, public }))
    }

    fn name(&self) -> NamedGroup {
        NamedGroup::secp521r1
    }
}

impl ActiveKeyExchange for P521Exchange {
    fn complete(self: Box<Self>, peer: &[u8]) -> Result<SharedSecret, Error> {
        let is_point = peer.len() == POINT && peer.first() == Some(&UNCOMPRESSED);
        let point = if is_point { PublicKey::from_sec1_bytes(peer).ok() } else { None };
        let point = point.ok_or(PeerMisbehaved::InvalidKeyShare)?;
        let shared = diffie_hellman(self.secret.to_nonzero_scalar(), point.as_affine());
        Ok(SharedSecret::from(shared.raw_secret_bytes().as_slice()))
    }

    fn pub_key(&self) -> &[u8] {
        &self.public
    }

    fn group(&self) -> NamedGroup {
        NamedGroup::secp521r1
    }
}

fn random_key() -> Result<SecretKey, Error> {
    // Nearly all numbers of 521 bits are below the order of the curve.
    for _ in 0..128 {
        let mut bytes = Zeroizing::new([0; COORDINATE]);
        SystemRandom::new().fill(bytes.as_mut_slice()).map_err(|_| GetRandomFailed)?;
        // 521 bits.
        bytes[0] &= 1;
        if let Ok(key) = SecretKey::from_slice(bytes.as_slice()) {
            return Ok(key);
        }
    }
    Err(GetRandomFailed.into())
}
