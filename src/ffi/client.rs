//! `tokenwell_client`: the handle that hands out tokens, for C.

use super::boundary::{boundary, bytes, destination, object};
use super::config::{built, tokenwell_config};
use super::error::tokenwell_error;
use super::log;
use super::stats::tokenwell_stats;
use super::token::{borrow, hand_over, tokenwell_token};
use crate::client::{Client, TokenOptions};
use crate::error::{Error, Status};
use std::ffi::c_char;
use std::time::Duration;

/// A flag of `tokenwell_client_token`: another token than the current one. Does not skip a cooldown.
pub const TOKENWELL_FORCE_REFRESH: u32 = 1;

/// Hands out the live access token of one service account.
///
/// Made by `tokenwell_client_new`, owned by the caller, ended with `tokenwell_client_free`. Every function that takes a const client may be
/// called from any number of threads at once. Between refreshes it holds no thread and no socket. After fork the child may go on using it: it
/// keeps the live token and fetches the next one for itself; exec and exit need no preparation.
pub struct tokenwell_client(Client);

/// Makes a client from settings. Opens no connection: the first get does.
///
/// `config` must not be NULL and stays the caller's. `out` must not be NULL; on success it receives a client that the caller ends with `tokenwell_client_free`.
/// `error` may be NULL; on failure it receives an error that the caller ends with `tokenwell_error_free`. Errors: NOT_CONFIGURED where id or secret are
/// missing or settings contradict each other, INVALID_ARGUMENT and REFUSED as for `tokenwell_config_set`, INVALID_ARGUMENT also for a wrong TOKENWELL_LOG
/// (see `tokenwell_log_set`). Since 0.1.
///
/// # Safety
/// `config` must be NULL or live, and no other thread may be setting it; `out` and `error` must be NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenwell_client_new(
    config: *const tokenwell_config,
    out: *mut *mut tokenwell_client,
    error: *mut *mut tokenwell_error,
) -> Status {
    boundary(error, || {
        let out = destination("out", out)?;
        log::heed_the_environment()?;
        // SAFETY: the caller promises NULL or a live config that nobody sets.
        let client = Client::new(unsafe { built(config) }?)?;
        // SAFETY: `out` is not NULL, and the caller promises that it is writable.
        unsafe { out.write(Box::into_raw(Box::new(tokenwell_client(client)))) };
        Ok(())
    })
}

/// A live token: at once where one is at hand, else after a refresh that all callers share.
///
/// Waits only for a refresh, and no longer than its deadline. `client` and `out` must not be NULL. `min_ttl_ms`: for how many milliseconds more the token must live; 0 is the default floor (the lesser of 60 s and a tenth of its
/// lifetime). `deadline_ms`: how long this call may wait; 0 is the configured timeout. `flags`: 0 or TOKENWELL_FORCE_REFRESH. On success `out` receives a
/// token that the caller ends with `tokenwell_token_free`. `error` as for `tokenwell_client_new`. Errors: whatever kept the refresh from bringing a token, while none
/// that lives for as long as was asked is at hand; DEADLINE; CLOSED; INVALID_ARGUMENT where the server's tokens do not live that long. Since 0.1.
///
/// # Safety
/// `client` must be NULL or live; `out` and `error` must be NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenwell_client_token(
    client: *const tokenwell_client,
    min_ttl_ms: u64,
    deadline_ms: u64,
    flags: u32,
    out: *mut *mut tokenwell_token,
    error: *mut *mut tokenwell_error,
) -> Status {
    boundary(error, || {
        // SAFETY: the caller promises NULL or a live client.
        let client = unsafe { object("client", client) }?;
        let out = destination("out", out)?;
        if flags & !TOKENWELL_FORCE_REFRESH != 0 {
            return Err(Error::invalid("flags", format!("has unknown bits: {flags:#x}"), "Pass 0 or TOKENWELL_FORCE_REFRESH."));
        }
        let options =
            TokenOptions::default().min_ttl(Duration::from_millis(min_ttl_ms)).force_refresh(flags & TOKENWELL_FORCE_REFRESH != 0);
        let options = if deadline_ms == 0 { options } else { options.deadline(Duration::from_millis(deadline_ms)) };
        let token = client.0.token(&options)?;
        // SAFETY: `out` is not NULL, and the caller promises that it is writable.
        unsafe { out.write(hand_over(token)) };
        Ok(())
    })
}

/// After a 401 at the resource: drops the token whose text is `value`, if it is still the current one. Another token stays.
///
/// In this process it is dropped at once. Where processes share tokens in files it is then taken out of those, which waits: for up to a second while
/// another process is at work on the same token, and for a few seconds where the file system does not answer. An event loop calls this on another thread.
///
/// `client` and `value` must not be NULL; `value_len` counts bytes without a terminating NUL. `error` as for `tokenwell_client_new`.
/// Errors: CLOSED, INVALID_ARGUMENT. Since 0.1.
///
/// # Safety
/// `client` must be NULL or live; `value` must be readable for `value_len` bytes; `error` must be NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenwell_client_invalidate(
    client: *const tokenwell_client,
    value: *const c_char,
    value_len: usize,
    error: *mut *mut tokenwell_error,
) -> Status {
    boundary(error, || {
        // SAFETY: the caller promises NULL or a live client, and a text that is readable for its length.
        let (client, value) = unsafe { (object("client", client)?, bytes("value", value, value_len)?) };
        let value = std::str::from_utf8(value).map_err(|_| {
            Error::invalid("value", "is not UTF-8, so it is no token of this client", "Pass the text of the token that was turned down.")
        })?;
        client.0.invalidate(value).map(drop)
    })
}

