//! What a get costs: from memory at 1, 2 and N threads, through the C ABI, cold; beside the cache that programs write for themselves.
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

/// `iterations` calls of `call` on each of `threads` threads at once; the time until the last has done its share.
fn on_threads(threads: usize, iterations: u64, call: impl Fn() + Sync) -> Duration {
    let start = std::sync::Barrier::new(threads + 1);
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads)
            .map(|_| {
                scope.spawn(|| {
                    start.wait();
                    for _ in 0..iterations {
                        call();
                    }
                })
            })
            .collect();
        start.wait();
        let begun = Instant::now();
        for worker in workers {
            worker.join().unwrap();
        }
        begun.elapsed()
    })
}

/// The cache that many programs have: a string and its end behind a lock.
struct HandWritten(RwLock<Option<(Arc<str>, Instant)>>);

impl HandWritten {
    fn token(&self) -> Option<Arc<str>> {
        let cached = self.0.read().ok()?;
        let (token, end) = cached.as_ref()?;
        (Instant::now() < *end).then(|| Arc::clone(token))
    }
}

fn cached(criterion: &mut Criterion) {
    let emulator = emulator();
    let client = client(&emulator);
    let options = TokenOptions::default();
    client.token(&options).unwrap();
    let peer = HandWritten(RwLock::new(Some((Arc::from("token"), Instant::now() + Duration::from_secs(3600)))));
    let cores = std::thread::available_parallelism().map_or(2, usize::from);
    let mut counts = vec![1, 2, cores, 2 * cores];
    counts.dedup();

    let mut group = criterion.benchmark_group("cached get");
    for threads in counts {
        group.bench_function(BenchmarkId::new("tokenwell", threads), |bencher| {
            bencher.iter_custom(|iterations| on_threads(threads, iterations, || drop(black_box(client.token(&options)))));
        });
        group.bench_function(BenchmarkId::new("hand-written lock", threads), |bencher| {
            bencher.iter_custom(|iterations| on_threads(threads, iterations, || drop(black_box(peer.token()))));
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

/// As a C program does it, and as unsafe: whoever calls has to keep the promises that the header asks for.
#[allow(unsafe_code)]
fn through_the_c_abi(criterion: &mut Criterion) {
    let emulator = emulator();
    let mut config = ptr::null_mut();
    let mut client = ptr::null_mut();
    // SAFETY: the outputs are variables of this function; each text is passed with its own length; the configuration was just made, and is not used
    // once it is freed.
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
        // SAFETY: the client is freed after the last get only; the token was just handed out and is freed once.
        unsafe {
            assert_eq!(tokenwell_client_token(client, 0, 0, 0, &raw mut token, ptr::null_mut()), 0);
            tokenwell_token_free(black_box(token));
        }
    };
    get();

    criterion.bench_function("cached get/C ABI, token and free", |bencher| bencher.iter(get));

    // SAFETY: it was made above, and no get is under way or follows.
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
