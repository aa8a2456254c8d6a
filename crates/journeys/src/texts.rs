//! Few distinct values that come again and again, as small numbers.

use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, GenericStringArray, OffsetSizeTrait, StringViewArray};
use arrow::datatypes::DataType;
use datafusion::common::{Result, internal_err};
use hashbrown::HashMap;

/// The code of a null.
pub(crate) const NULL: u32 = 0;

/// The distinct texts of one column, each with a code from 1 on; the same for everybody who shares them.
#[derive(Debug, Default)]
pub(crate) struct Texts(Mutex<TextTable>);

#[derive(Debug, Default)]
struct TextTable {
    codes: HashMap<Arc<str>, u32>,
    texts: Vec<Arc<str>>,
}

impl Texts {
    fn table(&self) -> MutexGuard<'_, TextTable> {
        // A table is consistent after every step, also when somebody who held it panicked.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn code(&self, text: &str) -> (Arc<str>, u32) {
        let mut table = self.table();
        if let Some((text, code)) = table.codes.get_key_value(text) {
            return (Arc::clone(text), *code);
        }
        let text: Arc<str> = text.into();
        table.texts.push(Arc::clone(&text));
        let code = table.texts.len() as u32;
        table.codes.insert(Arc::clone(&text), code);
        (text, code)
    }

    /// All texts so far; the one with code `c` stands at `c - 1`.
    pub(crate) fn all(&self) -> Vec<Arc<str>> {
        self.table().texts.clone()
    }
}

/// Gives each value of one text or boolean column its code, a batch at a time.
///
/// A text of at most 12 bytes is known by its view alone, a longer one by its view within one array: columns decoded
/// from a Parquet dictionary repeat a few views, so that most rows cost a comparison of 16 bytes.
#[derive(Debug)]
pub(crate) struct ValueCoder {
    texts: Arc<Texts>,
    known: HashMap<Arc<str>, u32>,
    views: Vec<KnownView>,
    array: u32,
}

#[derive(Debug, Clone, Copy)]
struct KnownView {
    view: u128,
    code: u32,
    /// The array that a view of more than 12 bytes refers to.
    array: u32,
}

const KNOWN_VIEWS_BITS: u32 = 10;
const INLINE: u32 = 12;

impl ValueCoder {
    pub(crate) fn new(texts: Arc<Texts>) -> Self {
        // No text is as long as this view says.
        let nothing = KnownView { view: u128::MAX, code: NULL, array: 0 };
        Self { texts, known: HashMap::new(), views: vec![nothing; 1 << KNOWN_VIEWS_BITS], array: 0 }
    }

    /// Whether values of this type get codes.
    pub(crate) fn can_code(data_type: &DataType) -> bool {
        match data_type {
            DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View | DataType::Boolean => true,
            DataType::Dictionary(_, values) => {
                matches!(**values, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View)
            }
            _ => false,
        }
    }

    /// Distinct texts met so far.
    pub(crate) fn distinct(&self) -> usize {
        self.known.len()
    }

    /// The code of each value; [`NULL`] for a null, for a boolean 1 or 2.
    pub(crate) fn codes(&mut self, array: &ArrayRef) -> Result<Vec<u32>> {
        match array.data_type() {
            DataType::Utf8View => Ok(self.of_views(array.as_string_view())),
            DataType::Utf8 => Ok(self.of_texts::<i32>(array.as_string())),
            DataType::LargeUtf8 => Ok(self.of_texts::<i64>(array.as_string())),
            DataType::Boolean => Ok(of_booleans(array.as_boolean())),
            DataType::Dictionary(..) => {
                let dictionary = array.as_any_dictionary();
                if dictionary.values().is_empty() {
                    return Ok(vec![NULL; array.len()]);
                }
                let values = self.codes(dictionary.values())?;
                let mut codes: Vec<u32> = dictionary.normalized_keys().into_iter().map(|key| values[key]).collect();
                if let Some(nulls) = dictionary.nulls() {
                    codes.iter_mut().zip(nulls).filter(|(_, valid)| !valid).for_each(|(code, _)| *code = NULL);
                }
                Ok(codes)
            }
            other => internal_err!("values of type {other} have no codes"),
        }
    }

