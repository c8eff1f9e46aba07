//! How many bytes a table asks of the allocator, given how much may be in it.

/// What a shared text or a slice of a buffer takes beside its own bytes.
pub(crate) const PART: usize = 48;

/// A vector, a queue or a heap of up to `len` entries. It doubles when it is full, and starts with four.
pub(crate) const fn queue(len: usize, entry: usize) -> usize {
    let len = if len < 4 { 4 } else { len };
    times(times(len, 2), entry)
}

/// A B-tree of up to `len` entries. Its nodes have room for eleven and hold at least five, those above the
/// leaves twelve pointers more; the first may hold a single one.
pub(crate) const fn tree(len: usize, entry: usize) -> usize {
    sum([times(len, times(3, entry + 12)), 12 * entry + 128])
}

pub(crate) const fn times(one: usize, other: usize) -> usize {
    one.saturating_mul(other)
}

pub(crate) const fn sum<const N: usize>(parts: [usize; N]) -> usize {
    let (mut sum, mut parts): (usize, &[usize]) = (0, &parts);
    while let [first, rest @ ..] = parts {
        sum = sum.saturating_add(*first);
        parts = rest;
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_that_are_none_have_no_bound() {
        assert_eq!(sum([1, usize::MAX, 2]), usize::MAX);
        assert_eq!(queue(usize::MAX, 8), usize::MAX);
        assert_eq!(tree(usize::MAX, 8), usize::MAX);
        assert_eq!(sum([1, 2, 3]), 6);
    }
}
