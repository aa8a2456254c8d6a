//! Runs plans within the limits: a number of them at once, for a limited time, and only while the client wants the
//! rows.
//!
//! Each query has two tasks. One pulls rows, hands them on through a channel of a few batches and holds the query's
//! place. The other watches: whatever ends the query, the last row, an error, the time, a cancel, or that the other end
//! of the channel is gone, it informs the client at once and stops the first, whose place goes to the next query when
//! its work has really ended (`stoppable` is why that is soon). A client that stops reading cannot keep it: the clock
//! runs on while the channel is full.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, StringArray};
use arrow::datatypes::DataType;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_plan::execute_stream;
use datafusion::prelude::{SQLOptions, SessionContext};
use futures::{Stream, StreamExt};
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::task::JoinHandle;
use tokio::time::Instant as Deadline;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::complexity::verify_plannable;
use crate::event::{Event, Observer, Protocol, QueryReport};
use crate::failure::{Failure, Hidden, sqlstate};
use crate::options::Limits;
use crate::planning::{self, Budget};
use crate::stoppable::{Wanted, stoppable};

/// Batches computed ahead of a client.
const AHEAD: usize = 2;
/// How much later than its limit a planning may notice that its time is over before its client is answered without it.
const TO_NOTICE: Duration = Duration::from_millis(200);

/// The longest SQL text. Reading it is work that no timeout interrupts; a chain of conditions recurses once a term, and
/// takes time with the square of their number.
pub(crate) const LONGEST_TEXT: usize = 64 * 1024;

/// Runs queries.
pub(crate) struct Queries {
    limits: Limits,
    /// For those that run, and as many for those that are planned.
    places: Arc<Semaphore>,
    planning: Arc<Semaphore>,
    observer: Arc<dyn Observer>,
    hidden: Hidden,
}

/// A query to be run, with all that is known of the client.
#[derive(Clone)]
pub(crate) struct Asked {
    pub(crate) connection: u64,
    pub(crate) protocol: Protocol,
    pub(crate) sql: Arc<str>,
    /// The run it sees.
    pub(crate) run_id: Arc<str>,
    /// A shorter time than the endpoint's own.
    pub(crate) timeout: Option<Duration>,
    /// Cancelled when the client wants no more rows of what runs now.
    pub(crate) cancel: CancellationToken,
}

impl Queries {
    pub(crate) fn new(limits: Limits, hidden: Hidden, observer: Arc<dyn Observer>) -> Self {
        let places = || Arc::new(Semaphore::new(limits.queries));
        Self { limits, places: places(), planning: places(), observer, hidden }
    }

