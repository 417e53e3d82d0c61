//! The known name nearest to a misspelled one.

/// Longer names are not compared.
const LONGEST: usize = 200;

/// The candidate that becomes `name` by the fewest edits (letters put in, left out, replaced, or neighbours
/// exchanged; case aside), if these are at most a third of its letters (at least one of two and more).
pub(crate) fn closest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    if name.chars().nth(LONGEST).is_some() {
        return None;
    }
    let wanted = name.to_lowercase();
    let letters = wanted.chars().count();
    // Of one letter every other one would be near.
    let limit = (letters / 3).max(usize::from(letters > 1));
    let measure = |candidate: &'a str| {
        let near = candidate.chars().count().abs_diff(letters) <= limit;
        near.then(|| (strsim::osa_distance(&wanted, &candidate.to_lowercase()), candidate))
            .filter(|(edits, _)| *edits <= limit)
    };
    candidates.into_iter().filter_map(measure).min_by_key(|(edits, _)| *edits).map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::closest;

    #[test]
    fn near_words_are_found_and_far_ones_not() {
        assert_eq!(closest("dischrage", ["charge", "discharge"]), Some("discharge"));
        assert_eq!(closest("HOLT", ["hold", "rest"]), Some("hold"));
        assert_eq!(closest("untill", ["until", "or"]), Some("until"));
        assert_eq!(closest("wait", ["rest", "run"]), None);
        assert_eq!(closest(&"a".repeat(500), ["a"]), None);
    }
}
