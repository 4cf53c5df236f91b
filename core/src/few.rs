//! A list that allocates only from its second item on: most lists have one item or none.

use std::ops::{Deref, DerefMut};

/// A list of a few items, used as a slice. A single item is stored in place; two or more are in a
/// [`Vec`].
#[derive(Clone, Debug)]
pub(crate) struct Few<T>(Items<T>);

#[derive(Clone, Debug)]
enum Items<T> {
    None,
    One(T),
    More(Vec<T>),
}

impl<T> Few<T> {
    /// Creates an empty list.
    pub(crate) const fn new() -> Self {
        Self(Items::None)
    }

    /// Appends an item.
    pub(crate) fn push(&mut self, item: T) {
        self.0 = match std::mem::replace(&mut self.0, Items::None) {
            Items::None => Items::One(item),
            Items::One(first) => Items::More(vec![first, item]),
            Items::More(mut items) => {
                items.push(item);
                Items::More(items)
            }
        };
    }

    /// Removes an item, whose place the last one gets. `None` if there are not so many.
    pub(crate) fn swap_remove(&mut self, at: usize) -> Option<T> {
        match &mut self.0 {
            Items::More(items) => (at < items.len()).then(|| items.swap_remove(at)),
            Items::One(_) if at > 0 => None,
            one => match std::mem::replace(one, Items::None) {
                Items::One(item) => Some(item),
                Items::More(_) | Items::None => None,
            },
        }
    }
}

impl<T: PartialEq> PartialEq for Few<T> {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl<T: Eq> Eq for Few<T> {}

impl<T> IntoIterator for Few<T> {
    type Item = T;
    type IntoIter = std::iter::Chain<std::option::IntoIter<T>, std::vec::IntoIter<T>>;

    fn into_iter(self) -> Self::IntoIter {
        let (one, more) = match self.0 {
            Items::None => (None, Vec::new()),
            Items::One(item) => (Some(item), Vec::new()),
            Items::More(items) => (None, items),
        };
        one.into_iter().chain(more)
    }
}

impl<T> Default for Few<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> Deref for Few<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        match &self.0 {
            Items::None => &[],
            Items::One(item) => std::slice::from_ref(item),
            Items::More(items) => items,
        }
    }
}

impl<T> DerefMut for Few<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        match &mut self.0 {
            Items::None => &mut [],
            Items::One(item) => std::slice::from_mut(item),
            Items::More(items) => items,
        }
    }
}

impl<T> Extend<T> for Few<T> {
    fn extend<I: IntoIterator<Item = T>>(&mut self, items: I) {
        items.into_iter().for_each(|item| self.push(item));
    }
}

impl<T> FromIterator<T> for Few<T> {
    fn from_iter<I: IntoIterator<Item = T>>(items: I) -> Self {
        let mut few = Self::new();
        few.extend(items);
        few
    }
}

impl<'a, T> IntoIterator for &'a Few<T> {
    type Item = &'a T;
    type IntoIter = std::slice::Iter<'a, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl<T> From<Vec<T>> for Few<T> {
    fn from(items: Vec<T>) -> Self {
        items.into_iter().collect()
    }
}

impl<T, const N: usize> TryFrom<Few<T>> for [T; N] {
    type Error = Few<T>;

    /// Returns all items if there are exactly `N`; otherwise the list.
    fn try_from(few: Few<T>) -> Result<Self, Few<T>> {
        let items = match few.0 {
            Items::None => Vec::new(),
            Items::One(item) => vec![item],
            Items::More(items) => items,
        };
        items.try_into().map_err(Few::from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_are_read_in_the_order_in_which_they_came() {
        let mut few = Few::new();
        assert!(few.is_empty());
        for (length, item) in ["a", "b", "c"].into_iter().enumerate() {
            assert_eq!(few.len(), length);
            few.push(item);
        }
        assert_eq!(*few, ["a", "b", "c"]);
        few[0] = "z";
        assert_eq!(<[&str; 3]>::try_from(few), Ok(["z", "b", "c"]));
        let mut few = Few::from_iter(["a", "b", "c"]);
        assert_eq!((few.swap_remove(3), few.swap_remove(0)), (None, Some("a")));
        assert_eq!(few, Few::from_iter(["c", "b"]));
        assert_eq!((few.swap_remove(1), few.swap_remove(1)), (Some("b"), None));
        assert_eq!(few, Few::from_iter(["c"]));
        let mut few = Few::from_iter(["a"]);
        assert_eq!((few.swap_remove(1), few.swap_remove(0)), (None, Some("a")));
        assert_eq!((few.swap_remove(0), few.len()), (None, 0));
        assert_eq!(<[u8; 2]>::try_from(Few::from(vec![7])), Err(Few::from_iter([7])));
    }
}
