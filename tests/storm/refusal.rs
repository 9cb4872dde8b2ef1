//! A 429 response to one process is remembered for all of them.

use crate::crowd::{CALLERS, TOGETHER};
use crate::protocol::Many;
use crate::scene::{Scene, TOKEN_PATH};
use crate::{COMMANDS, Storm};
use serde_json::json;
use std::collections::BTreeSet;
use std::time::Instant;

/// `Retry-After`, and its maximum after the random extension of up to 10 %.
const RETRY_AFTER_MS: u64 = 30_000;
const MAX_RETRY_AFTER_MS: u64 = RETRY_AFTER_MS + RETRY_AFTER_MS / 10;

pub fn after_a_429_no_process_sends_a_request(storm: &mut Storm) {
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
    let retry_after_ms = all_are_refused(storm);
    assert!((RETRY_AFTER_MS..=MAX_RETRY_AFTER_MS).contains(&retry_after_ms), "retry after {retry_after_ms} ms");
    assert_eq!(scene.token_requests(), 1, "one token request for all processes");

    // The clocks are stopped, so all processes report the same wait to the millisecond.
    advance(storm, &scene, PART_MS);
    assert_eq!(all_are_refused(storm), retry_after_ms - PART_MS);
    // New clients have no information other than the cache.
    storm.crowd.clients(&settings_at(start_ms + PART_MS));
    assert_eq!(all_are_refused(storm), retry_after_ms - PART_MS);
    advance(storm, &scene, retry_after_ms - PART_MS - 1);
    assert_eq!(all_are_refused(storm), 1, "refused until the last millisecond");
    assert_eq!(scene.token_requests(), 1, "no token request before the wait is over");

    advance(storm, &scene, 1);
    storm.crowd.one_token();
    assert_eq!(scene.token_requests(), 2, "one token request for all processes after the wait");
}

/// Commands use the system clock, so all processes in this test do. The wait is longer than the
/// test can take on any machine.
pub fn after_a_429_no_command_sends_a_request(storm: &mut Storm) {
    const LONG_MS: u64 = 3_000_000;
    let scene = Scene::new();
    refuse_one_request(&scene, LONG_MS);
    storm.crowd.clients(&scene.settings());
    let mut commands = scene.waiting_commands(COMMANDS, &scene.cache(), &[]);
    let start = Instant::now();

    storm.crowd.send(TOGETHER);
    commands.iter_mut().for_each(|command| command.release());
    for member in &mut storm.crowd.members {
        assert_refused(&member.many());
    }
    // The commands above run together with the processes; these run when the refusal is remembered.
    commands.extend(scene.waiting_commands(COMMANDS, &scene.cache(), &["--force-refresh"]));
    commands[COMMANDS..].iter_mut().for_each(|command| command.release());

    for command in commands {
        let output = command.output();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!((output.status.code(), output.stdout.len()), (Some(6), 0), "{stderr}");
        let retry_after_s = stderr.lines().find_map(|line| seconds(line.strip_prefix("  next attempt: in ")?)).unwrap();
        let min_s = LONG_MS / 1000 - start.elapsed().as_secs() - 1;
        assert!((min_s..=LONG_MS / 1000 * 11 / 10).contains(&retry_after_s), "retry after {retry_after_s} s: {stderr}");
    }
    assert_eq!(scene.token_requests(), 1, "one token request for all processes");
}

/// The seconds of `1 h 2 min` or `1 min 30 s`.
fn seconds(duration: &str) -> Option<u64> {
    let words: Vec<_> = duration.split(' ').collect();
    let part = |part: &[&str]| {
        Some(
            part.first()?.parse::<u64>().ok()? * [("h", 3600), ("min", 60), ("s", 1)].iter().find(|(unit, _)| part.get(1) == Some(unit))?.1,
        )
    };
    words.chunks(2).map(part).sum()
}

fn refuse_one_request(scene: &Scene, retry_after_ms: u64) {
    let retry_after_s = (retry_after_ms / 1000).to_string();
    scene.emulator.set_faults(json!([{"path": TOKEN_PATH, "times": 1, "status": 429, "headers": {"Retry-After": retry_after_s}}])).unwrap();
}

fn advance(storm: &mut Storm, scene: &Scene, ms: u64) {
    scene.emulator.advance_clock(ms);
    storm.crowd.ask_ok(&format!("advance {ms}"));
}

/// Requests a token in all callers of all processes. All must be refused with the same wait, which
/// is returned in milliseconds.
fn all_are_refused(storm: &mut Storm) -> u64 {
    for many in storm.crowd.ask_many(TOGETHER) {
        assert_refused(&many);
    }
    storm.crowd.send("token - - 0");
    let waits = storm.crowd.members.iter_mut().map(|member| {
        let error = member.error();
        assert_eq!((error.name.as_str(), error.http_status), ("RATE_LIMITED", Some(429)), "{error:?}");
        error.retry_after_ms.unwrap()
    });
    let waits: BTreeSet<u64> = waits.collect();
    assert_eq!(waits.len(), 1, "expected one wait for all processes: {waits:?}");
    waits.into_iter().next().unwrap()
}

fn assert_refused(many: &Many) {
    assert_eq!((many.ok, many.failed, many.first_status.as_deref()), (0, CALLERS, Some("RATE_LIMITED")), "{many:?}");
}
