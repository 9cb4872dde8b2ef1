//! The format on disk, compared with a record of another implementation: `format_1/make.py`.

use crate::support::{Bench, set_mode, slot, token_in};
use std::fs;
use std::time::Duration;
use tokenwell::store::Store;

#[test]
fn a_record_of_format_1_is_read() {
    let bench = Bench::with("some token");
    let name = "8434730c7ec7ce40b2200094bfe2053c.token";
    assert_eq!(bench.file("token").file_name().unwrap(), name);

    fs::write(bench.directory().join(name), include_bytes!("format_1/8434730c7ec7ce40b2200094bfe2053c.token")).unwrap();
    set_mode(&bench.directory().join(name), 0o600);

    let record = bench.store.load(&slot()).unwrap();
    assert_eq!(token_in(&record).as_deref(), Some("a token of format 1"));
    let token = record.token.unwrap();
    assert_eq!((token.obtained_at_ms, token.refresh_at_ms, token.expires_at_ms), (1_800_000_000_000, 1_800_003_000_000, 1_800_003_600_000));
    assert_eq!(token.scope.as_deref(), Some("read write"));
    let cooldown = record.cooldown.unwrap();
    assert_eq!((cooldown.since_ms, cooldown.until_ms, cooldown.failures), (1_800_003_000_000, 1_800_003_030_000, 1));
    assert_eq!((cooldown.error.http_status(), cooldown.error.retry_after()), (Some(429), Some(Duration::from_secs(30))));
}