/// Asks the server to end the current token (RFC 7009) and drops it whatever the answer. Without a token there is nothing to do.
///
/// Waits for the answer, and no longer than its deadline. The token is dropped before anything is waited for.
///
/// `client` must not be NULL. `deadline_ms`: how long this call may wait; 0 is the configured timeout. `error` as for `tokenwell_client_new`. Errors: what the
/// server or the network answered, and then the token must be assumed alive there until it expires; DEADLINE; CLOSED. Since 0.1.
///
/// # Safety
/// `client` must be NULL or live; `error` must be NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenwell_client_revoke(
    client: *const tokenwell_client,
    deadline_ms: u64,
    error: *mut *mut tokenwell_error,
) -> Status {
    boundary(error, || {
        // SAFETY: the caller promises NULL or a live client.
        let client = unsafe { object("client", client) }?;
        client.0.revoke((deadline_ms != 0).then(|| Duration::from_millis(deadline_ms)))
    })
}

/// What the client has done so far.
///
/// `client` and `out` must not be NULL. `out_size` is `sizeof(tokenwell_stats)` as the caller knows it: at most that many bytes are written, and what
/// this version does not know is set to zero. `error` as for `tokenwell_client_new`. Errors: INVALID_ARGUMENT. Since 0.1.
///
/// # Safety
/// `client` must be NULL or live; `out` must be writable for `out_size` bytes; `error` must be NULL or writable.
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
        // SAFETY: the caller promises that `out_size` bytes are writable; `stats` is plain numbers without padding.
        unsafe {
            out.write_bytes(0, out_size);
            out.copy_from_nonoverlapping((&raw const stats).cast(), known);
        }
        Ok(())
    })
}

/// A counter that changes whenever the current token does: when another takes its place, and when it is invalidated, revoked or closed.
///
/// With it and `tokenwell_client_fresh_for_ms` a caller may keep a token's text and skip the call. `client` may be NULL, which gives NULL. The counter is an atomic
/// 64-bit integer in the client's memory: never write it, do not read it after `tokenwell_client_free`, and read it in one piece with acquire ordering:
/// `__atomic_load_n(generation, __ATOMIC_ACQUIRE)` with GCC and Clang, `ReadAcquire64((const volatile LONG64 *)generation)` with MSVC, and with nothing but C11
/// `atomic_load_explicit((const _Atomic uint64_t *)generation, memory_order_acquire)`. Since 0.1.
///
/// # Safety
/// `client` must be NULL or live.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenwell_client_generation(client: *const tokenwell_client) -> *const u64 {
    // SAFETY: the caller promises NULL or a live client.
    unsafe { client.as_ref() }.map_or(std::ptr::null(), |client| std::ptr::from_ref(client.0.generation()).cast())
}

/// For how many milliseconds from now a copy of `token` may be handed out without asking again, as long as the client's generation is the token's.
/// 0: always ask; under a manual clock it is always 0, and for a token that is no longer the current one.
///
/// `client` and `token` may be NULL, which gives 0. Since 0.1.
///
/// # Safety
/// `client` and `token` must be NULL or live.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenwell_client_fresh_for_ms(client: *const tokenwell_client, token: *const tokenwell_token) -> u64 {
    // SAFETY: the caller promises NULL or a live client and token.
    let (Some(client), Some(token)) = (unsafe { client.as_ref() }, unsafe { borrow(token) }) else { return 0 };
    u64::try_from(client.0.fresh_for(&token).as_millis()).unwrap_or(u64::MAX)
}

/// Moves the clock of a client that was configured with manual_clock_ms. For tests.
///
/// `client` must not be NULL. `error` as for `tokenwell_client_new`. Errors: INVALID_ARGUMENT where the client runs on the system's clock; CLOSED. Since 0.1.
///
/// # Safety
/// `client` must be NULL or live; `error` must be NULL or writable.
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

/// Ends the client for all who use it: later calls and callers that wait get CLOSED. May be called from any thread, any number of times; the memory
/// stays until `tokenwell_client_free`. The token stays valid at the server and for others.
///
/// `client` must not be NULL. `error` as for `tokenwell_client_new`. Errors: INVALID_ARGUMENT. Since 0.1.
///
/// # Safety
/// `client` must be NULL or live; `error` must be NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenwell_client_close(client: *const tokenwell_client, error: *mut *mut tokenwell_error) -> Status {
    boundary(error, || {
        // SAFETY: the caller promises NULL or a live client.
        unsafe { object("client", client) }?.0.close();
        Ok(())
    })
}

/// Closes a client and gives its memory back. `client` may be NULL: then nothing happens. Tokens and errors that came from it stay. Since 0.1.
///
/// # Safety
/// `client` must be NULL or live; no other call on it may be running or follow.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenwell_client_free(client: *mut tokenwell_client) {
    if client.is_null() {
        return;
    }
    // A close wakes whoever waits: more than a drop, so a panic is stopped here too. There is nobody to tell of it.
    boundary(std::ptr::null_mut(), || {
        // SAFETY: the caller promises a live client, which came from `Box::into_raw` in `tokenwell_client_new`.
        let client = unsafe { Box::from_raw(client) };
        client.0.close();
        Ok(())
    });
}
