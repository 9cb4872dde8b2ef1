//! `tokenwell_client`: obtains and caches access tokens, for C.

use super::boundary::{boundary, bytes, cancelable_boundary, destination, object};
use super::config::tokenwell_config;
use super::description::Description;
use super::error::tokenwell_error;
use super::log;
use super::operation::{refuse_in_callback, would_block};
use super::stats::tokenwell_stats;
use super::token::{borrow, into_raw, tokenwell_token};
use crate::cache::{AwaitSave, Begun};
use crate::client::{Client, TokenOptions};
use crate::error::{Error, Status};
use crate::operation::in_callback;
use crate::platform::CancellationDisabled;
use std::ffi::c_char;
use std::sync::Arc;
use std::time::Duration;

/// A flag of `tokenwell_client_token`: return a token other than the current one.
///
/// It does not skip a cooldown: the time after a failed refresh during which the remembered
/// error is returned and no token request is sent.
pub const TOKENWELL_FORCE_REFRESH: u32 = 1;

/// A flag of the functions that return a token: return only a token that is in memory.
///
/// Nothing is started, no file is read, and the call does not block. Without a usable token it
/// returns TOKENWELL_STATUS_NOT_CACHED.
pub const TOKENWELL_CACHED_ONLY: u32 = 2;

/// A flag of the functions that return a token: an operation ends when its token is also saved.
///
/// A token request is answered as soon as the token is known; then the token is saved for other
/// processes. With this flag the operation ends after the save, or 200 ms after the token is
/// known if the save takes longer, so that a program that exits then leaves its token to the next
/// process. `tokenwell_client_token` always waits for the save in this way.
pub const TOKENWELL_WAIT_FOR_SAVE: u32 = 4;

/// A client: obtains and caches the access token of one service account.
///
/// It is created by `tokenwell_client_new`, owned by the caller, and released with
/// `tokenwell_client_free`. The token that it caches is its current token.
///
/// A refresh gets a new current token: it reads the token cache that processes share and, if
/// that has no usable token, sends a token request.
///
/// Threads: any number of threads may concurrently call the functions that take a const client.
/// Between refreshes a client uses no thread and no socket.
/// Fork: the child may continue to use the client. The child keeps the valid token and obtains
/// the next one itself. exec and exit need no preparation.
pub struct tokenwell_client(pub(super) Client, pub(super) Description);

impl tokenwell_client {
    /// The number of the client, which its log lines have.
    pub(super) fn number(&self) -> u64 {
        self.0.number()
    }
}

/// Closed with the last reference that C owns. Operations may still refer to the client inside.
impl Drop for tokenwell_client {
    fn drop(&mut self) {
        self.0.close();
        log::forget_client(self.number());
    }
}

/// Creates a client.
///
/// It reads configuration files and environment variables, which no other thread may change
/// meanwhile; see `tokenwell_config_use_variables`. It opens no connection: the first call of
/// `tokenwell_client_token` does.
///
/// @param config The settings. Remains owned by the caller. Must not be NULL.
/// @param out Receives the client; release it with `tokenwell_client_free`. Must not be NULL.
/// @param error Receives an error on failure; release it with `tokenwell_error_free`. May be
///   NULL.
/// @return TOKENWELL_STATUS_OK, or one of:
/// - TOKENWELL_STATUS_NOT_CONFIGURED: the client id or secret is missing, or settings contradict
///   each other.
/// - TOKENWELL_STATUS_INVALID_ARGUMENT: as for `tokenwell_config_set`, or TOKENWELL_LOG is
///   invalid (see `tokenwell_log_set`).
/// - TOKENWELL_STATUS_REFUSED: as for `tokenwell_config_set`.
///
/// @since 0.1
///
/// # Safety
/// `config` must be a config that was not freed. No other thread may be setting it. `out`
/// and `error` must be writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenwell_client_new(
    config: *const tokenwell_config,
    out: *mut *mut tokenwell_client,
    error: *mut *mut tokenwell_error,
) -> Status {
    boundary(error, || {
        let out = destination("out", out)?;
        // SAFETY: the caller promises NULL or a live config that no thread is setting.
        let config = unsafe { object("config", config) }?;
        log::apply_log_environment(config.log_variable())?;
        let client = Client::new(config.build()?)?;
        let description = Description::of(&client);
        // SAFETY: `out` is not NULL, and the caller promises that it is writable.
        unsafe { out.write(Arc::into_raw(Arc::new(tokenwell_client(client, description))).cast_mut()) };
        Ok(())
    })
}

