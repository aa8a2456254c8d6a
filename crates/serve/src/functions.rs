//! SQL functions that PostgreSQL's clients call.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Int32Array, Int64Array, StringArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Int64Type};
use datafusion::common::ScalarValue;
use datafusion::common::utils::SingleRowListArrayBuilder;
use datafusion::error::Result;
use datafusion::logical_expr::expr_fn::SimpleScalarUDF;
use datafusion::logical_expr::{ColumnarValue, ScalarUDF, Signature, TypeSignature, Volatility};
use datafusion::prelude::SessionContext;

use crate::objects::{Described, Objects, PG_CLASS, PG_NAMESPACE};
use crate::schemas::MAIN;
use crate::texts;

/// What clients take for PostgreSQL's version; they decide by it which questions to ask.
pub(crate) const SERVER_VERSION: &str = "16.6";

/// Functions that would make an array of any length out of a number.
const WITHOUT_BOUND: [&str; 4] = ["range", "generate_series", "array_repeat", "array_resize"];

/// Adds them to a session.
pub(crate) fn register(session: &SessionContext, user: &str, objects: &Arc<Objects>) {
    for name in WITHOUT_BOUND {
        session.deregister_udf(name);
    }
    texts::bound(session);
    let version = format!("PostgreSQL {SERVER_VERSION} (Throughline {})", env!("CARGO_PKG_VERSION"));
    session.register_udf(constant("version", ScalarValue::from(version)));
    session.register_udf(constant("session_user", ScalarValue::from(user)));
    session.register_udf(constant("pg_get_userbyid", ScalarValue::from(user)));
    session.register_udf(constant("pg_is_in_recovery", ScalarValue::from(false)));
    session.register_udf(constant("pg_advisory_unlock_all", ScalarValue::Utf8(None)));
    for name in NOTHING_TO_SAY {
        session.register_udf(constant(name, ScalarValue::Utf8(None)));
    }
    for name in ["to_regtype", "to_regnamespace", "to_regproc", "to_regrole"] {
        session.register_udf(constant(name, ScalarValue::Int32(None)));
    }
    for name in ["pg_type_is_visible", "pg_function_is_visible", "pg_operator_is_visible", "has_column_privilege"] {
        session.register_udf(constant(name, ScalarValue::from(true)));
    }
    register_current_schema(session, MAIN);
    register_objects(session, objects);
    session.register_udf(named("current_setting", DataType::Utf8, any_of(1..=2), |arguments| {
        let names = cast(&arguments[0], &DataType::Utf8)?;
        let values = names.as_string::<i32>().iter().map(|name| name.and_then(setting));
        Ok(Arc::new(values.collect::<StringArray>()))
    }));
    // Clients set their own formats with it; nothing here depends on them.
    session.register_udf(named("set_config", DataType::Utf8, any_of(3..=3), |arguments| {
        Ok(cast(&arguments[1], &DataType::Utf8)?)
    }));
}

/// What is known of tables, columns and schemas.
fn register_objects(session: &SessionContext, objects: &Arc<Objects>) {
    let known = Arc::clone(objects);
    session.register_udf(of_numbers("pg_table_is_visible", DataType::Boolean, move |numbers, _| {
        let visible = numbers.iter().map(|number| number.map(|number| known.visible.contains(&number)));
        Arc::new(visible.collect::<BooleanArray>())
    }));
    let known = Arc::clone(objects);
    session.register_udf(of_numbers("obj_description", DataType::Utf8, move |numbers, _| {
        // A number names one object here, whatever kind it is of.
        let text = |object: i32| {
            let mut kinds = [PG_CLASS, PG_NAMESPACE].into_iter();
            kinds.find_map(|class| known.comments.get(&Described { class, object, column: 0 })).map(String::as_str)
        };
        Arc::new(numbers.iter().map(|number| number.and_then(text)).collect::<StringArray>())
    }));
    let known = Arc::clone(objects);
    session.register_udf(of_numbers("col_description", DataType::Utf8, move |numbers, columns| {
        let text = |(object, column): (Option<i32>, Option<i32>)| {
            let key = Described { class: PG_CLASS, object: object?, column: column? };
            known.comments.get(&key).map(String::as_str)
        };
        match columns {
            Some(columns) => Arc::new(numbers.iter().zip(columns).map(text).collect::<StringArray>()),
            None => Arc::new(StringArray::new_null(numbers.len())),
        }
    }));
    for name in ["pg_relation_size", "pg_table_size", "pg_total_relation_size"] {
        let known = Arc::clone(objects);
        session.register_udf(of_numbers(name, DataType::Int64, move |numbers, _| {
            let bytes = numbers.iter().map(|number| number.and_then(|number| known.bytes.get(&number).copied()));
            Arc::new(bytes.collect::<Int64Array>())
        }));
    }
    session.register_udf(named("pg_size_pretty", DataType::Utf8, any_of(1..=1), |arguments| {
        let sizes = cast(&arguments[0], &DataType::Int64)?;
        let texts = sizes.as_primitive::<Int64Type>().iter().map(|bytes| bytes.map(size));
        Ok(Arc::new(texts.collect::<StringArray>()))
    }));
    let known = Arc::clone(objects);
    session.register_udf(named("to_regclass", DataType::Int32, any_of(1..=1), move |arguments| {
        let names = cast(&arguments[0], &DataType::Utf8)?;
        let number = |name: &str| known.numbers.get(&name.replace('"', "")).copied();
        Ok(Arc::new(names.as_string::<i32>().iter().map(|name| name.and_then(number)).collect::<Int32Array>()))
    }));
}

