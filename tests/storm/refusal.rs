//! What the server refuses to one process it need not refuse to all.

use crate::crowd::{CALLERS, TOGETHER};
use crate::protocol::Many;
use crate::scene::{Scene, TOKEN_PATH};
use crate::{COMMANDS, Storm};
use serde_json::json;
use std::collections::BTreeSet;
use std::time::Instant;

/// Retry-After, and the tenth by which it is lengthened at most.
const RETRY_AFTER_MS: u64 = 30_000;
const LONGEST_MS: u64 = RETRY_AFTER_MS + RETRY_AFTER_MS / 10;

pub fn after_a_429_nobody_asks(storm: &mut Storm) {
    const PART_MS: u64 = 20_000;
    let scene = Scene::new();
    let start_ms = scene.stop_the_clock();
    refuse_one_request(&scene, RETRY_AFTER_MS);
    let settings_at = |now_ms: u64| {
        let mut settings = scene.settings();
        settings.push(("manual_clock_ms", now_ms.to_string()));
        settings
    };

    storm.crowd.clients(&settings_at(start_ms));
    let told_ms = all_are_refused(storm);
    assert!((RETRY_AFTER_MS..=LONGEST_MS).contains(&told_ms), "told to wait for {told_ms} ms");
    assert_eq!(scene.token_requests(), 1, "one asked for all");

    // The clocks stand still, so everybody is told the same to the millisecond.
    advance(storm, &scene, PART_MS);
    assert_eq!(all_are_refused(storm), told_ms - PART_MS);
    // Those who come later know nothing but what is in the cache.
    storm.crowd.clients(&settings_at(start_ms + PART_MS));
    assert_eq!(all_are_refused(storm), told_ms - PART_MS);
    advance(storm, &scene, told_ms - PART_MS - 1);
    assert_eq!(all_are_refused(storm), 1, "the last millisecond counts");
    assert_eq!(scene.token_requests(), 1, "nobody asks before the time is over");

    advance(storm, &scene, 1);
    storm.crowd.one_token();
    assert_eq!(scene.token_requests(), 2, "one asks for all once it is over");
}

/// Commands live by the system's clock, and so do all others here: the time to wait is one that no machine takes.
pub fn after_a_429_no_command_asks(storm: &mut Storm) {
    const LONG_MS: u64 = 3_000_000;
    let scene = Scene::new();
    refuse_one_request(&scene, LONG_MS);
    storm.crowd.clients(&scene.settings());
    let mut commands = scene.waiting_commands(COMMANDS, &scene.cache(), &[]);
    let begun = Instant::now();

    storm.crowd.say(TOGETHER);
    commands.iter_mut().for_each(|command| command.release());
    for member in &mut storm.crowd.members {
        assert_refused(&member.many());
    }
    // Some come together with the others, and some when it is known already.
    commands.extend(scene.waiting_commands(COMMANDS, &scene.cache(), &["--force-refresh"]));
    commands[COMMANDS..].iter_mut().for_each(|command| command.release());

    for command in commands {
        let output = command.output();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!((output.status.code(), output.stdout.len()), (Some(6), 0), "{said}");
        let told_s: u64 = said.lines().find_map(|line| line.strip_prefix("  next attempt: in ")?.strip_suffix(" s")?.parse().ok()).unwrap();
        let least_s = LONG_MS / 1000 - begun.elapsed().as_secs() - 1;
        assert!((least_s..=LONG_MS / 1000 * 11 / 10).contains(&told_s), "told to wait for {told_s} s: {said}");
    }
    assert_eq!(scene.token_requests(), 1, "one asked for all");
}

fn refuse_one_request(scene: &Scene, retry_after_ms: u64) {
    let retry_after_s = (retry_after_ms / 1000).to_string();
    scene.emulator.set_faults(json!([{"path": TOKEN_PATH, "times": 1, "status": 429, "headers": {"Retry-After": retry_after_s}}])).unwrap();
}

fn advance(storm: &mut Storm, scene: &Scene, ms: u64) {
    scene.emulator.advance_clock(ms);
    storm.crowd.ask_ok(&format!("advance {ms}"));
}

/// Asks all callers of all processes; for how long all are told to wait.
fn all_are_refused(storm: &mut Storm) -> u64 {
    for many in storm.crowd.ask_many(TOGETHER) {
        assert_refused(&many);
    }
    storm.crowd.say("token - - 0");
    let told = storm.crowd.members.iter_mut().map(|member| {
        let error = member.error();
        assert_eq!((error.name.as_str(), error.http_status), ("RATE_LIMITED", Some(429)), "{error:?}");
        error.retry_after_ms.unwrap()
    });
    let told: BTreeSet<u64> = told.collect();
    assert_eq!(told.len(), 1, "all are told the same: {told:?}");
    told.into_iter().next().unwrap()
}

fn assert_refused(many: &Many) {
    assert_eq!((many.ok, many.failed, many.first_status.as_deref()), (0, CALLERS, Some("RATE_LIMITED")), "{many:?}");
}
