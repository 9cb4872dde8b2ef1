//! A damaged file is either the record that was saved or no record.

use crate::support::{Bench, record, set_mode, slot, token_in};
use std::fs;
use std::os::unix::fs::OpenOptionsExt;
use tokenwell::secret::Secret;
use tokenwell::store::{SlotKey, Store};

/// Returns the token that is loaded if the file contains `bytes`.
fn with_bytes(bench: &Bench, bytes: &[u8]) -> Option<String> {
    fs::write(bench.file("token"), bytes).unwrap();
    let found = bench.token();
    bench.assert_neighbour_undisturbed("after a damaged file was read");
    found
}

#[test]
fn i12_a_record_that_is_cut_short_or_continued_is_a_miss() {
    let bench = Bench::with_neighbour("token");
    let whole = fs::read(bench.file("token")).unwrap();

    for length in 0..whole.len() {
        assert_eq!(with_bytes(&bench, &whole[..length]), None, "{length} of {} bytes", whole.len());
    }
    assert_eq!(with_bytes(&bench, &[whole.as_slice(), &[0]].concat()), None);
    assert_eq!(with_bytes(&bench, &[whole.as_slice(), &whole].concat()), None);

    assert_eq!(with_bytes(&bench, &whole).as_deref(), Some("token"));
}

#[test]
fn i12_a_record_with_one_bit_changed_is_a_miss() {
    let bench = Bench::with_neighbour("token");
    let whole = fs::read(bench.file("token")).unwrap();

    for bit in 0..whole.len() * 8 {
        let mut changed = whole.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(with_bytes(&bench, &changed), None, "bit {bit}");
    }

    assert_eq!(with_bytes(&bench, &whole).as_deref(), Some("token"));
}

#[test]
fn i12_a_record_of_another_version_is_a_miss_and_is_replaced() {
    let bench = Bench::with_neighbour("token");
    let whole = fs::read(bench.file("token")).unwrap();
    let version = "tokenwell".len();
    assert_eq!(whole[version], 1);

    for other in (0..=255).filter(|other| *other != 1) {
        let mut changed = whole.clone();
        changed[version] = other;
        assert_eq!(with_bytes(&bench, &changed), None, "version {other}");
    }

    bench.save("next");
    assert_eq!(bench.token().as_deref(), Some("next"));
    bench.assert_neighbour_undisturbed("after the next save");
}

#[test]
fn i12_records_in_each_others_place_are_misses() {
    let bench = Bench::with_neighbour("mine");
    let mine = bench.file("token");
    let theirs = SlotKey { secret: Secret::from("theirs"), ..slot() };
    bench.store.save(&theirs, &record("theirs")).unwrap();
    let other = bench.files().into_iter().find(|path| *path != mine).unwrap();

    fs::rename(&mine, bench.beside("aside")).unwrap();
    fs::rename(&other, &mine).unwrap();
    fs::rename(bench.beside("aside"), &other).unwrap();

    assert_eq!(bench.token(), None);
    assert_eq!(token_in(&bench.store.load(&theirs).unwrap()), None);
    bench.assert_neighbour_undisturbed("after a swap of two others");
}

#[test]
fn i12_a_huge_file_is_a_miss_and_is_not_read() {
    const HUGE: u64 = 1 << 44;
    let bench = Bench::with_neighbour("token");
    let path = bench.file("token");
    for length in [0, 2 * 1024 * 1024 + 1, 100 * 1024 * 1024, HUGE] {
        fs::remove_file(&path).unwrap();
        let file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path).unwrap();
        // The file is one hole. Reading the longest one would exceed the time limit of any test.
        // Some file systems do not support that length.
        if file.set_len(length).is_err() {
            assert_eq!(length, HUGE);
        }

        assert_eq!(bench.token(), None, "{length} bytes");
        bench.assert_neighbour_undisturbed(&format!("{length} bytes"));
    }

    bench.save("next");
    assert_eq!(bench.token().as_deref(), Some("next"));
    bench.assert_neighbour_undisturbed("after the next save");
}

#[test]
fn an_unreadable_file_is_an_error_with_its_path() {
    let bench = Bench::with_neighbour("token");
    set_mode(&bench.file("token"), 0o000);

    match bench.store.load(&slot()) {
        Ok(record) => assert_eq!((token_in(&record).as_deref(), crate::support::is_root()), (Some("token"), true), "root reads everything"),
        Err(error) => assert!(error.to_string().contains(&bench.file("token").display().to_string()), "{error}"),
    }
    bench.assert_neighbour_undisturbed("after a file that may not be read");
}
