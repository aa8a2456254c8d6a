//! Intake: a relation's rows held against its contract before anything reads them.
//!
//! Every row ends in exactly one of: kept, at or after `as_of`, set aside with a reason, or collapsed into an
//! identical copy. One pass counts the verdicts and hashes the keys; only where hashes meet does another one look at
//! the keys themselves. Only the shared keys and their rows are held in memory, and their number is bounded.

mod bounds;
mod first_pass;
mod shared_keys;

use std::collections::BTreeMap;
use std::sync::Arc;

use datafusion::common::ScalarValue;
use datafusion::dataframe::DataFrame;
use datafusion::datasource::MemTable;
use datafusion::logical_expr::{Expr, LogicalPlan, lit, when};
use datafusion::prelude::{SessionContext, ident};
use serde::{Deserialize, Serialize};
use throughline_config::Timestamp;
use throughline_lake::{ORIGIN_COLUMN, PROBLEM_COLUMN};
use throughline_plan::BrokenRule;

use self::bounds::Bounds;
use self::first_pass::{Suspects, first_pass, suspect_rows};
use self::shared_keys::{MOST_SHARED_KEYS, SharedKeys, no_key};
use crate::expressions::at;
use crate::failure::EngineError;
use crate::usage::StepUsage;

const VERDICT: &str = "__verdict";
const UNREADABLE: &str = "could not be read";
const LATER: &str = "at or after as_of";

/// What the rows of a relation came to: `read` = `kept` + `after_as_of` + `collapsed` + the sum of `rejected`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct IntakeCounts {
    /// Rows read.
    pub read: u64,
    /// Rows that later steps see.
    pub kept: u64,
    /// Rows whose time is at or after `as_of`: not there yet.
    pub after_as_of: u64,
    /// Copies of a row beyond the first.
    pub collapsed: u64,
    /// Rows set aside, by reason.
    pub rejected: BTreeMap<String, u64>,
}

impl IntakeCounts {
    /// All rows set aside.
    pub fn rejected_rows(&self) -> u64 {
        self.rejected.values().sum()
    }
}

/// What rows are held against.
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

