//! A reset is one step, also while requests are processed.

use crate::admin::{ACCOUNTS, account};
use crate::client::{FORM, api, basic, emulator, request_token, send, token};
use crate::process::Process;
use serde_json::json;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Instant;
use tokenwell::emulator::DEFAULT_CLIENT_SECRET;

#[test]
fn e9_a_request_that_a_reset_overtakes_has_no_effect_on_the_new_state() {
    let emulator = Process::start();
    let fault = json!([{ "path": "/api/oauth/token", "then_serve": true, "delay_ms": 1500 }]);
    assert_eq!(emulator.control("POST", "/faults", &fault.to_string()).status, 200);
    let authorization = basic(&emulator.id, DEFAULT_CLIENT_SECRET);
    let headers = [("Authorization", authorization.as_str()), ("Content-Type", FORM)];
    let counters = || emulator.control("GET", "/counters", "").json();

    let overtaken = std::thread::scope(|scope| {
        let request = scope.spawn(|| emulator.send("POST", "/api/oauth/token", &headers, "grant_type=client_credentials"));
        let start = Instant::now();
        while counters()["token_requests"] != json!(1) {
            assert!(start.elapsed() < crate::client::TIMEOUT, "the request does not arrive");
        }
        assert_eq!(emulator.control("POST", "/reset", "").status, 200);
        request.join().unwrap()
    });

    assert_eq!((overtaken.status, &overtaken.json()["errorCode"]), (409, &json!("EMULATOR_WAS_RESET")));
    assert_eq!((&counters()["tokens_minted"], &counters()["token_requests"]), (&json!(0), &json!(0)));
    assert_eq!(emulator.control("GET", "/requests", "").json(), json!({ "requests": [], "dropped": 0 }));
    assert_eq!(emulator.control("GET", "/tokens", "").json()["total"], json!(0));
    emulator.token();
}

#[test]
fn under_load_no_request_sees_a_part_of_the_state_before_a_reset() {
    const RESETS: usize = 300;
    let emulator = emulator();
    emulator.set_settings(json!({ "token_cap": 1_000_000, "api_rate_limit": null })).unwrap();
    let (running, served) = (AtomicBool::new(true), AtomicUsize::new(0));

    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                while running.load(Ordering::Relaxed) {
                    let minted = request_token(&emulator);
                    assert!(matches!(minted.status, 200 | 403 | 409), "{minted:?}");
                    let Some(token) = minted.json()["access_token"].as_str().map(str::to_owned) else { continue };
                    let created = api(&emulator, &token, "POST", ACCOUNTS, Some(account(&["ORG_MEMBER"])));
                    // 400: the maximum of accounts. 401: the token is from before a reset.
                    assert!(matches!(created.status, 201 | 400 | 401 | 409), "{created:?}");
                    if created.status == 201 {
                        let path = format!("{ACCOUNTS}/{}", created.json()["clientId"].as_str().unwrap());
                        let shown = api(&emulator, &token, "GET", &path, None);
                        // With a token that is valid, the account exists.
                        assert!(matches!(shown.status, 200 | 401 | 409), "{shown:?}");
                    }
                    served.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        let mut checked = 0;
        while checked < RESETS {
            emulator.reset();
            let counters = emulator.counters();
            let log = emulator.requests();
            assert!(counters.tokens_minted <= counters.token_requests && counters.live_tokens <= counters.tokens_minted, "{counters:?}");
            assert!(counters.token_requests + counters.api_requests <= counters.requests, "{counters:?}");
            assert!(counters.requests == 0 || counters.connections > 0, "{counters:?}");
            assert_eq!(log.dropped, 0);
            checked += 1;
            let seen = served.load(Ordering::Relaxed);
            let start = Instant::now();
            // Resets at random points of the requests, and none that meets no request.
            while checked % 3 == 0 && served.load(Ordering::Relaxed) == seen {
                assert!(start.elapsed() < crate::client::TIMEOUT, "no request is served");
            }
        }
        running.store(false, Ordering::Relaxed);
    });

    assert!(served.load(Ordering::Relaxed) >= RESETS / 3);
    emulator.reset();
    assert_eq!((emulator.counters(), emulator.requests().requests.len()), (tokenwell::emulator::Counters::default(), 0));
    let owner = token(&emulator);
    assert_eq!(api(&emulator, &owner, "GET", ACCOUNTS, None).json()["totalCount"], json!(1));
    assert_eq!(send(&emulator, "GET", "/_emulator/faults", &[], "").json(), json!([]));
}
