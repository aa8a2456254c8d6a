//! Why a query fails, with the code that clients read (SQLSTATE).

use std::fmt;

use arrow::error::ArrowError;
use datafusion::common::SchemaError;
use datafusion::error::DataFusionError;
use pgwire::error::{ErrorInfo, PgWireError};
use tonic::{Code, Status};

/// Codes of <https://www.postgresql.org/docs/current/errcodes-appendix.html>.
pub(crate) mod sqlstate {
    pub(crate) const PROTOCOL_VIOLATION: &str = "08P01";
    pub(crate) const NOT_SUPPORTED: &str = "0A000";
    pub(crate) const DATA: &str = "22000";
    pub(crate) const OUT_OF_RANGE: &str = "22003";
    pub(crate) const DIVISION_BY_ZERO: &str = "22012";
    pub(crate) const INVALID_PARAMETER: &str = "22023";
    pub(crate) const INVALID_TEXT: &str = "22P02";
    pub(crate) const READ_ONLY: &str = "25006";
    pub(crate) const FAILED_TRANSACTION: &str = "25P02";
    pub(crate) const IDLE_TRANSACTION: &str = "25P03";
    pub(crate) const NO_SUCH_STATEMENT: &str = "26000";
    pub(crate) const LOGIN_REFUSED: &str = "28000";
    pub(crate) const WRONG_PASSWORD: &str = "28P01";
    pub(crate) const NO_SUCH_CURSOR: &str = "34000";
    pub(crate) const NOT_UNDERSTOOD: &str = "42000";
    pub(crate) const NO_PRIVILEGE: &str = "42501";
    pub(crate) const SYNTAX: &str = "42601";
    pub(crate) const NO_SUCH_COLUMN: &str = "42703";
    pub(crate) const NO_SUCH_SETTING: &str = "42704";
    pub(crate) const NO_SUCH_FUNCTION: &str = "42883";
    pub(crate) const NO_SUCH_TABLE: &str = "42P01";
    pub(crate) const OUT_OF_MEMORY: &str = "53200";
    pub(crate) const TOO_MANY_CONNECTIONS: &str = "53300";
    pub(crate) const LIMIT_EXCEEDED: &str = "53400";
    pub(crate) const TOO_LONG: &str = "54000";
    pub(crate) const TOO_COMPLEX: &str = "54001";
    pub(crate) const CANCELED: &str = "57014";
    pub(crate) const SHUTTING_DOWN: &str = "57P01";
    pub(crate) const IDLE_SESSION: &str = "57P05";
    pub(crate) const INTERNAL: &str = "XX000";
}

/// A failure as a client sees it.
#[derive(Debug, Clone)]
pub(crate) struct Failure {
    pub(crate) code: &'static str,
    pub(crate) message: String,
    /// The way out; may be empty.
    pub(crate) hint: String,
}

impl Failure {
    pub(crate) fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), hint: String::new() }
    }

    pub(crate) fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: hint.into(), ..self }
    }

    /// Something was asked that would write.
    pub(crate) fn read_only(what: &str) -> Self {
        Self::new(sqlstate::READ_ONLY, format!("cannot execute {what}: this endpoint only answers queries"))
            .hint("the tables are made by `throughline run`; ask with SELECT")
    }

    pub(crate) fn internal(message: impl Into<String>) -> Self {
        Self::new(sqlstate::INTERNAL, message)
    }

    /// The login or the connection ends with it.
    pub(crate) fn fatal(self) -> PgWireError {
        let mut info = self.info("FATAL");
        info.severity_nonlocalized = Some("FATAL".into());
        PgWireError::UserError(Box::new(info))
    }

    fn info(self, severity: &str) -> ErrorInfo {
        let mut info = ErrorInfo::new(severity.into(), self.code.into(), self.message);
        info.severity_nonlocalized = Some(severity.into());
        info.hint = Some(self.hint).filter(|hint| !hint.is_empty());
        info
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}

impl From<DataFusionError> for Failure {
    fn from(error: DataFusionError) -> Self {
        let root = error.find_root();
        if let DataFusionError::External(external) = root
            && let Some(failure) = external.downcast_ref::<Self>()
        {
            return failure.clone();
        }
        let text = error.strip_backtrace();
        let text = ["Error during planning: ", "Execution error: ", "SQL error: ", "This feature is not implemented: "]
            .iter()
            .fold(text.as_str(), |text, kind| text.strip_prefix(kind).unwrap_or(text))
            .to_owned();
        match root {
            DataFusionError::ResourcesExhausted(_) => Self::new(
                sqlstate::OUT_OF_MEMORY,
                format!("the query needs more memory than --memory-limit leaves it: {text}"),
            )
            .hint("ask for fewer rows or columns at once, or start the endpoint with a higher --memory-limit"),
            _ => Self::new(code(root, &text), text),
        }
    }
}

