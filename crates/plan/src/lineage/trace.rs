//! Lineage through the operators of a logical plan and the expressions in them; each can hold the other.

use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, DFSchema, JoinType};
use datafusion::logical_expr::utils::grouping_set_to_exprlist;
use datafusion::logical_expr::{
    Aggregate, Case, Distinct, DistinctOn, Expr, Join, LogicalPlan, Subquery, TableScan, Unnest,
    WindowFunctionDefinition,
};

use super::influence::{ColumnLineage, ColumnOf, Influence, Influences};

/// The lineage of a plan's output. Scans of relations that are not `known` have none (the working table of a
/// recursive query).
pub(super) fn trace(plan: &LogicalPlan, known: &dyn Fn(&str) -> bool) -> ColumnLineage {
    let Traced { columns, rows } = Tracer { known, outer: Vec::new() }.plan(plan);
    let names = plan.schema().fields().iter().map(|field| field.name().clone());
    ColumnLineage { columns: names.zip(columns).collect(), rows }
}

/// The lineage of a plan's columns, by position, and of its rows.
#[derive(Debug, Clone, Default)]
struct Traced {
    columns: Vec<Influences>,
    rows: Influences,
}

/// Walks a plan from its leaves up.
struct Tracer<'a> {
    known: &'a dyn Fn(&str) -> bool,
    /// What correlated subqueries can see, the innermost last.
    outer: Vec<(DFSchema, Traced)>,
}

/// Adds `more`, each by way of `by`.
fn add(to: &mut Influences, more: &Influences, by: Influence) {
    for (column, influences) in more {
        let of = influences.iter().map(|influence| by.after(*influence));
        to.entry(column.clone()).or_default().extend(of);
    }
}

