//! One bit a row of a batch, made for jumping to the next row that matters.

use arrow::buffer::BooleanBuffer;

/// A fixed number of bits in 64-bit words; bits past the end are zero.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Bits {
    words: Vec<u64>,
    len: usize,
}

impl Bits {
    /// `len` bits, all set or all unset.
    pub(crate) fn filled(len: usize, value: bool) -> Self {
        let mut words = vec![if value { u64::MAX } else { 0 }; len.div_ceil(64)];
        if value && !len.is_multiple_of(64) {
            words[len / 64] = (1 << (len % 64)) - 1;
        }
        Self { words, len }
    }

    /// One bit for each row, set where `holds` says so.
    pub(crate) fn from_rows(len: usize, holds: impl Fn(usize) -> bool) -> Self {
        Self::from(&BooleanBuffer::collect_bool(len, holds))
    }

    /// Whether the bit of `row` is set.
    pub(crate) fn get(&self, row: usize) -> bool {
        self.words[row / 64] >> (row % 64) & 1 == 1
    }

    /// The first set bit in `[from, to)`.
    pub(crate) fn next_set(&self, from: usize, to: usize) -> Option<usize> {
        debug_assert!(to <= self.len);
        if from >= to {
            return None;
        }
        let mut index = from / 64;
        let mut word = self.words[index] & (u64::MAX << (from % 64));
        loop {
            if word != 0 {
                let row = index * 64 + word.trailing_zeros() as usize;
                return (row < to).then_some(row);
            }
            index += 1;
            if index * 64 >= to {
                return None;
            }
            word = self.words[index];
        }
    }

    /// How many bits are set.
    pub(crate) fn count(&self) -> usize {
        self.words.iter().map(|word| word.count_ones() as usize).sum()
    }

    /// Keeps the bits that are set in `other` too.
    pub(crate) fn and(mut self, other: &Self) -> Self {
        self.words.iter_mut().zip(&other.words).for_each(|(word, other)| *word &= other);
        self
    }

    /// Adds the bits that are set in `other`.
    pub(crate) fn or(mut self, other: &Self) -> Self {
        self.words.iter_mut().zip(&other.words).for_each(|(word, other)| *word |= other);
        self
    }

    /// Drops the bits that are set in `other`.
    pub(crate) fn and_not(mut self, other: &Self) -> Self {
        self.words.iter_mut().zip(&other.words).for_each(|(word, other)| *word &= !other);
        self
    }
}

impl From<&BooleanBuffer> for Bits {
    fn from(buffer: &BooleanBuffer) -> Self {
        let len = buffer.len();
        Self { words: buffer.bit_chunks().iter_padded().take(len.div_ceil(64)).collect(), len }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn next_set_agrees_with_a_walk_over_the_bits() {
        for len in [0, 1, 63, 64, 65, 130, 200] {
            let holds = |row: usize| row % 7 == 3 || row == 64;
            let bits = Bits::from_rows(len, holds);
            assert_eq!(bits.count(), (0..len).filter(|row| holds(*row)).count());
            for from in 0..=len {
                for to in from..=len {
                    assert_eq!(bits.next_set(from, to), (from..to).find(|row| holds(*row)), "{from}..{to} of {len}");
                }
            }
        }
    }

    #[test]
    fn a_sliced_buffer_keeps_its_own_bits() {
        let buffer = BooleanBuffer::collect_bool(300, |row| row % 3 == 0).slice(5, 200);
        let bits = Bits::from(&buffer);
        assert!((0..200).all(|row| bits.get(row) == buffer.value(row)));
    }

    #[test]
    fn filled_counts_only_its_own_rows() {
        assert_eq!(Bits::filled(70, true).count(), 70);
        assert_eq!(Bits::filled(64, true).count(), 64);
        assert_eq!(Bits::filled(70, false).count(), 0);
        assert_eq!(Bits::filled(70, true).and_not(&Bits::from_rows(70, |row| row == 69)).next_set(69, 70), None);
    }
}
