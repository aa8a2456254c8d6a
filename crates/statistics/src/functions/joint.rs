//! The aggregates over joint cells: journeys' rate ratios adjusted for each other, and what journeys make together.

use std::{
    collections::{BTreeMap, BTreeSet},
    mem::size_of_val,
    sync::Arc,
};

use arrow::{
    array::{Array, ArrayRef, AsArray, Float64Array, ListArray, StringArray, StructArray},
    buffer::OffsetBuffer,
    datatypes::{DataType, Field, FieldRef, Float64Type},
};
use datafusion::{
    common::{
        Result, ScalarValue,
        cast::{as_float64_array, as_large_list_array, as_list_array},
        exec_err,
    },
    logical_expr::Accumulator,
};

use super::{
    parameters::{Description, Kind, Parameter, list_of_names},
    rows::{large_list, large_list_of_floats},
    structs::{estimate_columns, fields_of, float, integer, struct_type, struct_value, text},
};
use crate::{
    distributions::Confidence,
    exact_sum::ExactSum,
    joint_cells::{JointCells, JointCount, JointState},
    joint_rates::{JourneyEffect, joint_excess, joint_rate_ratios},
    proportion::Estimate,
};

const LEAVERS: Parameter = Parameter { name: "leavers", kind: Kind::Count, meaning: "Leavers of the cell" };
const DAYS: Parameter = Parameter { name: "person_days", kind: Kind::Duration, meaning: "Person-days of the cell" };
const CONTROLS: Parameter =
    Parameter { name: "controls", kind: Kind::Names, meaning: "Segment, tenure band, month of the cell" };
const EXPOSED: Parameter = Parameter { name: "exposed", kind: Kind::Names, meaning: "Journeys exposed to" };
const NOT_ELIGIBLE: Parameter =
    Parameter { name: "not_eligible", kind: Kind::Names, meaning: "Journeys not eligible for" };
const JOURNEYS: Parameter = Parameter { name: "journeys", kind: Kind::Names, meaning: "Journeys to do without" };

pub(crate) static JOINT_RATE_RATIOS: Description = Description {
    name: "joint_rate_ratios",
    syntax: "joint_rate_ratios(leavers, person_days, controls, exposed, not_eligible[, level])",
    text: "Over rows that are joint cells: Poisson regression of leavers on the levels of the controls and the exposures \
           to all journeys at once, offset log person-days, by iteratively reweighted least squares. A journey in neither \
           list is unexposed; not eligible is a level of its own. Returns struct{effects (a list of struct{journey, \
           estimate, lower, upper, log_se, p_value, leavers, person_days, status, inseparable_from, reason}: the rate \
           ratio of exposed and unexposed, others held fixed, with Wald limits on the log scale), status, leavers, person_days, cells, \
           parameters, log_likelihood, deviance, steps, left_out_levels, left_out_days}. An effect that the cells do not \
           tell from others (the same days, nobody left in one of its states) is null; its status says which (ok, \
           nobody_exposed, no_leavers, as_other_journeys, as_strata, no_model, not_estimated), inseparable_from lists \
           the other journeys, and its reason says it in words. Cells of \
           a level or combination in which nobody left leave the fit, which changes no other effect; left_out_levels and \
           left_out_days tell them. Status is ok, insufficient (no days or nobody left), too_many_levels (over 1000 \
           columns) or not_converged. A null list of journeys is an empty one, a null control an error; rows with another \
           null are skipped. Independent of the order of the rows to the last bit.",
    example: "SELECT unnest(joint_rate_ratios(churned, person_days, [segment, tenure_band, month], exposed, not_eligible)['effects']) FROM journey_joint_risk;",
    parameters: &[LEAVERS, DAYS, CONTROLS, EXPOSED, NOT_ELIGIBLE],
    takes_level: true,
};
pub(crate) static JOINT_EXCESS: Description = Description {
    name: "joint_excess",
    syntax: "joint_excess(leavers, person_days, controls, exposed, not_eligible, journeys[, level])",
    text: "Over rows that are joint cells: of the model of joint_rate_ratios, the leavers beyond those expected were nobody \
           exposed to any of the journeys that the rows' lists name. Returns struct{estimate, lower, upper (leavers less \
           expected, delta-method limits, Greenland and Drescher 1993), standard_error, expected, expected_lower, \
           expected_upper (limits on the log scale), attributable_share, attributable_share_lower, \
           attributable_share_upper, leavers, journeys, status, reason}. Null with a reason when an effect that is needed \
           cannot be told apart from others and when nobody was exposed. Nulls as in joint_rate_ratios. Independent of \
           the order of the rows to the last bit.",
    example: "SELECT joint_excess(churned, person_days, [segment, tenure_band, month], exposed, not_eligible, harmful)['expected'] FROM journey_joint_risk;",
    parameters: &[LEAVERS, DAYS, CONTROLS, EXPOSED, NOT_ELIGIBLE, JOURNEYS],
    takes_level: true,
};

