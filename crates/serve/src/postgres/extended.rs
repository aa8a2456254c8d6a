//! Answers the extended query protocol: parse, bind, describe, execute.

use std::fmt;
use std::ops::DerefMut;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use arrow_pg::datatypes::arrow_schema_to_pg_fields;
use async_trait::async_trait;
use futures::{Sink, SinkExt, StreamExt};
use pgwire::api::portal::{Format, Portal, PortalExecutionState};
use pgwire::api::query::{ExtendedQueryHandler, send_describe_response, send_execution_response};
use pgwire::api::results::{DescribePortalResponse, FieldInfo, Response, Tag};
use pgwire::api::stmt::{QueryParser, StoredStatement};
use pgwire::api::store::{Entry, PortalStore};
use pgwire::api::{ClientInfo, ClientPortalStore, DEFAULT_NAME, Type};
use pgwire::error::{PgWireError, PgWireResult};
use pgwire::messages::PgWireBackendMessage;
use pgwire::messages::extendedquery::{
    Bind, BindComplete, Close, CloseComplete, Describe, Execute, Parse, ParseComplete, PortalSuspended,
    TARGET_TYPE_BYTE_PORTAL, TARGET_TYPE_BYTE_STATEMENT,
};
use pgwire::messages::response::EmptyQueryResponse;

use super::handler::{Handler, ended, session_of};
use super::parameters;
use super::session::Named;
use super::statement::Kind;
use crate::failure::{Failure, sqlstate};

/// A statement as `Parse` leaves it.
#[derive(Debug, Clone)]
pub(super) struct Parsed(Arc<Known>);

#[derive(Debug)]
struct Known {
    sql: String,
    kind: Kind,
    /// The number of its parameters, and their types on the wire.
    parameters: usize,
    types: Vec<Type>,
    /// The columns it gives; `None` if it gives no rows.
    columns: Option<SchemaRef>,
    /// The run it was planned for.
    run_id: Arc<str>,
}

/// The extended query protocol, and how its texts are turned into statements.
#[derive(Clone)]
pub(super) struct Extended(pub(super) Arc<Handler>);

#[async_trait]
impl QueryParser for Extended {
    type Statement = Parsed;

    async fn parse_sql<C>(&self, client: &C, sql: &str, _: &[Option<Type>]) -> PgWireResult<Option<Parsed>>
    where
        C: ClientInfo + Unpin + Send + Sync,
    {
        let session = session_of(client)?;
        let mut sorted = self.0.sorted(&session, sql)?;
        let Some((sql, kind)) = sorted.pop() else { return Ok(None) };
        if !sorted.is_empty() {
            let message = "a prepared statement holds one statement, not several";
            return Err(Failure::new(sqlstate::SYNTAX, message).into());
        }
        let planned = self.0.planned(&session, &kind).await;
        let planned = planned.map_err(|failure| self.0.reported(&session, &sql, failure))?;
        let edition = session.edition(&self.0.shared);
        let columns = match (&planned, &kind) {
            (Some(planned), _) => Some(Arc::clone(planned.plan.schema().inner())),
            (None, Kind::Fetch(name, _)) => Some(Arc::clone(session.cursor(name)?.schema())),
            (None, _) => None,
        };
        let run_id = Arc::clone(planned.as_ref().map_or(&edition.run_id, |planned| &planned.edition.run_id));
        let parameters = parameters::count(&sql);
        let types =
            planned.as_ref().map_or(Ok(Vec::new()), |planned| parameters::wire_types(&planned.plan, parameters))?;
        Ok(Some(Parsed(Arc::new(Known { parameters, types, sql, kind, columns, run_id }))))
    }

    fn get_parameter_types(&self, statement: &Parsed) -> PgWireResult<Vec<Type>> {
        Ok(statement.0.types.clone())
    }

    fn get_result_schema(&self, statement: &Parsed, format: Option<&Format>) -> PgWireResult<Vec<FieldInfo>> {
        match &statement.0.columns {
            Some(columns) => arrow_schema_to_pg_fields(columns, format.unwrap_or(&Format::UnifiedText), None),
            None => Ok(Vec::new()),
        }
    }
}

/// A message may name one format, or none, or one for each; anything else would be read past its end later on.
fn fits(formats: &[i16], values: usize, what: &str) -> PgWireResult<()> {
    if formats.len() <= 1 || formats.len() == values {
        return Ok(());
    }
    let message = format!("bind names {} formats for {values} {what}", formats.len());
    Err(Failure::new(sqlstate::PROTOCOL_VIOLATION, message).into())
}

#[async_trait]
impl ExtendedQueryHandler for Extended {
    type Statement = Parsed;
    type QueryParser = Self;

