//! The static figures.

mod markup;

use scalade_report::{Axis, Dash, Figure, Orientation, Series, Theme, figure_svg};

fn tiny() -> Figure {
    Figure::new("tiny", "Tiny", Axis::new("x", ""), Axis::new("D", "m2/s").log())
        .series(Series::band("band", vec![0.0, 1.0], vec![1e-15, 1e-14], vec![1e-14, 1e-13]).color(0))
        .series(Series::line_markers("line", vec![0.0, 0.5, 1.0], vec![3e-15, 1e-14, 3e-14]).color(0))
        .series(Series::markers("measured", vec![0.25], vec![1e-14]).errors(vec![5e-15]))
        .span(0.6, 0.8, "two phases")
        .reference(Orientation::Horizontal, 1e-14, "reference")
}

/// The exact bytes of a small figure: a change of the drawing is seen here first. After a change that is meant, copy the
/// figure printed by the failing test into the file and look at it in a browser.
#[test]
fn snapshot_of_a_tiny_figure() {
    let svg = figure_svg(&tiny(), Theme::Light).expect("draws");
    let expected = include_str!("snapshots/tiny.svg");
    assert_eq!(svg.trim_end(), expected.trim_end(), "the new figure:\n{svg}");
}

#[test]
fn every_theme_is_well_formed_and_coloured_by_its_own_means() {
    for theme in [Theme::Light, Theme::Dark, Theme::Page] {
        let svg = figure_svg(&tiny(), theme).expect("draws");
        assert_eq!(markup::check_balance(&svg), Ok(()));
        assert_eq!(svg.contains("var(--"), theme == Theme::Page);
        assert_eq!(svg.contains("fill:#"), theme != Theme::Page);
        let tags = markup::elements(&svg);
        assert!(tags.iter().all(|t| markup::attribute_values(t).iter().all(|(_, v)| v != "unquoted")));
    }
}

/// y positions of the horizontal grid follow the logarithm: equal factors are equal distances.
#[test]
fn logarithmic_positions_are_equidistant_in_decades() {
    let figure = Figure::new("f", "F", Axis::new("x", ""), Axis::new("y", "").log().range(1e-4, 1e2))
        .series(Series::markers("", vec![1.0, 2.0, 3.0], vec![1e-3, 1e-1, 1e1]));
    let svg = figure_svg(&figure, Theme::Light).expect("draws");
    // Markers are circles that begin with `M<x - 3.2> <y>a3.2`.
    let heights: Vec<f64> = svg
        .split('M')
        .filter_map(|part| part.split_once("a3.2"))
        .filter_map(|(at, _)| at.split_once(' ')?.1.parse().ok())
        .collect();
    assert_eq!(heights.len(), 3);
    let (first, second) = (heights[0] - heights[1], heights[1] - heights[2]);
    assert!(first > 50.0 && (first - second).abs() < 0.11, "{heights:?}");
}

/// Moving all data by a constant moves the labels and nothing else.
#[test]
fn translation_leaves_the_curve_where_it_is() {
    let curve = |shift: f64| {
        let x: Vec<f64> = (0..=20).map(f64::from).collect();
        let y: Vec<f64> = x.iter().map(|x| (x * 0.25).powi(2) + shift).collect();
        let figure =
            Figure::new("f", "F", Axis::new("x", ""), Axis::new("y", "").range(shift - 1.0, shift + 26.0))
                .series(Series::line("", x, y).dash(Dash::Solid));
        let svg = figure_svg(&figure, Theme::Light).expect("draws");
        let start = svg.find("clip-path=\"url").expect("plane");
        let path = svg[start..].find(" d=\"").expect("path") + start + 4;
        let end = svg[path..].find('"').expect("end") + path;
        svg[path..end].split(['M', 'L', ' ']).filter_map(|n| n.parse::<f64>().ok()).collect::<Vec<f64>>()
    };
    let (here, there) = (curve(0.0), curve(64.0));
    assert_eq!(here.len(), there.len());
    for (index, (a, b)) in here.iter().zip(&there).enumerate().filter(|(i, _)| i % 2 == 1) {
        assert!((a - b).abs() < 0.11, "{index}: {a} {b}");
    }
}
