//! "Did you mean": the nearest name by edit distance.

use std::fmt::Write as _;

/// Edits (insertions, deletions, substitutions, swaps of neighbours) that turn `a` into `b`: the optimal string
/// alignment distance. Three rows of the usual table are kept.
fn distance(a: &[char], b: &[char]) -> usize {
    let width = b.len() + 1;
    let mut before: Vec<usize> = vec![0; width];
    let mut previous: Vec<usize> = (0..width).collect();
    let mut current: Vec<usize> = vec![0; width];
    for i in 1..=a.len() {
        current[0] = i;
        for j in 1..width {
            let substitution = previous[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut best = substitution.min(previous[j] + 1).min(current[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(before[j - 2] + 1);
            }
            current[j] = best;
        }
        std::mem::swap(&mut before, &mut previous);
        std::mem::swap(&mut previous, &mut current);
    }
    previous[b.len()]
}

/// The candidate nearest to `name`, if it is near enough to be a misspelling (a third of its letters; names longer
/// than 200 characters are not compared).
pub(crate) fn closest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let wanted: Vec<char> = name.to_lowercase().chars().take(201).collect();
    if wanted.is_empty() || wanted.len() > 200 {
        return None;
    }
    let limit = (wanted.len() / 3).max(1);
    let mut best: Option<(usize, &str)> = None;
    for candidate in candidates {
        let letters: Vec<char> = candidate.to_lowercase().chars().collect();
        if letters.len().abs_diff(wanted.len()) > limit {
            continue;
        }
        let d = distance(&wanted, &letters);
        if d <= limit && best.is_none_or(|(least, _)| d < least) {
            best = Some((d, candidate));
            if d <= 1 {
                break;
            }
        }
    }
    best.map(|(_, candidate)| candidate)
}

/// `did you mean "x"?`, if a near name exists.
pub fn did_you_mean<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<String> {
    closest(name, candidates).map(|c| format!("did you mean \"{c}\"?"))
}

/// The names as a readable list, cut after twelve.
pub(crate) fn listed<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let all: Vec<&str> = names.into_iter().collect();
    let mut text = all.iter().take(12).copied().collect::<Vec<_>>().join(", ");
    if all.len() > 12 {
        let _ = write!(text, " and {} more", all.len() - 12);
    }
    if text.is_empty() { "none".into() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn d(a: &str, b: &str) -> usize {
        distance(&a.chars().collect::<Vec<_>>(), &b.chars().collect::<Vec<_>>())
    }

    #[test]
    fn distances() {
        assert_eq!(d("", "abc"), 3);
        assert_eq!(d("kitten", "sitting"), 3);
        assert_eq!(d("ab", "ba"), 1);
        assert_eq!(d("same", "same"), 0);
        assert_eq!(d("ca", "abc"), 3);
    }

    #[test]
    fn near_names_only() {
        assert_eq!(closest("tempratures", ["temperatures", "steps"]), Some("temperatures"));
        assert_eq!(closest("xyz", ["temperatures"]), None);
        assert_eq!(closest("", ["a"]), None);
        assert_eq!(closest("Cell", ["cell"]), Some("cell"));
    }
}
