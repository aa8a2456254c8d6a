//! Answers queries: what the simple and the extended query protocol have in common, and the simple one.

use std::fmt;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use arrow_pg::datatypes::{arrow_schema_to_pg_fields, encode_recordbatch};
use async_trait::async_trait;
use datafusion::common::ParamValues;
use datafusion::logical_expr::{LogicalPlan, LogicalPlanBuilder, col, lit};
use datafusion::prelude::SessionContext;
use datafusion::sql::parser::Statement as EngineStatement;
use datafusion::sql::sqlparser::ast::{Expr as SqlExpr, Statement};
use datafusion_pg_catalog::sql::PostgresCompatibilityParser;
use futures::{Sink, SinkExt, StreamExt, TryStreamExt};
use pgwire::api::portal::Format;
use pgwire::api::query::{SimpleQueryHandler, send_execution_response, send_query_response, send_ready_for_query};
use pgwire::api::results::{QueryResponse, Response, Tag};
use pgwire::api::store::PortalStore;
use pgwire::api::{ClientInfo, ClientPortalStore};
use pgwire::error::{PgWireError, PgWireResult};
use pgwire::messages::PgWireBackendMessage;
use pgwire::messages::response::{EmptyQueryResponse, TransactionStatus};
use pgwire::messages::simplequery::Query;
use pgwire::messages::startup::ParameterStatus;
use pgwire::types::format::FormatOptions;

use super::cursor::{Batches, Cursor};
use super::rewrite::rewrite;
use super::session::{Named, Session};
use super::settings::Settings;
use super::statement::{Kind, first_words};
use crate::complexity::{verify_short, with_values};
use crate::edition::Edition;
use crate::failure::{Failure, sqlstate};
use crate::queries::{Asked, LONGEST_TEXT, verify_read_only};
use crate::schemas::MAIN;
use crate::shared::Shared;

/// Answers for all connections; what belongs to one is in its [`Session`].
pub(super) struct Handler {
    pub(super) shared: Arc<Shared>,
    pub(super) parser: PostgresCompatibilityParser,
}

/// A plan and what it is planned in.
pub(super) struct Planned {
    pub(super) context: SessionContext,
    pub(super) plan: LogicalPlan,
    pub(super) edition: Arc<Edition>,
}

