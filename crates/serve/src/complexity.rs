//! Queries that would take for ever before they run.
//!
//! Planning stops for a timeout only between its steps, and its time grows with a power of the number of joins. A short
//! text can hold many: a relation in WITH that names the one before it twice doubles with each.

use std::collections::HashMap;
use std::ops::ControlFlow;

use datafusion::common::ParamValues;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::logical_expr::{Expr, LogicalPlan};
use datafusion::sql::sqlparser::ast::{ObjectName, Query, Statement, Visit, Visitor};

use crate::failure::{Failure, sqlstate};
use crate::planning::too_large;

/// Dashboards join a handful of tables, clients' catalogue queries a dozen.
const MOST_JOINS: usize = 60;
/// Steps of a plan: what is read, filtered, joined, grouped.
const MOST_STEPS: usize = 2_000;

/// Refuses statements that name more relations than a plan may have steps, those behind a name in WITH counted each
/// time the name stands.
pub(crate) fn verify_short(statement: &Statement) -> Result<(), Failure> {
    let mut relations = Relations { open: vec![0], ..Relations::default() };
    // It always goes to the end.
    let _ = statement.visit(&mut relations);
    match relations.open.first() {
        Some(named) if *named > MOST_STEPS => {
            Err(Failure::new(sqlstate::TOO_COMPLEX, format!("a query may read {MOST_STEPS} relations at most")))
        }
        _ => Ok(()),
    }
}

/// Counts relations.
#[derive(Default)]
struct Relations {
    /// For the query that is being visited and those around it.
    open: Vec<usize>,
    /// Names in WITH, by where their query stands.
    names: HashMap<*const Query, String>,
    /// How many relations a name stands for.
    behind: HashMap<String, usize>,
}

impl Visitor for Relations {
    type Break = ();

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
        for table in query.with.iter().flat_map(|with| &with.cte_tables) {
            self.names.insert(std::ptr::from_ref(table.query.as_ref()), table.alias.name.value.to_lowercase());
        }
        self.open.push(0);
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
        let counted = self.open.pop().unwrap_or(0);
        if let Some(name) = self.names.get(&std::ptr::from_ref(query)) {
            self.behind.insert(name.clone(), counted.max(1));
        }
        self.add(counted);
        ControlFlow::Continue(())
    }

    fn pre_visit_relation(&mut self, relation: &ObjectName) -> ControlFlow<()> {
        let name = relation.to_string().to_lowercase();
        let behind = self.behind.get(name.trim_matches('"')).copied().unwrap_or(1);
        self.add(behind);
        ControlFlow::Continue(())
    }
}

impl Relations {
    fn add(&mut self, relations: usize) {
        if let Some(last) = self.open.last_mut() {
            *last = last.saturating_add(relations);
        }
    }
}

/// The plan with values in the places of its parameters. A value is copied into each place where its parameter stands,
/// so all copies together are bounded.
pub(crate) fn with_values(plan: LogicalPlan, values: &ParamValues, most: usize) -> Result<LogicalPlan, Failure> {
    let mut bytes = 0_usize;
    plan.apply_with_subqueries(|node| {
        for expression in node.expressions() {
            expression.apply(|expression| {
                if let Expr::Placeholder(placeholder) = expression {
                    bytes = bytes.saturating_add(size(values, &placeholder.id));
                }
                Ok(TreeNodeRecursion::Continue)
            })?;
        }
        let enough = bytes > most;
        Ok(if enough { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
    })?;
    if bytes > most {
        return Err(too_large(most));
    }
    Ok(plan.replace_params_with_values(values)?)
}

/// Bytes of the value of a parameter, which is named by its number.
fn size(values: &ParamValues, name: &str) -> usize {
    let name = name.trim_start_matches('$');
    let value = match values {
        ParamValues::List(values) => name.parse::<usize>().ok().and_then(|number| values.get(number.checked_sub(1)?)),
        ParamValues::Map(values) => values.get(name),
    };
    value.map_or(0, |value| value.value.size())
}

/// Refuses plans of more joins or steps than can be planned in a moment.
pub(crate) fn verify_plannable(plan: &LogicalPlan) -> Result<(), Failure> {
    let (mut steps, mut joins) = (0, 0);
    plan.apply_with_subqueries(|node| {
        steps += 1;
        joins += usize::from(matches!(node, LogicalPlan::Join(_)));
        let enough = steps > MOST_STEPS || joins > MOST_JOINS;
        Ok(if enough { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
    })?;
    if joins > MOST_JOINS {
        return Err(Failure::new(sqlstate::TOO_COMPLEX, format!("a query may have {MOST_JOINS} joins at most")));
    }
    if steps > MOST_STEPS {
        return Err(Failure::new(sqlstate::TOO_COMPLEX, format!("a query's plan may have {MOST_STEPS} steps at most")));
    }
    Ok(())
}
