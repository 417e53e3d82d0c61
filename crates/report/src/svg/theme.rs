//! Colours, and the dash and marker that go with each.

use crate::model::{Dash, Marker, Series, SeriesKind};

/// Where the colours of a figure come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Theme {
    /// Fixed colours for a white ground.
    Light,
    /// Fixed colours for a dark ground.
    Dark,
    /// The page's CSS variables, so that the figure follows the reader's choice of light or dark.
    Page,
}

/// Number of colours for series.
pub(crate) const SLOTS: usize = 8;

/// Fixed colours: ground, raised ground, text, secondary text, hairlines, link, amber text, amber ground, and the series.
pub(crate) struct Palette {
    pub(crate) paper: &'static str,
    pub(crate) panel: &'static str,
    pub(crate) ink: &'static str,
    pub(crate) soft: &'static str,
    pub(crate) rule: &'static str,
    pub(crate) link: &'static str,
    pub(crate) amber_ink: &'static str,
    pub(crate) amber_ground: &'static str,
    pub(crate) series: [&'static str; SLOTS],
}

/// Light scheme. The series colours are darkened relatives of the Okabe-Ito set (blue, vermillion, green, purple, ...), told
/// apart with the common colour deficiencies and at least 4.5:1 against the ground.
pub(crate) const LIGHT: Palette = Palette {
    paper: "#fdfcfa",
    panel: "#f5f3ee",
    ink: "#1d1f21",
    soft: "#575b61",
    rule: "#d9d5cc",
    link: "#1b4f8a",
    amber_ink: "#6b4300",
    amber_ground: "#fdebc2",
    series: ["#1f5c99", "#b3470a", "#1b7358", "#84408f", "#7a6000", "#a8283e", "#16707f", "#4d4d4d"],
};

/// Dark scheme.
pub(crate) const DARK: Palette = Palette {
    paper: "#16181b",
    panel: "#1f2226",
    ink: "#e6e4df",
    soft: "#a9adb3",
    rule: "#3b3f45",
    link: "#8fbdf0",
    amber_ink: "#ffd98a",
    amber_ground: "#4a3510",
    series: ["#7db3ec", "#f29a66", "#66cfa6", "#d39ae0", "#dcbf55", "#f28b9b", "#68c6d8", "#c4c4c4"],
};

/// A colour by its role.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Role {
    Paper,
    Ink,
    Soft,
    Rule,
    Series(usize),
}

impl Theme {
    /// The colour as CSS.
    pub(crate) fn css(self, role: Role) -> &'static str {
        const VARIABLES: [&str; SLOTS] = [
            "var(--s0)",
            "var(--s1)",
            "var(--s2)",
            "var(--s3)",
            "var(--s4)",
            "var(--s5)",
            "var(--s6)",
            "var(--s7)",
        ];
        let fixed = |palette: &'static Palette| match role {
            Role::Paper => palette.paper,
            Role::Ink => palette.ink,
            Role::Soft => palette.soft,
            Role::Rule => palette.rule,
            Role::Series(slot) => palette.series[slot % SLOTS],
        };
        match self {
            Self::Light => fixed(&LIGHT),
            Self::Dark => fixed(&DARK),
            Self::Page => match role {
                Role::Paper => "var(--paper)",
                Role::Ink => "var(--ink)",
                Role::Soft => "var(--soft)",
                Role::Rule => "var(--rule)",
                Role::Series(slot) => VARIABLES[slot % SLOTS],
            },
        }
    }
}

/// How one series is told from the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Style {
    pub(crate) slot: usize,
    pub(crate) dash: Dash,
    pub(crate) marker: Marker,
}

