//! Things that many runs share and that depend on nothing but a small key.

use std::sync::Arc;

/// Most things that are kept.
const CAPACITY: usize = 8;

/// The last few things that were built. What it gives is what building gives: it saves time and changes nothing.
pub(crate) struct Store<K, V> {
    kept: Vec<(K, Arc<V>)>,
}

impl<K: PartialEq, V> Store<K, V> {
    pub(crate) const fn new() -> Self {
        Self { kept: Vec::new() }
    }

    /// What belongs to `key`: kept, or made by `build` and kept in place of the oldest.
    pub(crate) fn get(&mut self, key: K, build: impl FnOnce() -> V) -> Arc<V> {
        if let Some((_, value)) = self.kept.iter().find(|(own, _)| *own == key) {
            return Arc::clone(value);
        }
        let value = Arc::new(build());
        if self.kept.len() == CAPACITY {
            self.kept.remove(0);
        }
        self.kept.push((key, Arc::clone(&value)));
        value
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_few_are_kept() {
        let mut store = Store::new();
        let mut built = 0;
        let mut get = |store: &mut Store<usize, usize>, key: usize| {
            *store.get(key, || {
                built += 1;
                10 * key
            })
        };
        for key in [1, 2, 1, 2, 1] {
            assert_eq!(get(&mut store, key), 10 * key);
        }
        for key in 3..=CAPACITY + 1 {
            assert_eq!(get(&mut store, key), 10 * key);
        }
        // The first one has made room.
        assert_eq!((get(&mut store, 2), get(&mut store, 1)), (20, 10));
        assert_eq!((built, store.kept.len()), (CAPACITY + 2, CAPACITY));
    }
}
