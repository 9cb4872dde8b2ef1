//! What processes cost the host while they wait for the lock.

use crate::host::{Host, Process, Time, failures, release};
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};
use nix::time::clock_getcpuclockid;
use nix::unistd::Pid;
use std::time::{Duration, Instant};

pub const NAME: &str = "r20_sixty_four_processes_that_wait_cost_little";

const CROWD: usize = 64;
const MOST_CORES: f64 = 0.02;
const MOST_OPENS_A_SECOND: f64 = 64.0;

const SERVER_DELAY: Duration = Duration::from_secs(12);
/// The start of the processes, and what they do with the token, cost far more than the wait.
const WINDOW: Duration = Duration::from_secs(5);

/// What the processes have used at one moment.
struct Sample {
    at: Instant,
    cpu_seconds: f64,
    opens: usize,
}

/// Measures the processes while they wait. Returns the figures of the cheapest window, in which none of
/// them starts or ends: each window contains all that a process does repeatedly.
pub fn measure() -> Result<String, String> {
    let samples = samples_of_a_wait();
    let windows: Vec<(f64, f64)> = samples
        .iter()
        .filter_map(|first| {
            let last = samples.iter().find(|last| last.at - first.at >= WINDOW)?;
            let seconds = (last.at - first.at).as_secs_f64();
            Some(((last.cpu_seconds - first.cpu_seconds) / seconds, (last.opens - first.opens) as f64 / seconds))
        })
        .collect();
    let cheapest = |figure: fn(&(f64, f64)) -> f64| windows.iter().map(figure).min_by(f64::total_cmp);
    let (Some(cores), Some(opens)) = (cheapest(|window| window.0), cheapest(|window| window.1)) else {
        return Err(format!("the processes did not wait for {WINDOW:?}"));
    };
    let figures = format!("{cores:.4} cores and {opens:.1} opened files a second for {CROWD} processes");
    if cores <= MOST_CORES && opens <= MOST_OPENS_A_SECOND { Ok(figures) } else { Err(figures) }
}

/// Lets the processes wait for one of them, and samples what all of them use and how many files they
/// open in the cache directory.
fn samples_of_a_wait() -> Vec<Sample> {
    let host = Host::with_server_delay(SERVER_DELAY);
    std::fs::create_dir(host.cache()).unwrap();
    std::fs::set_permissions(host.cache(), std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
    let watch = Inotify::init(InitFlags::IN_CLOEXEC | InitFlags::IN_NONBLOCK).unwrap();
    watch.add_watch(&host.cache(), AddWatchFlags::IN_OPEN).unwrap();
    let mut crowd = host.processes(CROWD, Time::Timeout(Duration::from_secs(60)));

    release(&mut crowd);
    host.wait_for_request();
    let end = Instant::now() + SERVER_DELAY;
    let (mut samples, mut opens) = (Vec::new(), 0);
    while Instant::now() < end {
        opens += watch.read_events().map_or(0, |events| events.len());
        samples.push(Sample { at: Instant::now(), cpu_seconds: crowd.iter().map(cpu_seconds).sum(), opens });
        std::thread::sleep(Duration::from_millis(100));
    }

    let failures = failures(crowd);
    assert!(failures.is_empty(), "{failures:?}");
    samples
}

/// Includes the threads that have ended.
fn cpu_seconds(process: &Process) -> f64 {
    let clock = clock_getcpuclockid(Pid::from_raw(process.child.id().try_into().unwrap())).unwrap();
    Duration::from(clock.now().unwrap()).as_secs_f64()
}
