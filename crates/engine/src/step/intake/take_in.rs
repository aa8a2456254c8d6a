//! The intake of a relation: one verdict for each row.
//!
//! One pass counts the verdicts and hashes the keys; only where hashes are equal does another one compare the keys
//! themselves. Intake itself holds only the shared keys and their rows in memory, and their number is bounded. Rows
//! that a run keeps in memory for their readers are kept with their verdicts, so that each is judged once.

use std::sync::Arc;

use datafusion::common::ScalarValue;
use datafusion::dataframe::DataFrame;
use datafusion::datasource::MemTable;
use datafusion::logical_expr::{Expr, LogicalPlan, case, lit, when};
use datafusion::prelude::{SessionContext, ident};
use throughline_config::Timestamp;
use throughline_lake::{ORIGIN_COLUMN, PROBLEM_COLUMN};
use throughline_plan::BrokenRule;

use super::bounds::Bounds;
use super::first_pass::{Suspects, first_pass, suspect_rows};
use super::shared_keys::{MOST_SHARED_KEYS, SharedKeys, contradiction, no_key};
use crate::failure::EngineError;
use crate::instants::at;
use crate::record::step_record::IntakeCounts;
use crate::record::usage::StepUsage;

const VERDICT: &str = "__verdict";
const UNREADABLE: &str = "could not be read";

/// The contract that rows are held against.
#[derive(Debug, Clone, Default)]
pub(crate) struct IntakeRules {
    /// The contract, in the order written; the first broken rule is a row's reason.
    pub(crate) broken: Vec<BrokenRule>,
    /// Event time, cut at `as_of`.
    pub(crate) time_column: Option<String>,
    /// Identifies a row.
    pub(crate) key: Vec<String>,
}

/// A relation after its intake.
#[derive(Debug)]
pub(crate) struct Intake {
    /// The kept rows, without the hidden columns.
    pub(crate) kept: LogicalPlan,
    /// The rows set aside with `rejected_reason` (and `rejected_origin` for text formats), when there are any.
    pub(crate) rejected: Option<LogicalPlan>,
    /// What became of each row.
    pub(crate) counts: IntakeCounts,
    /// What the pass over all rows cost.
    pub(crate) usage: StepUsage,
}

/// Gives every row of `rows` its verdict. `hold_in_memory` holds rows in memory for their readers, if there is room.
pub(crate) async fn take_in(
    name: &str,
    rows: DataFrame,
    rules: &IntakeRules,
    as_of: Timestamp,
    session: &SessionContext,
    hold_in_memory: Option<impl AsyncFnOnce(DataFrame) -> Result<Option<DataFrame>, EngineError>>,
) -> Result<Intake, EngineError> {
    let verdict = free_name(&rows);
    let columns: Vec<Expr> = visible_columns(&rows).map(ident).collect();
    let mut verdicts = Verdicts::new(&rows, rules, as_of)?;
    let in_memory = match hold_in_memory {
        Some(hold) => {
            let mut judged: Vec<Expr> = rows.schema().columns().into_iter().map(Expr::Column).collect();
            judged.push(verdicts.number.clone().alias(&verdict));
            hold(rows.clone().select(judged)?).await?
        }
        None => None,
    };
    let rows = match in_memory {
        Some(rows_in_memory) => {
            verdicts.number = ident(&verdict);
            rows_in_memory
        }
        None => {
            verdicts.leave_out_impossible(&Bounds::of(&rows).await?, session)?;
            rows
        }
    };
    let mut judged = vec![verdicts.number.clone().alias(&verdict)];
    judged.extend(rules.key.iter().map(ident));
    let first = first_pass(rows.clone().select(judged)?, verdicts.cases.len() + 1, session).await?;
    let mut counts = verdicts.counts(&first.verdicts);
    let passed = match verdicts.passing(&counts) {
        Some(filter) => rows.clone().filter(filter)?,
        None => rows.clone(),
    };
    let any_rejected = counts.rejected_rows() > 0;
    let set_aside = verdicts.set_aside(&rows, &columns)?;

    let shared = shared_keys(name, &passed, &rules.key, first.suspects, session).await?;
    let kept = passed.clone().select(columns.clone())?;
    let (kept, rejected) = match shared {
        None => (kept, any_rejected.then_some(set_aside)),
        Some(shared) => {
            let copies = shared.copies(&passed, &columns, session).await?;
            counts.collapsed = copies.collapsed;
            if copies.contradicting_rows > 0 {
                counts.rejected.insert(contradiction(&rules.key), copies.contradicting_rows);
            }
            let rejected = match (any_rejected, copies.contradicting_rows > 0) {
                (_, true) => Some(set_aside.union_by_name(copies.contradicting(&rules.key, session)?)?),
                (true, false) => Some(set_aside),
                (false, false) => None,
            };
            let unshared = shared.without(&passed, session)?.select(columns.clone())?;
            (unshared.union(copies.single(session)?)?, rejected)
        }
    };
    counts.kept = counts.read - counts.after_as_of - counts.collapsed - counts.rejected_rows();
    Ok(Intake {
        kept: kept.into_unoptimized_plan(),
        rejected: rejected.map(DataFrame::into_unoptimized_plan),
        counts,
        usage: first.usage,
    })
}

