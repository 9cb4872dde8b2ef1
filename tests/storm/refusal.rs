//! What the server refuses to one process it need not refuse to all.

use crate::Storm;
use crate::crowd::{CALLERS, TOGETHER};
use crate::scene::{Scene, TOKEN_PATH};
use serde_json::json;

/// Retry-After, and the tenth by which it is lengthened at most.
const RETRY_AFTER_MS: u64 = 30_000;
const LONGEST_MS: u64 = RETRY_AFTER_MS + RETRY_AFTER_MS / 10;

pub fn after_a_429_nobody_asks(storm: &mut Storm) {
    let scene = Scene::new();
    let start_ms = scene.stop_the_clock();
    scene.emulator.set_faults(json!([{"path": TOKEN_PATH, "times": 1, "status": 429, "headers": {"Retry-After": "30"}}])).unwrap();
    let settings_at = |now_ms: u64| {
        let mut settings = scene.settings();
        settings.push(("manual_clock_ms", now_ms.to_string()));
        settings
    };

    storm.crowd.clients(&settings_at(start_ms));
    all_are_refused(storm, LONGEST_MS);
    assert_eq!(scene.token_requests(), 1, "one asked for all");

    advance(storm, &scene, 20_000);
    all_are_refused(storm, LONGEST_MS - 20_000);
    // Those who come later know nothing but what is in the cache.
    storm.crowd.clients(&settings_at(start_ms + 20_000));
    all_are_refused(storm, LONGEST_MS - 20_000);
    advance(storm, &scene, RETRY_AFTER_MS - 20_000 - 1);
    all_are_refused(storm, LONGEST_MS - RETRY_AFTER_MS + 1);
    assert_eq!(scene.token_requests(), 1, "nobody asks before the time is over");

    advance(storm, &scene, LONGEST_MS - RETRY_AFTER_MS + 1);
    storm.crowd.one_token();
    assert_eq!(scene.token_requests(), 2, "one asks for all once it is over");
}

fn advance(storm: &mut Storm, scene: &Scene, ms: u64) {
    scene.emulator.advance_clock(ms);
    storm.crowd.ask_ok(&format!("advance {ms}"));
}

fn all_are_refused(storm: &mut Storm, most_ms: u64) {
    for many in storm.crowd.ask_many(TOGETHER) {
        assert_eq!((many.ok, many.failed, many.first_status.as_deref()), (0, CALLERS, Some("RATE_LIMITED")), "{many:?}");
    }
    storm.crowd.say("token - - 0");
    for member in &mut storm.crowd.members {
        let error = member.error();
        assert_eq!((error.name.as_str(), error.http_status), ("RATE_LIMITED", Some(429)), "{error:?}");
        assert!(error.retry_after_ms.is_some_and(|ms| (1..=most_ms).contains(&ms)), "at most {most_ms} ms: {error:?}");
    }
}
