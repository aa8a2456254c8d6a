//! Answers Flight SQL calls.
//!
//! The service keeps nothing between calls: a ticket is the command it answers, and a prepared statement's handle is
//! its text with the parameters that were bound. Both come back from the client and are trusted no more than the client
//! is.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::ipc::writer::IpcWriteOptions;
use arrow_flight::encode::FlightDataEncoderBuilder;
use arrow_flight::error::FlightError;
use arrow_flight::sql::metadata::{SqlInfoData, SqlInfoDataBuilder};
use arrow_flight::sql::server::{FlightSqlService, PeekableFlightDataStream};
use arrow_flight::sql::{
    ActionBeginTransactionRequest, ActionBeginTransactionResult, ActionClosePreparedStatementRequest,
    ActionCreatePreparedStatementRequest, ActionCreatePreparedStatementResult, Any, CommandGetCatalogs,
    CommandGetDbSchemas, CommandGetSqlInfo, CommandGetTableTypes, CommandGetTables, CommandPreparedStatementQuery,
    CommandPreparedStatementUpdate, CommandStatementIngest, CommandStatementQuery, CommandStatementUpdate,
    DoPutPreparedStatementResult, SqlInfo,
};
use arrow_flight::{
    Action, FlightData, FlightDescriptor, FlightEndpoint, FlightInfo, HandshakeRequest, HandshakeResponse, IpcMessage,
    SchemaAsIpc, Ticket,
};
use datafusion::common::{ParamValues, ScalarValue};
use datafusion::logical_expr::LogicalPlan;
use datafusion::prelude::SessionContext;
use datafusion::sql::parser::Statement as EngineStatement;
use futures::{Stream, StreamExt, TryStreamExt};
use tokio_util::sync::CancellationToken;
use tonic::transport::server::TlsConnectInfo;
use tonic::{Request, Response, Status, Streaming};

use super::connection::Peer;
use super::login::Logins;
use super::parameters;
use crate::catalogue::COMMENT;
use crate::complexity::{verify_short, with_values};
use crate::edition::Edition;
use crate::event::{Event, Protocol};
use crate::failure::{Failure, sqlstate};
use crate::queries::{Asked, LONGEST_TEXT, verify_read_only};
use crate::schemas::CATALOGUE;
use crate::shared::Shared;

/// Where Flight SQL keeps a column's comment in its field's metadata.
const REMARKS: &str = "ARROW:FLIGHT:SQL:REMARKS";

/// Where ADBC's drivers look for it.
const ADBC_COMMENT: &str = "COMMENT";

/// Rows on their way to a client.
type Rows = Pin<Box<dyn Stream<Item = Result<FlightData, Status>> + Send>>;

/// The service.
pub(super) struct Service {
    shared: Arc<Shared>,
    logins: Logins,
    about: Option<SqlInfoData>,
}