/// Whether no two rows of `keys` are equal, by their hashes alone: `false` says that the keys have to be compared.
pub(crate) async fn all_differ(keys: LogicalPlan, session: &SessionContext) -> Result<bool, EngineError> {
    let keys = session.execute_logical_plan(keys).await?;
    let mut columns = vec![lit(0_i32).alias(VERDICT)];
    columns.extend(keys.schema().columns().into_iter().map(Expr::Column));
    let first = first_pass(keys.select(columns)?, 1, session).await?;
    Ok(matches!(first.suspects, Suspects::None))
}

/// The keys that several of the rows that passed have, when there are any.
async fn shared_keys(
    name: &str,
    passed: &DataFrame,
    key: &[String],
    suspects: Suspects,
    session: &SessionContext,
) -> Result<Option<SharedKeys>, EngineError> {
    if key.is_empty() {
        return Ok(None);
    }
    let keys = passed.clone().select(key.iter().map(ident).collect::<Vec<_>>())?;
    let suspects = match suspects {
        Suspects::None => return Ok(None),
        Suspects::Unknown => return SharedKeys::among(name, keys, key).await,
        Suspects::Hashes(suspects) => suspects,
    };
    if suspects.len() > MOST_SHARED_KEYS {
        return Err(no_key(name, key));
    }
    let schema = Arc::new(keys.schema().as_arrow().clone());
    let most = 4 * MOST_SHARED_KEYS;
    let rows = suspect_rows(keys, suspects, most, session).await?;
    if rows.iter().map(|batch| batch.num_rows()).sum::<usize>() > most {
        return Err(no_key(name, key));
    }
    let table = MemTable::try_new(schema, vec![rows])?;
    SharedKeys::among(name, session.read_table(Arc::new(table))?, key).await
}

fn has_column(rows: &DataFrame, name: &str) -> bool {
    rows.schema().fields().iter().any(|field| field.name() == name)
}

/// A name for the verdict that none of the relation's columns has.
fn free_name(rows: &DataFrame) -> String {
    let mut name = VERDICT.to_owned();
    while has_column(rows, &name) {
        name.push('_');
    }
    name
}

/// The names of the relation's own columns.
fn visible_columns(rows: &DataFrame) -> impl Iterator<Item = &String> {
    let names = rows.schema().fields().iter().map(|field| field.name());
    names.filter(|name| !matches!(name.as_str(), PROBLEM_COLUMN | ORIGIN_COLUMN))
}

/// Why a row is not kept.
enum Verdict {
    /// It cannot be read, or breaks a rule; with the reason that people read.
    SetAside(String),
    /// Its time is at or after `as_of`: it is not there yet.
    AfterAsOf,
}

/// The verdicts by which a row is not kept, each with its condition; the first that holds is the row's.
struct Verdicts {
    cases: Vec<(Expr, Verdict)>,
    /// A row's verdict as a number: 0 for a row that passes, else the place of the case, from 1 on.
    number: Expr,
}

impl Verdicts {
    /// Rules about the time itself come before the cut, so that a time in 2199 is malformed, and the others after it,
    /// so that a row that is not there yet is not judged.
    fn new(rows: &DataFrame, rules: &IntakeRules, as_of: Timestamp) -> Result<Self, EngineError> {
        let mut cases: Vec<(Expr, Verdict)> = Vec::new();
        let set_aside = |condition: Expr, reason: String| (condition, Verdict::SetAside(reason));
        let broken = |rule: &BrokenRule| set_aside(rule.broken.clone(), rule.reason.clone());
        if has_column(rows, PROBLEM_COLUMN) {
            cases.push(set_aside(ident(PROBLEM_COLUMN).is_not_null(), UNREADABLE.to_owned()));
        }
        let about_time = |rule: &&BrokenRule| {
            let columns = rule.broken.column_refs();
            rules.time_column.as_ref().is_some_and(|time| columns.iter().any(|column| &column.name == time))
        };
        if let Some(time) = &rules.time_column {
            cases.push(set_aside(ident(time).is_null(), format!("`{time}` is null")));
            cases.extend(rules.broken.iter().filter(about_time).map(broken));
            cases.push((ident(time.as_str()).gt_eq(at(as_of)), Verdict::AfterAsOf));
        }
        cases.extend(rules.key.iter().map(|column| set_aside(ident(column).is_null(), format!("`{column}` is null"))));
        cases.extend(rules.broken.iter().filter(|rule| !about_time(rule)).map(broken));
        let number = first_of(&cases)?;
        Ok(Self { cases, number })
    }

