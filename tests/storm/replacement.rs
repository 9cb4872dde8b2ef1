//! All processes have a token, and all need another one at once.

use crate::crowd::the_one;
use crate::protocol::text;
use crate::scene::{Scene, token_of};
use crate::{COMMANDS, Storm};
use std::collections::BTreeSet;
use std::time::Duration;

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

/// Of commands at one moment it cannot be said which have seen the old token: each is a new process and takes what is there when it begins.
pub fn what_a_command_forces_serves_all_who_force_after_it(storm: &mut Storm) {
    let scene = Scene::new();
    storm.crowd.clients(&scene.settings());
    let old = storm.crowd.one_token();

    let forced = token_of(&scene.command(&["token", "--force-refresh"]).output().unwrap());
    storm.crowd.say("token - - 1");
    let new: BTreeSet<String> = storm.crowd.members.iter_mut().map(|member| member.token()).collect();

    assert_ne!(forced, old);
    assert_eq!(the_one(new), forced, "it is another one than they had");
    assert_eq!(scene.token_requests(), 2);
}

pub fn of_n_processes_that_need_more_life_one_mints(storm: &mut Storm) {
    for round in 0..storm.rounds {
        let scene = Scene::new();
        // The token was made a while ago by the clock of the crowd, which then stands at the time when the commands come, who live by the system's.
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

        storm.crowd.say("together 8 3000000 - 0");
        // A token that a command made would be one of the future to a clock that stands still.
        scene.wait_for_requests(2);
        commands.iter_mut().for_each(|command| command.release());

        let new = storm.crowd.collect_one_token();
        for command in commands {
            assert_eq!(command.token(), new, "round {round}: the command's");
        }
        assert_ne!(new, old, "round {round}");
        assert_eq!(scene.token_requests(), 2, "round {round}");
    }
}

pub fn an_invalidated_token_is_replaced_for_everybody(storm: &mut Storm) {
    for round in 0..storm.rounds {
        let scene = Scene::new();
        storm.crowd.clients(&scene.settings());
        let old = storm.crowd.one_token();

        // A command knows of it only from the cache, so for the commands it must be gone there.
        let mut commands = scene.waiting_commands(COMMANDS, &scene.cache(), &[]);
        let invalidate = format!("invalidate {}", text(old.as_bytes()));
        storm.crowd.members[0].send(&invalidate);
        storm.crowd.members[0].expect_ok(1);
        commands.iter_mut().for_each(|command| command.release());
        storm.crowd.say(&invalidate);
        storm.crowd.say("token - - 0");
        let new = storm.crowd.members.iter_mut().map(|member| {
            member.expect_ok(1);
            member.token()
        });

        let new = the_one(new.collect());
        for command in commands {
            assert_eq!(command.token(), new, "round {round}: the command's");
        }
        assert_ne!(new, old, "round {round}");
        assert_eq!(scene.token_requests(), 2, "round {round}");
    }
}