impl Service {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        let logins = Logins::new(&shared.options.user, shared.options.password.as_ref());
        Self { shared, logins, about: about().ok() }
    }

    /// Lets a call through, or not, and says whose it is.
    async fn let_in<T>(&self, request: &Request<T>) -> Result<Option<Peer>, Status> {
        let peer = peer(request);
        self.logins.check(request.metadata(), peer.as_ref().map(|peer| peer.address), &self.shared.guesses).await?;
        if let Some(peer) = &peer {
            peer.activity.for_another(self.shared.options.limits.idle_timeout);
        }
        Ok(peer)
    }

    /// What clients can ask about the endpoint (`GetSqlInfo`).
    fn about(&self) -> Result<&SqlInfoData, Status> {
        self.about.as_ref().ok_or_else(|| Status::internal("the facts about this endpoint could not be built"))
    }

    fn asked(&self, peer: Option<&Peer>, edition: &Edition, sql: &str) -> Asked {
        Asked {
            connection: peer.map_or(0, |peer| peer.connection),
            protocol: Protocol::Flight,
            sql: sql.into(),
            run_id: Arc::clone(&edition.run_id),
            timeout: None,
            // Clients cancel by dropping the rows.
            cancel: CancellationToken::new(),
        }
    }

    /// Plans a query; a failure is reported to the observer too.
    async fn planned(
        &self,
        peer: Option<&Peer>,
        sql: &str,
    ) -> Result<(Arc<Edition>, SessionContext, LogicalPlan), Status> {
        let edition = self.shared.edition();
        let context = edition.session(None);
        let asked = self.asked(peer, &edition, sql);
        let (within, text) = (context.clone(), Arc::clone(&asked.sql));
        match self.shared.queries.plan(&asked, async move { plan(&within, &text).await }).await {
            Ok(plan) => Ok((edition, context, plan)),
            Err(failure) => {
                let text: String = sql.chars().take(LONGEST_TEXT.min(1000)).collect();
                let refused = failure.code == sqlstate::READ_ONLY || failure.code == sqlstate::SYNTAX;
                let text = if refused { crate::postgres::first_words(&text) } else { text };
                Err(self.shared.queries.failed(&self.asked(peer, &edition, &text), failure).into())
            }
        }
    }

    /// Runs a query with the values bound to it.
    async fn rows(&self, peer: Option<Peer>, sql: &str, values: Option<ParamValues>) -> Result<Response<Rows>, Status> {
        let (edition, context, mut plan) = self.planned(peer.as_ref(), sql).await?;
        let limits = self.shared.queries.limits();
        if let Some(values) = values {
            let bound = with_values(plan, &values, limits.constants);
            plan = bound.map_err(|failure| self.shared.queries.shown(failure))?;
        }
        if let Some(peer) = &peer {
            // While it runs it may give nothing for as long as it may run.
            let runs = limits.queue_timeout + limits.query_timeout;
            peer.activity.for_another(runs + limits.idle_timeout);
        }
        let schema: SchemaRef = Arc::clone(plan.schema().inner());
        let rows = self.shared.queries.start(context, plan, self.asked(peer.as_ref(), &edition, sql)).await?;
        let idle = limits.idle_timeout;
        let rows = rows
            .map_err(|failure| FlightError::Tonic(Box::new(failure.into())))
            .inspect(move |_| peer.iter().for_each(|peer| peer.activity.for_another(idle)));
        Ok(Response::new(encoded(schema, rows)))
    }
}

/// Plans a query and nothing else.
async fn plan(context: &SessionContext, sql: &str) -> Result<LogicalPlan, Failure> {
    if sql.len() > LONGEST_TEXT {
        return Err(Failure::new(sqlstate::TOO_LONG, format!("a query may have {LONGEST_TEXT} bytes at most")));
    }
    let state = context.state();
    let statement = state.sql_to_statement(sql, &state.config_options().sql_parser.dialect)?;
    if let EngineStatement::Statement(statement) = &statement {
        verify_short(statement)?;
    }
    let plan = state.statement_to_plan(statement).await?;
    verify_read_only(&plan)?;
    Ok(plan)
}

fn peer<T>(request: &Request<T>) -> Option<Peer> {
    let extensions = request.extensions();
    let encrypted = || extensions.get::<TlsConnectInfo<Peer>>().map(TlsConnectInfo::get_ref);
    extensions.get::<Peer>().or_else(encrypted).cloned()
}

fn encoded(schema: SchemaRef, rows: impl Stream<Item = Result<RecordBatch, FlightError>> + Send + 'static) -> Rows {
    FlightDataEncoderBuilder::new().with_schema(schema).build(rows).map_err(Status::from).boxed()
}

fn one_batch(batch: RecordBatch) -> Response<Rows> {
    Response::new(encoded(batch.schema(), futures::stream::once(async { Ok(batch) })))
}

/// The answer to "where are the rows": here, for the ticket that is the command itself.
fn here(schema: &Schema, descriptor: FlightDescriptor) -> Result<Response<FlightInfo>, Status> {
    let schema = as_encoded(schema);
    let ticket = Ticket::new(descriptor.cmd.clone());
    let info = FlightInfo::new().try_with_schema(&schema).map_err(FlightError::from)?;
    Ok(Response::new(info.with_endpoint(FlightEndpoint::new().with_ticket(ticket)).with_descriptor(descriptor)))
}

