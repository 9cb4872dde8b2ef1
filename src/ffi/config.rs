//! `tokenwell_config`: settings on their way to a client, for C.

use super::boundary::{boundary, bytes, destination, object};
use super::error::tokenwell_error;
use crate::config::{Config, ConfigBuilder};
use crate::error::{Error, Status};
use std::ffi::c_char;

/// Settings for clients that are to be made.
///
/// Made by `tokenwell_config_new`, owned by the caller, ended with `tokenwell_config_free`, which also wipes the secret. One thread
/// at a time may set; any number may make clients from it while none sets. Clients keep nothing of it. After fork both processes have their own copy.
pub struct tokenwell_config(ConfigBuilder);

impl tokenwell_config {
    pub(super) fn build(&self) -> Result<Config, Error> {
        self.0.build()
    }
}

/// Makes an empty set of settings.
///
/// `out` must not be NULL; on success it receives an object that the caller ends with `tokenwell_config_free`. `error` may be NULL; on failure it
/// receives an error that the caller ends with `tokenwell_error_free`. Errors: INVALID_ARGUMENT. Since 0.1.
///
/// # Safety
/// `out` and `error` must be NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenwell_config_new(out: *mut *mut tokenwell_config, error: *mut *mut tokenwell_error) -> Status {
    boundary(error, || {
        let out = destination("out", out)?;
        // SAFETY: `out` is not NULL, and the caller promises that it is writable.
        unsafe { out.write(Box::into_raw(Box::new(tokenwell_config(Config::builder())))) };
        Ok(())
    })
}

/// Sets one setting by its name; the value is text. A later value replaces an earlier one; after an error the earlier one stands.
///
/// The names: client_id, client_secret, client_secret_file, base_url, token_url, revocation_url, auth_method (client_secret_basic_raw,
/// client_secret_basic or client_secret_post), scope, audience, resource, timeout_ms (1 to 600000: the time of one refresh and
/// the default deadline of a caller), ca_file (PEM), profile (of a file; only where the environment is read), cache (on or off), cache_dir,
/// cache_unsafe (on or off), manual_clock_ms (milliseconds since the Unix epoch; for tests).
///
/// `config`, `name` and `value` must not be NULL. `name_len` and `value_len` count bytes without a terminating NUL. Both texts are copied; a secret is kept
/// in memory that is wiped. `error` as for `tokenwell_config_new`. Errors: INVALID_ARGUMENT for an unknown name or a value that cannot be used, REFUSED for a
/// URL that a secret must not be sent to. The message names the setting and never shows a secret. Since 0.1.
///
/// # Safety
/// `config` must be NULL or live, and no other thread may be using it; the texts must be readable for their lengths; `error` must be NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenwell_config_set(
    config: *mut tokenwell_config,
    name: *const c_char,
    name_len: usize,
    value: *const c_char,
    value_len: usize,
    error: *mut *mut tokenwell_error,
) -> Status {
    boundary(error, || {
        let config = destination("config", config)?;
        // SAFETY: the caller promises readable texts of these lengths.
        let (name, value) = unsafe { (bytes("name", name, name_len)?, bytes("value", value, value_len)?) };
        let name = std::str::from_utf8(name)
            .map_err(|_| Error::invalid("name", "is not UTF-8", "Setting names are plain ASCII words: tokenwell.h lists them."))?;
        // SAFETY: the caller promises a live config that no other thread uses.
        unsafe { &mut *config }.0.set(name, value)
    })
}

/// Lets what is not set come from the environment (TOKENWELL_*, then MONGODB_ATLAS_*, then MCLI_*), and below it from a profile in
/// tokenwell/config.toml or of the Atlas CLI. They are read when a client is made.
///
/// `config` must not be NULL. `error` as for `tokenwell_config_new`. Errors: INVALID_ARGUMENT. Since 0.1.
///
/// # Safety
/// `config` must be NULL or live, and no other thread may be using it; `error` must be NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenwell_config_use_environment(config: *mut tokenwell_config, error: *mut *mut tokenwell_error) -> Status {
    boundary(error, || {
        let config = destination("config", config)?;
        // SAFETY: the caller promises a live config that no other thread uses.
        unsafe { &mut *config }.0.use_environment();
        Ok(())
    })
}

/// Ends a set of settings and wipes its secret. `config` may be NULL: then nothing happens. Clients that were made from it go on. Since 0.1.
///
/// # Safety
/// `config` must be NULL or live, and no other thread may be using it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenwell_config_free(config: *mut tokenwell_config) {
    if !config.is_null() {
        // SAFETY: the caller promises a live config, which came from `Box::into_raw` in `tokenwell_config_new`.
        drop(unsafe { Box::from_raw(config) });
    }
}

/// The configuration that `config` describes.
///
/// # Safety
/// `config` must be NULL or live, and no other thread may be setting it.
pub(super) unsafe fn built(config: *const tokenwell_config) -> Result<Config, Error> {
    // SAFETY: upheld by the caller of this function.
    unsafe { object("config", config) }?.build()
}