/// Styles of all series: what the author chose, else the next free slot with the dash and the marker of that slot.
pub(crate) fn styles(series: &[Series]) -> Vec<Style> {
    const DASHES: [Dash; 5] = [Dash::Solid, Dash::Dash, Dash::Dot, Dash::DashDot, Dash::LongDash];
    const MARKERS: [Marker; SLOTS] = [
        Marker::Circle,
        Marker::Square,
        Marker::Diamond,
        Marker::TriangleUp,
        Marker::CircleOpen,
        Marker::SquareOpen,
        Marker::Cross,
        Marker::Plus,
    ];
    let chosen: Vec<usize> = series.iter().filter_map(|s| s.color).map(|slot| slot % SLOTS).collect();
    // Slots that nobody chose, in order; when all are chosen, all of them again.
    let mut free: Vec<usize> = (0..SLOTS).filter(|slot| !chosen.contains(slot)).collect();
    if free.is_empty() {
        free = (0..SLOTS).collect();
    }
    let mut automatic = free.iter().copied().cycle();
    series
        .iter()
        .map(|series| {
            let slot = series.color.map_or_else(|| automatic.next().unwrap_or(0), |slot| slot % SLOTS);
            // A line with markers is told apart by them: its stroke stays unbroken and easy to follow.
            let dash = if series.kind == SeriesKind::LineMarkers { Dash::Solid } else { DASHES[slot % 5] };
            Style { slot, dash: series.dash.unwrap_or(dash), marker: series.marker.unwrap_or(MARKERS[slot]) }
        })
        .collect()
}

/// SVG dash array, none for an unbroken line.
pub(crate) fn dash_array(dash: Dash) -> Option<&'static str> {
    match dash {
        Dash::Solid => None,
        Dash::Dash => Some("6 3.5"),
        Dash::Dot => Some("1.6 2.8"),
        Dash::DashDot => Some("7 3 1.6 3"),
        Dash::LongDash => Some("11 4"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Relative luminance and contrast ratio of WCAG 2.2.
    fn luminance(hex: &str) -> f64 {
        let channel = |i: usize| {
            let c = f64::from(u8::from_str_radix(&hex[i..i + 2], 16).expect("hex")) / 255.0;
            if c <= 0.04045 { c / 12.92 } else { ((c + 0.055) / 1.055).powf(2.4) }
        };
        0.2126 * channel(1) + 0.7152 * channel(3) + 0.0722 * channel(5)
    }

    fn contrast(a: &str, b: &str) -> f64 {
        let (a, b) = (luminance(a), luminance(b));
        (a.max(b) + 0.05) / (a.min(b) + 0.05)
    }

    #[test]
    fn contrast_is_at_least_four_and_a_half() {
        assert!((contrast("#000000", "#ffffff") - 21.0).abs() < 1e-12);
        for palette in [&LIGHT, &DARK] {
            for text in [palette.ink, palette.soft, palette.link].iter().chain(&palette.series) {
                for ground in [palette.paper, palette.panel] {
                    let ratio = contrast(text, ground);
                    assert!(ratio >= 4.5, "{text} on {ground}: {ratio:.2}");
                }
            }
            assert!(contrast(palette.amber_ink, palette.amber_ground) >= 4.5);
        }
    }

    #[test]
    fn automatic_slots_avoid_chosen_ones() {
        let one = |color| Series { color, ..Series::line("", vec![0.0], vec![0.0]) };
        let slots = |list: &[Option<usize>]| -> Vec<usize> {
            styles(&list.iter().map(|c| one(*c)).collect::<Vec<_>>()).iter().map(|s| s.slot).collect()
        };
        assert_eq!(slots(&[Some(0), Some(0), None, None]), vec![0, 0, 1, 2]);
        assert_eq!(slots(&[None, Some(9), None]), vec![0, 1, 2]);
    }

    #[test]
    fn no_two_automatic_styles_differ_by_colour_alone() {
        let lines: Vec<Series> = (0..5).map(|_| Series::line("", vec![0.0], vec![0.0])).collect();
        let found = styles(&lines);
        for i in 0..5 {
            for j in 0..i {
                assert_ne!(found[i].dash, found[j].dash);
                assert_ne!(found[i].marker, found[j].marker);
            }
        }
    }
}
