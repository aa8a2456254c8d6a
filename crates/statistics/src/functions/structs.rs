//! The structs that functions return.

use std::sync::Arc;

use arrow::{
    array::{ArrayRef, Float64Array, Int64Array, StringArray, StructArray},
    buffer::NullBuffer,
    datatypes::{DataType, Field, Fields},
};
use datafusion::common::{Result, ScalarValue};

use crate::{proportion::Estimate, stratified::ChiSquaredTest};

/// `struct{estimate, lower, upper}` of nullable Float64.
pub(crate) fn estimate_type() -> DataType {
    struct_type(&[("estimate", DataType::Float64), ("lower", DataType::Float64), ("upper", DataType::Float64)])
}

/// A struct of nullable fields.
pub(crate) fn struct_type(fields: &[(&str, DataType)]) -> DataType {
    DataType::Struct(fields.iter().map(|(name, data_type)| Field::new(*name, data_type.clone(), true)).collect())
}

/// One struct a row; an undefined estimate is null itself and in each of its fields.
///
/// Reading a field of a struct does not look at the struct's own nulls, so the fields have to carry them too.
pub(crate) fn estimate_array(estimates: &[Option<Estimate>]) -> Result<ArrayRef> {
    let column = |read: fn(&Estimate) -> f64| -> ArrayRef {
        Arc::new(estimates.iter().map(|estimate| estimate.as_ref().map(read)).collect::<Float64Array>())
    };
    let columns = vec![
        column(|estimate| estimate.estimate),
        column(|estimate| estimate.lower),
        column(|estimate| estimate.upper),
    ];
    nullable_structs(&estimate_type(), columns, estimates.iter().map(Option::is_some).collect())
}

/// `struct{statistic, p_value}` of nullable Float64.
pub(crate) fn test_type() -> DataType {
    struct_type(&[("statistic", DataType::Float64), ("p_value", DataType::Float64)])
}

/// One struct a row; an undefined test is null itself and in each of its fields.
pub(crate) fn test_array(tests: &[Option<ChiSquaredTest>]) -> Result<ArrayRef> {
    let column = |read: fn(&ChiSquaredTest) -> f64| -> ArrayRef {
        Arc::new(tests.iter().map(|test| test.as_ref().map(read)).collect::<Float64Array>())
    };
    let columns = vec![column(|test| test.statistic), column(|test| test.p_value)];
    nullable_structs(&test_type(), columns, tests.iter().map(Option::is_some).collect())
}

/// One struct value, never null itself; `columns` hold one value each.
pub(crate) fn struct_value(data_type: &DataType, columns: Vec<ArrayRef>) -> Result<ScalarValue> {
    Ok(ScalarValue::Struct(Arc::new(StructArray::try_new(fields_of(data_type), columns, None)?)))
}

/// A column of one nullable float.
pub(crate) fn float(value: Option<f64>) -> ArrayRef {
    Arc::new(Float64Array::from(vec![value]))
}

/// A column of one nullable count; one beyond the range of Int64 is null.
pub(crate) fn integer(value: Option<u64>) -> ArrayRef {
    Arc::new(Int64Array::from(vec![value.and_then(|value| i64::try_from(value).ok())]))
}

/// A column of one nullable text.
pub(crate) fn text(value: Option<&str>) -> ArrayRef {
    Arc::new(StringArray::from(vec![value]))
}

/// The three columns of an estimate.
pub(crate) fn estimate_columns(estimate: Option<Estimate>) -> [ArrayRef; 3] {
    [
        float(estimate.map(|estimate| estimate.estimate)),
        float(estimate.map(|estimate| estimate.lower)),
        float(estimate.map(|estimate| estimate.upper)),
    ]
}

fn nullable_structs(data_type: &DataType, columns: Vec<ArrayRef>, valid: Vec<bool>) -> Result<ArrayRef> {
    Ok(Arc::new(StructArray::try_new(fields_of(data_type), columns, Some(NullBuffer::from(valid)))?))
}

/// The fields of a struct type.
pub(crate) fn fields_of(data_type: &DataType) -> Fields {
    match data_type {
        DataType::Struct(fields) => fields.clone(),
        _ => Fields::empty(),
    }
}