/// `struct{journey, estimate, lower, upper, log_se, p_value, leavers, person_days, status, inseparable_from, reason}`.
pub(crate) fn effect_type() -> DataType {
    struct_type(&[
        ("journey", DataType::Utf8),
        ("estimate", DataType::Float64),
        ("lower", DataType::Float64),
        ("upper", DataType::Float64),
        ("log_se", DataType::Float64),
        ("p_value", DataType::Float64),
        ("leavers", DataType::Float64),
        ("person_days", DataType::Float64),
        ("status", DataType::Utf8),
        ("inseparable_from", list_of_names()),
        ("reason", DataType::Utf8),
    ])
}

pub(crate) fn joint_rate_ratios_type() -> DataType {
    struct_type(&[
        ("effects", DataType::new_list(effect_type(), true)),
        ("status", DataType::Utf8),
        ("leavers", DataType::Float64),
        ("person_days", DataType::Float64),
        ("cells", DataType::Int64),
        ("parameters", DataType::Int64),
        ("log_likelihood", DataType::Float64),
        ("deviance", DataType::Float64),
        ("steps", DataType::Int64),
        ("left_out_levels", list_of_names()),
        ("left_out_days", DataType::Float64),
    ])
}

pub(crate) fn joint_excess_type() -> DataType {
    let floats = [
        "estimate",
        "lower",
        "upper",
        "standard_error",
        "expected",
        "expected_lower",
        "expected_upper",
        "attributable_share",
        "attributable_share_lower",
        "attributable_share_upper",
        "leavers",
    ];
    let mut fields: Vec<(&str, DataType)> = floats.map(|name| (name, DataType::Float64)).to_vec();
    fields.extend([("journeys", list_of_names()), ("status", DataType::Utf8), ("reason", DataType::Utf8)]);
    struct_type(&fields)
}

/// Which of the two aggregates an accumulator is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Joint {
    RateRatios,
    Excess,
}

/// Keeps one count for each state of the rows.
#[derive(Debug)]
pub(crate) struct JointAccumulator {
    description: &'static Description,
    joint: Joint,
    confidence: Confidence,
    cells: JointCells,
    /// Journeys to do without.
    journeys: BTreeSet<String>,
    /// Memory of the cells and names, about.
    bytes: usize,
}

impl JointAccumulator {
    pub(crate) fn new(description: &'static Description, joint: Joint, confidence: Confidence) -> Self {
        Self { description, joint, confidence, cells: JointCells::default(), journeys: BTreeSet::new(), bytes: 0 }
    }

    /// The fields of the partial state: every name once, the cells as numbers that point to names, journeys to do without.
    pub(crate) fn state_fields(name: &str) -> Vec<FieldRef> {
        vec![
            Arc::new(Field::new(format!("{name}[names]"), list_of_names(), true)),
            Arc::new(Field::new(format!("{name}[cells]"), large_list_of_floats(), true)),
            Arc::new(Field::new(format!("{name}[journeys]"), list_of_names(), true)),
        ]
    }

    fn add(&mut self, state: JointState, count: &JointCount) -> Result<()> {
        let name = self.description.name;
        if let Some(controls) = self.cells.controls()
            && controls != state.controls.len()
        {
            return exec_err!(
                "{name}: every row needs the same controls, found {controls} and {} of them",
                state.controls.len()
            );
        }
        let lists = [&state.controls, &state.exposed, &state.not_eligible];
        let bytes = lists.into_iter().flatten().map(|text| text.len() + size_of::<String>()).sum::<usize>();
        let before = self.cells.len();
        self.cells.add_count(state, count);
        if self.cells.len() > before {
            self.bytes += bytes + size_of::<(JointState, JointCount)>() + 4 * size_of::<f64>();
        }
        Ok(())
    }

    fn add_journey(&mut self, journey: String) {
        let bytes = journey.len() + size_of::<String>();
        if self.journeys.insert(journey) {
            self.bytes += bytes;
        }
    }

    /// The state of a row. A null list of journeys is an empty one: that is what an aggregate of no names gives.
    fn state_of(
        &self,
        controls: &ListArray,
        exposed: &ListArray,
        not_eligible: &ListArray,
        row: usize,
    ) -> Result<JointState> {
        let name = self.description.name;
        let levels =
            if controls.is_null(row) { None } else { names(controls, row).into_iter().collect::<Option<Vec<_>>>() };
        let Some(levels) = levels else {
            return exec_err!("{name}: a control is null; give its level a name, such as 'unknown'");
        };
        let journeys = |list: &ListArray| -> Vec<String> {
            if list.is_null(row) { vec![] } else { names(list, row).into_iter().flatten().collect() }
        };
        let (exposed, not_eligible) = (journeys(exposed), journeys(not_eligible));
        match JointState::new(levels, exposed, not_eligible) {
            Some(state) => Ok(state),
            None => exec_err!("{name}: a journey is both exposed and not eligible in one row"),
        }
    }
}

