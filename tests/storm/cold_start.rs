//! All processes start at the same time with an empty cache.

use crate::scene::{Scene, files_of};
use crate::{COMMANDS, Storm};
use std::time::Duration;

pub fn i15_sixty_four_cold_processes_make_one_request(storm: &mut Storm) {
    for round in 0..storm.rounds {
        let scene = Scene::new();
        if round % 2 == 1 {
            // The delay makes many processes wait for the lock. Without it they could arrive one
            // after another and find a cached token.
            scene.delay_one_request(Duration::from_millis(storm.random.u64(20..300)));
        }
        // In the first round the processes are new and use the cache directory of their
        // environment.
        let (cache, settings, from_environment) = match round {
            0 => (storm.crowd.cache_of_the_environment(), scene.account(), true),
            _ => (scene.cache(), scene.settings(), false),
        };
        storm.crowd.clients_each(|_| (settings.clone(), from_environment));
        let mut commands = scene.waiting_commands(COMMANDS, &cache, &[]);

        commands.iter_mut().for_each(|command| command.release());
        let token = storm.crowd.one_token();

        for command in commands {
            assert_eq!(command.token(), token, "round {round}: token of the command");
        }
        assert_eq!(scene.token_requests(), 1, "round {round}");
        assert_eq!(files_of(&cache), ["lock", "token"], "round {round}");
    }
}
