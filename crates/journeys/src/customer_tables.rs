//! The customers of each bucket and their numbers.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arrow::array::{Array, ArrayRef, AsArray, Int64Array, StringArray};
use arrow::datatypes::{DataType, Int64Type};
use datafusion::common::{Result, internal_err};
use hashbrown::HashTable;

/// Enough that a bucket's rows and customers stay in the cache of a core while they are worked on, few enough that a
/// block has long runs for each.
pub(crate) const BUCKETS: usize = 1024;

/// The bucket of a customer: the hash's upper bits.
pub(crate) fn bucket_of(hash: u64) -> usize {
    (hash >> (u64::BITS - BUCKETS.ilog2())) as usize
}

/// The customers of every bucket, each with a number within its bucket.
#[derive(Debug)]
pub(crate) struct CustomerTables(Vec<Mutex<CustomerTable>>);

impl CustomerTables {
    pub(crate) fn new(is_number: bool) -> Self {
        Self((0..BUCKETS).map(|_| Mutex::new(CustomerTable::new(is_number))).collect())
    }

    /// The ids of a bucket's customers by number.
    pub(crate) fn ids(&self, bucket: usize) -> ArrayRef {
        self.bucket(bucket).ids()
    }

    /// Bytes held.
    pub(crate) fn size(&self) -> usize {
        (0..BUCKETS).map(|bucket| self.bucket(bucket).size()).sum()
    }

    /// The number of each customer in its bucket; rows are in the order of their buckets, `ends` says where each ends.
    pub(crate) fn codes(&self, ids: &ArrayRef, hashes: &[u64], ends: &[u32]) -> Result<Vec<u32>> {
        let mut codes = Vec::with_capacity(hashes.len());
        let mut from = 0;
        for (bucket, &end) in ends.iter().enumerate() {
            let rows = from..end as usize;
            from = end as usize;
            if rows.is_empty() {
                continue;
            }
            let mut table = self.bucket(bucket);
            match ids.data_type() {
                DataType::Int64 => {
                    let ids = ids.as_primitive::<Int64Type>().values();
                    codes.extend(rows.map(|row| table.number(hashes[row], ids[row])));
                }
                DataType::Utf8View => {
                    let ids = ids.as_string_view();
                    let views = ids.views();
                    codes.extend(rows.map(|row| table.text(hashes[row], views[row], || ids.value(row))));
                }
                DataType::Utf8 => {
                    let ids = ids.as_string::<i32>();
                    codes.extend(rows.map(|row| {
                        let id = ids.value(row);
                        table.text(hashes[row], view(id), || id)
                    }));
                }
                other => return internal_err!("customers of type {other}"),
            }
        }
        Ok(codes)
    }

    fn bucket(&self, bucket: usize) -> MutexGuard<'_, CustomerTable> {
        self.0[bucket].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Customers by their ids; a hash only finds the place to compare.
#[derive(Debug)]
struct CustomerTable {
    entries: HashTable<Entry>,
    ids: CustomerIds,
}

/// A customer in the table. The table is read once for every touchpoint, so what decides stands in the entry itself, and
/// the entry is small: 24 bytes.
#[derive(Debug, Clone, Copy)]
struct Entry {
    key: Key,
    hash: u32,
    code: u32,
}

/// The halves of: a number; or a text of up to 12 bytes as a view, which holds it whole; or a longer one's length, whose
/// bytes are compared then.
type Key = [u64; 2];

#[derive(Debug)]
enum CustomerIds {
    Numbers(Vec<i64>),
    /// One after the other, with the place after each.
    Texts {
        bytes: String,
        ends: Vec<u32>,
    },
}

impl CustomerIds {
    fn text(&self, code: u32) -> &str {
        let Self::Texts { bytes, ends } = self else { return "" };
        let code = code as usize;
        let from = if code == 0 { 0 } else { ends[code - 1] };
        &bytes[from as usize..ends[code] as usize]
    }
}

/// Bytes that a view holds itself.
const INLINE: u32 = 12;

/// A text of up to 12 bytes as Arrow's views hold it: length, then bytes; of a longer one only the length.
fn view(text: &str) -> u128 {
    let length = text.len();
    let mut bytes = [0; 16];
    bytes[..4].copy_from_slice(&(length as u32).to_le_bytes());
    if length <= INLINE as usize {
        bytes[4..4 + length].copy_from_slice(text.as_bytes());
    }
    u128::from_le_bytes(bytes)
}

impl CustomerTable {
    fn new(is_number: bool) -> Self {
        let ids = if is_number {
            CustomerIds::Numbers(Vec::new())
        } else {
            CustomerIds::Texts { bytes: String::new(), ends: Vec::new() }
        };
        Self { entries: HashTable::new(), ids }
    }

