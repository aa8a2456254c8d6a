//! Which type a column is read as, and which types become another without loss.

use std::sync::Arc;

use arrow::datatypes::{DataType, TimeUnit};
use throughline_config::ColumnType;

/// The Arrow type of a declared column. Text is read as views, which DataFusion's scan, joins and sorts do best with.
pub(crate) fn declared_type(column: ColumnType) -> DataType {
    match column {
        ColumnType::String => DataType::Utf8View,
        ColumnType::Int64 => DataType::Int64,
        ColumnType::Float64 => DataType::Float64,
        ColumnType::Boolean => DataType::Boolean,
        ColumnType::Date => DataType::Date32,
        ColumnType::Timestamp => timestamp(),
    }
}

/// The declared type's name as written in YAML.
pub(crate) fn declared_name(column: ColumnType) -> &'static str {
    match column {
        ColumnType::String => "string",
        ColumnType::Int64 => "int64",
        ColumnType::Float64 => "float64",
        ColumnType::Boolean => "boolean",
        ColumnType::Date => "date",
        ColumnType::Timestamp => "timestamp",
    }
}

/// Microseconds, UTC: the one type of time.
pub(crate) fn timestamp() -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, Some(Arc::from("UTC")))
}

/// The type an undeclared column is read as: any timestamp becomes microseconds UTC (a time without a zone is UTC,
/// nanoseconds are cut), every kind of text one kind, whole numbers up to 64 bits signed become int64, half and single
/// floats float64. Decimals, binaries and nested types stay.
pub(crate) fn read_type(found: &DataType) -> DataType {
    match found {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => DataType::Utf8View,
        DataType::Dictionary(_, values) => read_type(values),
        DataType::Int8
        | DataType::Int16
        | DataType::Int32
        | DataType::Int64
        | DataType::UInt8
        | DataType::UInt16
        | DataType::UInt32 => DataType::Int64,
        DataType::Float16 | DataType::Float32 | DataType::Float64 => DataType::Float64,
        DataType::Date64 => DataType::Date32,
        DataType::Timestamp(_, _) => timestamp(),
        other => other.clone(),
    }
}

/// Whether every value of a type has an equal one in the declared type. Whole numbers become texts, because ids are
/// often numbers until the first letter is needed; fractions do not, because one has many texts. A decimal of at most 15 digits counts as a
/// float64, which keeps 15 significant digits; nanoseconds of a timestamp may be cut.
pub(crate) fn becomes(found: &DataType, declared: ColumnType) -> bool {
    use DataType::{Boolean, Date32, Date64, Decimal32, Decimal64, Decimal128, Dictionary, Null, Timestamp};
    let found = match found {
        Dictionary(_, values) => values.as_ref(),
        other => other,
    };
    if *found == Null {
        return true;
    }
    match declared {
        ColumnType::String => {
            found.is_integer() || matches!(found, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View)
        }
        ColumnType::Int64 => {
            read_type(found) == DataType::Int64
                || matches!(found, Decimal32(_, 0) | Decimal64(_, 0))
                || matches!(found, Decimal128(digits, 0) if *digits <= 18)
        }
        ColumnType::Float64 => {
            matches!(
                found,
                DataType::Int8
                    | DataType::Int16
                    | DataType::Int32
                    | DataType::UInt8
                    | DataType::UInt16
                    | DataType::UInt32
                    | DataType::Float16
                    | DataType::Float32
                    | DataType::Float64
                    | Decimal32(_, _)
            ) || matches!(found, Decimal64(digits, _) | Decimal128(digits, _) if *digits <= 15)
        }
        ColumnType::Boolean => *found == Boolean,
        ColumnType::Date => matches!(found, Date32 | Date64),
        ColumnType::Timestamp => matches!(found, Timestamp(_, _) | Date32 | Date64),
    }
}

/// A type as people write it.
pub fn type_name(found: &DataType) -> String {
    match found {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => "string".into(),
        DataType::Dictionary(_, values) => type_name(values),
        DataType::Date32 | DataType::Date64 => "date".into(),
        DataType::Timestamp(_, _) => "timestamp".into(),
        DataType::Decimal128(digits, scale) | DataType::Decimal256(digits, scale) => {
            format!("decimal({digits}, {scale})")
        }
        other => other.to_string().to_lowercase(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_lossless_casts_are_taken() {
        assert!(becomes(&DataType::Int32, ColumnType::Int64));
        assert!(becomes(&DataType::Int32, ColumnType::Float64));
        assert!(!becomes(&DataType::Int64, ColumnType::Float64));
        assert!(!becomes(&DataType::UInt64, ColumnType::Int64));
        assert!(!becomes(&DataType::Float64, ColumnType::Int64));
        assert!(becomes(&DataType::Decimal128(10, 2), ColumnType::Float64));
        assert!(!becomes(&DataType::Decimal128(38, 2), ColumnType::Float64));
        assert!(becomes(&DataType::Date32, ColumnType::Timestamp));
        assert!(!becomes(&timestamp(), ColumnType::Date));
        assert!(becomes(&DataType::Timestamp(TimeUnit::Nanosecond, None), ColumnType::Timestamp));
        let dictionary = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
        assert!(becomes(&dictionary, ColumnType::String));
        assert!(!becomes(&DataType::Utf8, ColumnType::Timestamp));
        assert!(becomes(&DataType::Int64, ColumnType::String) && becomes(&DataType::UInt64, ColumnType::String));
        assert!(!becomes(&DataType::Float64, ColumnType::String));
    }

    #[test]
    fn undeclared_types_are_widened() {
        assert_eq!(read_type(&DataType::UInt32), DataType::Int64);
        assert_eq!(read_type(&DataType::UInt64), DataType::UInt64);
        assert_eq!(read_type(&DataType::Float32), DataType::Float64);
        assert_eq!(read_type(&DataType::LargeUtf8), DataType::Utf8View);
        assert_eq!(read_type(&DataType::Timestamp(TimeUnit::Second, Some("Europe/Berlin".into()))), timestamp());
        assert_eq!(read_type(&DataType::Decimal128(10, 2)), DataType::Decimal128(10, 2));
    }
}