    /// The bounds it keeps to.
    pub(crate) fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Does a part of planning: at a place of its own, for a limited time, and away from the tasks that serve
    /// connections.
    pub(crate) async fn plan<T: Send + 'static>(
        &self,
        asked: &Asked,
        planning: impl Future<Output = Result<T, Failure>> + Send + 'static,
    ) -> Result<T, Failure> {
        let (limit, late) = self.planning_limit(self.limit(asked), self.limit(asked));
        let place = tokio::select! {
            biased;
            () = asked.cancel.cancelled() => return Err(canceled()),
            place = self.place(&self.planning) => place?,
        };
        self.on_a_thread((limit, late), &asked.cancel, place, planning).await.map(|(planned, _)| planned)
    }

    /// How long planning may take of what is `left` of a query's time, and what it is refused with after that.
    fn planning_limit(&self, left: Duration, whole: Duration) -> (Duration, Failure) {
        let own = self.limits.planning_timeout;
        if left < own { (left, too_long(whole)) } else { (own, planning::too_long(own)) }
    }

    fn limit(&self, asked: &Asked) -> Duration {
        asked.timeout.map_or(self.limits.query_timeout, |own| own.min(self.limits.query_timeout))
    }

    /// Plans on a thread for work without pauses. It has the place until it really ends, also when nobody waits any
    /// more.
    async fn on_a_thread<T: Send + 'static>(
        &self,
        (limit, late): (Duration, Failure),
        cancel: &CancellationToken,
        place: OwnedSemaphorePermit,
        planning: impl Future<Output = Result<T, Failure>> + Send + 'static,
    ) -> Result<(T, OwnedSemaphorePermit), Failure> {
        let no_longer = cancel.child_token();
        let _ends_with_this = no_longer.clone().drop_guard();
        let budget = Budget::new(limit, late.clone(), self.limits.constants, no_longer);
        let runtime = Handle::current();
        let work = tokio::task::spawn_blocking(move || {
            let planned = runtime.block_on(planning::within(budget, planning));
            planned.map(|planned| (planned, place))
        });
        tokio::select! {
            biased;
            () = cancel.cancelled() => Err(canceled()),
            ended = work => ended.unwrap_or_else(|_| Err(Failure::internal("the planning ended unexpectedly"))),
            () = tokio::time::sleep(limit + TO_NOTICE) => Err(late),
        }
    }

    /// A place, as soon as one is free and before the time to wait for one is over.
    async fn place(&self, places: &Arc<Semaphore>) -> Result<OwnedSemaphorePermit, Failure> {
        let waiting = tokio::time::timeout(self.limits.queue_timeout, Arc::clone(places).acquire_owned());
        match waiting.await {
            Ok(Ok(place)) => Ok(place),
            Ok(Err(_)) => Err(Failure::new(sqlstate::SHUTTING_DOWN, "the endpoint is stopping")),
            Err(_) => {
                let message = format!(
                    "{} queries run already, and none ended within {} s",
                    self.limits.queries,
                    self.limits.queue_timeout.as_secs_f64()
                );
                let hint = "ask again later, or start the endpoint with a higher --max-queries";
                Err(Failure::new(sqlstate::TOO_MANY_CONNECTIONS, message).hint(hint))
            }
        }
    }

    /// The failure as clients see it.
    pub(crate) fn shown(&self, failure: impl Into<Failure>) -> Failure {
        self.hidden.failure(failure.into())
    }

    /// Reports a query that failed before it ran, and returns its failure as the client sees it.
    pub(crate) fn failed(&self, asked: &Asked, failure: impl Into<Failure>) -> Failure {
        let failure = self.shown(failure);
        self.report(asked, Instant::now(), 0, Some(&failure));
        failure
    }

    /// Waits for a place, plans and starts. Rows come from then on.
    pub(crate) async fn start(
        &self,
        session: SessionContext,
        plan: LogicalPlan,
        asked: Asked,
    ) -> Result<Rows, Failure> {
        let started = Instant::now();
        let limit = self.limit(&asked);
        let deadline = Deadline::now() + limit;
        let wanted = Wanted { no_longer: asked.cancel.child_token(), deadline };
        let began = tokio::select! {
            biased;
            () = asked.cancel.cancelled() => Err(canceled()),
            () = tokio::time::sleep_until(deadline) => Err(too_long(limit)),
            began = self.begin(&session, &plan, &wanted, limit) => began,
        };
        let (stream, place) = began.map_err(|failure| {
            let failure = self.shown(failure);
            self.report(&asked, started, 0, Some(&failure));
            failure
        })?;
        let explains = matches!(plan, LogicalPlan::Explain(_) | LogicalPlan::Analyze(_));
        let (sender, receiver) = mpsc::channel(AHEAD);
        let rows = Arc::new(AtomicU64::new(0));
        let work = Work { hidden: self.hidden.clone(), hides: explains, rows: Arc::clone(&rows) };
        let work = tokio::spawn(work.hand_on(stream, sender.clone(), place));
        let no_longer = wanted.no_longer.clone().drop_guard();
        let watch = Watch {
            asked,
            started,
            limit,
            wanted,
            rows,
            hidden: self.hidden.clone(),
            observer: Arc::clone(&self.observer),
        };
        tokio::spawn(watch.until_it_ends(work, sender));
        Ok(Rows { receiver, ended: false, _no_longer: no_longer })
    }

    async fn begin(
        &self,
        session: &SessionContext,
        plan: &LogicalPlan,
        wanted: &Wanted,
        limit: Duration,
    ) -> Result<(SendableRecordBatchStream, OwnedSemaphorePermit), Failure> {
        verify_read_only(plan)?;
        let place = self.place(&self.places).await?;
        let (state, plan, watched) = (session.state(), plan.clone(), wanted.clone());
        let planning = async move { Ok::<_, Failure>(stoppable(state.create_physical_plan(&plan).await?, &watched)?) };
        let left = wanted.deadline.saturating_duration_since(Deadline::now());
        let limit = self.planning_limit(left, limit);
        let (physical, place) = self.on_a_thread(limit, &wanted.no_longer, place, planning).await?;
        Ok((execute_stream(physical, session.task_ctx())?, place))
    }

    fn report(&self, asked: &Asked, started: Instant, rows: u64, failure: Option<&Failure>) {
        report(self.observer.as_ref(), asked, started, rows, failure);
    }
}

/// Refuses every plan that would do anything but read, and those that nobody could wait for.
pub(crate) fn verify_read_only(plan: &LogicalPlan) -> Result<(), Failure> {
    verify_plannable(plan)?;
    let options = SQLOptions::new().with_allow_ddl(false).with_allow_dml(false).with_allow_statements(false);
    options.verify_plan(plan).map_err(|_| Failure::read_only("this statement"))
}

