//! A saved record is loaded only with the same secret and the same slot.

use crate::support::{Bench, SECRET, record, slot, token_in};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use std::fs;
use std::time::{Duration, SystemTime};
use tokenwell::Error;
use tokenwell::error::Exchange;
use tokenwell::secret::Secret;
use tokenwell::store::{FileStore, Record, SlotKey, Store, StoredCooldown, UnknownMembers};

#[test]
fn a_saved_record_is_loaded_unchanged() {
    let bench = Bench::new();
    let error = Error::RateLimited {
        server: "https://server".into(),
        description: "later".into(),
        http_status: 429,
        retry_after: Duration::from_secs(30),
        exchange: Exchange::default(),
    };
    let cooldown = StoredCooldown { error, since_ms: 7, until_ms: 30_007, failures: 2, unknown: UnknownMembers::default() };
    let saved = record("token \"1\" \\ ü").with_cooldown(cooldown);

    bench.store.save(&slot(), &saved).unwrap();

    let loaded = bench.store.load(&slot()).unwrap();
    assert_eq!(token_in(&loaded), token_in(&saved));
    assert_eq!(format!("{loaded:?}"), format!("{saved:?}"));
}

#[test]
fn a_store_that_was_never_written_is_empty_and_remains_untouched() {
    let bench = Bench::new();

    let loaded = bench.store.load(&slot()).unwrap();

    assert!(loaded.token.is_none() && loaded.cooldown.is_none());
    assert!(!bench.directory().exists());
}

#[test]
fn a_record_without_a_token_replaces_one_with_a_token() {
    let bench = Bench::with("token");

    bench.store.save(&slot(), &Record::default()).unwrap();

    assert_eq!(bench.token(), None);
}

#[test]
fn a_token_of_one_mebibyte_is_shared_and_a_larger_one_is_an_error() {
    let bench = Bench::new();
    let large = "t".repeat(1024 * 1024);
    bench.save(&large);

    let error = bench.store.save(&slot(), &record(&"t".repeat(3 * 1024 * 1024))).unwrap_err();

    assert!(error.to_string().contains("at most 2097152 bytes"), "{error}");
    assert_eq!(bench.token().map(|token| token.len()), Some(large.len()));
}

#[test]
fn a_slash_at_the_end_of_the_directory_makes_no_difference() {
    let bench = Bench::with("token");
    let path = format!("{}/./", bench.directory().display());

    let loaded = FileStore::open(path.into(), false).load(&slot()).unwrap();

    assert_eq!(token_in(&loaded).as_deref(), Some("token"));
}

