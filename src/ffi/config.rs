//! `tokenwell_config`: the settings of clients, for C.

use super::boundary::{boundary, bytes, destination};
use super::error::tokenwell_error;
use crate::config::{Config, ConfigBuilder, SecretProvider};
use crate::error::{Error, Status};
use std::ffi::{OsString, c_char};
use std::sync::Arc;

/// The settings that a client is created from.
///
/// It is created by `tokenwell_config_new`, owned by the caller, and released with
/// `tokenwell_config_free`, which also wipes the secret. A client does not refer to the config that
/// it was created from.
///
/// Threads: only one thread at a time may set a setting. While no thread does, any number of
/// threads may create clients from it.
/// Fork: parent and child each have their own copy.
pub struct tokenwell_config(ConfigBuilder);

impl tokenwell_config {
    pub(super) fn build(&self) -> Result<Config, Error> {
        self.0.build()
    }

    pub(super) fn set_secret_provider(&mut self, provider: Option<Arc<dyn SecretProvider>>) {
        self.0.set_secret_provider(provider);
    }

    pub(super) fn log_variable(&self) -> Option<OsString> {
        self.0.log_variable()
    }
}

/// Creates an empty config: no setting is set.
///
/// @param out Receives the config; release it with `tokenwell_config_free`. Must not be NULL.
/// @param error Receives an error on failure; release it with `tokenwell_error_free`. May be NULL.
/// @return TOKENWELL_STATUS_OK, or TOKENWELL_STATUS_INVALID_ARGUMENT.
/// @since 0.1
///
/// # Safety
/// `out` and `error` must be writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenwell_config_new(out: *mut *mut tokenwell_config, error: *mut *mut tokenwell_error) -> Status {
    boundary(error, || {
        let out = destination("out", out)?;
        // SAFETY: `out` is not NULL, and the caller promises that it is writable.
        unsafe { out.write(Box::into_raw(Box::new(tokenwell_config(Config::builder())))) };
        Ok(())
    })
}

/// Sets one setting.
///
/// A later value replaces an earlier one. After an error the earlier value is still in effect. The
/// strings are copied. The memory of a secret is wiped when it is released.
///
/// `tokenwell_config_set_secret_callback` sets a callback instead of a client secret.
///
/// The settings:
/// - `client_id`
/// - `client_secret`
/// - `client_secret_file`
/// - `base_url`
/// - `token_url`
/// - `revocation_url`
/// - `auth_method`: `client_secret_basic_raw`, `client_secret_basic`, `client_secret_post` or
///   `auto` (not for Atlas).
/// - `scope`
/// - `audience`
/// - `resource`
/// - `timeout_ms`: 1 to 600000. The timeout of one refresh and the default deadline of a call.
/// - `ca_file`: a PEM file, or `system` for the authorities of the operating system.
/// - `ca_pem`: the content of a PEM file.
/// - `proxy`: `http://host:port` or `https://host:port`, or `none`.
/// - `no_proxy`: hosts that are reached without the proxy, separated by commas.
/// - `profile`: a profile of a configuration file. Requires `tokenwell_config_use_environment`.
/// - `cache`: `on` or `off`.
/// - `cache_dir`
/// - `cache_unsafe`: `on` or `off`.
/// - `environment`: `on` or `off`. If it is `off`, no environment variable is read, not even for
///   the proxy, the certificate authorities and the cache directory. One
///   exception: if the server is Atlas, a copy of the environment is searched for the variable that
///   `tokenwell emulator` sets.
/// - `manual_clock_ms`: milliseconds since the Unix epoch. For tests.
///
/// @param config The config. Must not be NULL.
/// @param name The name of the setting. Must not be NULL.
/// @param name_len The length of `name` in bytes, without a terminating NUL.
/// @param value The value, always as a string. Must not be NULL.
/// @param value_len The length of `value` in bytes, without a terminating NUL.
/// @param error Receives an error on failure; release it with `tokenwell_error_free`. May be NULL.
///   The message names the setting and never contains a secret.
/// @return TOKENWELL_STATUS_OK, or one of:
/// - TOKENWELL_STATUS_INVALID_ARGUMENT: the name is unknown, or the value cannot be used.
/// - TOKENWELL_STATUS_REFUSED: the value is a URL to which a secret must not be sent.
///
/// @since 0.1
///
/// # Safety
/// `config` must be a config that was not freed. No other thread may be using it. `name` and
/// `value` must be readable for their lengths. `error` must be writable.
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
        // SAFETY: the caller promises that both strings are readable for their lengths.
        let (name, value) = unsafe { (bytes("name", name, name_len)?, bytes("value", value, value_len)?) };
        let name = std::str::from_utf8(name)
            .map_err(|_| Error::invalid("name", "is not UTF-8", "Use a setting name from tokenwell.h. All names are ASCII."))?;
        // SAFETY: the caller promises a live config that no other thread uses.
        unsafe { &mut *config }.0.set(name, value)
    })
}