impl Handler {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self { shared, parser: PostgresCompatibilityParser::new() }
    }

    /// The statements of a text, each with its own text.
    pub(super) fn sorted(&self, session: &Session, sql: &str) -> Result<Vec<(String, Kind)>, Failure> {
        if sql.len() > LONGEST_TEXT {
            let message = format!("a query may have {LONGEST_TEXT} bytes at most, this has {}", sql.len());
            return Err(self.reported(session, "a long text", Failure::new(sqlstate::TOO_LONG, message)));
        }
        let wrong = |error: datafusion::sql::sqlparser::parser::ParserError| {
            let message = error.to_string();
            let message = message.strip_prefix("sql parser error: ").unwrap_or(&message).to_owned();
            self.reported(session, &first_words(sql), Failure::new(sqlstate::SYNTAX, message))
        };
        let statements = self.parser.parse(sql).map_err(wrong)?;
        let alone = statements.len() == 1;
        statements
            .into_iter()
            .map(|mut statement| {
                rewrite(&mut statement);
                let text = if alone { sql.trim().to_owned() } else { statement.to_string() };
                match Kind::of(statement) {
                    Ok(kind) => Ok((text, kind)),
                    Err(failure) => Err(self.reported(session, &first_words(&text), failure)),
                }
            })
            .collect()
    }

    /// Reports a failure before anything ran to the observer, and returns it as the client sees it.
    pub(super) fn reported(&self, session: &Session, sql: &str, failure: impl Into<Failure>) -> Failure {
        let edition = session.edition(&self.shared);
        self.shared.queries.failed(&session.asked(&edition, sql), failure)
    }

    /// Plans what gives rows; `None` for what does not.
    pub(super) async fn planned(&self, session: &Session, kind: &Kind) -> Result<Option<Planned>, Failure> {
        let edition = session.edition(&self.shared);
        let path = session.settings().search_path();
        let schema = path.iter().find(|name| edition.has_schema(name)).filter(|name| *name != MAIN);
        let context = edition.session(schema.map(String::as_str));
        let asked = session.asked(&edition, "");
        let plan = match kind {
            Kind::Rows(statement) => self.plan(&asked, &context, statement.clone()).await?,
            Kind::Show(name) => {
                let (name, value) = session.settings().get(name)?;
                let value = if name == "session_authorization" { session.user.clone() } else { value };
                let row = LogicalPlanBuilder::values(vec![vec![lit(value)]])?;
                row.project([col("column1").alias(name)])?.build()?
            }
            Kind::ShowAll => {
                let rows =
                    session.settings().all().into_iter().map(|(name, value)| vec![lit(name), lit(value), lit("")]);
                let names = [("column1", "name"), ("column2", "setting"), ("column3", "description")];
                LogicalPlanBuilder::values(rows.collect())?
                    .project(names.map(|(from, to)| col(from).alias(to)))?
                    .build()?
            }
            Kind::Execute(name, values) => {
                let (statement, values, within) = (session.prepared(name)?, values.clone(), context.clone());
                let most = self.shared.queries.limits().constants;
                let planning = async move {
                    let plan = plan(&within, statement).await?;
                    executed(&within, plan, &values, most).await
                };
                self.shared.queries.plan(&asked, planning).await?
            }
            _ => return Ok(None),
        };
        Ok(Some(Planned { context, plan, edition }))
    }

    async fn plan(
        &self,
        asked: &Asked,
        context: &SessionContext,
        statement: Statement,
    ) -> Result<LogicalPlan, Failure> {
        let context = context.clone();
        self.shared.queries.plan(asked, async move { plan(&context, statement).await }).await
    }

    /// The rows of a plan as they come. It starts when the first is asked for, so that of several statements in one
    /// text only one runs at a time.
    fn batches(&self, session: &Session, planned: Planned, sql: &str) -> Batches {
        let Planned { context, plan, edition } = planned;
        let asked = session.asked(&edition, sql);
        let shared = Arc::clone(&self.shared);
        futures::stream::once(async move { shared.queries.start(context, plan, asked).await }).try_flatten().boxed()
    }

    /// Does what a statement says and gives what the client is answered.
    pub(super) async fn answer<C>(
        &self,
        client: &mut C,
        session: &Session,
        (sql, kind): (&str, &Kind),
        planned: Option<Planned>,
        format: &Format,
    ) -> PgWireResult<Response>
    where
        C: ClientInfo + ClientPortalStore + Sink<PgWireBackendMessage> + Unpin + Send + Sync,
        C::PortalStore: PortalStore,
        PgWireError: From<<C as Sink<PgWireBackendMessage>>::Error>,
    {
        if client.transaction_status() == TransactionStatus::Error && !kind.ends_transaction() {
            let message = "the transaction has failed, statements are passed over until it ends";
            return Err(Failure::new(sqlstate::FAILED_TRANSACTION, message).hint("send ROLLBACK").into());
        }
        if let Some(planned) = planned {
            let columns = Arc::clone(planned.plan.schema().inner());
            let tag = if matches!(kind, Kind::Rows(Statement::Explain { .. })) { "EXPLAIN" } else { "SELECT" };
            return rows(client, &columns, self.batches(session, planned, sql), tag, format);
        }
        self.carry_out(client, session, (sql, kind), format).await
    }

    /// Does what a statement says that has no plan of its own: it changes what is kept of the connection, or reads on
    /// from a cursor.
    async fn carry_out<C>(
        &self,
        client: &mut C,
        session: &Session,
        (sql, kind): (&str, &Kind),
        format: &Format,
    ) -> PgWireResult<Response>
    where
        C: ClientInfo + ClientPortalStore + Sink<PgWireBackendMessage> + Unpin + Send + Sync,
        C::PortalStore: PortalStore,
        PgWireError: From<<C as Sink<PgWireBackendMessage>>::Error>,
    {
        match kind {
            Kind::Set(name, value) => self.set(client, session, name, value.as_deref()).await,
            Kind::ResetAll => {
                session.change_settings(Settings::reset);
                done("RESET")
            }
            Kind::Begin => {
                session.begin(&self.shared);
                Ok(Response::TransactionStart(Tag::new("BEGIN")))
            }
            Kind::End(tag) => {
                session.end();
                let failed = client.transaction_status() == TransactionStatus::Error;
                Ok(Response::TransactionEnd(Tag::new(if failed { "ROLLBACK" } else { tag })))
            }
            Kind::Nothing(tag) => done(tag),
            Kind::RollbackTo => {
                if client.transaction_status() == TransactionStatus::Error {
                    client.set_transaction_status(TransactionStatus::Transaction);
                }
                done("ROLLBACK")
            }
            Kind::DiscardAll => {
                session.end();
                session.close(None);
                self.deallocate_all(client, session);
                for name in session.names(Named::Portal) {
                    client.portal_store().rm_portal(&name);
                    session.forget(Named::Portal, &name);
                }
                session.change_settings(Settings::reset);
                done("DISCARD ALL")
            }
            Kind::Prepare(name, statement) => self.prepare(session, sql, name, statement).await,
            Kind::Deallocate(name) => {
                match name {
                    Some(name) => {
                        session.deallocate(name);
                        client.portal_store().rm_statement(name);
                        session.forget(Named::Statement, name);
                    }
                    None => self.deallocate_all(client, session),
                }
                done("DEALLOCATE")
            }
            Kind::Declare(name, query, holds) => {
                let rows = Kind::Rows(Statement::Query(query.clone()));
                self.declare(session, sql, name, &rows, *holds).await
            }
            Kind::Fetch(name, count) => {
                let cursor = session.cursor(name)?;
                let columns = Arc::clone(cursor.schema());
                rows(client, &columns, cursor.take(*count).boxed(), "FETCH", format)
            }
            Kind::Close(name) => {
                session.close(name.as_deref());
                done("CLOSE CURSOR")
            }
            Kind::Rows(_) | Kind::Show(_) | Kind::ShowAll | Kind::Execute(..) => {
                Err(Failure::internal("rows without a plan").into())
            }
        }
    }

    /// Forgets all that was prepared, by SQL and by the protocol.
    fn deallocate_all<C>(&self, client: &C, session: &Session)
    where
        C: ClientPortalStore,
        C::PortalStore: PortalStore,
    {
        for name in session.names(Named::Prepared) {
            session.deallocate(&name);
        }
        for name in session.names(Named::Statement) {
            client.portal_store().rm_statement(&name);
            session.forget(Named::Statement, &name);
        }
    }

    /// Changes a setting, or sets it back, and reports the change where clients follow the setting.
    async fn set<C>(&self, client: &mut C, session: &Session, name: &str, value: Option<&str>) -> PgWireResult<Response>
    where
        C: ClientInfo + Sink<PgWireBackendMessage> + Unpin + Send,
        PgWireError: From<<C as Sink<PgWireBackendMessage>>::Error>,
    {
        let changed = session.change_settings(|settings| settings.set(name, value));
        let changed =
            changed.map_err(|failure| self.reported(session, &format!("SET {}", first_words(name)), failure))?;
        client.metadata_mut().extend(session.settings().formats());
        if let Some((name, value)) = changed {
            report_setting(client, name, value).await?;
        }
        done(if value.is_some() { "SET" } else { "RESET" })
    }

    /// Keeps a statement under a name, once it is known to be one that can be planned.
    async fn prepare(&self, session: &Session, sql: &str, name: &str, statement: &Statement) -> PgWireResult<Response> {
        let edition = session.edition(&self.shared);
        let planned = self.plan(&session.asked(&edition, sql), &edition.session(None), statement.clone()).await;
        planned.map_err(|failure| self.reported(session, sql, failure))?;
        session.keep(Named::Prepared, name, sql.len(), self.shared.queries.limits().prepared)?;
        session.prepare(name, statement.clone());
        done("PREPARE")
    }

    /// Opens a cursor over rows.
    async fn declare(
        &self,
        session: &Session,
        sql: &str,
        name: &str,
        rows: &Kind,
        holds: bool,
    ) -> PgWireResult<Response> {
        let planned = self.planned(session, rows).await.map_err(|failure| self.reported(session, sql, failure))?;
        let Some(planned) = planned else { return Err(Failure::internal("a cursor without rows").into()) };
        let columns = Arc::clone(planned.plan.schema().inner());
        session.declare(name, Cursor::new(columns, holds, self.batches(session, planned, sql)))?;
        done("DECLARE CURSOR")
    }
}