/// The schema that rows will have once they are encoded; clients compare the two.
fn as_encoded(schema: &Schema) -> SchemaRef {
    let schema = Arc::new(schema.clone());
    let nothing = futures::stream::empty::<Result<RecordBatch, FlightError>>();
    let encoder = FlightDataEncoderBuilder::new().with_schema(Arc::clone(&schema)).build(nothing);
    encoder.known_schema().unwrap_or(schema)
}

fn about() -> Result<SqlInfoData, FlightError> {
    let mut about = SqlInfoDataBuilder::new();
    about.append(SqlInfo::FlightSqlServerName, "Throughline");
    about.append(SqlInfo::FlightSqlServerVersion, env!("CARGO_PKG_VERSION"));
    about.append(SqlInfo::FlightSqlServerArrowVersion, "1.3");
    about.append(SqlInfo::FlightSqlServerReadOnly, true);
    about.append(SqlInfo::FlightSqlServerSql, true);
    about.append(SqlInfo::FlightSqlServerSubstrait, false);
    about.append(SqlInfo::SqlDdlCatalog, false);
    about.append(SqlInfo::SqlDdlSchema, false);
    about.append(SqlInfo::SqlDdlTable, false);
    about.append(SqlInfo::SqlIdentifierQuoteChar, "\"");
    about.build()
}

/// A prepared statement: its text, and the values bound to it as an Arrow stream of one row, or nothing.
struct Handle {
    sql: String,
    values: Vec<u8>,
}

impl Handle {
    /// The text's length in four bytes, the text, the values.
    fn packed(&self) -> Vec<u8> {
        let length = u32::try_from(self.sql.len()).unwrap_or(u32::MAX);
        [&length.to_be_bytes(), self.sql.as_bytes(), &self.values].concat()
    }

    fn of(packed: &[u8]) -> Result<Self, Status> {
        let foreign = || Status::invalid_argument("the statement's handle is none of this endpoint");
        let (length, rest) = packed.split_first_chunk::<4>().ok_or_else(foreign)?;
        let length = usize::try_from(u32::from_be_bytes(*length)).map_err(|_| foreign())?;
        let (sql, values) = rest.split_at_checked(length).ok_or_else(foreign)?;
        let sql = String::from_utf8(sql.to_vec()).map_err(|_| foreign())?;
        Ok(Self { sql, values: values.to_vec() })
    }

    fn bound(&self) -> Result<Option<ParamValues>, Failure> {
        if self.values.is_empty() {
            return Ok(None);
        }
        let row = parameters::read(&self.values)?;
        let schema = row.schema();
        let mut values = Vec::with_capacity(row.num_columns());
        for (position, (field, column)) in schema.fields().iter().zip(row.columns()).enumerate() {
            // Drivers that know no names give the values in the order of the parameters.
            let number = field.name().trim_start_matches('$').parse().unwrap_or(position + 1);
            values.push((number, ScalarValue::try_from_array(column, 0)?));
        }
        values.sort_by_key(|(number, _)| *number);
        Ok(Some(ParamValues::from(values.into_iter().map(|(_, value)| value).collect::<Vec<_>>())))
    }
}

/// The parameters of a plan as columns, in the order of their numbers.
fn parameter_schema(plan: &LogicalPlan) -> Result<Schema, Failure> {
    let numbered = plan.get_parameter_types()?.into_iter().map(|(name, data_type)| {
        let number: u32 = name.trim_start_matches('$').parse().unwrap_or(u32::MAX);
        (number, Field::new(name, data_type.unwrap_or(DataType::Utf8), true))
    });
    let fields: BTreeMap<u32, Field> = numbered.collect();
    Ok(Schema::new(fields.into_values().collect::<Vec<_>>()))
}

fn schema_bytes(schema: &Schema) -> Result<IpcMessage, Status> {
    let options = IpcWriteOptions::default();
    IpcMessage::try_from(SchemaAsIpc::new(schema, &options)).map_err(|error| FlightError::from(error).into())
}

