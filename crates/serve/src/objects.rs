//! What is known of the objects that clients ask about by their numbers: tables, columns and schemas.

use std::collections::{BTreeMap, HashMap, HashSet};

/// Numbers of the tables that list relations and schemas, the same in every PostgreSQL.
pub(crate) const PG_CLASS: i32 = 1259;
pub(crate) const PG_NAMESPACE: i32 = 2615;

/// A comment belongs to an object of a catalogue table, or to one of its columns, counted from 1; 0 is the object
/// itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Described {
    pub(crate) class: i32,
    pub(crate) object: i32,
    pub(crate) column: i32,
}

/// Comments by what they describe.
pub(crate) type Comments = BTreeMap<Described, String>;

/// What functions say of objects, by their numbers.
#[derive(Debug, Default)]
pub(crate) struct Objects {
    pub(crate) comments: Comments,
    /// Tables that can be named without their schema.
    pub(crate) visible: HashSet<i32>,
    /// Bytes of the tables' files.
    pub(crate) bytes: HashMap<i32, i64>,
    /// Numbers of tables by the names they can be called by.
    pub(crate) numbers: HashMap<String, i32>,
}