/// The answer to a statement that gives no rows.
fn done(tag: &str) -> PgWireResult<Response> {
    Ok(Response::Execution(Tag::new(tag)))
}

async fn plan(context: &SessionContext, statement: Statement) -> Result<LogicalPlan, Failure> {
    verify_short(&statement)?;
    let plan = context.state().statement_to_plan(EngineStatement::Statement(Box::new(statement))).await?;
    verify_read_only(&plan)?;
    Ok(plan)
}

/// A prepared plan with the values of `EXECUTE`, which have to be values.
async fn executed(
    context: &SessionContext,
    plan: LogicalPlan,
    values: &[SqlExpr],
    most: usize,
) -> Result<LogicalPlan, Failure> {
    let mut scalars = Vec::with_capacity(values.len());
    for value in values {
        let sql = format!("SELECT {value}");
        let state = context.state();
        let asked = state.optimize(&state.create_logical_plan(&sql).await?)?;
        let literal = match &asked {
            LogicalPlan::Projection(projection) => projection.expr.first().cloned().map(|value| value.unalias()),
            _ => None,
        };
        match literal {
            Some(datafusion::logical_expr::Expr::Literal(scalar, _)) => scalars.push(scalar),
            _ => return Err(Failure::new(sqlstate::NOT_SUPPORTED, "EXECUTE takes values, not expressions")),
        }
    }
    let wanted = plan.get_parameter_types()?.len();
    if wanted != scalars.len() {
        let message = format!("the prepared statement has {wanted} parameters, EXECUTE gives {}", scalars.len());
        return Err(Failure::new(sqlstate::SYNTAX, message));
    }
    with_values(plan, &ParamValues::from(scalars), most)
}