    /// Leaves out the reasons that no row can have: columns that only they read are not read then.
    fn leave_out_impossible(&mut self, bounds: &Bounds, session: &SessionContext) -> Result<(), EngineError> {
        self.cases.retain(|(condition, _)| bounds.may_hold(condition, session));
        self.number = first_of(&self.cases)?;
        Ok(())
    }

    /// The number and the condition of the cut, where a row may fall to it.
    fn after_as_of(&self) -> Option<(i32, &Expr)> {
        let mut numbered = (1..).zip(&self.cases);
        let cut = numbered.find(|(_, (_, verdict))| matches!(verdict, Verdict::AfterAsOf));
        cut.map(|(number, (condition, _))| (number, condition))
    }

    /// The reason for which a row is set aside, null for any other row.
    fn reason(&self) -> Result<Expr, EngineError> {
        let reasons = (1_i32..).zip(&self.cases).filter_map(|(number, (_, verdict))| match verdict {
            Verdict::SetAside(reason) => Some((lit(number), lit(reason))),
            Verdict::AfterAsOf => None,
        });
        choice(Some(self.number.clone()), reasons, lit(ScalarValue::Utf8(None)))
    }

    fn counts(&self, numbers: &[u64]) -> IntakeCounts {
        let mut counts = IntakeCounts { read: numbers.iter().sum(), ..IntakeCounts::default() };
        let cases = self.cases.iter().zip(numbers.iter().skip(1));
        for ((_, verdict), &number) in cases.filter(|(_, number)| **number > 0) {
            match verdict {
                Verdict::AfterAsOf => counts.after_as_of += number,
                Verdict::SetAside(reason) => *counts.rejected.entry(reason.clone()).or_default() += number,
            }
        }
        counts
    }

    /// The condition that is true of the rows that pass. Files are read again for each reader of a relation, so a
    /// condition that is true of all rows is left out.
    fn passing(&self, counts: &IntakeCounts) -> Option<Expr> {
        match self.after_as_of() {
            _ if counts.rejected_rows() > 0 => Some(self.number.clone().eq(lit(0_i32))),
            Some((_, condition)) if counts.after_as_of > 0 => Some(!condition.clone()),
            _ => None,
        }
    }

    /// Rows with a reason other than the cut, hidden columns turned into visible ones.
    fn set_aside(&self, rows: &DataFrame, columns: &[Expr]) -> Result<DataFrame, EngineError> {
        let reason = self.reason()?;
        let shown_reason = match has_column(rows, PROBLEM_COLUMN) {
            true => when(ident(PROBLEM_COLUMN).is_not_null(), ident(PROBLEM_COLUMN)).otherwise(reason)?,
            false => reason,
        };
        let mut shown = columns.to_vec();
        shown.push(shown_reason.alias("rejected_reason"));
        if has_column(rows, ORIGIN_COLUMN) {
            shown.push(ident(ORIGIN_COLUMN).alias("rejected_origin"));
        }
        let others = [0].into_iter().chain(self.after_as_of().map(|(number, _)| number));
        let is_rejected = self.number.clone().in_list(others.map(lit).collect(), true);
        Ok(rows.clone().filter(is_rejected)?.select(shown)?)
    }
}

/// The place of the first condition that holds, from 1 on; 0 where none does.
fn first_of(cases: &[(Expr, Verdict)]) -> Result<Expr, EngineError> {
    let numbered = (1_i32..).zip(cases).map(|(number, (condition, _))| (condition.clone(), lit(number)));
    choice(None, numbered, lit(0_i32))
}

/// A CASE, or its ELSE alone where there is nothing to choose from.
fn choice(
    of: Option<Expr>,
    mut branches: impl Iterator<Item = (Expr, Expr)>,
    otherwise: Expr,
) -> Result<Expr, EngineError> {
    let Some((condition, value)) = branches.next() else { return Ok(otherwise) };
    let mut chosen = match of {
        Some(of) => case(of).when(condition, value),
        None => when(condition, value),
    };
    for (condition, value) in branches {
        chosen = chosen.when(condition, value);
    }
    Ok(chosen.otherwise(otherwise)?)
}

