//! The nearest known key.

/// Longer names are not compared.
const LONGEST: usize = 200;

/// Insertions, deletions and substitutions that turn `a` into `b` (Levenshtein).
fn distance(a: &[char], b: &[char]) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, letter) in a.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, other) in b.iter().enumerate() {
            let substitution = diagonal + usize::from(letter != other);
            diagonal = row[j + 1];
            row[j + 1] = substitution.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

/// The candidate nearest to `name`, if it differs by at most a third of its letters.
pub(super) fn closest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let wanted: Vec<char> = name.to_lowercase().chars().take(LONGEST + 1).collect();
    if wanted.len() > LONGEST {
        return None;
    }
    let limit = wanted.len() / 3;
    let measure = |candidate: &'a str| {
        let letters: Vec<char> = candidate.to_lowercase().chars().collect();
        let near = letters.len().abs_diff(wanted.len()) <= limit;
        near.then(|| (distance(&wanted, &letters), candidate)).filter(|(d, _)| *d <= limit)
    };
    candidates.into_iter().filter_map(measure).min_by_key(|(d, _)| *d).map(|(_, candidate)| candidate)
}