impl Accumulator for JointAccumulator {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let [leavers, days, controls, exposed, not_eligible, rest @ ..] = values else {
            return exec_err!("{}: use {}", self.description.name, self.description.syntax);
        };
        let (leavers, days) = (as_float64_array(leavers)?, as_float64_array(days)?);
        let (controls, exposed) = (as_list_array(controls)?, as_list_array(exposed)?);
        let not_eligible = as_list_array(not_eligible)?;
        for row in 0..leavers.len() {
            if leavers.is_null(row) || days.is_null(row) {
                continue;
            }
            let (left, at_risk) = (leavers.value(row), days.value(row));
            self.description.check_value("leavers", Kind::Count, left)?;
            self.description.check_value("person_days", Kind::Duration, at_risk)?;
            if left > 0.0 && at_risk == 0.0 {
                return exec_err!("{}: {left} leavers without a day at risk", self.description.name);
            }
            let state = self.state_of(controls, exposed, not_eligible, row)?;
            let count = JointCount { leavers: ExactSum::from_parts([left]), days: ExactSum::from_parts([at_risk]) };
            self.add(state, &count)?;
        }
        if let (Joint::Excess, [journeys, ..]) = (self.joint, rest) {
            let journeys = as_list_array(journeys)?;
            // The list is the same in every row of a group, as a rule.
            for row in 0..journeys.len() {
                if journeys.is_valid(row) {
                    names(journeys, row).into_iter().flatten().for_each(|journey| self.add_journey(journey));
                }
            }
        }
        Ok(())
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        match self.joint {
            Joint::RateRatios => joint_rate_ratios_value(&self.cells, self.confidence),
            Joint::Excess => joint_excess_value(&self.cells, &self.journeys, self.confidence),
        }
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.bytes
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let mut places: BTreeMap<&str, usize> = BTreeMap::new();
        let mut all_names: Vec<&str> = vec![];
        let mut numbers: Vec<f64> = vec![];
        for (state, count) in self.cells.iter() {
            for list in [&state.controls, &state.exposed, &state.not_eligible] {
                numbers.push(list.len() as f64);
                for text in list {
                    let place = *places.entry(text).or_insert_with(|| {
                        all_names.push(text);
                        all_names.len() - 1
                    });
                    numbers.push(place as f64);
                }
            }
            for sum in [&count.leavers, &count.days] {
                numbers.push(sum.parts().len() as f64);
                numbers.extend_from_slice(sum.parts());
            }
        }
        let journeys: Vec<&str> = self.journeys.iter().map(String::as_str).collect();
        Ok(vec![name_list(&all_names), large_list(numbers), name_list(&journeys)])
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let [all_names, numbers, journeys] = states else {
            return exec_err!("{}: expected a partial state of 3 columns, got {}", self.description.name, states.len());
        };
        let (all_names, journeys) = (as_list_array(all_names)?, as_list_array(journeys)?);
        let numbers = as_large_list_array(numbers)?;
        for state in 0..numbers.len() {
            if numbers.is_null(state) || all_names.is_null(state) {
                continue;
            }
            let texts = names(all_names, state);
            let numbers = numbers.value(state);
            let mut rest = numbers.as_primitive::<Float64Type>().values().as_ref();
            while !rest.is_empty() {
                let Some((state, count)) = decode(&mut rest, &texts) else {
                    return exec_err!("{}: a partial state cannot be read", self.description.name);
                };
                self.add(state, &count)?;
            }
            if journeys.is_valid(state) {
                names(journeys, state).into_iter().flatten().for_each(|journey| self.add_journey(journey));
            }
        }
        Ok(())
    }
}

/// One cell from the front of the numbers of a partial state; `None` when they end or point nowhere.
fn decode(numbers: &mut &[f64], texts: &[Option<String>]) -> Option<(JointState, JointCount)> {
    let mut list = || -> Option<Vec<f64>> {
        let (length, rest) = numbers.split_first()?;
        let (list, rest) = rest.split_at_checked(*length as usize)?;
        *numbers = rest;
        Some(list.to_vec())
    };
    let text = |place: f64| texts.get(place as usize).cloned().flatten();
    let texts = |places: Vec<f64>| places.into_iter().map(text).collect::<Option<Vec<String>>>();
    let (controls, exposed, not_eligible) = (texts(list()?)?, texts(list()?)?, texts(list()?)?);
    let (leavers, days) = (ExactSum::from_parts(list()?), ExactSum::from_parts(list()?));
    Some((JointState::new(controls, exposed, not_eligible)?, JointCount { leavers, days }))
}