    fn query_parser(&self) -> Arc<Self> {
        Arc::new(self.clone())
    }

    async fn on_parse<C>(&self, client: &mut C, message: Parse) -> PgWireResult<()>
    where
        C: ClientInfo + ClientPortalStore + Sink<PgWireBackendMessage> + Unpin + Send + Sync,
        C::PortalStore: PortalStore<Statement = Parsed>,
        C::Error: fmt::Debug,
        PgWireError: From<<C as Sink<PgWireBackendMessage>>::Error>,
    {
        let session = session_of(client)?;
        if let Some(name) = &message.name {
            // Whatever becomes of the new one, the old one is gone, and so are its bytes.
            client.portal_store().rm_statement(name);
            session.keep(Named::Statement, name, message.query.len(), self.0.shared.queries.limits().prepared)?;
        }
        match StoredStatement::parse(client, &message, self.query_parser()).await? {
            Some(statement) => client.portal_store().put_statement(Arc::new(statement)),
            None => client.portal_store().put_empty_statement(message.name.as_deref().unwrap_or(DEFAULT_NAME)),
        }
        Ok(client.feed(PgWireBackendMessage::ParseComplete(ParseComplete::new())).await?)
    }

    async fn on_bind<C>(&self, client: &mut C, message: Bind) -> PgWireResult<()>
    where
        C: ClientInfo + ClientPortalStore + Sink<PgWireBackendMessage> + Unpin + Send + Sync,
        C::PortalStore: PortalStore<Statement = Parsed>,
        C::Error: fmt::Debug,
        PgWireError: From<<C as Sink<PgWireBackendMessage>>::Error>,
    {
        let session = session_of(client)?;
        let statement = message.statement_name.as_deref().unwrap_or(DEFAULT_NAME);
        let portal = message.portal_name.as_deref().unwrap_or(DEFAULT_NAME);
        if message.portal_name.is_some() {
            client.portal_store().rm_portal(portal);
            let bytes = message.parameters.iter().flatten().map(|value| value.len()).sum::<usize>() + portal.len();
            session.keep(Named::Portal, portal, bytes, self.0.shared.queries.limits().prepared)?;
        }
        let given = message.parameters.len();
        let wrong_number = |wanted: usize| {
            let message = format!("bind gives {given} values for {wanted} parameters");
            Failure::new(sqlstate::PROTOCOL_VIOLATION, message)
        };
        match client.portal_store().get_statement(statement) {
            Some(Entry::Value(statement)) => {
                let known = &statement.statement.0;
                let wanted = known.parameters;
                if given != wanted {
                    return Err(wrong_number(wanted).into());
                }
                fits(&message.parameter_format_codes, given, "values")?;
                let columns = known.columns.as_ref().map_or(0, |columns| columns.fields().len());
                fits(&message.result_column_format_codes, columns, "columns")?;
                client.portal_store().put_portal(Arc::new(Portal::try_new(&message, Arc::clone(&statement))?));
            }
            Some(Entry::Empty) if given > 0 => return Err(wrong_number(0).into()),
            Some(Entry::Empty) => client.portal_store().put_empty_portal(portal),
            None => {
                let message = format!("there is no prepared statement \"{statement}\"");
                return Err(Failure::new(sqlstate::NO_SUCH_STATEMENT, message).into());
            }
        }
        Ok(client.feed(PgWireBackendMessage::BindComplete(BindComplete::new())).await?)
    }

    /// Cursors are portals too, for clients that ask for the columns of one.
    async fn on_describe<C>(&self, client: &mut C, message: Describe) -> PgWireResult<()>
    where
        C: ClientInfo + ClientPortalStore + Sink<PgWireBackendMessage> + Unpin + Send + Sync,
        C::PortalStore: PortalStore<Statement = Parsed>,
        C::Error: fmt::Debug,
        PgWireError: From<<C as Sink<PgWireBackendMessage>>::Error>,
    {
        if message.target_type == TARGET_TYPE_BYTE_PORTAL
            && let Some(name) = &message.name
            && client.portal_store().get_portal(name).is_none()
        {
            let cursor = session_of(client)?.cursor(name)?;
            let fields = arrow_schema_to_pg_fields(cursor.schema(), &Format::UnifiedText, None)?;
            return send_describe_response(client, &DescribePortalResponse::new(fields)).await;
        }
        self._on_describe(client, message).await
    }

