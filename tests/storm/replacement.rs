//! All processes have a token and need a new one at the same time.

use crate::crowd::only_token;
use crate::protocol::encode;
use crate::scene::{Scene, token_of};
use crate::{COMMANDS, Storm};
use std::collections::BTreeSet;
use std::time::Duration;

pub fn concurrent_forced_refreshes_send_one_request(storm: &mut Storm) {
    for round in 0..storm.rounds {
        let scene = Scene::new();
        storm.crowd.clients(&scene.settings());
        let old = storm.crowd.one_token();

        // One caller per process: a second caller that starts after the new token arrived would
        // force another token request.
        storm.crowd.send("token - - 1");
        let new: BTreeSet<String> = storm.crowd.members.iter_mut().map(|member| member.token()).collect();

        let new = only_token(new);
        assert_ne!(new, old, "round {round}");
        assert_eq!(scene.token_requests(), 2, "round {round}");
        assert_eq!(storm.crowd.one_token(), new, "round {round}: later callers get the same token");
        assert_eq!(scene.token_requests(), 2, "round {round}");
    }
}

/// The command runs before the processes. With concurrent commands it would be undefined which of
/// them saw the old token, because each is a new process that reads the cache when it starts.
pub fn a_token_forced_by_a_command_serves_later_forced_refreshes(storm: &mut Storm) {
    let scene = Scene::new();
    storm.crowd.clients(&scene.settings());
    let old = storm.crowd.one_token();

    let forced = token_of(&scene.command(&["token", "--force-refresh"]).output().unwrap());
    storm.crowd.send("token - - 1");
    let new: BTreeSet<String> = storm.crowd.members.iter_mut().map(|member| member.token()).collect();

    assert_ne!(forced, old);
    assert_eq!(only_token(new), forced, "the processes use the new token of the command");
    assert_eq!(scene.token_requests(), 2);
}

pub fn concurrent_gets_with_a_long_min_ttl_send_one_request(storm: &mut Storm) {
    for round in 0..storm.rounds {
        let scene = Scene::new();
        // By the stopped clock of the crowd, the token was issued 1000 s ago. That clock is then
        // advanced to the current time, because the commands use the system clock.
        let start_ms = scene.stop_the_clock() - 1_000_000;
        scene.emulator.set_clock(start_ms);
        let mut settings = scene.settings();
        settings.push(("manual_clock_ms", start_ms.to_string()));
        storm.crowd.clients(&settings);
        let old = storm.crowd.one_token();
        scene.emulator.advance_clock(1_000_000);
        storm.crowd.ask_ok("advance 1000000");
        let mut commands = scene.waiting_commands(COMMANDS, &scene.cache(), &["--min-ttl", "3000s"]);

        scene.delay_one_request(Duration::from_millis(200));

        storm.crowd.send("together 8 3000000 - 0");
        // The commands must not send the token request: the stopped clock of the crowd would regard
        // their token as issued in the future.
        scene.wait_for_requests(2);
        commands.iter_mut().for_each(|command| command.release());

        let new = storm.crowd.collect_one_token();
        for command in commands {
            assert_eq!(command.token(), new, "round {round}: token of the command");
        }
        assert_ne!(new, old, "round {round}");
        assert_eq!(scene.token_requests(), 2, "round {round}");
    }
}

pub fn an_invalidated_token_is_replaced_for_all_processes(storm: &mut Storm) {
    for round in 0..storm.rounds {
        let scene = Scene::new();
        storm.crowd.clients(&scene.settings());
        let old = storm.crowd.one_token();

        // A command reads only the cache, so the token must be removed from the cache first.
        let mut commands = scene.waiting_commands(COMMANDS, &scene.cache(), &[]);
        let invalidate = format!("invalidate {}", encode(old.as_bytes()));
        storm.crowd.members[0].send(&invalidate);
        storm.crowd.members[0].expect_ok(1);
        commands.iter_mut().for_each(|command| command.release());
        storm.crowd.send(&invalidate);
        storm.crowd.send("token - - 0");
        let new = storm.crowd.members.iter_mut().map(|member| {
            member.expect_ok(1);
            member.token()
        });

        let new = only_token(new.collect());
        for command in commands {
            assert_eq!(command.token(), new, "round {round}: token of the command");
        }
        assert_ne!(new, old, "round {round}");
        assert_eq!(scene.token_requests(), 2, "round {round}");
    }
}
