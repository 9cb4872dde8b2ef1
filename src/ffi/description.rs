//! What a `tokenwell_client` tells about its configuration, for C.

use super::client::tokenwell_client;
use super::error::{borrow_string, c_string};
use crate::client::Client;
use std::ffi::{CString, c_char};
use std::ptr;

/// The base URL of a client, and its settings with their sources.
///
/// It is made with the client, not at the first call, so that no lock can be held while the process
/// forks.
pub struct Description {
    base_url: Option<CString>,
    settings: Vec<(CString, CString)>,
}

impl Description {
    pub(super) fn of(client: &Client) -> Self {
        let settings = client.sources().iter().map(|from| (c_string(from.setting()), c_string(from.source()))).collect();
        Self { base_url: client.base_url().map(c_string), settings }
    }
}

/// Returns the base URL of the API that accepts the tokens: "https://cloud.mongodb.com".
///
/// @param client The client. May be NULL.
/// @param len Receives the length in bytes, without the NUL. May be NULL.
/// @return A NUL-terminated string, owned by `client`. NULL if the server was set by `token_url`,
///   or `client` is NULL.
/// @since 0.1
///
/// # Safety
/// `client` must be a client that was not freed. `len` must be writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenwell_client_base_url(client: *const tokenwell_client, len: *mut usize) -> *const c_char {
    // SAFETY: the caller promises NULL or a live client, and NULL or a writable length.
    unsafe { borrow_string(client.as_ref().and_then(|client| client.1.base_url.as_deref()), len) }
}

/// Returns the name of a setting that is in effect, and where its value came from.
///
/// A program that shows where its credential came from calls it with `index` 0, 1, and so on, until
/// it returns NULL. A setting without a default is in effect only if it was set. The order is that
/// of `tokenwell_config_set`.
///
/// @param client The client. May be NULL.
/// @param index The index of the setting, from 0.
/// @param source Receives the source, a NUL-terminated UTF-8 string owned by `client`: "option
///   client_id", "environment variable TOKENWELL_CLIENT_ID", "profile staging in
///   /home/x/.config/tokenwell/config.toml", "the secret callback" or "the default" for example. It
///   never contains a value. Receives NULL if the function returns NULL. May be NULL.
/// @return The name of the setting, a NUL-terminated string owned by `client`. NULL if there are no
///   more settings, or `client` is NULL.
/// @since 0.1
///
/// # Safety
/// `client` must be a client that was not freed. `source` must be writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tokenwell_client_setting(
    client: *const tokenwell_client,
    index: usize,
    source: *mut *const c_char,
) -> *const c_char {
    // SAFETY: the caller promises NULL or a live client.
    let found = unsafe { client.as_ref() }.and_then(|client| client.1.settings.get(index));
    if !source.is_null() {
        // SAFETY: `source` is not NULL, and the caller promises that it is writable.
        unsafe { source.write(found.map_or(ptr::null(), |(_, source)| source.as_ptr())) };
    }
    found.map_or(ptr::null(), |(name, _)| name.as_ptr())
}