/// Uses the environment and a profile for all settings that were not set.
///
/// The sources are searched in this order: the variables `TOKENWELL_*`, `MONGODB_ATLAS_*`,
/// `MCLI_*`, then a profile in tokenwell/config.toml or of the Atlas CLI. They are read when a
/// client is created, not by this call.
///
/// Without this call, a client reads only the variables of the host: of the shared cache, the
/// proxy, the certificate authorities and the log. No variable is read later, by a refresh for
/// example.
///
/// In a process with more privileges than the user that started it (set-user-ID, set-group-ID or
/// file capabilities), no variable and no profile is used, with or without this call.
///
/// @param config The config. Must not be NULL.
/// @param error Receives an error on failure; release it with `tokenwell_error_free`. May be NULL.
/// @return TOKENWELL_STATUS_OK, or TOKENWELL_STATUS_INVALID_ARGUMENT.
/// @since 0.1
///
/// # Safety
/// `config` must be a config that was not freed. No other thread may be using it. `error` must
/// be writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenwell_config_use_environment(config: *mut tokenwell_config, error: *mut *mut tokenwell_error) -> Status {
    boundary(error, || {
        let config = destination("config", config)?;
        // SAFETY: the caller promises a live config that no other thread uses.
        unsafe { &mut *config }.0.use_environment();
        Ok(())
    })
}

/// Uses only variables that `tokenwell_config_set_variable` adds, instead of those of the process.
///
/// The environment of the process is not safe to read while another thread changes it: `setenv`,
/// `putenv` and `unsetenv` may free the memory that `getenv` reads. After this call, creating a
/// client from this config does not read it. Which variables are used for what does not change:
/// `tokenwell_config_use_environment` is still required for the settings and profiles.
///
/// Without any variable, the environment is empty. Variables that were already added are kept.
///
/// @param config The config. Must not be NULL.
/// @param error Receives an error on failure; release it with `tokenwell_error_free`. May be NULL.
/// @return TOKENWELL_STATUS_OK, or TOKENWELL_STATUS_INVALID_ARGUMENT.
/// @since 0.1
///
/// # Safety
/// `config` must be a config that was not freed. No other thread may be using it. `error` must
/// be writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenwell_config_use_variables(config: *mut tokenwell_config, error: *mut *mut tokenwell_error) -> Status {
    boundary(error, || {
        let config = destination("config", config)?;
        // SAFETY: the caller promises a live config that no other thread uses.
        unsafe { &mut *config }.0.use_variables();
        Ok(())
    })
}

/// Adds one variable to those that are used instead of the variables of the process.
///
/// This includes `tokenwell_config_use_variables`. A later value replaces an earlier one. The
/// strings are copied, and wiped when they are released. A variable that tokenwell does not read is
/// not kept, so a program may pass its whole environment, which it copies under its own lock.
///
/// @param config The config. Must not be NULL.
/// @param name The name of the variable. Must not be NULL.
/// @param name_len The length of `name` in bytes, without a terminating NUL.
/// @param value The value. It does not have to be UTF-8. Must not be NULL.
/// @param value_len The length of `value` in bytes, without a terminating NUL. 0 counts as not set.
/// @param error Receives an error on failure; release it with `tokenwell_error_free`. May be NULL.
/// @return TOKENWELL_STATUS_OK, or TOKENWELL_STATUS_INVALID_ARGUMENT: the name is empty or contains
///   a `=`, or one of them contains a NUL.
/// @since 0.1
///
/// # Safety
/// `config` must be a config that was not freed. No other thread may be using it. `name` and
/// `value` must be readable for their lengths. `error` must be writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenwell_config_set_variable(
    config: *mut tokenwell_config,
    name: *const c_char,
    name_len: usize,
    value: *const c_char,
    value_len: usize,
    error: *mut *mut tokenwell_error,
) -> Status {
    boundary(error, || {
        let config = destination("config", config)?;
        // SAFETY: the caller promises that both strings are readable for their lengths.
        let (name, value) = unsafe { (bytes("name", name, name_len)?, bytes("value", value, value_len)?) };
        // SAFETY: the caller promises a live config that no other thread uses.
        unsafe { &mut *config }.0.set_variable(name, value)
    })
}

/// Releases a config and wipes its secret.
///
/// Clients that were created from it continue to work.
///
/// @param config The config. If it is NULL, nothing happens.
/// @since 0.1
///
/// # Safety
/// `config` must be a config that was not freed. No other thread may be using it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenwell_config_free(config: *mut tokenwell_config) {
    if config.is_null() {
        return;
    }
    // A `destroy` callback may run. There is no one to report a panic to.
    boundary(std::ptr::null_mut(), || {
        // SAFETY: the caller promises a live config, which came from `Box::into_raw` in
        // `tokenwell_config_new`.
        drop(unsafe { Box::from_raw(config) });
        Ok(())
    });
}