#[cfg(test)]
mod tests {
    use arrow::array::{Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
    use arrow::util::pretty::pretty_format_batches;

    use super::*;
    use crate::record::step_record::{StepRecord, StepStatus};

    /// A function that holds rows in memory; the tests that name it have none.
    type Hold = fn(DataFrame) -> std::future::Ready<Result<Option<DataFrame>, EngineError>>;

    /// A row for each verdict, beside a column with the name of the verdict.
    fn rows(session: &SessionContext) -> DataFrame {
        let ids = [Some(1), Some(2), Some(2), Some(3), Some(4), None, Some(5), Some(5)];
        let times = [0, 1, 1, 2, 100, 3, 4, 4];
        let values = [7, 7, 7, -1, -1, 7, 7, 8];
        let batch = RecordBatch::try_from_iter([
            ("id", Arc::new(Int64Array::from_iter(ids)) as _),
            ("time", Arc::new(TimestampMicrosecondArray::from_iter_values(times).with_timezone("UTC")) as _),
            ("value", Arc::new(Int64Array::from_iter_values(values)) as _),
            (VERDICT, Arc::new(StringArray::from_iter_values(["theirs"; 8])) as _),
        ]);
        session.read_batch(batch.expect("columns of one length")).expect("rows")
    }

    async fn shown(rows: LogicalPlan, session: &SessionContext) -> String {
        let rows = DataFrame::new(session.state(), rows).sort_by(vec![ident("id"), ident("value")]).expect("sorted");
        pretty_format_batches(&rows.collect().await.expect("collected")).expect("a table").to_string()
    }

    #[tokio::test]
    async fn a_reason_in_the_words_of_the_cut_is_a_reason_like_any_other() {
        let session = SessionContext::new();
        let rules = IntakeRules {
            broken: vec![BrokenRule { broken: ident("value").lt(lit(0_i64)), reason: "at or after as_of".to_owned() }],
            time_column: Some("time".to_owned()),
            key: Vec::new(),
        };
        let intake = take_in("rows", rows(&session), &rules, 50, &session, None::<Hold>).await.expect("taken in");
        assert_eq!(intake.counts.after_as_of, 1, "the row at 100");
        assert_eq!(intake.counts.rejected.get("at or after as_of"), Some(&1), "the row at 2 whose value is negative");
        let rejected = shown(intake.rejected.expect("one is"), &session).await;
        assert_eq!(rejected.matches("at or after as_of").count(), 1, "{rejected}");
    }

    #[tokio::test]
    async fn keys_that_millions_of_rows_share_are_none_and_the_request_is_wrong() {
        let session = SessionContext::new();
        let pairs = 2 * (MOST_SHARED_KEYS as i64 + 1);
        let ids = Int64Array::from_iter_values((0..pairs).map(|row| row / 2));
        let batch = RecordBatch::try_from_iter([("id", Arc::new(ids) as _)]).expect("one column");
        let rules = IntakeRules { key: vec!["id".to_owned()], ..IntakeRules::default() };
        let pairs = session.read_batch(batch).expect("rows");
        let error = take_in("calls", pairs, &rules, 50, &session, None::<Hold>).await.expect_err("no key");
        assert!(error.to_string().starts_with("`id` is no key of `calls`: more than 1000000 values"), "{error}");
        let mut record = StepRecord::new("calls", "source", "", StepStatus::Done);
        record.fail(&error);
        assert!(record.refused && !record.internal && !record.held);
    }

    #[tokio::test]
    async fn verdicts_are_the_same_whether_rows_are_held_in_memory_or_not() {
        let session = SessionContext::new();
        let rules = IntakeRules {
            broken: vec![BrokenRule { broken: ident("value").lt(lit(0_i64)), reason: "negative".to_owned() }],
            time_column: Some("time".to_owned()),
            key: vec!["id".to_owned()],
        };
        let in_memory =
            async |rows: DataFrame| -> Result<Option<DataFrame>, EngineError> { Ok(Some(rows.cache().await?)) };
        let mut seen = Vec::new();
        for hold in [None, Some(in_memory)] {
            let intake = take_in("rows", rows(&session), &rules, 50, &session, hold).await.expect("taken in");
            let rejected = shown(intake.rejected.expect("some are"), &session).await;
            seen.push((intake.counts, shown(intake.kept, &session).await, rejected));
        }
        let (counts, kept, rejected) = &seen[0];
        assert_eq!(&seen[0], &seen[1]);
        assert_eq!((counts.read, counts.kept, counts.after_as_of, counts.collapsed), (8, 2, 1, 1));
        let reasons: Vec<&str> = counts.rejected.keys().map(String::as_str).collect();
        assert_eq!(reasons, ["`id` is null", "contradicts another row with the same `id`", "negative"]);
        let columns = |table: &str| -> Vec<String> {
            let names = table.lines().nth(1).into_iter().flat_map(|line| line.split('|'));
            names.map(|name| name.trim().to_owned()).filter(|name| !name.is_empty()).collect()
        };
        assert_eq!(columns(kept), ["id", "time", "value", VERDICT]);
        assert_eq!(columns(rejected), ["id", "time", "value", VERDICT, "rejected_reason"]);
    }
}