/// Returns one more reference to a client.
///
/// Each reference is released with `tokenwell_client_free`. The last one closes the client;
/// `tokenwell_client_close` closes it for all.
///
/// @param client The client. Must not be NULL.
/// @param out Receives the reference. Must not be NULL.
/// @param error Receives an error on failure; release it with `tokenwell_error_free`. May be
///   NULL.
/// @return TOKENWELL_STATUS_OK, or TOKENWELL_STATUS_INVALID_ARGUMENT.
/// @since 0.1
///
/// # Safety
/// `client` must be a client that was not freed. `out` and `error` must be writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenwell_client_clone(
    client: *const tokenwell_client,
    out: *mut *mut tokenwell_client,
    error: *mut *mut tokenwell_error,
) -> Status {
    boundary(error, || {
        // SAFETY: the caller promises NULL or a live client.
        unsafe { object("client", client) }?;
        let out = destination("out", out)?;
        // SAFETY: the client is not NULL, and it came from `Arc::into_raw`. `out` is not NULL, and the
        // caller promises that it is writable.
        unsafe {
            Arc::increment_strong_count(client);
            out.write(client.cast_mut());
        }
        Ok(())
    })
}

/// Returns a valid token: immediately if one is cached, otherwise after a refresh.
///
/// All callers share one refresh. The call blocks only for a refresh, and no longer than the
/// deadline. Returns the refresh error if no cached token satisfies `min_ttl_ms`.
///
/// @param client The client. Must not be NULL.
/// @param min_ttl_ms For how many milliseconds the token must still be valid. 0 means the
///   default minimum: the smaller of 60 s and a tenth of the token's lifetime.
/// @param deadline_ms How long the call may block, in milliseconds; 0 for the configured
///   timeout.
/// @param flags 0, or TOKENWELL_FORCE_REFRESH or TOKENWELL_CACHED_ONLY, each also with
///   TOKENWELL_WAIT_FOR_SAVE.
/// @param out Receives the token; release it with `tokenwell_token_free`. Must not be NULL.
/// @param error Receives an error on failure; release it with `tokenwell_error_free`. May be
///   NULL.
/// @return TOKENWELL_STATUS_OK, or one of:
/// - TOKENWELL_STATUS_DEADLINE: the deadline was exceeded.
/// - TOKENWELL_STATUS_CLOSED: the client is closed.
/// - TOKENWELL_STATUS_NOT_CACHED: see TOKENWELL_CACHED_ONLY.
/// - TOKENWELL_STATUS_INVALID_ARGUMENT: `min_ttl_ms` is not shorter than the lifetime of the
///   server's tokens, or the call would block in a callback of the library.
/// - The status of the refresh error (see above).
///
/// @since 0.1
///
/// # Safety
/// `client` must be a client that was not freed. `out` and `error` must be writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenwell_client_token(
    client: *const tokenwell_client,
    min_ttl_ms: u64,
    deadline_ms: u64,
    flags: u32,
    out: *mut *mut tokenwell_token,
    error: *mut *mut tokenwell_error,
) -> Status {
    // A cached token is returned without a cancellation point, so that this, the most frequent
    // call, does not pay for two more calls of the C library.
    cancelable_boundary(error, || {
        // SAFETY: the caller promises NULL or a live client.
        let client = unsafe { object("client", client) }?;
        let out = destination("out", out)?;
        let options = token_options(min_ttl_ms, deadline_ms, flags)?;
        let token = match client.0.fresh_token(&options) {
            Some(token) => token,
            None => {
                let _not_canceled = CancellationDisabled::begin();
                if in_callback() { token_without_blocking(&client.0, &options) } else { client.0.token(&options) }?
            }
        };
        // SAFETY: `out` is not NULL, and the caller promises that it is writable.
        unsafe { out.write(into_raw(token)) };
        Ok(Status::Ok)
    })
}

