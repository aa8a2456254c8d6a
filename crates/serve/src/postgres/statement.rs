//! Sorts statements: those that ask, those that clients send to set themselves up, and all others, which are refused.

use datafusion::sql::sqlparser::ast::{
    CloseCursor, DeclareType, DiscardObject, Expr, FetchDirection, Query, Reset, Set, Statement, Value, ValueWithSpan,
};

use crate::failure::{Failure, sqlstate};

/// What a statement is to this endpoint.
#[derive(Debug, Clone)]
pub(super) enum Kind {
    /// Gives rows: a query, what it would do, or what there is.
    Rows(Statement),
    /// Gives a setting.
    Show(String),
    /// Gives all settings.
    ShowAll,
    /// Changes a setting; `None` sets it back.
    Set(String, Option<String>),
    /// Sets all settings back.
    ResetAll,
    /// Begins a transaction.
    Begin,
    /// Ends one; the text is the command tag that the client gets.
    End(&'static str),
    /// Goes back to a savepoint: nothing was changed since, but a failure is forgiven.
    RollbackTo,
    /// Needs nothing to be done; the text is the command tag that the client gets.
    Nothing(&'static str),
    /// Forgets everything about the connection.
    DiscardAll,
    /// Keeps a query under a name.
    Prepare(String, Statement),
    /// Runs one that was kept, with values.
    Execute(String, Vec<Expr>),
    /// Forgets one, or all.
    Deallocate(Option<String>),
    /// Opens a cursor; the flag says whether it outlives the transaction.
    Declare(String, Box<Query>, bool),
    /// Takes so many rows from a cursor; all when `None`.
    Fetch(String, Option<u64>),
    /// Closes one cursor, or all.
    Close(Option<String>),
}

impl Kind {
    /// Sorts a statement, or says why it is refused.
    pub(super) fn of(statement: Statement) -> Result<Self, Failure> {
        Ok(match statement {
            Statement::Query(_)
            | Statement::ExplainTable { .. }
            | Statement::ShowTables { .. }
            | Statement::ShowColumns { .. }
            | Statement::ShowFunctions { .. } => Self::Rows(statement),
            Statement::Explain { statement: ref inner, .. } if matches!(**inner, Statement::Query(_)) => {
                Self::Rows(statement)
            }
            Statement::ShowVariable { variable } => shown(variable.iter().map(|word| word.value.as_str()).collect()),
            Statement::Set(set) => changed(set)?,
            Statement::Reset(reset) => match reset.reset {
                Reset::ALL => Self::ResetAll,
                Reset::ConfigurationParameter(name) => Self::Set(unquoted(&name.to_string()), None),
            },
            Statement::StartTransaction { .. } => Self::Begin,
            Statement::Commit { .. } => Self::End("COMMIT"),
            Statement::Rollback { savepoint: None, .. } => Self::End("ROLLBACK"),
            Statement::Rollback { .. } => Self::RollbackTo,
            Statement::Savepoint { .. } => Self::Nothing("SAVEPOINT"),
            Statement::ReleaseSavepoint { .. } => Self::Nothing("RELEASE"),
            Statement::UNLISTEN { .. } => Self::Nothing("UNLISTEN"),
            Statement::Discard { object_type: DiscardObject::ALL } => Self::DiscardAll,
            Statement::Discard { .. } => Self::Nothing("DISCARD"),
            Statement::Prepare { name, statement, .. } => match Self::of(*statement)? {
                Self::Rows(query) => Self::Prepare(name.value, query),
                _ => return Err(not_supported("PREPARE of anything but a query")),
            },
            Statement::Execute { name: Some(name), parameters, immediate: false, .. } => {
                Self::Execute(unquoted(&name.to_string()), parameters)
            }
            Statement::Deallocate { name, .. } => {
                Self::Deallocate((!name.value.eq_ignore_ascii_case("all")).then_some(name.value))
            }
            Statement::Declare { stmts } => declared(stmts)?,
            Statement::Fetch { name, direction, into: None, .. } => Self::Fetch(name.value, rows_of(&direction)?),
            Statement::Close { cursor: CloseCursor::All } => Self::Close(None),
            Statement::Close { cursor: CloseCursor::Specific { name } } => Self::Close(Some(name.value)),
            other => return Err(Failure::read_only(&first_words(&other.to_string()))),
        })
    }

    /// Whether it may run in a transaction that has failed.
    pub(super) fn ends_transaction(&self) -> bool {
        matches!(self, Self::End(_) | Self::RollbackTo)
    }
}

/// The words that say what a statement does, and nothing after them: the rest may contain a password.
pub(crate) fn first_words(sql: &str) -> String {
    let mut words = sql
        .split(|sign: char| !(sign.is_ascii_alphabetic() || sign == '_'))
        .filter(|word| !word.is_empty())
        .map(str::to_ascii_uppercase);
    let first = words.next().unwrap_or_else(|| "the statement".into());
    let has_object = ["CREATE", "ALTER", "DROP", "EXPLAIN"].contains(&first.as_str());
    match words.next().filter(|_| has_object) {
        Some(second) => format!("{first} {second}"),
        None => first,
    }
}

fn not_supported(what: &str) -> Failure {
    Failure::new(sqlstate::NOT_SUPPORTED, format!("{what} is not supported"))
}

fn unquoted(name: &str) -> String {
    name.trim_matches('"').to_owned()
}

fn shown(words: Vec<&str>) -> Kind {
    let words: Vec<String> = words.iter().map(|word| word.to_ascii_lowercase()).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["all"] => Kind::ShowAll,
        ["time", "zone"] => Kind::Show("timezone".into()),
        ["transaction", "isolation", "level"] => Kind::Show("transaction_isolation".into()),
        ["session", "authorization"] => Kind::Show("session_authorization".into()),
        words => Kind::Show(words.join(".")),
    }
}

fn changed(set: Set) -> Result<Kind, Failure> {
    Ok(match set {
        Set::SingleAssignment { variable, values, hivevar: false, .. } => {
            let name = unquoted(&variable.to_string());
            let texts: Vec<String> = values.iter().map(text_of).collect();
            let default = matches!(texts.as_slice(), [text] if text.eq_ignore_ascii_case("default"));
            Kind::Set(name, (!default).then(|| texts.join(", ")))
        }
        Set::SetTimeZone { value, .. } => {
            let zone = text_of(&value);
            let default = ["local", "default"].iter().any(|word| zone.eq_ignore_ascii_case(word));
            Kind::Set("TimeZone".into(), (!default).then_some(zone))
        }
        Set::SetNames { charset_name, .. } => Kind::Set("client_encoding".into(), Some(charset_name.value)),
        Set::SetNamesDefault {} => Kind::Set("client_encoding".into(), None),
        // Whatever is asked for, a transaction here reads one edition and writes nothing.
        Set::SetTransaction { .. } => Kind::Nothing("SET"),
        Set::SetRole { role_name: None, .. } => Kind::Nothing("SET"),
        other => {
            let what = first_words(&other.to_string());
            return Err(Failure::new(sqlstate::NO_PRIVILEGE, format!("{what} of this is not allowed"))
                .hint("SHOW ALL lists what can be set"));
        }
    })
}

fn text_of(value: &Expr) -> String {
    match value {
        Expr::Value(ValueWithSpan { value: Value::SingleQuotedString(text), .. }) => text.clone(),
        Expr::Identifier(word) => word.value.clone(),
        other => other.to_string(),
    }
}

fn declared(mut declared: Vec<datafusion::sql::sqlparser::ast::Declare>) -> Result<Kind, Failure> {
    let one = if declared.len() == 1 { declared.pop() } else { None };
    let Some(declare) = one.filter(|declare| declare.declare_type == Some(DeclareType::Cursor)) else {
        return Err(not_supported("DECLARE of anything but one cursor"));
    };
    match (declare.names.into_iter().next(), declare.for_query) {
        (Some(name), Some(query)) => Ok(Kind::Declare(name.value, query, declare.hold == Some(true))),
        _ => Err(Failure::new(sqlstate::SYNTAX, "a cursor needs a name and a query")),
    }
}

fn rows_of(direction: &FetchDirection) -> Result<Option<u64>, Failure> {
    let number = |limit: &ValueWithSpan| match &limit.value {
        Value::Number(text, _) => text
            .to_string()
            .parse()
            .map(Some)
            .map_err(|_| Failure::new(sqlstate::SYNTAX, "FETCH needs a whole number of rows")),
        _ => Err(Failure::new(sqlstate::SYNTAX, "FETCH needs a number of rows")),
    };
    match direction {
        FetchDirection::Next | FetchDirection::Forward { limit: None } => Ok(Some(1)),
        FetchDirection::Count { limit } | FetchDirection::Forward { limit: Some(limit) } => number(limit),
        FetchDirection::All | FetchDirection::ForwardAll => Ok(None),
        _ => Err(not_supported("FETCH in any direction but forward")),
    }
}

#[cfg(test)]
mod tests {
    use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
    use datafusion::sql::sqlparser::parser::Parser;