/// A table's columns, with their comments where Flight SQL's clients look for them.
fn with_remarks(schema: &Schema) -> Schema {
    let fields = schema.fields().iter().map(|field| {
        let mut metadata = field.metadata().clone();
        if let Some(comment) = metadata.get(COMMENT).cloned() {
            metadata.insert(ADBC_COMMENT.to_owned(), comment.clone());
            metadata.insert(REMARKS.to_owned(), comment);
        }
        Field::clone(field).with_metadata(metadata)
    });
    Schema::new(fields.collect::<Vec<_>>())
}

/// Every table of the edition, also those of `pg_catalog`.
async fn listed(edition: &Edition, query: CommandGetTables) -> Result<RecordBatch, Status> {
    let context = edition.session(None);
    let mut builder = query.into_builder();
    for name in schema_names(&context) {
        let Some(schema) = context.catalog(CATALOGUE).and_then(|catalogue| catalogue.schema(&name)) else { continue };
        let mut tables = schema.table_names();
        tables.sort_unstable();
        for table in tables {
            if let Some(provider) = schema.table(&table).await.map_err(Failure::from)? {
                let columns = with_remarks(&provider.schema());
                builder.append(CATALOGUE, &name, &table, table_type(&provider.table_type()), &columns)?;
            }
        }
    }
    Ok(builder.build()?)
}

fn table_type(kind: &datafusion::datasource::TableType) -> &'static str {
    match kind {
        datafusion::datasource::TableType::View => "VIEW",
        _ => "TABLE",
    }
}

fn schema_names(context: &SessionContext) -> Vec<String> {
    let mut names = context.catalog(CATALOGUE).map(|catalogue| catalogue.schema_names()).unwrap_or_default();
    names.sort_unstable();
    names
}

/// What the commands that write are answered.
fn read_only<T>(what: &str) -> Result<T, Status> {
    Err(Failure::read_only(what).into())
}

#[tonic::async_trait]
impl FlightSqlService for Service {
    type FlightService = Self;

    async fn do_handshake(
        &self,
        request: Request<Streaming<HandshakeRequest>>,
    ) -> Result<Response<Pin<Box<dyn Stream<Item = Result<HandshakeResponse, Status>> + Send>>>, Status> {
        let peer = peer(&request);
        let address = peer.as_ref().map(|peer| peer.address);
        let token = self.logins.token(request.metadata(), address, &self.shared.guesses).await;
        let token = token.inspect_err(|status| {
            if let Some(peer) = address {
                let locked = status.message().contains("locked out");
                let reason = if locked { "its address is locked out" } else { "user or password is wrong" };
                self.shared.observer.event(&Event::Refused { protocol: Protocol::Flight, peer, reason });
            }
        })?;
        if let Some(peer) = &peer {
            peer.activity.for_another(self.shared.options.limits.idle_timeout);
        }
        let answer = HandshakeResponse { protocol_version: 0, payload: token.clone().into_bytes().into() };
        let answers: Pin<Box<dyn Stream<Item = Result<HandshakeResponse, Status>> + Send>> =
            futures::stream::once(async { Ok(answer) }).boxed();
        let mut response = Response::new(answers);
        if let Ok(header) = format!("Bearer {token}").parse() {
            response.metadata_mut().insert("authorization", header);
        }
        Ok(response)
    }

    async fn get_flight_info_statement(
        &self,
        query: CommandStatementQuery,
        request: Request<FlightDescriptor>,
    ) -> Result<Response<FlightInfo>, Status> {
        let peer = self.let_in(&request).await?;
        let (_, _, plan) = self.planned(peer.as_ref(), &query.query).await?;
        here(plan.schema().as_arrow(), request.into_inner())
    }

    /// A ticket of [`Self::get_flight_info_statement`].
    async fn do_get_fallback(&self, request: Request<Ticket>, message: Any) -> Result<Response<Rows>, Status> {
        let peer = self.let_in(&request).await?;
        match message.unpack::<CommandStatementQuery>().map_err(FlightError::from)? {
            Some(query) => self.rows(peer, &query.query, None).await,
            None => Err(Status::unimplemented(format!("`{}` is not answered, only SQL is", message.type_url))),
        }
    }

