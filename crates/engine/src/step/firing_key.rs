//! The key of a trigger's firing, as text.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, StringArray};
use arrow::datatypes::DataType;
use datafusion::common::{DFSchema, Result};
use datafusion::error::DataFusionError;
use datafusion::logical_expr::{
    ColumnarValue, Expr, ExprSchemable, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility, cast,
};
use serde_json::{Map, Value};

/// The values of a trigger's key as a JSON object, names in alphabetical order:
/// `{"journey":"onboarding","segment":null}`.
///
/// Numbers and truths stay what they are; everything else is text, times as RFC 3339 in UTC. Equal values give equal
/// text, and different values different text, so texts can be compared in place of keys.
pub(crate) fn key_values(key: &[(String, Expr)], schema: &DFSchema) -> Result<Expr> {
    let mut key: Vec<&(String, Expr)> = key.iter().collect();
    key.sort_by(|left, right| left.0.cmp(&right.0));
    let mut columns = Vec::with_capacity(key.len());
    for (name, value) in &key {
        let data_type = value.get_type(schema)?;
        columns.push((name.clone(), data_type.is_integer() || data_type == DataType::Boolean));
    }
    let arguments = key.into_iter().map(|(_, value)| cast(value.clone(), DataType::Utf8)).collect();
    let signature = Signature::variadic(vec![DataType::Utf8], Volatility::Immutable);
    Ok(ScalarUDF::new_from_impl(KeyValues { columns, signature }).call(arguments))
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct KeyValues {
    /// Each column's name and whether its text is JSON already.
    columns: Vec<(String, bool)>,
    signature: Signature,
}

impl ScalarUDFImpl for KeyValues {
    fn name(&self) -> &str {
        "key_values"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _types: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let rows = args.number_rows;
        let arrays = args.args.iter().map(|argument| argument.to_array(rows)).collect::<Result<Vec<ArrayRef>>>()?;
        let mut texts = Vec::with_capacity(rows);
        for row in 0..rows {
            let mut object = Map::new();
            for ((name, plain), values) in self.columns.iter().zip(&arrays) {
                let value = values.as_string::<i32>();
                let value = match value.is_valid(row).then(|| value.value(row)) {
                    None => Value::Null,
                    Some(text) if *plain => serde_json::from_str(text).unwrap_or_else(|_| Value::from(text)),
                    Some(text) => Value::from(text),
                };
                object.insert(name.clone(), value);
            }
            texts.push(serde_json::to_string(&object).map_err(|error| DataFusionError::External(Box::new(error)))?);
        }
        Ok(ColumnarValue::Array(Arc::new(StringArray::from(texts))))
    }
}
