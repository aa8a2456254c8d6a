//! Lineage of an expression's value.

use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, DFSchema};
use datafusion::logical_expr::{Case, Expr, Subquery, WindowFunctionDefinition};

use super::trace::{Traced, Tracer, add};
use super::{Influence, Influences};

/// The relation an expression stands over.
pub(super) struct Scope<'a, 'b> {
    pub(super) tracer: &'a mut Tracer<'b>,
    pub(super) schema: &'a DFSchema,
    pub(super) input: &'a Traced,
}

impl Scope<'_, '_> {
    pub(super) fn of(&mut self, expr: &Expr) -> Influences {
        match expr {
            Expr::Column(column) => named(column, self.schema, self.input),
            Expr::OuterReferenceColumn(_, column) => {
                let scopes = self.tracer.outer.iter().rev();
                scopes.map(|(schema, input)| named(column, schema, input)).find(|of| !of.is_empty()).unwrap_or_default()
            }
            Expr::Alias(alias) => self.of(&alias.expr),
            Expr::Case(case) => self.case(case),
            Expr::AggregateFunction(function) => {
                let params = &function.params;
                let mut made = self.all(params.args.iter(), Influence::Aggregation);
                add(&mut made, &self.all(params.filter.as_deref(), Influence::Conditional), Influence::Identity);
                let order = params.order_by.iter().map(|sort| &sort.expr);
                add(&mut made, &self.all(order, Influence::Sort), Influence::Identity);
                made
            }
            Expr::WindowFunction(function) => {
                let direct = match function.fun {
                    WindowFunctionDefinition::AggregateUDF(_) => Influence::Aggregation,
                    WindowFunctionDefinition::WindowUDF(_) => Influence::Transformation,
                };
                let params = &function.params;
                let mut made = self.all(params.args.iter(), direct);
                add(&mut made, &self.all(params.filter.as_deref(), Influence::Conditional), Influence::Identity);
                let frame = params.partition_by.iter().chain(params.order_by.iter().map(|sort| &sort.expr));
                add(&mut made, &self.all(frame, Influence::Window), Influence::Identity);
                made
            }
            Expr::ScalarSubquery(subquery) => self.subquery(subquery, Influence::Transformation),
            Expr::Exists(exists) => self.subquery(&exists.subquery, Influence::Conditional),
            Expr::InSubquery(within) => {
                let mut made = self.all([within.expr.as_ref()], Influence::Transformation);
                add(&mut made, &self.subquery(&within.subquery, Influence::Conditional), Influence::Identity);
                made
            }
            Expr::SetComparison(comparison) => {
                let mut made = self.all([comparison.expr.as_ref()], Influence::Transformation);
                add(&mut made, &self.subquery(&comparison.subquery, Influence::Conditional), Influence::Identity);
                made
            }
            other => self.parts(other),
        }
    }

    fn all<'e>(&mut self, exprs: impl IntoIterator<Item = &'e Expr>, by: Influence) -> Influences {
        let mut made = Influences::new();
        for expr in exprs {
            add(&mut made, &self.of(expr), by);
        }
        made
    }

    /// The values come from THEN and ELSE, the conditions choose among them.
    fn case(&mut self, case: &Case) -> Influences {
        let conditions =
            case.expr.as_deref().into_iter().chain(case.when_then_expr.iter().map(|(when, _)| when.as_ref()));
        let mut made = self.all(conditions, Influence::Conditional);
        let values = case.when_then_expr.iter().map(|(_, then)| then.as_ref()).chain(case.else_expr.as_deref());
        add(&mut made, &self.all(values, Influence::Transformation), Influence::Identity);
        made
    }

    /// Any other expression is computed from its parts.
    fn parts(&mut self, expr: &Expr) -> Influences {
        let mut made = Influences::new();
        let _ = expr.apply_children(|part| {
            add(&mut made, &self.of(part), Influence::Transformation);
            Ok(TreeNodeRecursion::Continue)
        });
        made
    }

    /// The one column of a subquery, and what decides which of its rows there are.
    fn subquery(&mut self, subquery: &Subquery, by: Influence) -> Influences {
        self.tracer.outer.push((self.schema.clone(), self.input.clone()));
        let traced = self.tracer.plan(&subquery.subquery);
        self.tracer.outer.pop();
        let mut made = traced.rows;
        traced.columns.first().into_iter().for_each(|column| add(&mut made, column, by));
        made
    }
}

fn named(column: &Column, schema: &DFSchema, input: &Traced) -> Influences {
    let index = schema.maybe_index_of_column(column);
    index.and_then(|index| input.columns.get(index)).cloned().unwrap_or_default()
}