/// Drops the current token after a resource server rejected it with HTTP status 401.
///
/// A current token other than `value` is kept.
///
/// In this process the token is dropped immediately. If processes share tokens in files, the
/// token is then removed from those files. The call blocks until that is done, and no longer
/// than the configured timeout; the removal continues after that. An event loop calls
/// `tokenwell_client_invalidate_async`.
///
/// @param client The client. Must not be NULL.
/// @param value The string of the rejected token. Must not be NULL.
/// @param value_len The length of `value` in bytes, without a terminating NUL.
/// @param error Receives an error on failure; release it with `tokenwell_error_free`. May be
///   NULL.
/// @return TOKENWELL_STATUS_OK, TOKENWELL_STATUS_CLOSED or TOKENWELL_STATUS_INVALID_ARGUMENT,
///   also in a callback of the library.
/// @since 0.1
///
/// # Safety
/// `client` must be a client that was not freed. `value` must be readable for `value_len`
/// bytes. `error` must be writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenwell_client_invalidate(
    client: *const tokenwell_client,
    value: *const c_char,
    value_len: usize,
    error: *mut *mut tokenwell_error,
) -> Status {
    boundary(error, || {
        // SAFETY: the caller promises NULL or a live client, and a string that is readable for its
        // length.
        let (client, value) = unsafe { (object("client", client)?, bytes("value", value, value_len)?) };
        refuse_in_callback("tokenwell_client_invalidate")?;
        client.0.invalidate(token_value(value)?).map(drop)
    })
}

/// Revokes the current token at the server (RFC 7009), and drops it once the server has
/// confirmed that.
///
/// Without a current token, the call does nothing. It blocks until the server answers, and no
/// longer than the deadline. If it fails, the token remains the current one, so that a second
/// attempt finds it; `tokenwell_client_invalidate` drops it all the same.
///
/// @param client The client. Must not be NULL.
/// @param deadline_ms How long the call may block, in milliseconds; 0 for the configured
///   timeout.
/// @param error Receives an error on failure; release it with `tokenwell_error_free`. May be
///   NULL.
/// @return TOKENWELL_STATUS_OK, or one of:
/// - TOKENWELL_STATUS_DEADLINE: the deadline was exceeded.
/// - TOKENWELL_STATUS_CLOSED: the client is closed.
/// - TOKENWELL_STATUS_INVALID_ARGUMENT: a parameter is invalid, or this is a callback of the
///   library.
/// - The status of an error of the server or the network. Assume then that the server accepts
///   the token until it expires.
///
/// @since 0.1
///
/// # Safety
/// `client` must be a client that was not freed. `error` must be writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenwell_client_revoke(
    client: *const tokenwell_client,
    deadline_ms: u64,
    error: *mut *mut tokenwell_error,
) -> Status {
    boundary(error, || {
        // SAFETY: the caller promises NULL or a live client.
        let client = unsafe { object("client", client) }?;
        refuse_in_callback("tokenwell_client_revoke")?;
        client.0.revoke((deadline_ms != 0).then(|| Duration::from_millis(deadline_ms)))
    })
}

/// Reads the counters of a client.
///
/// @param client The client. Must not be NULL.
/// @param out Receives the counters. Must not be NULL.
/// @param out_size `sizeof(tokenwell_stats)` in the caller's build. At most this many bytes are
///   written. Members that this version does not know are set to zero.
/// @param error Receives an error on failure; release it with `tokenwell_error_free`. May be
///   NULL.
/// @return TOKENWELL_STATUS_OK, or TOKENWELL_STATUS_INVALID_ARGUMENT.
/// @since 0.1
///
/// # Safety
/// `client` must be a client that was not freed. `out` must be writable for `out_size`
/// bytes. `error` must be writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenwell_client_stats(
    client: *const tokenwell_client,
    out: *mut tokenwell_stats,
    out_size: usize,
    error: *mut *mut tokenwell_error,
) -> Status {
    boundary(error, || {
        // SAFETY: the caller promises NULL or a live client.
        let client = unsafe { object("client", client) }?;
        let out: *mut u8 = destination("out", out)?.cast();
        let stats = tokenwell_stats::from(client.0.stats());
        let known = size_of::<tokenwell_stats>().min(out_size);
        // SAFETY: the caller promises that `out_size` bytes are writable; `stats` is plain numbers
        // without padding.
        unsafe {
            out.write_bytes(0, out_size);
            out.copy_from_nonoverlapping((&raw const stats).cast(), known);
        }
        Ok(())
    })
}

