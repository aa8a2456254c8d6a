//! A secret that does not get into logs, and its comparison.

use std::fmt;

use sha2::{Digest, Sha256};

/// A password. Neither its `Debug` text nor an error shows it.
#[derive(Clone)]
pub struct Password(String);

impl Password {
    /// Takes the text as it is; `None` for an empty one, which is no password.
    pub fn new(text: impl Into<String>) -> Option<Self> {
        let text = text.into();
        if text.is_empty() { None } else { Some(Self(text)) }
    }

    pub(crate) fn text(&self) -> &str {
        &self.0
    }

    /// Compares digests, whose differences say nothing about how much of the password was right.
    pub(crate) fn is(&self, other: &str) -> bool {
        Sha256::digest(self.0.as_bytes()) == Sha256::digest(other.as_bytes())
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Password(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::Password;

    #[test]
    fn a_password_is_not_shown_and_is_compared_whole() {
        let password = Password::new("open sesame").unwrap();
        assert_eq!(format!("{password:?}"), "Password(…)");
        assert!(password.is("open sesame"));
        assert!(!password.is("open sesam") && !password.is(""));
        assert!(Password::new("").is_none());
    }
}
