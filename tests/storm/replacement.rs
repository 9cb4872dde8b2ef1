//! All processes have a token, and all need another one at once.

use crate::Storm;
use crate::crowd::the_one;
use crate::protocol::text;
use crate::scene::Scene;
use std::collections::BTreeSet;

pub fn of_n_processes_that_force_at_once_one_mints(storm: &mut Storm) {
    for round in 0..storm.rounds {
        let scene = Scene::new();
        storm.crowd.clients(&scene.settings());
        let old = storm.crowd.one_token();

        // One caller in each process: a second one that comes after the new token asks for one that is newer still.
        storm.crowd.say("token - - 1");
        let new: BTreeSet<String> = storm.crowd.members.iter_mut().map(|member| member.token()).collect();

        let new = the_one(new);
        assert_ne!(new, old, "round {round}");
        assert_eq!(scene.token_requests(), 2, "round {round}");
        assert_eq!(storm.crowd.one_token(), new, "round {round}: it is the one for all who come later");
        assert_eq!(scene.token_requests(), 2, "round {round}");
    }
}

pub fn of_n_processes_that_need_more_life_one_mints(storm: &mut Storm) {
    for round in 0..storm.rounds {
        let scene = Scene::new();
        let mut settings = scene.settings();
        settings.push(("manual_clock_ms", scene.stop_the_clock().to_string()));
        storm.crowd.clients(&settings);
        let old = storm.crowd.one_token();
        scene.emulator.advance_clock(1_000_000);
        storm.crowd.ask_ok("advance 1000000");

        storm.crowd.say("together 8 3000000 - 0");

        let new = storm.crowd.collect_one_token();
        assert_ne!(new, old, "round {round}");
        assert_eq!(scene.token_requests(), 2, "round {round}");
    }
}

pub fn an_invalidated_token_is_replaced_for_everybody(storm: &mut Storm) {
    for round in 0..storm.rounds {
        let scene = Scene::new();
        storm.crowd.clients(&scene.settings());
        let old = storm.crowd.one_token();

        storm.crowd.say(&format!("invalidate {}", text(old.as_bytes())));
        storm.crowd.say("token - - 0");
        let new = storm.crowd.members.iter_mut().map(|member| {
            member.expect_ok(1);
            member.token()
        });

        let new = the_one(new.collect());
        assert_ne!(new, old, "round {round}");
        assert_eq!(scene.token_requests(), 2, "round {round}");
    }
}