    async fn get_flight_info_prepared_statement(
        &self,
        command: CommandPreparedStatementQuery,
        request: Request<FlightDescriptor>,
    ) -> Result<Response<FlightInfo>, Status> {
        let peer = self.let_in(&request).await?;
        let handle = Handle::of(&command.prepared_statement_handle)?;
        let (_, _, plan) = self.planned(peer.as_ref(), &handle.sql).await?;
        here(plan.schema().as_arrow(), request.into_inner())
    }

    async fn do_get_prepared_statement(
        &self,
        command: CommandPreparedStatementQuery,
        request: Request<Ticket>,
    ) -> Result<Response<Rows>, Status> {
        let peer = self.let_in(&request).await?;
        let handle = Handle::of(&command.prepared_statement_handle)?;
        self.rows(peer, &handle.sql, handle.bound()?).await
    }

    async fn do_action_create_prepared_statement(
        &self,
        query: ActionCreatePreparedStatementRequest,
        request: Request<Action>,
    ) -> Result<ActionCreatePreparedStatementResult, Status> {
        let peer = self.let_in(&request).await?;
        let (_, _, plan) = self.planned(peer.as_ref(), &query.query).await?;
        let IpcMessage(dataset_schema) = schema_bytes(&as_encoded(plan.schema().as_arrow()))?;
        let IpcMessage(parameter_schema) = schema_bytes(&parameter_schema(&plan)?)?;
        let handle = Handle { sql: query.query, values: Vec::new() };
        Ok(ActionCreatePreparedStatementResult {
            prepared_statement_handle: handle.packed().into(),
            dataset_schema,
            parameter_schema,
        })
    }

    /// Binds values to a prepared statement; the client goes on with the new handle.
    async fn do_put_prepared_statement_query(
        &self,
        command: CommandPreparedStatementQuery,
        request: Request<PeekableFlightDataStream>,
    ) -> Result<DoPutPreparedStatementResult, Status> {
        let peer = self.let_in(&request).await?;
        let mut handle = Handle::of(&command.prepared_statement_handle)?;
        let idle = self.shared.options.limits.idle_timeout;
        if let Some(peer) = &peer {
            // So that it is answered before its connection is closed.
            peer.activity.for_another(idle * 2);
        }
        let sent = tokio::time::timeout(idle, parameters::received(request.into_inner())).await;
        let sent = sent.map_err(|_| {
            let message = format!("the parameters were not there within {} s [SQLSTATE 08P01]", idle.as_secs_f64());
            Status::deadline_exceeded(format!("{message} (send them at once, or raise the endpoint's --idle-timeout)"))
        })?;
        if let Some(row) = sent? {
            handle.values = parameters::written(&row)?;
        }
        Ok(DoPutPreparedStatementResult { prepared_statement_handle: Some(handle.packed().into()) })
    }

    async fn do_action_close_prepared_statement(
        &self,
        _: ActionClosePreparedStatementRequest,
        request: Request<Action>,
    ) -> Result<(), Status> {
        self.let_in(&request).await.map(|_| ())
    }

    async fn get_flight_info_catalogs(
        &self,
        query: CommandGetCatalogs,
        request: Request<FlightDescriptor>,
    ) -> Result<Response<FlightInfo>, Status> {
        self.let_in(&request).await?;
        here(&query.into_builder().schema(), request.into_inner())
    }

    async fn do_get_catalogs(
        &self,
        query: CommandGetCatalogs,
        request: Request<Ticket>,
    ) -> Result<Response<Rows>, Status> {
        self.let_in(&request).await?;
        let mut builder = query.into_builder();
        builder.append(CATALOGUE);
        Ok(one_batch(builder.build()?))
    }

    async fn get_flight_info_schemas(
        &self,
        query: CommandGetDbSchemas,
        request: Request<FlightDescriptor>,
    ) -> Result<Response<FlightInfo>, Status> {
        self.let_in(&request).await?;
        here(&query.into_builder().schema(), request.into_inner())
    }