fn canceled() -> Failure {
    Failure::new(sqlstate::CANCELED, "canceled on the client's request")
}

fn gone() -> Failure {
    Failure::new(sqlstate::CANCELED, "the client is gone")
}

fn too_long(limit: Duration) -> Failure {
    Failure::new(sqlstate::CANCELED, format!("canceled: the query took longer than {} s", limit.as_secs_f64()))
        .hint("ask for less at once, or start the endpoint with a higher --query-timeout")
}

fn report(observer: &dyn Observer, asked: &Asked, started: Instant, rows: u64, failure: Option<&Failure>) {
    observer.event(&Event::Query(&QueryReport {
        connection: asked.connection,
        protocol: asked.protocol,
        sql: &asked.sql,
        run_id: &asked.run_id,
        rows,
        seconds: started.elapsed().as_secs_f64(),
        failure: failure.map(|failure| (failure.code, failure.message.as_str())),
    }));
}

enum Part {
    Rows(RecordBatch),
    Failed(Failure),
    End,
}

/// Rows of a query that runs. Dropping them ends it.
pub(crate) struct Rows {
    receiver: mpsc::Receiver<Part>,
    ended: bool,
    _no_longer: DropGuard,
}

impl Stream for Rows {
    type Item = Result<RecordBatch, Failure>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.ended {
            return Poll::Ready(None);
        }
        let part = std::task::ready!(self.receiver.poll_recv(context));
        let item = match part {
            Some(Part::Rows(batch)) => return Poll::Ready(Some(Ok(batch))),
            Some(Part::End) => None,
            Some(Part::Failed(failure)) => Some(Err(failure)),
            // The task is gone without having said so. Rows that are missing must not look like all rows.
            None => Some(Err(Failure::internal("the query ended unexpectedly"))),
        };
        self.ended = true;
        Poll::Ready(item)
    }
}

/// The task that watches a query.
struct Watch {
    asked: Asked,
    started: Instant,
    limit: Duration,
    wanted: Wanted,
    rows: Arc<AtomicU64>,
    hidden: Hidden,
    observer: Arc<dyn Observer>,
}

impl Watch {
    async fn until_it_ends(self, mut work: JoinHandle<Result<(), Failure>>, sender: mpsc::Sender<Part>) {
        let outcome = tokio::select! {
            biased;
            () = sender.closed() => Err(gone()),
            () = self.asked.cancel.cancelled() => Err(canceled()),
            () = tokio::time::sleep_until(self.wanted.deadline) => Err(too_long(self.limit)),
            ended = &mut work => match ended {
                // It may have noticed first that its time is over.
                Ok(Err(_)) if self.asked.cancel.is_cancelled() => Err(canceled()),
                Ok(Err(_)) if Deadline::now() >= self.wanted.deadline => Err(too_long(self.limit)),
                Ok(outcome) => outcome,
                Err(_) => Err(Failure::internal("the query ended unexpectedly")),
            },
        };
        self.wanted.no_longer.cancel();
        work.abort();
        let outcome = outcome.map_err(|failure| self.hidden.failure(failure));
        let rows = self.rows.load(Ordering::Relaxed);
        report(self.observer.as_ref(), &self.asked, self.started, rows, outcome.as_ref().err());
        let last = outcome.map_or_else(Part::Failed, |()| Part::End);
        // A client that is gone is no failure.
        let _ = sender.send(last).await;
    }
}

/// The task that does a query's work.
struct Work {
    hidden: Hidden,
    /// Whether its rows are about plans and may name places.
    hides: bool,
    rows: Arc<AtomicU64>,
}

impl Work {
    async fn hand_on(
        self,
        mut stream: SendableRecordBatchStream,
        sender: mpsc::Sender<Part>,
        _place: OwnedSemaphorePermit,
    ) -> Result<(), Failure> {
        while let Some(batch) = stream.next().await {
            let mut batch = batch?;
            if self.hides {
                batch = self.without_places(&batch)?;
            }
            self.rows.fetch_add(batch.num_rows() as u64, Ordering::Relaxed);
            if sender.send(Part::Rows(batch)).await.is_err() {
                return Err(gone());
            }
        }
        Ok(())
    }

    fn without_places(&self, batch: &RecordBatch) -> Result<RecordBatch, Failure> {
        let columns = batch.columns().iter().map(|column| -> ArrayRef {
            if column.data_type() != &DataType::Utf8 {
                return Arc::clone(column);
            }
            let texts = column.as_string::<i32>().iter().map(|text| text.map(|text| self.hidden.hide(text)));
            Arc::new(texts.collect::<StringArray>())
        });
        RecordBatch::try_new(batch.schema(), columns.collect()).map_err(|error| Failure::internal(error.to_string()))
    }
}