    use super::*;

    fn sorted(sql: &str) -> Result<Kind, Failure> {
        let mut statements = Parser::parse_sql(&PostgreSqlDialect {}, sql).unwrap();
        assert_eq!(statements.len(), 1, "{sql}");
        Kind::of(statements.remove(0))
    }

    #[test]
    fn questions_and_what_clients_set_up_are_let_through() {
        assert!(matches!(sorted("SELECT 1"), Ok(Kind::Rows(_))));
        assert!(matches!(sorted("WITH a AS (SELECT 1) SELECT * FROM a"), Ok(Kind::Rows(_))));
        assert!(matches!(sorted("EXPLAIN ANALYZE SELECT 1"), Ok(Kind::Rows(_))));
        assert!(
            matches!(sorted("SHOW TRANSACTION ISOLATION LEVEL"), Ok(Kind::Show(name)) if name == "transaction_isolation")
        );
        assert!(
            matches!(sorted("SET TIME ZONE 'UTC'"), Ok(Kind::Set(name, Some(zone))) if name == "TimeZone" && zone == "UTC")
        );
        assert!(matches!(sorted("SET search_path TO a, b"), Ok(Kind::Set(_, Some(path))) if path == "a, b"));
        assert!(matches!(sorted("SET datestyle TO DEFAULT"), Ok(Kind::Set(_, None))));
        assert!(matches!(sorted("FETCH FORWARD 100 FROM c"), Ok(Kind::Fetch(_, Some(100)))));
        assert!(matches!(sorted("DEALLOCATE ALL"), Ok(Kind::Deallocate(None))));
    }

    #[test]
    fn refusals_name_the_statement_and_nothing_of_its_text() {
        let refused = |sql: &str| sorted(sql).unwrap_err();
        assert_eq!(
            refused("CREATE ROLE x PASSWORD 'hush'").to_string(),
            "cannot execute CREATE ROLE: this endpoint only answers queries"
        );
        assert!(refused("DELETE FROM t").to_string().starts_with("cannot execute DELETE:"));
        assert_eq!(refused("EXPLAIN ANALYZE DELETE FROM t").code, sqlstate::READ_ONLY);
        assert_eq!(refused("PREPARE p AS DELETE FROM t").code, sqlstate::READ_ONLY);
        assert_eq!(refused("SET ROLE postgres").code, sqlstate::NO_PRIVILEGE);
    }
}
