//! "Did you mean": the nearest name by edit distance.

use std::fmt::Write as _;

/// The candidate nearest to `name`, if it is near enough to be a misspelling (a third of its letters; names longer
/// than 200 characters are not compared).
pub(crate) fn closest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let letters = name.chars().take(201).count();
    if letters == 0 || letters > 200 {
        return None;
    }
    let wanted = name.to_lowercase();
    let limit = (letters / 3).max(1);
    let mut best: Option<(usize, &str)> = None;
    for candidate in candidates {
        if candidate.chars().count().abs_diff(letters) > limit {
            continue;
        }
        let d = strsim::osa_distance(&wanted, &candidate.to_lowercase());
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
    use super::closest;

    #[test]
    fn near_names_only() {
        assert_eq!(closest("tempratures", ["temperatures", "steps"]), Some("temperatures"));
        assert_eq!(closest("temperatuers", ["temperatures"]), Some("temperatures"));
        assert_eq!(closest("xyz", ["temperatures"]), None);
        assert_eq!(closest("", ["a"]), None);
        assert_eq!(closest("Cell", ["cell"]), Some("cell"));
    }
}