    async fn do_get_schemas(
        &self,
        query: CommandGetDbSchemas,
        request: Request<Ticket>,
    ) -> Result<Response<Rows>, Status> {
        self.let_in(&request).await?;
        let mut builder = query.into_builder();
        for name in schema_names(&self.shared.edition().session(None)) {
            builder.append(CATALOGUE, name);
        }
        Ok(one_batch(builder.build()?))
    }

    async fn get_flight_info_tables(
        &self,
        query: CommandGetTables,
        request: Request<FlightDescriptor>,
    ) -> Result<Response<FlightInfo>, Status> {
        self.let_in(&request).await?;
        here(&query.into_builder().schema(), request.into_inner())
    }

    async fn do_get_tables(&self, query: CommandGetTables, request: Request<Ticket>) -> Result<Response<Rows>, Status> {
        self.let_in(&request).await?;
        Ok(one_batch(listed(&self.shared.edition(), query).await?))
    }

    async fn get_flight_info_table_types(
        &self,
        _: CommandGetTableTypes,
        request: Request<FlightDescriptor>,
    ) -> Result<Response<FlightInfo>, Status> {
        self.let_in(&request).await?;
        here(&Schema::new(vec![Field::new("table_type", DataType::Utf8, false)]), request.into_inner())
    }

    async fn do_get_table_types(
        &self,
        _: CommandGetTableTypes,
        request: Request<Ticket>,
    ) -> Result<Response<Rows>, Status> {
        self.let_in(&request).await?;
        let schema = Schema::new(vec![Field::new("table_type", DataType::Utf8, false)]);
        let kinds: ArrayRef = Arc::new(StringArray::from(vec!["TABLE", "VIEW"]));
        Ok(one_batch(RecordBatch::try_new(Arc::new(schema), vec![kinds]).map_err(FlightError::from)?))
    }

    async fn get_flight_info_sql_info(
        &self,
        query: CommandGetSqlInfo,
        request: Request<FlightDescriptor>,
    ) -> Result<Response<FlightInfo>, Status> {
        self.let_in(&request).await?;
        let schema = query.into_builder(self.about()?).schema();
        here(&schema, request.into_inner())
    }

    async fn do_get_sql_info(
        &self,
        query: CommandGetSqlInfo,
        request: Request<Ticket>,
    ) -> Result<Response<Rows>, Status> {
        self.let_in(&request).await?;
        Ok(one_batch(query.into_builder(self.about()?).build()?))
    }

    async fn do_put_statement_update(
        &self,
        _: CommandStatementUpdate,
        request: Request<PeekableFlightDataStream>,
    ) -> Result<i64, Status> {
        self.let_in(&request).await?;
        read_only("an update")
    }

    async fn do_put_prepared_statement_update(
        &self,
        _: CommandPreparedStatementUpdate,
        request: Request<PeekableFlightDataStream>,
    ) -> Result<i64, Status> {
        self.let_in(&request).await?;
        read_only("an update")
    }

    async fn do_put_statement_ingest(
        &self,
        _: CommandStatementIngest,
        request: Request<PeekableFlightDataStream>,
    ) -> Result<i64, Status> {
        self.let_in(&request).await?;
        read_only("an ingestion")
    }

    async fn do_action_begin_transaction(
        &self,
        _: ActionBeginTransactionRequest,
        request: Request<Action>,
    ) -> Result<ActionBeginTransactionResult, Status> {
        self.let_in(&request).await?;
        Err(Status::unimplemented("there are no transactions here; each query reads one consistent set of tables"))
    }

    async fn register_sql_info(&self, _: i32, _: &SqlInfo) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn handles_come_back_as_they_were_and_others_are_refused() {
        let handle = Handle { sql: "SELECT ä".into(), values: vec![1, 2, 3] };
        let again = Handle::of(&handle.packed()).unwrap();
        assert_eq!((again.sql.as_str(), again.values.as_slice()), ("SELECT ä", [1, 2, 3].as_slice()));
        for foreign in [&b""[..], b"\0\0", b"\xff\xff\xff\xffSELECT", b"\0\0\0\x02\xff\xfe"] {
            assert!(Handle::of(foreign).is_err(), "{foreign:?}");
        }
        assert!(Handle { sql: String::new(), values: vec![0xff; 40] }.bound().is_err());
    }
}
