//! Encryption of a record, so that only a program that knows the client secret can read it.
//!
//! HKDF-SHA-256 (RFC 5869) derives a name and a key for each slot from the client secret.
//! ChaCha20-Poly1305 (RFC 8439) seals the record with that key. A sealed record is
//!
//! ```text
//! "tokenwell", 9 bytes | version, 1 byte | nonce, 12 bytes | sealed record, n bytes | tag, 16 bytes
//! ```
//!
//! and everything before the sealed record is authenticated with it. `docs/token-cache.md`
//! describes what this protects against.

use super::{Record, SlotKey, StoreError, encoding};
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::error::Unspecified;
use ring::hkdf::{HKDF_SHA256, KeyType, Prk, Salt};
use ring::rand::{SecureRandom, SystemRandom};
use std::fmt;
use zeroize::Zeroizing;

/// The version of the file format. Files of another version are not read.
pub const VERSION: u8 = 1;
const MAGIC: &[u8] = b"tokenwell";
/// Fixed for each version of the format.
const SALT: &[u8] = b"tokenwell sealed record, format 1";
const HEADER: usize = MAGIC.len() + 1 + NONCE_LEN;
const NAME: usize = 16;
const KEY: usize = 32;

/// The name and the key of one slot.
pub(super) struct Seal {
    name: String,
    key: LessSafeKey,
}

impl Seal {
    pub(super) fn for_slot(slot: &SlotKey) -> Result<Self, StoreError> {
        let derived = || -> Result<Self, Unspecified> {
            let secret = Salt::new(HKDF_SHA256, SALT).extract(slot.secret.expose().as_bytes());
            let identity = length_prefixed(&slot.identity);
            let name = expand::<NAME>(&secret, "file name", &identity)?;
            let key = expand::<KEY>(&secret, "record key", &identity)?;
            Ok(Self { name: to_hex(&*name), key: LessSafeKey::new(UnboundKey::new(&CHACHA20_POLY1305, &*key)?) })
        };
        derived().map_err(|Unspecified| StoreError::new("cannot derive the key of the record"))
    }

    /// The name of the slot. It reveals nothing without the secret.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn seal(&self, record: &Record) -> Result<Vec<u8>, StoreError> {
        let nonce = random::<NONCE_LEN>()?;
        let mut header = [0; HEADER];
        header[..MAGIC.len()].copy_from_slice(MAGIC);
        header[MAGIC.len()] = VERSION;
        header[MAGIC.len() + 1..].copy_from_slice(&nonce);

        let failed = || StoreError::new("cannot encrypt the record: it is too large");
        let mut bytes = encoding::encode(record, HEADER).ok_or_else(failed)?;
        bytes[..HEADER].copy_from_slice(&header);
        let tag = self
            .key
            .seal_in_place_separate_tag(Nonce::assume_unique_for_key(nonce), Aad::from(header), &mut bytes[HEADER..])
            .map_err(|Unspecified| failed())?;
        Ok([bytes.as_slice(), tag.as_ref()].concat())
    }

    /// Returns the sealed record, or `None` if `bytes` are anything else: torn, of another version,
    /// of another slot, or modified.
    pub(super) fn open(&self, bytes: Vec<u8>) -> Option<Record> {
        let mut bytes = Zeroizing::new(bytes);
        let (header, sealed) = bytes.split_first_chunk_mut::<HEADER>()?;
        let header = *header;
        let nonce = header.strip_prefix(MAGIC)?.strip_prefix(&[VERSION])?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let plain = self.key.open_in_place(nonce, Aad::from(header), sealed).ok()?;
        encoding::decode(plain)
    }
}

impl fmt::Debug for Seal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Seal").field("name", &self.name).field("key", &"[redacted]").finish()
    }
}

/// Returns a random name in hexadecimal, long enough to be unique.
pub(super) fn random_name() -> Result<String, StoreError> {
    Ok(to_hex(&random::<8>()?))
}

fn random<const LENGTH: usize>() -> Result<[u8; LENGTH], StoreError> {
    let mut bytes = [0; LENGTH];
    // Read from the system each time: fork would copy the state of a generator in memory.
    SystemRandom::new().fill(&mut bytes).map_err(|Unspecified| StoreError::new("the random number generator of the system failed"))?;
    Ok(bytes)
}

