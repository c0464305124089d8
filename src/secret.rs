//! A secret that cannot be printed, and the redaction of text that may hold one.
//!
//! It does not know where secrets come from (`settings`) or what they sign (`azure::auth`).

use std::borrow::Cow;
use std::fmt;

/// What stands in the place of a secret in everything that is shown.
pub const REDACTED: &str = "REDACTED";

/// A key, token or signature. `Debug` prints [`REDACTED`]; there is no `Display` and no `Serialize`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps `value`.
    pub fn new(value: impl Into<String>) -> Self {
        Self(value.into())
    }

    /// The secret itself: for signing, or for a body that goes to the service; never for output.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(REDACTED)
    }
}

/// `text` with the value of every `sig=` parameter replaced by [`REDACTED`].
///
/// - A value ends before `&`, white space, a quotation mark, `<`, `>`, `)`, or at the end of the text.
/// - Text without `sig=` is returned as it is, not copied.
#[must_use]
pub fn redact(text: &str) -> Cow<'_, str> {
    const MARK: &str = "sig=";
    if !text.contains(MARK) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(MARK) {
        let (before, after) = rest.split_at(at + MARK.len());
        out.push_str(before);
        out.push_str(REDACTED);
        let end = after
            .find(|c: char| c.is_whitespace() || "&\"'<>)".contains(c))
            .unwrap_or(after.len());
        rest = &after[end..];
    }
    out.push_str(rest);
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_of_a_secret_shows_nothing_of_it() {
        let shown = format!("{:?}", Secret::new("hunter2"));
        assert_eq!(shown, REDACTED);
    }

    #[test]
    fn every_signature_is_redacted_and_the_rest_is_kept() {
        let text = "GET http://h/c?sp=r&sig=ab%2Bc%3D&se=1, then (http://h/d?sig=xyz) and sig=\"";
        assert_eq!(
            redact(text),
            "GET http://h/c?sp=r&sig=REDACTED&se=1, then (http://h/d?sig=REDACTED) and sig=REDACTED\""
        );
    }

    #[test]
    fn text_without_a_signature_is_not_copied() {
        assert!(matches!(redact("designs and signatures"), Cow::Borrowed(_)));
        assert!(matches!(redact("nothing here"), Cow::Borrowed(_)));
    }
}