/// Bytes as PostgreSQL writes them: whole numbers, up to ten thousand of a unit.
fn size(bytes: i64) -> String {
    let (mut number, mut unit) = (bytes, "bytes");
    for next in ["kB", "MB", "GB", "TB"] {
        if number.abs() < 10 * 1024 {
            break;
        }
        (number, unit) = (number / 1024, next);
    }
    format!("{number} {unit}")
}

/// Functions about things that do not exist here.
const NOTHING_TO_SAY: [&str; 9] = [
    "shobj_description",
    "pg_get_viewdef",
    "pg_get_indexdef",
    "pg_get_function_result",
    "pg_get_function_arguments",
    "pg_get_function_identity_arguments",
    "pg_get_functiondef",
    "pg_get_serial_sequence",
    "pg_tablespace_location",
];

/// Reports `schema` to clients as the one in which unqualified names are looked up.
pub(crate) fn register_current_schema(session: &SessionContext, schema: &str) {
    session.register_udf(constant("current_schema", ScalarValue::from(schema)));
    let schema = schema.to_owned();
    let list = DataType::List(Arc::new(Field::new("item", DataType::Utf8, true)));
    session.register_udf(named("current_schemas", list, any_of(1..=1), move |arguments| {
        let implicit = cast(&arguments[0], &DataType::Boolean)?;
        let with_implicit = implicit.is_valid(0) && implicit.as_boolean().value(0);
        let names = if with_implicit { vec!["pg_catalog", &schema] } else { vec![schema.as_str()] };
        Ok(Arc::new(SingleRowListArrayBuilder::new(Arc::new(StringArray::from(names))).build_list_array()))
    }));
}

/// What `current_setting` answers; unknown ones are null, as with `missing_ok`.
fn setting(name: &str) -> Option<&'static str> {
    Some(match name.to_ascii_lowercase().as_str() {
        "server_version" => SERVER_VERSION,
        "server_version_num" => "160006",
        "server_encoding" | "client_encoding" => "UTF8",
        "search_path" => MAIN,
        "transaction_read_only" | "default_transaction_read_only" | "standard_conforming_strings" => "on",
        "timezone" => "Etc/UTC",
        "max_index_keys" => "32",
        "block_size" => "8192",
        _ => return None,
    })
}

fn any_of(counts: std::ops::RangeInclusive<usize>) -> Signature {
    let counts = counts.map(|count| if count == 0 { TypeSignature::Nullary } else { TypeSignature::Any(count) });
    Signature::one_of(counts.collect(), Volatility::Stable)
}

/// The same value, whatever the arguments.
fn constant(name: &str, value: ScalarValue) -> ScalarUDF {
    let data_type = value.data_type();
    let body = move |_: &[ColumnarValue]| Ok(ColumnarValue::Scalar(value.clone()));
    SimpleScalarUDF::new_with_signature(name, any_of(0..=4), data_type, Arc::new(body)).into()
}

/// A function of columns; of values when all arguments are values.
fn named(
    name: &str,
    result: DataType,
    signature: Signature,
    body: impl Fn(&[ArrayRef]) -> Result<ArrayRef> + Send + Sync + 'static,
) -> ScalarUDF {
    let body = move |arguments: &[ColumnarValue]| {
        let values = arguments.iter().all(|argument| matches!(argument, ColumnarValue::Scalar(_)));
        let answer = body(&ColumnarValue::values_to_arrays(arguments)?)?;
        if values { ScalarValue::try_from_array(&answer, 0).map(ColumnarValue::Scalar) } else { Ok(answer.into()) }
    };
    SimpleScalarUDF::new_with_signature(name, signature, result, Arc::new(body)).into()
}

/// A function of an object's number and perhaps a second one.
fn of_numbers(
    name: &str,
    result: DataType,
    body: impl Fn(&Int32Array, Option<&Int32Array>) -> ArrayRef + Send + Sync + 'static,
) -> ScalarUDF {
    named(name, result, any_of(1..=2), move |arguments| {
        let first = cast(&arguments[0], &DataType::Int32)?;
        // The second is a column's number or the name of a catalogue table, which casts to null.
        let second = arguments.get(1).map(|second| cast(second, &DataType::Int32)).transpose()?;
        Ok(body(first.as_primitive(), second.as_ref().map(|second| second.as_primitive())))
    })
}