/// Encodes each field after its length, so that different identities never have the same bytes.
fn length_prefixed(identity: &[(&'static str, String)]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (name, value) in identity {
        for field in [name.as_bytes(), value.as_bytes()] {
            bytes.extend_from_slice(&(field.len() as u64).to_be_bytes());
            bytes.extend_from_slice(field);
        }
    }
    bytes
}

fn expand<const LENGTH: usize>(secret: &Prk, purpose: &str, identity: &[u8]) -> Result<Zeroizing<[u8; LENGTH]>, Unspecified> {
    struct Length(usize);
    impl KeyType for Length {
        fn len(&self) -> usize {
            self.0
        }
    }

    // A NUL terminates the purpose, and no purpose contains one.
    let info = [purpose.as_bytes(), &[0, VERSION], identity];
    let mut derived = Zeroizing::new([0; LENGTH]);
    secret.expand(&info, Length(LENGTH))?.fill(&mut *derived)?;
    Ok(derived)
}

fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]).map(|digit| char::from(b"0123456789abcdef"[usize::from(digit)])).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::super::{StoredCooldown, StoredToken, UnknownMembers};
    use super::*;
    use crate::error::{Error, Exchange};
    use crate::secret::Secret;

    fn slot() -> SlotKey {
        let identity = [
            ("token_endpoint", "https://cloud.mongodb.com/api/oauth/token"),
            ("client_id", "mdb_sa_id_1"),
            ("auth_method", "client_secret_basic_raw"),
            ("scope", ""),
            ("audience", ""),
            ("resource", ""),
        ];
        SlotKey { identity: identity.map(|(name, value)| (name, value.to_owned())).into(), secret: Secret::from("mdb_sa_sk_canary") }
    }

    fn record() -> Record {
        let token = StoredToken {
            value: Secret::from("canary-token"),
            scope: None,
            obtained_at_ms: 1,
            expires_at_ms: 3,
            refresh_at_ms: 2,
            unknown: UnknownMembers::default(),
        };
        let error = Error::Network {
            server: "https://cloud.mongodb.com".into(),
            problem: "gone".into(),
            reached: true,
            advice: String::new(),
            source: None,
            exchange: Exchange::default(),
        };
        let cooldown = StoredCooldown { error, since_ms: 1, until_ms: 2, failures: 1, unknown: UnknownMembers::default() };
        Record::default().with_new_token(token).with_cooldown(cooldown)
    }

    fn shown(record: &Record) -> String {
        format!("{record:?} {:?}", record.token.as_ref().map(|token| token.value.expose()))
    }

    #[test]
    fn two_seals_of_one_record_share_only_the_header() {
        let seal = Seal::for_slot(&slot()).unwrap();

        let (one, other) = (seal.seal(&record()).unwrap(), seal.seal(&record()).unwrap());

        assert_eq!(one[..MAGIC.len() + 1], other[..MAGIC.len() + 1]);
        assert_ne!(one[MAGIC.len() + 1..HEADER], other[MAGIC.len() + 1..HEADER]);
        let same = one[HEADER..].iter().zip(&other[HEADER..]).filter(|(one, other)| one == other).count();
        assert!(same < (one.len() - HEADER) / 4, "{same} of {} bytes are the same", one.len() - HEADER);
    }

    #[test]
    fn i12_a_million_damaged_records_are_misses() {
        let seal = Seal::for_slot(&slot()).unwrap();
        let sealed = seal.seal(&record()).unwrap();
        let mut random = fastrand::Rng::with_seed(20_260_801);

        for round in 0..1_000_000 {
            let damaged = damage(&sealed, &mut random);
            if damaged != sealed {
                assert!(seal.open(damaged.clone()).is_none(), "round {round}: {damaged:?} was accepted as a record");
            }
        }

        assert_eq!(shown(&seal.open(sealed).unwrap()), shown(&record()));
    }

    fn damage(whole: &[u8], random: &mut fastrand::Rng) -> Vec<u8> {
        let mut bytes = whole.to_vec();
        for _ in 0..random.usize(1..4) {
            let position = random.usize(0..=bytes.len());
            match random.u8(0..5) {
                0 => bytes.truncate(position),
                1 => bytes.insert(position, random.u8(..)),
                2 if position < bytes.len() => bytes[position] ^= 1 << random.u8(0..8),
                3 if position < bytes.len() => bytes[position] = random.u8(..),
                _ => bytes.rotate_left(position),
            }
        }
        bytes
    }

    #[test]
    fn i24_a_seal_prints_no_key() {
        let seal = Seal::for_slot(&slot()).unwrap();

        let printed = format!("{seal:?}");

        assert!(printed.contains("[redacted]"), "{printed}");
        assert!(!printed.contains("canary"), "{printed}");
    }
}