/// Returns the generation counter of a client.
///
/// The counter changes whenever the current token changes: when it is replaced, invalidated or
/// revoked, and when the client is closed.
///
/// While the counter equals `tokenwell_token_generation` and the time of
/// `tokenwell_client_fresh_for_ms` has not passed, a caller may use its own copy of the token's
/// string instead of calling `tokenwell_client_token`.
///
/// The counter is an atomic 64-bit integer in the memory of the client. Never write it. Do not
/// read it after `tokenwell_client_free`. Read it with a single load with acquire ordering:
/// - GCC and Clang: `__atomic_load_n(generation, __ATOMIC_ACQUIRE)`
/// - MSVC: `ReadAcquire64((const volatile LONG64 *)generation)`
/// - C11: `atomic_load_explicit((const _Atomic uint64_t *)generation, memory_order_acquire)`
///
/// @param client The client. May be NULL.
/// @return The address of the counter. NULL if `client` is NULL.
/// @since 0.1
///
/// # Safety
/// `client` must be a client that was not freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenwell_client_generation(client: *const tokenwell_client) -> *const u64 {
    // SAFETY: the caller promises NULL or a live client.
    unsafe { client.as_ref() }.map_or(std::ptr::null(), |client| std::ptr::from_ref(client.0.generation()).cast())
}

/// Returns how long a copy of a token may be used without calling `tokenwell_client_token`
/// again.
///
/// The result applies only while the client's generation equals the generation of the token.
///
/// @param client The client. May be NULL.
/// @param token The token. May be NULL.
/// @return The time in milliseconds from now. 0 means: call `tokenwell_client_token` every time.
///   It is 0 if `token` is no longer the current token, if the client uses a manual clock, and
///   if `client` or `token` is NULL.
/// @since 0.1
///
/// # Safety
/// `client` must be a client that was not freed. `token` must be a token that was not
/// freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenwell_client_fresh_for_ms(client: *const tokenwell_client, token: *const tokenwell_token) -> u64 {
    // SAFETY: the caller promises NULL or a live client and token.
    let (Some(client), Some(token)) = (unsafe { client.as_ref() }, unsafe { borrow(token) }) else { return 0 };
    u64::try_from(client.0.fresh_for(&token).as_millis()).unwrap_or(u64::MAX)
}

/// Advances the clock of a client that was configured with `manual_clock_ms`. For tests.
///
/// @param client The client. Must not be NULL.
/// @param ms By how many milliseconds to advance the clock.
/// @param error Receives an error on failure; release it with `tokenwell_error_free`. May be
///   NULL.
/// @return TOKENWELL_STATUS_OK, or one of:
/// - TOKENWELL_STATUS_INVALID_ARGUMENT: the client uses the system's clock.
/// - TOKENWELL_STATUS_CLOSED: the client is closed.
///
/// @since 0.1
///
/// # Safety
/// `client` must be a client that was not freed. `error` must be writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenwell_client_advance_clock(
    client: *const tokenwell_client,
    ms: u64,
    error: *mut *mut tokenwell_error,
) -> Status {
    boundary(error, || {
        // SAFETY: the caller promises NULL or a live client.
        unsafe { object("client", client) }?.0.advance_clock(Duration::from_millis(ms))
    })
}

/// Closes a client for all its users: later and waiting calls return TOKENWELL_STATUS_CLOSED.
///
/// It may be called from any thread, any number of times. Pending operations end with
/// TOKENWELL_STATUS_CLOSED; their callbacks may come after this call has returned. The memory is
/// not released until `tokenwell_client_free`. The token remains valid at the server and for
/// other clients.
///
/// @param client The client. Must not be NULL.
/// @param error Receives an error on failure; release it with `tokenwell_error_free`. May be
///   NULL.
/// @return TOKENWELL_STATUS_OK, or TOKENWELL_STATUS_INVALID_ARGUMENT.
/// @since 0.1
///
/// # Safety
/// `client` must be a client that was not freed. `error` must be writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenwell_client_close(client: *const tokenwell_client, error: *mut *mut tokenwell_error) -> Status {
    boundary(error, || {
        // SAFETY: the caller promises NULL or a live client.
        unsafe { object("client", client) }?.0.close();
        Ok(())
    })
}

