//! What processes cost the host while they wait for the lock.

use crate::host::{Host, Time, failures, release};
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

pub const NAME: &str = "r20_sixty_four_processes_that_wait_cost_little";

const CROWD: usize = 64;
const MOST_CORES: f64 = 0.02;
const MOST_OPENS_A_SECOND: f64 = 64.0;

/// Compares a long wait with a short one: the rest is what the start and the end of the processes
/// cost.
pub fn measure() -> Result<String, String> {
    let (short, long) = (Duration::from_secs(3), Duration::from_secs(13));
    let (short_cpu, short_opens) = one_wait(short);
    let (long_cpu, long_opens) = one_wait(long);
    let seconds = (long - short).as_secs_f64();
    let cores = (long_cpu - short_cpu).max(0.0) / seconds;
    let opens = (long_opens as f64 - short_opens as f64).max(0.0) / seconds;
    let figures = format!("{cores:.4} cores and {opens:.1} opened files a second for {CROWD} processes");
    if cores <= MOST_CORES && opens <= MOST_OPENS_A_SECOND { Ok(figures) } else { Err(figures) }
}

/// Returns the processor seconds of all processes and the number of files that they opened in the
/// cache directory.
fn one_wait(server_delay: Duration) -> (f64, usize) {
    let host = Host::with_server_delay(server_delay);
    std::fs::create_dir(host.cache()).unwrap();
    std::fs::set_permissions(host.cache(), std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
    let watch = Inotify::init(InitFlags::IN_CLOEXEC | InitFlags::IN_NONBLOCK).unwrap();
    watch.add_watch(&host.cache(), AddWatchFlags::IN_OPEN).unwrap();
    let before = children_seconds();
    let mut crowd = host.processes(CROWD, Time::Timeout(Duration::from_secs(60)));
    let ended = AtomicBool::new(false);

    let opens = std::thread::scope(|scope| {
        let counting = scope.spawn(|| {
            let mut opens = 0;
            while !ended.load(Ordering::SeqCst) {
                opens += watch.read_events().map_or(0, |events| events.len());
                std::thread::sleep(Duration::from_millis(5));
            }
            opens
        });
        release(&mut crowd);
        let failures = failures(crowd);
        ended.store(true, Ordering::SeqCst);
        assert!(failures.is_empty(), "{failures:?}");
        counting.join().unwrap()
    });

    (children_seconds() - before, opens)
}

fn children_seconds() -> f64 {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).unwrap();
    let micros = (usage.user_time() + usage.system_time()).num_microseconds();
    Duration::from_micros(micros.try_into().unwrap()).as_secs_f64()
}
