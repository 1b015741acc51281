//! A list that hostile input cannot fill memory with.

/// A list that holds the first things that it is given and counts the rest: hostile input finds no way to fill memory with it.
#[derive(Clone, Debug)]
pub struct Capped<T> {
    kept: Vec<T>,
    beyond: u64,
}

/// How many pieces of damage are described one by one, for each segment.
pub const DAMAGE_KEPT: usize = 10_000;

impl<T> Default for Capped<T> {
    fn default() -> Self {
        Capped { kept: Vec::new(), beyond: 0 }
    }
}

impl<T> Capped<T> {
    /// Keeps `thing`, or counts it.
    pub fn push(&mut self, thing: T) {
        if self.kept.len() < DAMAGE_KEPT {
            self.kept.push(thing);
        } else {
            self.beyond += 1;
        }
    }

    /// With what was kept of such a list, and how many more there were; `None` when no such list keeps that much.
    #[must_use]
    pub fn of(kept: Vec<T>, beyond: u64) -> Option<Capped<T>> {
        let fits = kept.len() == DAMAGE_KEPT || kept.len() < DAMAGE_KEPT && beyond == 0;
        fits.then_some(Capped { kept, beyond })
    }

    /// What was kept.
    #[must_use]
    pub fn kept(&self) -> &[T] {
        &self.kept
    }

    /// What was kept, to be changed.
    pub fn kept_mut(&mut self) -> &mut [T] {
        &mut self.kept
    }

    /// How many more there were.
    #[must_use]
    pub fn beyond(&self) -> u64 {
        self.beyond
    }

    /// Whether there was nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }

    /// What was kept, and how many more there were.
    #[must_use]
    pub fn into_parts(self) -> (Vec<T>, u64) {
        (self.kept, self.beyond)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_capped_list_counts_what_it_does_not_keep() {
        let mut list = Capped::default();
        for n in 0..DAMAGE_KEPT + 5 {
            list.push(n);
        }
        assert_eq!((list.kept().len(), list.beyond()), (DAMAGE_KEPT, 5));
    }
}
