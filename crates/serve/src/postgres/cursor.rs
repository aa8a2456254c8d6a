//! A cursor: rows of a query that a client takes a few at a time.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use futures::stream::BoxStream;
use futures::{Stream, StreamExt};
use tokio::sync::Mutex;

use crate::failure::Failure;

/// Rows as they come.
pub(super) type Batches = BoxStream<'static, Result<RecordBatch, Failure>>;

/// A cursor; clones share the place in the rows.
#[derive(Clone)]
pub(super) struct Cursor {
    schema: SchemaRef,
    holds: bool,
    rest: Arc<Mutex<Rest>>,
}

struct Rest {
    /// Taken from the stream and not yet given.
    begun: Option<RecordBatch>,
    batches: Batches,
}

impl Cursor {
    pub(super) fn new(schema: SchemaRef, holds: bool, batches: Batches) -> Self {
        Self { schema, holds, rest: Arc::new(Mutex::new(Rest { begun: None, batches })) }
    }

    pub(super) fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// Whether it outlives its transaction.
    pub(super) fn holds(&self) -> bool {
        self.holds
    }

    /// The next `rows` rows, all that are left when `None`. Nothing is taken before the stream is polled.
    pub(super) fn take(self, rows: Option<u64>) -> impl Stream<Item = Result<RecordBatch, Failure>> + Send + 'static {
        futures::stream::unfold((self, rows), |(cursor, left)| async move {
            if left == Some(0) {
                return None;
            }
            let next = cursor.rest.lock().await.next(left).await?;
            let batch = match next {
                Ok(batch) => batch,
                Err(failure) => return Some((Err(failure), (cursor, Some(0)))),
            };
            let left = left.map(|left| left - batch.num_rows() as u64);
            Some((Ok(batch), (cursor, left)))
        })
    }
}

impl Rest {
    /// At most so many rows, and at least one.
    async fn next(&mut self, most: Option<u64>) -> Option<Result<RecordBatch, Failure>> {
        let batch = loop {
            let batch = match self.begun.take() {
                Some(batch) => batch,
                None => match self.batches.next().await? {
                    Ok(batch) => batch,
                    Err(failure) => return Some(Err(failure)),
                },
            };
            if batch.num_rows() > 0 {
                break batch;
            }
        };
        let most = most.and_then(|most| usize::try_from(most).ok()).unwrap_or(usize::MAX);
        if batch.num_rows() <= most {
            return Some(Ok(batch));
        }
        self.begun = Some(batch.slice(most, batch.num_rows() - most));
        Some(Ok(batch.slice(0, most)))
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::Int32Array;
    use arrow::datatypes::{DataType, Field, Schema};
    use futures::TryStreamExt;

    use super::*;

    #[tokio::test]
    async fn rows_are_given_once_and_in_order() {
        let schema = Arc::new(Schema::new(vec![Field::new("n", DataType::Int32, false)]));
        let batch = |from: i32, to: i32| {
            let numbers = Arc::new(Int32Array::from_iter_values(from..to));
            Ok(RecordBatch::try_new(Arc::clone(&schema), vec![numbers]).unwrap())
        };
        let batches = futures::stream::iter([batch(0, 5), batch(5, 5), batch(5, 7)]).boxed();
        let cursor = Cursor::new(Arc::clone(&schema), false, batches);
        for (asked, given) in [(Some(2), 2), (Some(4), 4), (None, 1), (Some(1), 0)] {
            let batches: Vec<RecordBatch> = cursor.clone().take(asked).try_collect().await.unwrap();
            assert_eq!(batches.iter().map(RecordBatch::num_rows).sum::<usize>(), given, "{asked:?}");
        }
    }
}