/// The names of a row's list.
pub(crate) fn names(lists: &ListArray, row: usize) -> Vec<Option<String>> {
    let list = lists.value(row);
    list.as_string::<i32>().iter().map(|name| name.map(str::to_owned)).collect()
}

/// One list of names.
pub(crate) fn name_list(names: &[&str]) -> ScalarValue {
    ScalarValue::List(Arc::new(list_of(names)))
}

pub(crate) fn list_of(names: &[&str]) -> ListArray {
    let field = Arc::new(Field::new_list_field(DataType::Utf8, true));
    let offsets = OffsetBuffer::from_lengths([names.len()]);
    ListArray::new(field, offsets, Arc::new(StringArray::from(names.to_vec())), None)
}

fn joint_rate_ratios_value(cells: &JointCells, confidence: Confidence) -> Result<ScalarValue> {
    let result = joint_rate_ratios(cells, confidence);
    let levels: Vec<&str> = result.left_out_levels.iter().map(String::as_str).collect();
    let columns = vec![
        effect_list(&result.effects)?,
        text(Some(result.status.as_str())),
        finite(result.leavers),
        finite(result.days),
        integer(Some(result.cells)),
        integer(result.parameters),
        float(result.log_likelihood),
        float(result.deviance),
        integer(result.steps),
        Arc::new(list_of(&levels)) as ArrayRef,
        float(result.left_out_days),
    ];
    struct_value(&joint_rate_ratios_type(), columns)
}

fn effect_list(effects: &[JourneyEffect]) -> Result<ArrayRef> {
    let numbers = |read: &dyn Fn(&JourneyEffect) -> Option<f64>| -> ArrayRef {
        Arc::new(effects.iter().map(read).collect::<Float64Array>())
    };
    let of_ratio = |read: fn(&Estimate) -> f64| numbers(&|effect| effect.ratio.as_ref().map(read));
    let columns: Vec<ArrayRef> = vec![
        Arc::new(effects.iter().map(|effect| Some(effect.journey.as_str())).collect::<StringArray>()),
        of_ratio(|ratio| ratio.estimate),
        of_ratio(|ratio| ratio.lower),
        of_ratio(|ratio| ratio.upper),
        numbers(&|effect| effect.log_error),
        numbers(&|effect| effect.p_value),
        numbers(&|effect| Some(effect.leavers).filter(|leavers| leavers.is_finite())),
        numbers(&|effect| Some(effect.days).filter(|days| days.is_finite())),
        Arc::new(effects.iter().map(|effect| Some(effect.status.as_str())).collect::<StringArray>()),
        lists_of(effects.iter().map(|effect| effect.inseparable_from.as_slice())),
        Arc::new(effects.iter().map(|effect| effect.reason.as_deref()).collect::<StringArray>()),
    ];
    let structs = StructArray::try_new(fields_of(&effect_type()), columns, None)?;
    let field = Arc::new(Field::new_list_field(effect_type(), true));
    let offsets = OffsetBuffer::from_lengths([effects.len()]);
    Ok(Arc::new(ListArray::try_new(field, offsets, Arc::new(structs), None)?))
}

/// One list of names for each row.
fn lists_of<'a>(rows: impl Iterator<Item = &'a [String]> + Clone) -> ArrayRef {
    let field = Arc::new(Field::new_list_field(DataType::Utf8, true));
    let offsets = OffsetBuffer::from_lengths(rows.clone().map(<[String]>::len));
    let names: StringArray = rows.flatten().map(Some).collect();
    Arc::new(ListArray::new(field, offsets, Arc::new(names), None))
}

fn joint_excess_value(cells: &JointCells, journeys: &BTreeSet<String>, confidence: Confidence) -> Result<ScalarValue> {
    let result = joint_excess(cells, journeys, confidence);
    let journeys: Vec<&str> = result.journeys.iter().map(String::as_str).collect();
    let mut columns: Vec<ArrayRef> = estimate_columns(result.excess).to_vec();
    columns.push(float(result.standard_error));
    columns.extend(estimate_columns(result.expected));
    columns.extend(estimate_columns(result.attributable_share));
    columns.extend([
        finite(result.leavers),
        Arc::new(list_of(&journeys)) as ArrayRef,
        text(Some(result.status.as_str())),
        text(result.reason.as_deref()),
    ]);
    struct_value(&joint_excess_type(), columns)
}

fn finite(value: f64) -> ArrayRef {
    float(Some(value).filter(|value| value.is_finite()))
}
