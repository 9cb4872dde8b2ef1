//! Benchmarks of getting a token: cached with 1, 2 and N threads, cached through the C ABI, and
//! uncached. A hand-written cache is the comparison.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use std::ffi::{c_char, c_void};
use std::hint::black_box;
use std::ptr;
use std::sync::{Arc, RwLock};
use std::time::{Duration, Instant};
use tokenwell::emulator::{Emulator, EmulatorOptions};
use tokenwell::{Client, Config, TokenOptions};

fn config(emulator: &Emulator) -> tokenwell::config::ConfigBuilder {
    Config::builder().base_url(emulator.base_url()).client_id(emulator.client_id()).client_secret(emulator.client_secret()).cache(false)
}

fn client(emulator: &Emulator) -> Client {
    Client::new(config(emulator).build().unwrap()).unwrap()
}

fn emulator() -> Emulator {
    Emulator::start(EmulatorOptions { rate_limit: None, token_cap: u64::MAX, ..EmulatorOptions::default() }).unwrap()
}

/// Runs `call` `iterations` times on each of `threads` threads concurrently. Returns the time until
/// the last thread has finished.
fn on_threads(threads: usize, iterations: u64, call: impl Fn() + Sync) -> Duration {
    let barrier = std::sync::Barrier::new(threads + 1);
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads)
            .map(|_| {
                scope.spawn(|| {
                    barrier.wait();
                    for _ in 0..iterations {
                        call();
                    }
                })
            })
            .collect();
        barrier.wait();
        let start = Instant::now();
        for worker in workers {
            worker.join().unwrap();
        }
        start.elapsed()
    })
}

/// The cache that many programs implement: a string and its expiry, protected by a lock.
struct HandWritten(RwLock<Option<(Arc<str>, Instant)>>);

impl HandWritten {
    fn token(&self) -> Option<Arc<str>> {
        let cached = self.0.read().ok()?;
        let (token, expires_at) = cached.as_ref()?;
        (Instant::now() < *expires_at).then(|| Arc::clone(token))
    }
}

fn cached(criterion: &mut Criterion) {
    let emulator = emulator();
    let client = client(&emulator);
    let options = TokenOptions::default();
    client.token(&options).unwrap();
    let hand_written = HandWritten(RwLock::new(Some((Arc::from("token"), Instant::now() + Duration::from_secs(3600)))));
    let cores = std::thread::available_parallelism().map_or(2, usize::from);
    let mut counts = vec![1, 2, cores, 2 * cores];
    counts.dedup();

    let mut group = criterion.benchmark_group("cached get");
    for threads in counts {
        group.bench_function(BenchmarkId::new("tokenwell", threads), |bencher| {
            bencher.iter_custom(|iterations| on_threads(threads, iterations, || drop(black_box(client.token(&options)))));
        });
        group.bench_function(BenchmarkId::new("hand-written lock", threads), |bencher| {
            bencher.iter_custom(|iterations| on_threads(threads, iterations, || drop(black_box(hand_written.token()))));
        });
    }
    group.finish();
}

// SAFETY: these are the signatures of include/tokenwell.h, with every opaque type as `c_void`.
#[allow(unsafe_code)]
unsafe extern "C" {
    fn tokenwell_config_new(out: *mut *mut c_void, error: *mut *mut c_void) -> i32;
    fn tokenwell_config_set(
        config: *mut c_void,
        name: *const c_char,
        name_len: usize,
        value: *const c_char,
        value_len: usize,
        error: *mut *mut c_void,
    ) -> i32;
    fn tokenwell_config_free(config: *mut c_void);
    fn tokenwell_client_new(config: *const c_void, out: *mut *mut c_void, error: *mut *mut c_void) -> i32;
    fn tokenwell_client_token(
        client: *const c_void,
        min_ttl_ms: u64,
        deadline_ms: u64,
        flags: u32,
        out: *mut *mut c_void,
        error: *mut *mut c_void,
    ) -> i32;
    fn tokenwell_client_free(client: *mut c_void);
    fn tokenwell_token_free(token: *mut c_void);
}

/// Calls the C ABI as a C program does. The calls are unsafe because the caller must meet the
/// requirements of the header.
#[allow(unsafe_code)]
fn through_the_c_abi(criterion: &mut Criterion) {
    let emulator = emulator();
    let mut config = ptr::null_mut();
    let mut client = ptr::null_mut();
    // SAFETY: the output parameters are local variables. Each string is passed with its length. The
    // configuration was created here and is not used after it is freed.
    unsafe {
        assert_eq!(tokenwell_config_new(&raw mut config, ptr::null_mut()), 0);
        for (name, value) in
            [("base_url", emulator.base_url()), ("client_id", emulator.client_id()), ("client_secret", emulator.client_secret())]
        {
            let (name_len, value_len) = (name.len(), value.len());
            assert_eq!(tokenwell_config_set(config, name.as_ptr().cast(), name_len, value.as_ptr().cast(), value_len, ptr::null_mut()), 0);
        }
        assert_eq!(tokenwell_client_new(config, &raw mut client, ptr::null_mut()), 0);
        tokenwell_config_free(config);
    }
    let get = || {
        let mut token = ptr::null_mut();
        // SAFETY: the client is freed only after the last get. The token was returned by the call
        // above and is freed once.
        unsafe {
            assert_eq!(tokenwell_client_token(client, 0, 0, 0, &raw mut token, ptr::null_mut()), 0);
            tokenwell_token_free(black_box(token));
        }
    };
    get();

    criterion.bench_function("cached get/C ABI, token and free", |bencher| bencher.iter(get));

    // SAFETY: the client was created above, and no get is running or follows.
    unsafe { tokenwell_client_free(client) };
}

fn cold(criterion: &mut Criterion) {
    let emulator = emulator();

    criterion.bench_function("cold get/one token request on loopback", |bencher| {
        bencher.iter_with_setup(|| client(&emulator), |client| client.token(&TokenOptions::default()).unwrap());
    });
}

criterion_group! {
    name = gets;
    config = Criterion::default().sample_size(30).measurement_time(Duration::from_secs(3)).warm_up_time(Duration::from_secs(1));
    targets = cached, through_the_c_abi, cold
}
criterion_main!(gets);