    /// Rows go to the client as they come. (pgwire's own way collects all that `Execute` asks for first, and sets
    /// memory aside for as many as it names.)
    async fn on_execute<C>(&self, client: &mut C, message: Execute) -> PgWireResult<()>
    where
        C: ClientInfo + ClientPortalStore + Sink<PgWireBackendMessage> + Unpin + Send + Sync,
        C::PortalStore: PortalStore<Statement = Parsed>,
        C::Error: fmt::Debug,
        PgWireError: From<<C as Sink<PgWireBackendMessage>>::Error>,
    {
        let name = message.name.as_deref().unwrap_or(DEFAULT_NAME);
        let portal = match client.portal_store().get_portal(name) {
            Some(Entry::Value(portal)) => portal,
            Some(Entry::Empty) => {
                return Ok(client.feed(PgWireBackendMessage::EmptyQueryResponse(EmptyQueryResponse::new())).await?);
            }
            None => {
                return Err(Failure::new(sqlstate::NO_SUCH_CURSOR, format!("there is no portal \"{name}\"")).into());
            }
        };
        let most = u64::try_from(message.max_rows).ok().filter(|most| *most > 0);
        let state = portal.state();
        let mut state = state.lock().await;
        if matches!(*state, PortalExecutionState::Initial) {
            match self.do_query(client, portal.as_ref(), 0).await? {
                Response::Query(rows) => *state = PortalExecutionState::Suspended(rows),
                other => return ended(client, other).await,
            }
        }
        let PortalExecutionState::Suspended(response) = state.deref_mut() else {
            return send_execution_response(client, Tag::new("SELECT").with_rows(0)).await;
        };
        let tag = response.command_tag().to_owned();
        let mut sent = 0;
        let finished = loop {
            if most == Some(sent) {
                break false;
            }
            match response.data_rows().next().await {
                Some(row) => client.feed(PgWireBackendMessage::DataRow(row?)).await?,
                None => break true,
            }
            sent += 1;
        };
        if finished {
            *state = PortalExecutionState::Finished;
            let rows = usize::try_from(sent).unwrap_or(usize::MAX);
            return send_execution_response(client, Tag::new(&tag).with_rows(rows)).await;
        }
        Ok(client.feed(PgWireBackendMessage::PortalSuspended(PortalSuspended::new())).await?)
    }

    async fn on_close<C>(&self, client: &mut C, message: Close) -> PgWireResult<()>
    where
        C: ClientInfo + ClientPortalStore + Sink<PgWireBackendMessage> + Unpin + Send + Sync,
        C::PortalStore: PortalStore<Statement = Parsed>,
        C::Error: fmt::Debug,
        PgWireError: From<<C as Sink<PgWireBackendMessage>>::Error>,
    {
        let session = session_of(client)?;
        let name = message.name.as_deref().unwrap_or(DEFAULT_NAME);
        match message.target_type {
            TARGET_TYPE_BYTE_STATEMENT => {
                session.forget(Named::Statement, name);
                client.portal_store().rm_statement(name);
            }
            TARGET_TYPE_BYTE_PORTAL => {
                session.forget(Named::Portal, name);
                client.portal_store().rm_portal(name);
            }
            _ => {}
        }
        Ok(client.feed(PgWireBackendMessage::CloseComplete(CloseComplete::new())).await?)
    }

    async fn do_query<C>(&self, client: &mut C, portal: &Portal<Parsed>, _: usize) -> PgWireResult<Response>
    where
        C: ClientInfo + ClientPortalStore + Sink<PgWireBackendMessage> + Unpin + Send + Sync,
        C::PortalStore: PortalStore<Statement = Parsed>,
        C::Error: fmt::Debug,
        PgWireError: From<<C as Sink<PgWireBackendMessage>>::Error>,
    {
        let session = session_of(client)?;
        let known = &portal.statement.statement.0;
        // Planned again: a newer run may be there by now, and each query reads the one that is newest when it starts.
        let planned = self.0.planned(&session, &known.kind).await;
        let mut planned = planned.map_err(|failure| self.0.reported(&session, &known.sql, failure))?;
        if let Some(planned) = &mut planned {
            let same = known.columns.as_ref().is_some_and(|columns| {
                let now = planned.plan.schema().inner().fields();
                now.len() == columns.fields().len()
                    && now.iter().zip(columns.fields()).all(|(now, then)| now.data_type() == then.data_type())
            });
            if planned.edition.run_id != known.run_id && !same {
                let message = "the tables have other columns since the statement was prepared";
                return Err(Failure::new(sqlstate::NOT_SUPPORTED, message).hint("prepare it again").into());
            }
            let most = self.0.shared.queries.limits().constants;
            planned.plan = parameters::bound(&planned.plan, known.parameters, portal, most)?;
        }
        let statement = (known.sql.as_str(), &known.kind);
        self.0.answer(client, &session, statement, planned, &portal.result_column_format).await
    }
}