/// The client's session. A client without one is not logged in, and never comes this far.
pub(super) fn session_of<C: ClientInfo>(client: &C) -> PgWireResult<Arc<Session>> {
    let missing = || Failure::new(sqlstate::LOGIN_REFUSED, "the login comes first").fatal();
    client.session_extensions().get::<Session>().ok_or_else(missing)
}

fn rows<C: ClientInfo>(
    client: &C,
    columns: &SchemaRef,
    batches: Batches,
    tag: &str,
    format: &Format,
) -> PgWireResult<Response> {
    let options = Arc::new(FormatOptions::from_client_metadata(client.metadata()));
    let fields = Arc::new(arrow_schema_to_pg_fields(columns, format, Some(options))?);
    let width = fields.len();
    let shown = Arc::clone(&fields);
    let rows = batches
        .map(move |batch| match batch {
            Ok(batch) if batch.num_columns() == width => {
                futures::stream::iter(encode_recordbatch(Arc::clone(&shown), batch)).boxed()
            }
            Ok(_) => {
                let failure = Failure::internal("the rows do not have the columns that were announced");
                futures::stream::once(async { Err(PgWireError::from(failure)) }).boxed()
            }
            Err(failure) => futures::stream::once(async { Err(PgWireError::from(failure)) }).boxed(),
        })
        .flatten();
    let mut response = QueryResponse::new(fields, rows);
    response.set_command_tag(tag);
    Ok(Response::Query(response))
}

async fn report_setting<C>(client: &mut C, name: &str, value: String) -> PgWireResult<()>
where
    C: Sink<PgWireBackendMessage> + Unpin + Send,
    PgWireError: From<<C as Sink<PgWireBackendMessage>>::Error>,
{
    let status = ParameterStatus::new(name.to_owned(), value);
    Ok(client.feed(PgWireBackendMessage::ParameterStatus(status)).await?)
}

#[async_trait]
impl SimpleQueryHandler for Handler {
    /// As pgwire does it, except that the statements change the state of the transaction one after the other.
    async fn on_query<C>(&self, client: &mut C, query: Query) -> PgWireResult<()>
    where
        C: ClientInfo + ClientPortalStore + Sink<PgWireBackendMessage> + Unpin + Send + Sync,
        C::PortalStore: PortalStore,
        C::Error: fmt::Debug,
        PgWireError: From<<C as Sink<PgWireBackendMessage>>::Error>,
    {
        let session = session_of(client)?;
        let statements = self.sorted(&session, &query.query)?;
        if statements.is_empty() {
            client.feed(PgWireBackendMessage::EmptyQueryResponse(EmptyQueryResponse::new())).await?;
        }
        for (text, kind) in statements {
            let planned =
                self.planned(&session, &kind).await.map_err(|failure| self.reported(&session, &text, failure))?;
            match self.answer(client, &session, (&text, &kind), planned, &Format::UnifiedText).await? {
                Response::Query(rows) => send_query_response(client, rows, true).await?,
                other => ended(client, other).await?,
            }
        }
        send_ready_for_query(client, client.transaction_status()).await
    }

    /// Not called: [`Self::on_query`] answers.
    async fn do_query<C>(&self, _: &mut C, _: &str) -> PgWireResult<Vec<Response>>
    where
        C: ClientInfo + ClientPortalStore + Sink<PgWireBackendMessage> + Unpin + Send + Sync,
        C::PortalStore: PortalStore,
        C::Error: fmt::Debug,
        PgWireError: From<<C as Sink<PgWireBackendMessage>>::Error>,
    {
        Ok(vec![Response::EmptyQuery])
    }
}

/// Answers for statements without rows.
pub(super) async fn ended<C>(client: &mut C, response: Response) -> PgWireResult<()>
where
    C: ClientInfo + Sink<PgWireBackendMessage> + Unpin + Send + Sync,
    C::Error: fmt::Debug,
    PgWireError: From<<C as Sink<PgWireBackendMessage>>::Error>,
{
    let status = client.transaction_status();
    match response {
        Response::Execution(tag) => send_execution_response(client, tag).await,
        Response::TransactionStart(tag) => {
            client.set_transaction_status(status.to_in_transaction_state());
            send_execution_response(client, tag).await
        }
        Response::TransactionEnd(tag) => {
            client.set_transaction_status(status.to_idle_state());
            send_execution_response(client, tag).await
        }
        _ => Ok(client.feed(PgWireBackendMessage::EmptyQueryResponse(EmptyQueryResponse::new())).await?),
    }
}