/// Waits until nothing of a client runs any more: no refresh, no save, no operation and no
/// callback of an operation. A secret callback that exceeded its time may still run.
///
/// A program calls it before it exits, so that a token is saved for other processes, and after
/// `tokenwell_client_close`, to know that no callback of an operation comes any more. If the
/// client is not closed, other threads can start new work at any time.
///
/// @param client The client. Must not be NULL.
/// @param ms How long to wait, in milliseconds. 0 does not wait.
/// @param error Receives an error on failure; release it with `tokenwell_error_free`. May be
///   NULL.
/// @return TOKENWELL_STATUS_OK, TOKENWELL_STATUS_DEADLINE if something still runs, or
///   TOKENWELL_STATUS_INVALID_ARGUMENT, also in a callback of the library.
/// @since 0.1
///
/// # Safety
/// `client` must be a client that was not freed. `error` must be writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenwell_client_drain(client: *const tokenwell_client, ms: u64, error: *mut *mut tokenwell_error) -> Status {
    boundary(error, || {
        // SAFETY: the caller promises NULL or a live client.
        let client = unsafe { object("client", client) }?;
        refuse_in_callback("tokenwell_client_drain")?;
        let waited = Duration::from_millis(ms);
        if client.0.drain(waited) { Ok(()) } else { Err(Error::Deadline { waited, blocked_by: String::new() }) }
    })
}

/// Releases a reference to a client. The last one closes the client and releases its memory.
///
/// Tokens, errors and operations that came from it remain valid. Pending operations end with
/// TOKENWELL_STATUS_CLOSED; their callbacks may come after this call has returned. If the client
/// has a log callback of its own, the last call waits while that is running (see
/// `tokenwell_client_log_set`).
///
/// @param client The client. If it is NULL, nothing happens.
/// @since 0.1
///
/// # Safety
/// `client` must be a client that was not freed. No other call with this reference may
/// be running or follow.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenwell_client_free(client: *mut tokenwell_client) {
    if client.is_null() {
        return;
    }
    // Closing wakes waiting callers, so it does more than a drop, and a panic must be stopped here
    // too. There is no one to report it to.
    boundary(std::ptr::null_mut(), || {
        // SAFETY: the caller promises a live client, which came from `Arc::into_raw` in
        // `tokenwell_client_new`, and its own reference to it.
        drop(unsafe { Arc::from_raw(client.cast_const()) });
        Ok(())
    });
}

pub(super) fn token_options(min_ttl_ms: u64, deadline_ms: u64, flags: u32) -> Result<TokenOptions, Error> {
    let has = |flag: u32| flags & flag != 0;
    let problem = if has(!(TOKENWELL_FORCE_REFRESH | TOKENWELL_CACHED_ONLY | TOKENWELL_WAIT_FOR_SAVE)) {
        format!("has unknown bits: {flags:#x}")
    } else if has(TOKENWELL_FORCE_REFRESH) && has(TOKENWELL_CACHED_ONLY) {
        "has two flags that exclude each other".to_owned()
    } else {
        let options = TokenOptions::default()
            .min_ttl(Duration::from_millis(min_ttl_ms))
            .force_refresh(has(TOKENWELL_FORCE_REFRESH))
            .cached_only(has(TOKENWELL_CACHED_ONLY));
        return Ok(if deadline_ms == 0 { options } else { options.deadline(Duration::from_millis(deadline_ms)) });
    };
    Err(Error::invalid(
        "flags",
        problem,
        "Pass 0, TOKENWELL_FORCE_REFRESH or TOKENWELL_CACHED_ONLY, each also with TOKENWELL_WAIT_FOR_SAVE.",
    ))
}

/// Returns whether an operation that is begun with these flags waits for the save.
pub(super) fn await_save(flags: u32) -> AwaitSave {
    if flags & TOKENWELL_WAIT_FOR_SAVE == 0 { AwaitSave::No } else { AwaitSave::Yes }
}

/// A get in a callback, which returns a cached token or a remembered error and otherwise fails.
fn token_without_blocking(client: &Client, options: &TokenOptions) -> Result<crate::Token, Error> {
    match client.begin_token(options, AwaitSave::No)? {
        Begun::Ready(token) => Ok(token),
        Begun::Pending(_) => Err(would_block("tokenwell_client_token")),
    }
}

pub(super) fn token_value(value: &[u8]) -> Result<&str, Error> {
    std::str::from_utf8(value).map_err(|_| {
        Error::invalid("value", "is not UTF-8, so it is not a token of this client", "Pass the string of the token that was rejected.")
    })
}