type Identity = Vec<(&'static str, String)>;

#[test]
fn i16_no_other_input_finds_the_token() {
    let bench = Bench::new();
    let fields = [
        "token_endpoint",
        "client_id",
        "auth_method",
        "scope",
        "audience",
        "resource",
        "grant_type",
        "issuer",
        "tenant",
        "region",
        "profile",
        "proxy",
    ];
    let mine = SlotKey { identity: fields.map(|field| (field, format!("the {field}"))).into(), secret: Secret::from(SECRET) };
    bench.store.save(&mine, &record("mine")).unwrap();

    let mut others = vec![
        ("the secret".to_owned(), SlotKey { secret: Secret::from("another"), ..mine.clone() }),
        ("no secret".to_owned(), SlotKey { secret: Secret::from(""), ..mine.clone() }),
    ];
    let mut change = |what: String, change: &dyn Fn(&mut Identity)| {
        let mut other = mine.clone();
        change(&mut other.identity);
        others.push((what, other));
    };
    for (index, field) in fields.into_iter().enumerate() {
        change(format!("{field} changed"), &|identity| identity[index].1.push('!'));
        change(format!("{field} empty"), &|identity| identity[index].1.clear());
        change(format!("{field} left out"), &|identity| drop(identity.remove(index)));
        change(format!("{field} renamed"), &|identity| identity[index].0 = "other");
        change(format!("{field} in another place"), &|identity| identity.swap(index, (index + 1) % fields.len()));
        change(format!("a byte of {field} moved on"), &|identity| {
            let last = identity[index].1.pop().unwrap();
            identity[(index + 1) % fields.len()].1.insert(0, last);
        });
    }
    change("one more".into(), &|identity| identity.push(("more", String::new())));

    assert!(others.len() > 70);
    for (what, other) in &others {
        assert_eq!(token_in(&bench.store.load(other).unwrap()), None, "{what}");
        bench.store.save(other, &record(what)).unwrap();
    }
    for (what, other) in &others {
        assert_eq!(token_in(&bench.store.load(other).unwrap()).as_ref(), Some(what));
    }
    assert_eq!(token_in(&bench.store.load(&mine).unwrap()).as_deref(), Some("mine"));
    assert_eq!(bench.files().len(), others.len() + 1);
}

#[test]
fn i21_no_file_and_no_name_tells_the_secret_the_token_or_whose_they_are() {
    let bench = Bench::with("eyJ0.canary-of-the-token.c2ln");
    let _lock = bench.store.lock(&slot(), Duration::ZERO).unwrap().unwrap();
    let hidden = [SECRET, "canary-of-the-token", "mdb_sa_id_0123456789abcdef01234567", "cloud.mongodb.com", "read write", "1800003600000"];

    let mut all = Vec::new();
    for path in bench.files() {
        all.extend_from_slice(path.file_name().unwrap().as_encoded_bytes());
        all.extend_from_slice(&fs::read(&path).unwrap());
    }

    assert!(all.len() > 200, "the files have content");
    for string in hidden {
        for form in forms(string) {
            assert!(!all.windows(form.len()).any(|window| window == form), "{string} is present as {form:?}");
        }
    }
    let printed = format!("{:?} {}", bench.store, bench.store.location());
    assert!(!printed.contains("canary"), "{printed}");
}

/// Returns `string` unchanged, in hexadecimal, reversed, and in base64 at each of the three offsets
/// within a group of bytes.
fn forms(string: &str) -> Vec<Vec<u8>> {
    let hexadecimal: String = string.bytes().map(|byte| format!("{byte:02x}")).collect();
    let mut forms = vec![string.into(), string.bytes().rev().collect(), hexadecimal.to_uppercase().into(), hexadecimal.into()];
    for shift in 0..3 {
        let shifted = [&vec![0; shift], string.as_bytes()].concat();
        for encoded in [STANDARD.encode(&shifted), URL_SAFE_NO_PAD.encode(&shifted)] {
            // The first and the last group depend on the adjacent bytes.
            forms.push(encoded.as_bytes()[4..encoded.len() - 4].to_vec());
        }
    }
    forms
}

#[test]
fn the_temporary_file_of_a_killed_writer_is_removed_once_it_is_old() {
    let bench = Bench::with("token");
    let name = bench.file("token").file_name().unwrap().to_str().unwrap().to_owned();
    let (old, young) = (format!("{name}.0123456789abcdef.temp"), format!("{name}.fedcba9876543210.temp"));
    let (strange, foreign) = ("notes.temp".to_owned(), "notes.token.0123456789abcdef.temp".to_owned());
    for name in [&old, &young, &strange, &foreign] {
        let file = fs::OpenOptions::new().write(true).create_new(true).open(bench.directory().join(name)).unwrap();
        let age = if *name == young { 60 } else { 3600 };
        file.set_modified(SystemTime::now() - Duration::from_secs(age)).unwrap();
        crate::support::set_mode(&bench.directory().join(name), 0o600);
    }

    bench.save("next");
    assert!(bench.directory().join(&old).exists(), "the first save has cleaned up today");

    let stamp = fs::OpenOptions::new().write(true).open(bench.directory().join("housekeeping")).unwrap();
    stamp.set_modified(SystemTime::now() - Duration::from_secs(86_400)).unwrap();
    bench.save("next");

    assert!(!bench.directory().join(&old).exists(), "the old one is removed");
    for name in [&young, &strange, &foreign] {
        assert!(bench.directory().join(name).exists(), "{name} is not a file of the store, or may still be written");
    }
    assert_eq!(bench.token().as_deref(), Some("next"));
}
