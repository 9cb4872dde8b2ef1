//! Removes a secret from the output of a command while it is passed on.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use tokenwell::secret::Secret;
use zeroize::Zeroizing;

/// How many bytes are passed on in one step.
pub(super) const STEP: usize = 4096;
const REDACTED: &[u8] = b"[redacted]";
/// So many bytes of the beginning of a secret may be shown: all secrets of Atlas begin alike.
const PUBLIC: usize = 12;

/// Replaces the secret, also in Base64, in a stream.
pub(super) struct Redactor {
    forms: Vec<Zeroizing<Vec<u8>>>,
    /// The end of what was read, if it may be the beginning of a form. It never grows beyond its capacity,
    /// so that it leaves no copy.
    held: Zeroizing<Vec<u8>>,
    has_found: bool,
}

impl Redactor {
    pub(super) fn new(secret: &Secret) -> Self {
        let secret = secret.expose().as_bytes();
        let mut encoded = Zeroizing::new(vec![0; secret.len().div_ceil(3) * 4]);
        let length = STANDARD_NO_PAD.encode_slice(secret, &mut encoded).unwrap_or_default();
        // The last character differs if something follows the secret.
        encoded.truncate(if secret.len().is_multiple_of(3) { length } else { length.saturating_sub(1) });
        let mut own = Vec::with_capacity(secret.len());
        own.extend_from_slice(secret);
        let mut forms = vec![Zeroizing::new(own), encoded];
        forms.retain(|form| !form.is_empty());
        let longest = forms.iter().map(|form| form.len()).max().unwrap_or_default();
        Self { forms, held: Zeroizing::new(Vec::with_capacity(longest + STEP)), has_found: false }
    }

    /// Whether the secret was in the stream.
    pub(super) fn has_found(&self) -> bool {
        self.has_found
    }

    /// What of the next bytes, at most [`STEP`], can be shown.
    pub(super) fn push(&mut self, bytes: &[u8]) -> Vec<u8> {
        self.held.extend_from_slice(bytes);
        let (mut shown, mut position) = (Vec::new(), 0);
        while position < self.held.len() {
            let rest = &self.held[position..];
            if let Some(form) = self.forms.iter().find(|form| rest.starts_with(form)) {
                shown.extend_from_slice(REDACTED);
                self.has_found = true;
                position += form.len();
            } else if self.forms.iter().any(|form| form.starts_with(rest)) {
                break;
            } else {
                shown.push(rest[0]);
                position += 1;
            }
        }
        self.held.drain(..position);
        shown
    }

    /// The rest at the end of the stream.
    pub(super) fn finish(&mut self) -> Vec<u8> {
        let rest = std::mem::take(&mut self.held);
        if rest.len() <= PUBLIC {
            return rest.to_vec();
        }
        self.has_found = true;
        REDACTED.to_vec()
    }
}

#[cfg(test)]
mod tests {
    use super::Redactor;
    use tokenwell::secret::Secret;

    const SECRET: &str = "mdb_sa_sk_canary_0123456789_abcdefghij";

    fn passed(text: &str, step: usize) -> (String, bool) {
        let mut redactor = Redactor::new(&Secret::from(SECRET));
        let mut shown: Vec<u8> = text.as_bytes().chunks(step).flat_map(|chunk| redactor.push(chunk)).collect();
        shown.extend(redactor.finish());
        (String::from_utf8_lossy(&shown).into_owned(), redactor.has_found())
    }

    #[test]
    fn the_secret_is_replaced_wherever_the_stream_is_cut() {
        for step in [1, 2, 7, 38, 4096] {
            assert_eq!(
                passed(&format!("a {SECRET}\n{SECRET}{SECRET} mdb_sa_sk_"), step).0,
                "a [redacted]\n[redacted][redacted] mdb_sa_sk_"
            );
            assert_eq!(
                passed("nothing of it\nmdb_sa_sk_canary is short", step),
                ("nothing of it\nmdb_sa_sk_canary is short".to_owned(), false)
            );
        }
    }

    #[test]
    fn the_secret_in_base64_is_replaced_too() {
        use base64::Engine as _;

        for suffix in ["", "\n", ":x"] {
            let encoded = base64::engine::general_purpose::STANDARD.encode(format!("{SECRET}{suffix}"));

            let (shown, has_found) = passed(&encoded, 5);

            assert!(has_found && shown.starts_with("[redacted]") && shown.len() < 20, "{shown}");
        }
    }

    #[test]
    fn a_secret_that_is_cut_at_the_end_is_replaced() {
        assert_eq!(passed(&SECRET[..30], 4), ("[redacted]".to_owned(), true));
    }
}