impl Tracer<'_> {
    fn plan(&mut self, plan: &LogicalPlan) -> Traced {
        match plan {
            LogicalPlan::TableScan(scan) => self.scan(scan),
            LogicalPlan::Projection(projection) => {
                let input = self.plan(&projection.input);
                let schema = projection.input.schema();
                let columns = projection.expr.iter().map(|expr| self.value(expr, schema, &input)).collect();
                Traced { columns, rows: input.rows }
            }
            LogicalPlan::Filter(filter) => {
                let mut input = self.plan(&filter.input);
                self.decide(&mut input, &[&filter.predicate], filter.input.schema(), Influence::Filter);
                input
            }
            LogicalPlan::Join(join) => self.join(join),
            LogicalPlan::Aggregate(aggregate) => self.aggregate(aggregate),
            LogicalPlan::Window(window) => {
                let mut input = self.plan(&window.input);
                let schema = window.input.schema();
                let added: Vec<Influences> =
                    window.window_expr.iter().map(|expr| self.value(expr, schema, &input)).collect();
                input.columns.extend(added);
                input
            }
            LogicalPlan::Sort(sort) => {
                let mut input = self.plan(&sort.input);
                let exprs: Vec<&Expr> = sort.expr.iter().map(|sort| &sort.expr).collect();
                self.decide(&mut input, &exprs, sort.input.schema(), Influence::Sort);
                input
            }
            LogicalPlan::Union(union) => {
                let branches: Vec<Traced> = union.inputs.iter().map(|input| self.plan(input)).collect();
                merged(branches, union.schema.fields().len())
            }
            LogicalPlan::Distinct(Distinct::All(input)) => {
                let mut traced = self.plan(input);
                for column in traced.columns.clone() {
                    add(&mut traced.rows, &column, Influence::GroupBy);
                }
                traced
            }
            LogicalPlan::Distinct(Distinct::On(distinct)) => self.distinct_on(distinct),
            LogicalPlan::RecursiveQuery(query) => {
                let terms = vec![self.plan(&query.static_term), self.plan(&query.recursive_term)];
                merged(terms, plan.schema().fields().len())
            }
            LogicalPlan::Unnest(unnest) => self.unnest(unnest),
            LogicalPlan::Extension(_) => self.extension(plan),
            other => match other.inputs().as_slice() {
                [input] => self.plan(input),
                _ => Traced { columns: vec![Influences::new(); plan.schema().fields().len()], ..Traced::default() },
            },
        }
    }

    fn scan(&mut self, scan: &TableScan) -> Traced {
        let relation = scan.table_name.table();
        let known = (self.known)(relation);
        let of = |name: &str| ColumnOf { relation: relation.to_owned(), column: name.to_owned() };
        let column = |name: &String| match known {
            true => Influences::from([(of(name), [Influence::Identity].into())]),
            false => Influences::new(),
        };
        let columns = scan.projected_schema.fields().iter().map(|field| column(field.name())).collect();
        let mut rows = Influences::new();
        for read in scan.filters.iter().filter(|_| known).flat_map(Expr::column_refs) {
            rows.entry(of(&read.name)).or_default().insert(Influence::Filter);
        }
        Traced { columns, rows }
    }

    fn join(&mut self, join: &Join) -> Traced {
        let (left, right) = (self.plan(&join.left), self.plan(&join.right));
        let (left_schema, right_schema) = (join.left.schema(), join.right.schema());
        let mut both = Traced { columns: left.columns.clone(), rows: left.rows.clone() };
        both.columns.extend(right.columns.iter().cloned());
        add(&mut both.rows, &right.rows, Influence::Identity);
        let mut deciding = Influences::new();
        for (of_left, of_right) in &join.on {
            add(&mut deciding, &self.value(of_left, left_schema, &left), Influence::Join);
            add(&mut deciding, &self.value(of_right, right_schema, &right), Influence::Join);
        }
        if let (Some(filter), Ok(schema)) = (&join.filter, left_schema.join(right_schema)) {
            add(&mut deciding, &self.value(filter, &schema, &both), Influence::Join);
        }
        add(&mut both.rows, &deciding, Influence::Identity);
        let columns = match join.join_type {
            JoinType::LeftSemi | JoinType::LeftAnti => left.columns,
            JoinType::RightSemi | JoinType::RightAnti => right.columns,
            JoinType::LeftMark => left.columns.into_iter().chain([deciding]).collect(),
            JoinType::RightMark => right.columns.into_iter().chain([deciding]).collect(),
            JoinType::Inner | JoinType::Left | JoinType::Right | JoinType::Full => both.columns,
        };
        Traced { columns, rows: both.rows }
    }

    fn aggregate(&mut self, aggregate: &Aggregate) -> Traced {
        let mut input = self.plan(&aggregate.input);
        let schema = aggregate.input.schema();
        let groups = grouping_set_to_exprlist(&aggregate.group_expr).unwrap_or_default();
        let mut columns: Vec<Influences> = groups.iter().map(|expr| self.value(expr, schema, &input)).collect();
        // Grouping sets add the number of the set.
        let added = aggregate.schema.fields().len().saturating_sub(groups.len() + aggregate.aggr_expr.len());
        columns.extend(std::iter::repeat_n(Influences::new(), added));
        columns.extend(aggregate.aggr_expr.iter().map(|expr| self.value(expr, schema, &input)));
        self.decide(&mut input, &groups, schema, Influence::GroupBy);
        Traced { columns, rows: input.rows }
    }

    fn distinct_on(&mut self, distinct: &DistinctOn) -> Traced {
        let mut input = self.plan(&distinct.input);
        let schema = distinct.input.schema();
        let columns = distinct.select_expr.iter().map(|expr| self.value(expr, schema, &input)).collect();
        let on: Vec<&Expr> = distinct.on_expr.iter().collect();
        self.decide(&mut input, &on, schema, Influence::GroupBy);
        let order: Vec<&Expr> = distinct.sort_expr.iter().flatten().map(|sort| &sort.expr).collect();
        self.decide(&mut input, &order, schema, Influence::Sort);
        Traced { columns, rows: input.rows }
    }

    fn unnest(&mut self, unnest: &Unnest) -> Traced {
        let input = self.plan(&unnest.input);
        let columns = unnest.dependency_indices.iter().map(|index| {
            let mut column = Influences::new();
            let of = input.columns.get(*index);
            of.into_iter().for_each(|of| add(&mut column, of, Influence::Transformation));
            column
        });
        Traced { columns: columns.collect(), rows: input.rows }
    }

    /// An operator of which nothing is known: a column of an input's name is that column, any other is made of all
    /// that the operator's expressions read.
    fn extension(&mut self, plan: &LogicalPlan) -> Traced {
        let mut inputs: Vec<(String, Influences)> = Vec::new();
        let mut rows = Influences::new();
        let mut read = Influences::new();
        for input in plan.inputs() {
            let traced = self.plan(input);
            for expr in plan.expressions() {
                add(&mut read, &self.value(&expr, input.schema(), &traced), Influence::Transformation);
            }
            add(&mut rows, &traced.rows, Influence::Identity);
            let names = input.schema().fields().iter().map(|field| field.name().clone());
            inputs.extend(names.zip(traced.columns));
        }
        add(&mut rows, &read, Influence::Filter);
        let column = |name: &String| {
            inputs.iter().find(|(input, _)| input == name).map_or_else(|| read.clone(), |(_, of)| of.clone())
        };
        let columns = plan.schema().fields().iter().map(|field| column(field.name())).collect();
        Traced { columns, rows }
    }

    /// What an expression over `input` is made of.
    fn value(&mut self, expr: &Expr, schema: &DFSchema, input: &Traced) -> Influences {
        Scope { tracer: self, schema, input }.of(expr)
    }

    fn decide(&mut self, input: &mut Traced, exprs: &[&Expr], schema: &DFSchema, influence: Influence) {
        for expr in exprs {
            let of = self.value(expr, schema, input);
            add(&mut input.rows, &of, influence);
        }
    }
}

/// Branches whose columns stand for each other by position.
fn merged(branches: Vec<Traced>, width: usize) -> Traced {
    let mut all = Traced { columns: vec![Influences::new(); width], ..Traced::default() };
    for branch in branches {
        for (column, of) in all.columns.iter_mut().zip(&branch.columns) {
            add(column, of, Influence::Identity);
        }
        add(&mut all.rows, &branch.rows, Influence::Identity);
    }
    all
}

/// The relation an expression stands over.
struct Scope<'a, 'b> {
    tracer: &'a mut Tracer<'b>,
    schema: &'a DFSchema,
    input: &'a Traced,
}

impl Scope<'_, '_> {
    fn of(&mut self, expr: &Expr) -> Influences {
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
