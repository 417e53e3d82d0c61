//! Names near a misspelled one.

/// The candidate that becomes `word` by the fewest insertions, deletions and substitutions of letters, case
/// aside, if these are at most a third of the word (at least one).
pub(super) fn closest<'a>(word: &str, candidates: &[&'a str]) -> Option<&'a str> {
    let letters = |text: &str| text.to_lowercase().chars().take(40).collect::<Vec<char>>();
    let wanted = letters(word);
    let limit = (wanted.len() / 3).max(1);
    let near = candidates.iter().map(|c| (edits(&wanted, &letters(c)), *c));
    near.filter(|(distance, _)| *distance <= limit).min_by_key(|(distance, _)| *distance).map(|(_, c)| c)
}

/// Levenshtein distance, one row at a time.
fn edits(a: &[char], b: &[char]) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, letter) in a.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for j in 1..row.len() {
            let substituted = diagonal + usize::from(*letter != b[j - 1]);
            diagonal = row[j];
            row[j] = substituted.min(row[j] + 1).min(row[j - 1] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_words_are_found_and_far_ones_not() {
        assert_eq!(closest("dischrage", &["charge", "discharge"]), Some("discharge"));
        assert_eq!(closest("HOLT", &["hold", "rest"]), Some("hold"));
        assert_eq!(closest("untill", &["until", "or"]), Some("until"));
        assert_eq!(closest("wait", &["rest", "run"]), None);
        let letters = |text: &str| text.chars().collect::<Vec<char>>();
        assert_eq!(edits(&letters("kitten"), &letters("sitting")), 3);
        assert_eq!(edits(&letters(""), &letters("abc")), 3);
    }
}
