//! Times in the output: they do not depend on the time zone, and the remaining validity is correct.

use crate::support::{Scene, json, stdout, text};
use serde_json::Value;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokenwell::emulator::{DEFAULT_CLIENT_ID, DEFAULT_CLIENT_SECRET};
use tokenwell::{Client, Config, TokenOptions};

#[test]
fn i17_no_time_zone_and_no_daylight_saving_changes_what_is_told() {
    let scene = Scene::new();
    let told = |zone: Option<&str>| {
        let run = |arguments: &[&str]| {
            let mut command = scene.tokenwell(arguments.iter().copied());
            command.envs(zone.map(|zone| ("TZ", zone)));
            command.assert().success()
        };
        let token = json(&run(&["token", "--format", "json"]));
        let status = json(&run(&["status", "--json"]));
        let text_of_status = stdout(&run(&["status"]));
        let file = scene.path("token.json");
        run(&["sink", "--once", "--format", "json", text(&file)]);
        let sink: Value = serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
        Shown {
            ends: [&token, &status["token"], &sink].map(|told| told["expires_at"].as_str().unwrap().to_owned()),
            left: [&token, &status["token"]].map(|told| told["expires_in"].as_u64().unwrap()),
            text: text_of_status,
        }
    };

    let first = told(None);
    let end = &first.ends[0];
    for zone in zones(end) {
        let here = told(Some(&zone));
        assert!(here.ends.iter().all(|told| told == end), "{zone}: {:?}, without a zone {end}", here.ends);
        assert!(here.text.contains(end), "{zone}: {}", here.text);
        assert!(here.left.iter().all(|left| (3000..=first.left[0]).contains(left)), "{zone}: {:?} of {:?}", here.left, first.left);
    }
    assert_eq!(scene.emulator.counters().token_requests, 1);
}

struct Shown {
    ends: [String; 3],
    left: [u64; 2],
    text: String,
}

/// Time zones by name and by POSIX rules; `end` is the expiry of the token in UTC.
fn zones(end: &str) -> Vec<String> {
    let number = |range: std::ops::Range<usize>| end[range].parse::<u32>().unwrap();
    let (year, month, day, hour) = (number(0..4), number(5..7), number(8..10), number(11..13));
    let february = if year.is_multiple_of(4) { 29 } else { 28 };
    let before: u32 = [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30].iter().take(month as usize - 1).sum();
    let day_of_the_year = before + day - 1;
    let half_a_year_on = (day_of_the_year + 180) % 365;
    let mut zones: Vec<String> = [
        "UTC",
        "America/New_York",
        "Europe/London",
        "Asia/Kolkata",
        "Australia/Lord_Howe",
        "Pacific/Kiritimati",
        "Pacific/Pago_Pago",
        "EST5EDT,M3.2.0,M11.1.0",
        "AAA-14",
        "AAA+12",
        // Daylight saving time all year.
        "AAA3BBB,0/0,J365/25",
        "no such zone",
        "",
    ]
    .map(str::to_owned)
    .into();
    // Daylight saving time starts or ends in the hour in which the token expires.
    zones.push(format!("AAA0BBB,{day_of_the_year}/{hour},{half_a_year_on}/{hour}"));
    zones.push(format!("AAA0BBB,{half_a_year_on}/{hour},{day_of_the_year}/{}", hour + 1));
    zones
}

#[test]
fn i17_a_token_that_is_printed_later_has_less_life_left() {
    const AGE: Duration = Duration::from_secs(1000);
    let scene = Scene::new();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let then_ms = u64::try_from((now - AGE).as_millis()).unwrap();
    // Another process got the token earlier: its clock is set to that time.
    let builder = Config::builder().client_id(DEFAULT_CLIENT_ID).client_secret(DEFAULT_CLIENT_SECRET).cache(true);
    let builder = builder.base_url(scene.emulator.base_url()).cache_dir(scene.path("cache/tokenwell")).manual_clock(then_ms);
    let token = Client::new(builder.build().unwrap()).unwrap().token(&TokenOptions::default()).unwrap();

    let printed = json(&scene.tokenwell(["token", "--format", "json"]).assert().success());
    let status = json(&scene.tokenwell(["status", "--json"]).assert().success());

    assert_eq!(printed["access_token"], token.value());
    for told in [&printed, &status["token"]] {
        let left = told["expires_in"].as_u64().unwrap();
        // The lifetime is one hour. Part of it has passed since.
        assert!((2000..=2600).contains(&left), "{told}");
    }
    assert_eq!(scene.emulator.counters().token_requests, 1);
}