    fn number(&mut self, hash: u64, id: i64) -> u32 {
        let (hash, key) = (within_bucket(hash), [id as u64, 0]);
        let next = self.entries.len() as u32;
        let entry = self.entries.entry(spread(hash), |entry| entry.key == key, |entry| spread(entry.hash));
        let code = entry.or_insert(Entry { key, hash, code: next }).get().code;
        if let (true, CustomerIds::Numbers(ids)) = (code == next, &mut self.ids) {
            ids.push(id);
        }
        code
    }

    fn text<'a>(&mut self, hash: u64, view: u128, text: impl Fn() -> &'a str) -> u32 {
        let hash = within_bucket(hash);
        let length = view as u32;
        let is_whole = length <= INLINE;
        let key = if is_whole { [view as u64, (view >> 64) as u64] } else { [u64::from(length), 0] };
        let next = self.entries.len() as u32;
        let ids = &self.ids;
        let is_same =
            |entry: &Entry| entry.key == key && (is_whole || entry.hash == hash && ids.text(entry.code) == text());
        let entry = self.entries.entry(spread(hash), is_same, |entry| spread(entry.hash));
        let code = entry.or_insert(Entry { key, hash, code: next }).get().code;
        if let (true, CustomerIds::Texts { bytes, ends }) = (code == next, &mut self.ids) {
            bytes.push_str(text());
            ends.push(bytes.len() as u32);
        }
        code
    }

    fn ids(&self) -> ArrayRef {
        match &self.ids {
            CustomerIds::Numbers(ids) => Arc::new(Int64Array::from(ids.clone())),
            CustomerIds::Texts { ends, .. } => {
                Arc::new(StringArray::from_iter_values((0..ends.len() as u32).map(|code| self.ids.text(code))))
            }
        }
    }

    fn size(&self) -> usize {
        let ids = match &self.ids {
            CustomerIds::Numbers(ids) => ids.capacity() * size_of::<i64>(),
            CustomerIds::Texts { bytes, ends } => bytes.capacity() + ends.capacity() * size_of::<u32>(),
        };
        ids + self.entries.capacity() * size_of::<Entry>()
    }
}

/// What of a hash is kept: not its upper bits, which are the same in the whole bucket.
fn within_bucket(hash: u64) -> u32 {
    (hash >> (u64::BITS - BUCKETS.ilog2() - u32::BITS)) as u32
}

/// The hash table finds the place by the lower bits of a hash and tells entries apart by the upper ones.
fn spread(hash: u32) -> u64 {
    u64::from(hash) << 32 | u64::from(hash)
}

/// Whether ids of this type are numbers.
pub(crate) fn is_number(data_type: &DataType) -> bool {
    match data_type {
        DataType::Dictionary(_, values) => is_number(values),
        other => *other == DataType::Int64,
    }
}

/// Ids as blocks hold them: numbers, or texts one after the other.
pub(crate) fn block_id_type(data_type: &DataType) -> DataType {
    if is_number(data_type) { DataType::Int64 } else { DataType::Utf8 }
}

#[cfg(test)]
mod tests {
    use arrow::compute::cast;

    use super::*;

    /// Every id meets every other under one hash: only the ids themselves keep them apart.
    #[test]
    fn customers_whose_hashes_meet_are_different_customers() {
        let ids = ["", "a", "b", "twelve bytes", "thirteen byte", "a long id of a customer", "a long id of a custumer"];
        let texts: ArrayRef = Arc::new(StringArray::from_iter_values(ids.iter().chain(&ids)));
        let ends: Vec<u32> = (0..BUCKETS).map(|_| 2 * ids.len() as u32).collect();
        let expected: Vec<u32> = (0..ids.len() as u32).chain(0..ids.len() as u32).collect();
        let tables = CustomerTables::new(false);
        for data_type in [DataType::Utf8, DataType::Utf8View] {
            let texts = cast(&texts, &data_type).expect("text");
            assert_eq!(tables.codes(&texts, &[7; 14], &ends).expect("text"), expected);
        }
        assert_eq!(tables.ids(0).as_string::<i32>().iter().flatten().collect::<Vec<_>>(), ids);

        let numbers: ArrayRef = Arc::new(Int64Array::from(vec![3, -1, 3, i64::MIN]));
        let tables = CustomerTables::new(true);
        assert_eq!(tables.codes(&numbers, &[7; 4], &[4; BUCKETS]).expect("numbers"), [0, 1, 0, 2]);
    }
}