/// Gives every row of `rows` its verdict.
pub(crate) async fn take_in(
    name: &str,
    rows: DataFrame,
    rules: &IntakeRules,
    as_of: Timestamp,
    session: &SessionContext,
) -> Result<Intake, EngineError> {
    let columns = visible_columns(&rows);
    let mut verdicts = Verdicts::new(&rows, rules, as_of);
    verdicts.leave_out_impossible(&Bounds::of(&rows).await?, session);
    let mut judged = vec![verdicts.number()?.alias(VERDICT)];
    judged.extend(rules.key.iter().map(ident));
    let first = first_pass(rows.clone().select(judged)?, verdicts.cases.len() + 1, session).await?;
    let mut counts = verdicts.counts(&first.verdicts);
    let passed = match verdicts.passing(&counts)? {
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

/// Whether no two rows of `keys` are equal, as far as their hashes can tell: `false` says that it has to be looked at.
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

fn contradiction(key: &[String]) -> String {
    format!("contradicts another row with the same `{}`", key.join("`, `"))
}

fn has_column(rows: &DataFrame, name: &str) -> bool {
    rows.schema().fields().iter().any(|field| field.name() == name)
}

/// The relation's own columns, under their own names.
fn visible_columns(rows: &DataFrame) -> Vec<Expr> {
    let columns = rows
        .schema()
        .columns()
        .into_iter()
        .filter(|column| column.name != PROBLEM_COLUMN && column.name != ORIGIN_COLUMN);
    columns
        .map(|column| {
            let name = column.name.clone();
            Expr::Column(column).alias(name)
        })
        .collect()
}

/// The reasons for which a row is not kept; the first that holds is its verdict.
struct Verdicts {
    cases: Vec<(Expr, String)>,
    /// The condition of the cut among them.
    later: Option<Expr>,
}

impl Verdicts {
    /// Rules about the time itself come before the cut, so that a time in 2199 is malformed, and the others after it,
    /// so that a row that is not there yet is not judged.
    fn new(rows: &DataFrame, rules: &IntakeRules, as_of: Timestamp) -> Self {
        let mut cases: Vec<(Expr, String)> = Vec::new();
        let mut later = None;
        if has_column(rows, PROBLEM_COLUMN) {
            cases.push((ident(PROBLEM_COLUMN).is_not_null(), UNREADABLE.to_owned()));
        }
        let about_time = |rule: &&BrokenRule| {
            let columns = rule.broken.column_refs();
            rules.time_column.as_ref().is_some_and(|time| columns.iter().any(|column| &column.name == time))
        };
        if let Some(time) = &rules.time_column {
            cases.push((ident(time).is_null(), format!("`{time}` is null")));
            let of_time = rules.broken.iter().filter(about_time);
            cases.extend(of_time.map(|rule| (rule.broken.clone(), rule.reason.clone())));
            let is_later = ident(time.as_str()).gt_eq(at(as_of));
            cases.push((is_later.clone(), LATER.to_owned()));
            later = Some(is_later);
        }
        for column in &rules.key {
            cases.push((ident(column).is_null(), format!("`{column}` is null")));
        }
        let others = rules.broken.iter().filter(|rule| !about_time(rule));
        cases.extend(others.map(|rule| (rule.broken.clone(), rule.reason.clone())));
        Self { cases, later }
    }

    /// Leaves out the reasons that no row can have: columns that only they read are not read then.
    fn leave_out_impossible(&mut self, bounds: &Bounds, session: &SessionContext) {
        self.cases.retain(|(condition, _)| bounds.may_hold(condition, session));
        self.later = self.later.take().filter(|later| self.cases.iter().any(|(condition, _)| condition == later));
    }

    /// A row's verdict as a number: 0 for a row that passes, else the place of the case, from 1 on.
    fn number(&self) -> Result<Expr, EngineError> {
        self.case(|place, _| lit(place as i32 + 1), lit(0_i32))
    }

    /// A row's verdict in words, null for a row that passes.
    fn reason(&self) -> Result<Expr, EngineError> {
        self.case(|_, reason| lit(reason), lit(ScalarValue::Utf8(None)))
    }

    fn case(&self, value: impl Fn(usize, &str) -> Expr, otherwise: Expr) -> Result<Expr, EngineError> {
        let mut cases = self.cases.iter().enumerate();
        let Some((place, (condition, reason))) = cases.next() else { return Ok(otherwise) };
        let mut case = when(condition.clone(), value(place, reason));
        for (place, (condition, reason)) in cases {
            case = case.when(condition.clone(), value(place, reason));
        }
        Ok(case.otherwise(otherwise)?)
    }

    fn counts(&self, numbers: &[u64]) -> IntakeCounts {
        let mut counts = IntakeCounts { read: numbers.iter().sum(), ..IntakeCounts::default() };
        let cases = self.cases.iter().zip(numbers.iter().skip(1));
        for ((_, reason), &number) in cases.filter(|(_, number)| **number > 0) {
            match reason.as_str() {
                LATER => counts.after_as_of += number,
                reason => *counts.rejected.entry(reason.to_owned()).or_default() += number,
            }
        }
        counts
    }

    /// What the rows that pass fulfil, given what there is: files are read again for each reader of a relation, so a
    /// condition that no row breaks is left out.
    fn passing(&self, counts: &IntakeCounts) -> Result<Option<Expr>, EngineError> {
        Ok(match &self.later {
            _ if counts.rejected_rows() > 0 => Some(self.number()?.eq(lit(0_i32))),
            Some(later) if counts.after_as_of > 0 => Some(!later.clone()),
            _ => None,
        })
    }

    /// Rows with a reason other than the cut, hidden columns turned into visible ones.
    fn set_aside(&self, rows: &DataFrame, columns: &[Expr]) -> Result<DataFrame, EngineError> {
        let reason = self.reason()?;
        let shown_reason = match has_column(rows, PROBLEM_COLUMN) {
            true => when(ident(PROBLEM_COLUMN).is_not_null(), ident(PROBLEM_COLUMN)).otherwise(reason.clone())?,
            false => reason.clone(),
        };
        let mut shown = columns.to_vec();
        shown.push(shown_reason.alias("rejected_reason"));
        if has_column(rows, ORIGIN_COLUMN) {
            shown.push(ident(ORIGIN_COLUMN).alias("rejected_origin"));
        }
        let is_rejected = reason.clone().is_not_null().and(reason.not_eq(lit(LATER)));
        Ok(rows.clone().filter(is_rejected)?.select(shown)?)
    }
}