fn code(root: &DataFusionError, text: &str) -> &'static str {
    match root {
        DataFusionError::SQL(..) => sqlstate::SYNTAX,
        DataFusionError::NotImplemented(_) => sqlstate::NOT_SUPPORTED,
        DataFusionError::SchemaError(error, _) => match **error {
            SchemaError::FieldNotFound { .. } => sqlstate::NO_SUCH_COLUMN,
            _ => sqlstate::NOT_UNDERSTOOD,
        },
        DataFusionError::Plan(_) if text.contains("table '") && text.contains("not found") => sqlstate::NO_SUCH_TABLE,
        DataFusionError::Plan(_) if text.contains("Invalid function") => sqlstate::NO_SUCH_FUNCTION,
        DataFusionError::Plan(_) => sqlstate::NOT_UNDERSTOOD,
        DataFusionError::ArrowError(error, _) => match **error {
            ArrowError::DivideByZero => sqlstate::DIVISION_BY_ZERO,
            ArrowError::ArithmeticOverflow(_) => sqlstate::OUT_OF_RANGE,
            ArrowError::CastError(_) | ArrowError::ParseError(_) => sqlstate::INVALID_TEXT,
            _ => sqlstate::DATA,
        },
        DataFusionError::Execution(_) => sqlstate::DATA,
        _ => sqlstate::INTERNAL,
    }
}

impl From<Failure> for PgWireError {
    fn from(failure: Failure) -> Self {
        Self::UserError(Box::new(failure.info("ERROR")))
    }
}

impl From<Failure> for Status {
    fn from(failure: Failure) -> Self {
        let code = match failure.code {
            sqlstate::OUT_OF_MEMORY
            | sqlstate::TOO_MANY_CONNECTIONS
            | sqlstate::LIMIT_EXCEEDED
            | sqlstate::TOO_LONG => Code::ResourceExhausted,
            sqlstate::CANCELED => Code::DeadlineExceeded,
            sqlstate::READ_ONLY | sqlstate::NO_PRIVILEGE => Code::PermissionDenied,
            sqlstate::LOGIN_REFUSED => Code::Unauthenticated,
            sqlstate::SHUTTING_DOWN => Code::Unavailable,
            sqlstate::NOT_SUPPORTED => Code::Unimplemented,
            sqlstate::INTERNAL => Code::Internal,
            _ => Code::InvalidArgument,
        };
        let hint = if failure.hint.is_empty() { String::new() } else { format!(" ({})", failure.hint) };
        Self::new(code, format!("{} [SQLSTATE {}]{hint}", failure.message, failure.code))
    }
}

/// Takes the place of the tables out of texts that clients see: it is nobody's business who may read rows.
#[derive(Debug, Clone)]
pub(crate) struct Hidden(Vec<String>);

impl Hidden {
    /// Longer texts first, since one may be part of another.
    pub(crate) fn new(mut texts: Vec<String>) -> Self {
        texts.iter_mut().for_each(|text| text.truncate(text.trim_end_matches('/').len()));
        texts.retain(|text| text.len() > 1);
        texts.sort_by_key(|text| std::cmp::Reverse(text.len()));
        texts.dedup();
        Self(texts)
    }

    pub(crate) fn hide(&self, text: &str) -> String {
        self.0.iter().fold(text.to_owned(), |text, place| text.replace(place.as_str(), "warehouse"))
    }

    pub(crate) fn failure(&self, failure: Failure) -> Failure {
        Failure { message: self.hide(&failure.message), ..failure }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_hidden() {
        let hidden = Hidden::new(vec!["srv/x/wh/".into(), "file:///srv/x/wh".into(), "/srv/x/wh".into(), "/".into()]);
        assert_eq!(hidden.hide("[srv/x/wh/t/a.parquet], /srv/x/wh/t"), "[warehouse/t/a.parquet], warehouse/t");
        assert_eq!(hidden.hide("file:///srv/x/wh/t and a/b"), "warehouse/t and a/b");
    }

    #[test]
    fn codes_say_what_is_wrong() {
        let code = |error: DataFusionError| Failure::from(error).code;
        assert_eq!(code(DataFusionError::ResourcesExhausted("x".into())), sqlstate::OUT_OF_MEMORY);
        assert_eq!(code(DataFusionError::Plan("table 'a.b.c' not found".into())), sqlstate::NO_SUCH_TABLE);
        let ours = Failure::read_only("INSERT");
        assert_eq!(code(DataFusionError::External(Box::new(ours))), sqlstate::READ_ONLY);
    }
}
