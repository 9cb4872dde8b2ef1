//! What the processes of one round go through.

use crate::host::{Host, Process, Time, failures, release};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::time::Duration;

const CROWD: usize = 64;

pub struct Scene {
    pub name: &'static str,
    /// The most token requests that a round may cost.
    pub most_requests: u64,
    pub round: fn(usize) -> Figures,
}

/// What one round cost.
pub struct Figures {
    pub requests: u64,
    /// The messages of the processes that should have received a token.
    pub failures: Vec<String>,
}

pub const SCENES: &[Scene] = &[
    Scene { name: "r2_sixty_four_cold_processes_with_5_s_and_a_server_that_takes_4_s", most_requests: 1, round: cold },
    Scene { name: "r1_a_process_with_400_ms_holds_the_lock_first", most_requests: 2, round: hurried_first },
    Scene { name: "r2_the_holder_of_the_lock_is_killed", most_requests: 2, round: killed },
    Scene { name: "r2_the_holder_of_the_lock_is_stopped", most_requests: 3, round: stopped },
    Scene {
        name: "r2_a_stopped_holder_costs_a_call_with_5_s_its_token_and_the_next_one_not",
        most_requests: 3,
        round: stopped_until_the_deadline,
    },
    Scene { name: "r15_a_process_alone_has_all_of_its_time", most_requests: 1, round: alone },
    Scene { name: "b9_a_server_that_cannot_be_reached_is_named_in_time", most_requests: 0, round: unreachable },
];

fn seconds(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds)
}

/// Half of the rounds set the deadline of the call, the others the timeout of the client.
fn time(round: usize, duration: Duration) -> Time {
    if round.is_multiple_of(2) { Time::Deadline(duration) } else { Time::Timeout(duration) }
}

fn cold(round: usize) -> Figures {
    let host = Host::with_server_delay(seconds(4.0));
    let mut crowd = host.processes(CROWD, time(round, seconds(5.0)));

    release(&mut crowd);

    let failures = failures(crowd);
    Figures { requests: host.token_requests(), failures }
}

fn hurried_first(round: usize) -> Figures {
    let host = Host::with_server_delay(seconds([0.5, 1.0, 2.0][round / 2 % 3]));
    let mut hurried = host.process(time(round, seconds(0.4)));
    let mut crowd = host.processes(16, Time::Timeout(seconds(30.0)));

    hurried.release();
    host.wait_for_request();
    release(&mut crowd);

    drop(hurried.output());
    let failures = failures(crowd);
    Figures { requests: host.token_requests(), failures }
}

/// Starts a process, which sends a request under the lock, and then the others.
fn holder_and_crowd(host: &Host, time: Time) -> (Process, Vec<Process>) {
    let mut holder = host.process(time);
    let mut crowd = host.processes(CROWD - 1, time);
    holder.release();
    host.wait_for_request();
    release(&mut crowd);
    (holder, crowd)
}

fn send(signal: Signal, process: &Process) {
    kill(Pid::from_raw(process.child.id().try_into().unwrap()), signal).unwrap();
}

fn killed(round: usize) -> Figures {
    let host = Host::with_server_delay(seconds(3.0));
    let (mut holder, crowd) = holder_and_crowd(&host, time(round, seconds(12.0)));

    std::thread::sleep(seconds(2.9).mul_f64(fastrand::f64()));
    holder.child.kill().unwrap();
    holder.child.wait().unwrap();

    let failures = failures(crowd);
    Figures { requests: host.token_requests(), failures }
}

fn stopped(round: usize) -> Figures {
    let host = Host::with_server_delay(seconds(3.0));
    let (mut holder, crowd) = holder_and_crowd(&host, time(round, seconds(12.0)));

    std::thread::sleep(seconds(2.9).mul_f64(fastrand::f64()));
    send(Signal::SIGSTOP, &holder);

    let failures = failures(crowd);
    holder.child.kill().unwrap();
    holder.child.wait().unwrap();
    Figures { requests: host.token_requests(), failures }
}

/// A message that does not name the lock counts as a failure, and so does every failure of the
/// processes that come later.
fn stopped_until_the_deadline(round: usize) -> Figures {
    let host = Host::with_server_delay(seconds(3.8));
    let five = time(round, seconds(5.0));
    let (mut holder, mut crowd, mut next) = (host.process(five), host.processes(8, five), host.processes(8, five));
    holder.release();
    host.wait_for_request();
    send(Signal::SIGSTOP, &holder);

    release(&mut crowd);
    let mut failures_seen = failures(crowd);
    assert!(!failures_seen.is_empty(), "the server is too slow for two requests within the deadline");
    failures_seen.retain(|message| {
        !(message.contains("deadline exceeded") && message.contains("another process has held the lock of the token cache at"))
    });
    release(&mut next);
    failures_seen.extend(failures(next));

    holder.child.kill().unwrap();
    holder.child.wait().unwrap();
    Figures { requests: host.token_requests(), failures: failures_seen }
}

fn alone(_round: usize) -> Figures {
    let host = Host::with_server_delay(seconds(2.5));
    let mut process = host.process(Time::Timeout(seconds(4.0)));

    process.release();

    let failures = failures(vec![process]);
    Figures { requests: host.token_requests(), failures }
}

/// A TLS server that accepts no connection. A message that does not say so counts as a failure.
fn unreachable(round: usize) -> Figures {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let host = Host::with_server(format!("https://{}", listener.local_addr().unwrap()));
    let host = if round % 4 < 2 { host.without_cache() } else { host };
    let mut process = host.process(time(round, seconds(2.0)));

    process.release();

    let mut failures = failures(vec![process]);
    assert_eq!(failures.len(), 1);
    failures.retain(|message| !message.contains("no connection") || message.contains("deadline"));
    Figures { requests: host.token_requests(), failures }
}