    fn of_views(&mut self, array: &StringViewArray) -> Vec<u32> {
        self.array = self.array.wrapping_add(1);
        let mut codes = Vec::with_capacity(array.len());
        for (row, &view) in array.views().iter().enumerate() {
            let slot =
                (view as u64 ^ (view >> 64) as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> (64 - KNOWN_VIEWS_BITS);
            let known = self.views[slot as usize];
            if known.view == view && (view as u32 <= INLINE || known.array == self.array) {
                codes.push(known.code);
            } else if array.is_null(row) {
                codes.push(NULL);
            } else {
                let code = self.of_text(array.value(row));
                self.views[slot as usize] = KnownView { view, code, array: self.array };
                codes.push(code);
            }
        }
        // What stands in the view of a null is nobody's text, but may look like one.
        if let Some(nulls) = array.nulls() {
            codes.iter_mut().zip(nulls).filter(|(_, valid)| !valid).for_each(|(code, _)| *code = NULL);
        }
        codes
    }

    fn of_texts<O: OffsetSizeTrait>(&mut self, array: &GenericStringArray<O>) -> Vec<u32> {
        array.iter().map(|text| text.map_or(NULL, |text| self.of_text(text))).collect()
    }

    fn of_text(&mut self, text: &str) -> u32 {
        if let Some(&code) = self.known.get(text) {
            return code;
        }
        let (text, code) = self.texts.code(text);
        self.known.insert(text, code);
        code
    }
}

fn of_booleans(array: &BooleanArray) -> Vec<u32> {
    array.iter().map(|value| value.map_or(NULL, |value| 1 + u32::from(value))).collect()
}

/// Numbers combinations of codes from 0 on, in the order in which they are met.
///
/// The codes of a row stand side by side in a word, each in as many bits as the codes of its column need. Where a word is
/// full, what it holds is numbered and goes on as one code: however many columns there are, nothing is taken for another.
#[derive(Debug, Default)]
pub(crate) struct CombinationCoder {
    /// Bits of each column.
    widths: Vec<u32>,
    /// One for each word that was full, and one for the last.
    words: Vec<WordNumbers>,
}

impl CombinationCoder {
    /// Makes room for the codes of `columns`. `true` when the words have changed: numbers begin from 0 again.
    pub(crate) fn make_room(&mut self, columns: &[Vec<u32>]) -> bool {
        let needed = |codes: &Vec<u32>| codes.iter().max().map_or(0, |most| u32::BITS - most.leading_zeros());
        if self.widths.len() == columns.len()
            && columns.iter().zip(&self.widths).all(|(codes, &width)| needed(codes) <= width)
        {
            return false;
        }
        // One bit more, so that a column that grows changes the words every other time only.
        let known = self.widths.iter().copied().chain(std::iter::repeat(0));
        self.widths = columns.iter().zip(known).map(|(codes, known)| known.max((needed(codes) + 1).min(32))).collect();
        let mut full = 0;
        self.widths.iter().fold(0, |used, width| match used + width > u64::BITS {
            true => {
                full += 1;
                u32::BITS + width
            }
            false => used + width,
        });
        self.words = (0..=full).map(|_| WordNumbers::new()).collect();
        true
    }

    /// The number of each of `rows` combinations; `columns` are those that room was made for.
    pub(crate) fn numbers(&mut self, columns: &[Vec<u32>], rows: usize) -> Vec<u32> {
        let mut words = self.words.iter_mut();
        let mut packed = vec![0_u64; rows];
        let mut used = 0;
        for (codes, &width) in columns.iter().zip(&self.widths) {
            if used + width > u64::BITS
                && let Some(word) = words.next()
            {
                packed.iter_mut().for_each(|packed| *packed = u64::from(word.number(*packed)));
                used = u32::BITS;
            }
            packed.iter_mut().zip(codes).for_each(|(packed, &code)| *packed |= u64::from(code) << used);
            used += width;
        }
        match words.next() {
            Some(word) => packed.into_iter().map(|packed| word.number(packed)).collect(),
            None => vec![0; rows],
        }
    }
}

/// The numbers of the words met so far.
#[derive(Debug)]
struct WordNumbers {
    numbers: HashMap<u64, u32>,
    /// Words and their numbers plus one by a hash of the word, so that most rows cost one comparison.
    recent: Vec<Option<(u64, NonZeroU32)>>,
}

const RECENT_WORDS_BITS: u32 = 12;

impl WordNumbers {
    fn new() -> Self {
        Self { numbers: HashMap::new(), recent: vec![None; 1 << RECENT_WORDS_BITS] }
    }

