//! All processes start with nothing, at one moment.

use crate::scene::{Scene, files_of};
use crate::{COMMANDS, Storm};
use std::time::Duration;

pub fn i15_sixty_four_cold_processes_make_one_request(storm: &mut Storm) {
    for round in 0..storm.rounds {
        let scene = Scene::new();
        if round % 2 == 1 {
            // So that many come to wait for the lock, and not one after another to a token that is there.
            scene.delay_one_request(Duration::from_millis(storm.random.u64(20..300)));
        }
        // The first time the processes are new, and their cache is the one that their environment names.
        let (cache, settings, from_environment) = match round {
            0 => (storm.crowd.cache_of_the_environment(), scene.account(), true),
            _ => (scene.cache(), scene.settings(), false),
        };
        storm.crowd.clients_each(|_| (settings.clone(), from_environment));
        let mut commands = scene.waiting_commands(COMMANDS, &cache, &[]);

        commands.iter_mut().for_each(|command| command.release());
        let token = storm.crowd.one_token();

        for command in commands {
            assert_eq!(command.token(), token, "round {round}: the command's");
        }
        assert_eq!(scene.token_requests(), 1, "round {round}");
        assert_eq!(files_of(&cache), ["lock", "token"], "round {round}");
    }
}
