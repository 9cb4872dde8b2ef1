//! The process that holds the lock is killed or stopped.

use crate::crowd::{CALLERS, TOGETHER, only_token};
use crate::scene::Scene;
use crate::{COMMANDS, Storm};
use nix::sys::signal::Signal;
use std::collections::BTreeSet;
use std::time::Duration;

pub fn i15_the_holder_of_the_lock_is_killed_and_at_most_one_more_asks(storm: &mut Storm) {
    const REPLY_TAKES_MS: u64 = 300;

    // In each language, a process that holds the lock is killed at least once.
    for round in 0..storm.rounds.max(storm.crowd.languages() as u64) {
        let scene = Scene::new();
        scene.delay_one_request(Duration::from_millis(REPLY_TAKES_MS));
        storm.crowd.clients(&scene.settings());
        let mut commands = scene.waiting_commands(COMMANDS, &scene.cache(), &[]);
        let language = usize::try_from(round).unwrap() % storm.crowd.languages();
        let victim = language + storm.crowd.languages() * storm.random.usize(0..storm.crowd.members.len() / storm.crowd.languages());

        storm.crowd.members[victim].send(TOGETHER);
        let max_ms = if round % 2 == 0 {
            scene.wait_for_requests(1);
            REPLY_TAKES_MS
        } else {
            // Kill it before it has the lock, while it gets it, or without it ever getting it.
            REPLY_TAKES_MS / 4
        };
        for (index, member) in storm.crowd.members.iter_mut().enumerate() {
            if index != victim {
                member.send(TOGETHER);
            }
        }
        commands.iter_mut().for_each(|command| command.release());
        std::thread::sleep(Duration::from_micros(storm.random.u64(0..max_ms * 1000)));
        storm.crowd.kill(victim);

        let survivors = storm.crowd.members.iter_mut().enumerate().filter(|(index, _)| *index != victim);
        let token = only_token(survivors.map(|(_, member)| member.one_token()).collect());
        for command in commands {
            assert_eq!(command.token(), token, "round {round}: token of the command");
        }
        let requests = scene.token_requests();
        assert!((1..=2).contains(&requests), "round {round}: {requests} requests");
        storm.crowd.members[victim].greet();
    }
}

pub fn i15_the_holder_of_the_lock_is_stopped_and_the_others_finish_in_time(storm: &mut Storm) {
    const OTHERS: usize = 15;
    /// One of the others sends a request after 1.5 s. The rest must be sufficient for a busy machine.
    const TIMEOUT_MS: u64 = 20_000;

    // A round takes as long as the wait for the lock. With enough rounds, a process of each
    // language is stopped.
    for round in 0..(storm.rounds / 3).clamp(1, storm.crowd.languages() as u64) {
        let scene = Scene::new();
        // Longer than it takes to stop the process that holds the lock.
        scene.delay_one_request(Duration::from_secs(10));
        let victim = usize::try_from(round).unwrap();
        let others = victim + 1..victim + 1 + OTHERS;
        let mut settings = scene.settings();
        settings.retain(|(name, _)| *name != "timeout_ms");
        settings.push(("timeout_ms", TIMEOUT_MS.to_string()));
        storm.crowd.clients(&settings);
        let mut command = scene.waiting_command(&scene.cache(), &[], TIMEOUT_MS);

        storm.crowd.members[victim].send(TOGETHER);
        scene.wait_for_requests(1);
        storm.crowd.members[victim].signal(Signal::SIGSTOP);
        storm.crowd.members[others.clone()].iter_mut().for_each(|member| member.send(TOGETHER));
        command.release();
        // A caller gets an error after its timeout, so a token proves that it finished in time.
        let tokens = storm.crowd.members[others].iter_mut().map(|member| member.one_token());
        let tokens: BTreeSet<String> = tokens.chain([command.token()]).collect();

        let requests = scene.token_requests();
        assert!(requests >= 2, "round {round}: the other processes had to send token requests");
        assert!(tokens.len() < usize::try_from(requests).unwrap(), "round {round}: {requests} requests for {} tokens", tokens.len());

        storm.crowd.members[victim].signal(Signal::SIGCONT);
        let late = storm.crowd.members[victim].many();
        assert_eq!(late.ok + late.failed, CALLERS, "round {round}: {late:?}");

        // The cache is intact: all new clients get one token without a token request.
        let requests = scene.token_requests();
        storm.crowd.clients(&scene.settings());
        storm.crowd.one_token();
        assert_eq!(scene.token_requests(), requests, "round {round}");
    }
}
