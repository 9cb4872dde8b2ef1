//! The response of the Admin API, with any status.

use crate::grant::transport::Reply;
use reqwest::header::{HeaderName, HeaderValue};
use std::ffi::CString;
use std::fmt;
use zeroize::Zeroizing;

/// A response. `Debug` omits the headers and the body, which may contain a new secret.
pub(crate) struct ApiResponse {
    status: u16,
    /// In the order received, names in lower case, ready for C.
    headers: Vec<(CString, CString)>,
    /// With a NUL after the last byte, for C.
    body: Zeroizing<Vec<u8>>,
}

impl ApiResponse {
    pub(super) fn of(reply: Reply) -> Self {
        let pair = |(name, value): (&HeaderName, &HeaderValue)| {
            Some((CString::new(name.as_str()).ok()?, CString::new(value.to_str().ok()?).ok()?))
        };
        let headers = reply.headers.iter().filter_map(pair).collect();
        // Copied: a vector that grows frees its old memory without wiping it.
        let mut body = Zeroizing::new(Vec::with_capacity(reply.body.len() + 1));
        body.extend_from_slice(&reply.body);
        body.push(0);
        Self { status: reply.status, headers, body }
    }

    pub(crate) fn status(&self) -> u16 {
        self.status
    }

    /// The headers whose value is visible ASCII. A header that was sent more than once is here as often.
    pub(crate) fn headers(&self) -> &[(CString, CString)] {
        &self.headers
    }

    /// The first header with this name, in any case.
    pub(crate) fn header(&self, name: &[u8]) -> Option<&CString> {
        self.headers.iter().find(|(known, _)| known.as_bytes().eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// The body, followed by a NUL.
    pub(crate) fn body_with_nul(&self) -> &[u8] {
        &self.body
    }
}

impl fmt::Debug for ApiResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApiResponse").field("status", &self.status).finish_non_exhaustive()
    }
}