    fn number(&mut self, word: u64) -> u32 {
        let slot = word.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> (64 - RECENT_WORDS_BITS);
        match self.recent[slot as usize] {
            Some((known, number)) if known == word => number.get() - 1,
            _ => {
                let next = self.numbers.len() as u32;
                let number = *self.numbers.entry(word).or_insert(next);
                self.recent[slot as usize] = NonZeroU32::new(number + 1).map(|number| (word, number));
                number
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::{DictionaryArray, Int8Array, StringArray};
    use arrow::compute::cast;

    use super::*;

    #[test]
    fn a_text_has_one_code_whatever_holds_it() {
        let texts = Arc::new(Texts::default());
        let (mut one, mut other) = (ValueCoder::new(Arc::clone(&texts)), ValueCoder::new(Arc::clone(&texts)));
        let long = "longer than twelve bytes";
        let array: ArrayRef = Arc::new(StringArray::from(vec![Some("a"), None, Some(long), Some(""), Some("a")]));
        let expected = one.codes(&array).expect("text");
        assert_eq!(expected, [1, NULL, 2, 3, 1]);
        for data_type in [DataType::Utf8View, DataType::LargeUtf8] {
            let array = cast(&array, &data_type).expect("text");
            for _ in 0..2 {
                assert_eq!(one.codes(&array).expect("text"), expected);
                assert_eq!(other.codes(&array).expect("text"), expected);
            }
        }
        let keys = Int8Array::from(vec![Some(1), None, Some(0)]);
        let dictionary: ArrayRef =
            Arc::new(DictionaryArray::new(keys, Arc::new(StringArray::from(vec![long, "a"])) as ArrayRef));
        assert_eq!(other.codes(&dictionary).expect("text"), [1, NULL, 2]);
        assert_eq!(texts.all().iter().map(|text| &**text).collect::<Vec<_>>(), ["a", long, ""]);
    }

    #[test]
    fn a_long_view_is_not_taken_for_that_of_another_array() {
        let texts = Arc::new(Texts::default());
        let mut coder = ValueCoder::new(texts);
        // Same length, same first bytes, same place in the first buffer: the same view.
        let array = |text: &str| -> ArrayRef { Arc::new(StringViewArray::from(vec![text])) };
        let (one, other) = (array("order_placed_in_shop_a"), array("order_placed_in_shop_b"));
        assert_eq!(one.as_string_view().views()[0], other.as_string_view().views()[0]);
        assert_ne!(coder.codes(&one).expect("text"), coder.codes(&other).expect("text"));
    }

    #[test]
    fn a_null_has_no_text_whatever_its_view_holds() {
        let mut coder = ValueCoder::new(Arc::default());
        let texts = StringViewArray::from(vec!["a", "", "a"]);
        let nulls = arrow::buffer::NullBuffer::from(vec![true, true, false]);
        let views = StringViewArray::new(texts.views().clone(), texts.data_buffers().to_vec(), Some(nulls));
        let array: ArrayRef = Arc::new(views);
        assert_eq!(coder.codes(&array).expect("text"), [1, 2, NULL]);
    }

    /// Few and small codes share a word, many or large ones need several.
    #[test]
    fn combinations_are_numbered_once() {
        for (columns, largest) in [(1, 3), (2, 3), (5, 3), (40, 3), (5, u32::MAX), (3, u32::MAX / 2)] {
            let row = |row: u32| (0..columns).map(move |column| if column == columns - 1 { row } else { largest });
            let rows = [0, 2, 0, 1, largest, 2];
            let columns: Vec<Vec<u32>> =
                (0..columns).map(|column| rows.iter().filter_map(|&code| row(code).nth(column)).collect()).collect();
            let mut coder = CombinationCoder::default();
            assert!(coder.make_room(&columns));
            assert_eq!(coder.numbers(&columns, rows.len()), [0, 1, 0, 2, 3, 1]);
            assert!(!coder.make_room(&columns));
            assert_eq!(coder.numbers(&columns, rows.len()), [0, 1, 0, 2, 3, 1]);
        }
    }

    #[test]
    fn a_column_that_grows_begins_the_numbers_anew() {
        let mut coder = CombinationCoder::default();
        assert!(coder.make_room(&[vec![1], vec![1]]));
        assert!(!coder.make_room(&[vec![3], vec![2]]), "one bit is in store");
        assert!(coder.make_room(&[vec![1], vec![4]]));
        assert_eq!(coder.numbers(&[vec![1, 3], vec![4, 4]], 2), [0, 1]);
        assert!(coder.make_room(&[vec![1]]), "a column less");
        assert_eq!(CombinationCoder::default().numbers(&[], 2), [0, 0]);
    }
}
