//! The page as a whole: well-formedness, escaping, determinism, refusals, size.

mod markup;

use markup::{attribute_values, check_balance, elements};
use proptest::prelude::*;
use scalade_report::{
    Axis, Citation, Dependency, Excluded, Figure, Headline, LedgerRow, Note, NoteLevel, Orientation, Report,
    ReportError, RunStep, Rung, SIZE_LIMIT, Section, Series, Table, Theme, VarianceDecomposition, figure_svg,
    render,
};

/// A report whose every string is `text`, behind a number where identifiers have to differ.
fn everywhere(text: &str) -> Report {
    let name = |i: usize| format!("{i}{text}");
    let axis = || Axis::new(text, text);
    let figure = Figure::new(name(0), text, axis(), axis().log())
        .caption(text)
        .series(Series::line(text, vec![0.0, 1.0], vec![1.0, 2.0]).labels([text, text]))
        .series(Series::band(text, vec![0.0, 1.0], vec![1.0, 1.5], vec![2.0, 3.0]))
        .span(0.2, 0.4, text)
        .reference(Orientation::Horizontal, 1.5, text)
        .reference(Orientation::Vertical, 0.5, text)
        .reference(Orientation::Diagonal, 0.5, text)
        .retuned(text);
    let bars = Figure::new(name(1), text, axis().categories([text, text]), axis())
        .series(Series::bars(text, vec![0.0, 1.0], vec![1.0, -2.0]).errors(vec![0.1, 0.2]));
    let mut rung = Rung::new(text, text, text, text, text).hand_off(text).section(name(0));
    rung.retuned = vec![text.to_string()];
    let mut headline =
        Headline::new(name(0), text, 1.0, Some(0.1), text).from_scale(text, text).reference(text);
    headline.retuned = vec![text.to_string()];
    let mut section = Section::new(name(0), text)
        .paragraph(text)
        .note(NoteLevel::Warning, text)
        .figure(figure)
        .figure(bars);
    section.notes.push(Note { level: NoteLevel::Info, text: text.to_string() });
    let mut report = Report::new(text, text, text)
        .subtitle(text)
        .rung(rung)
        .headline(headline.sealed())
        .section(section.table(Table::new(name(0), text, [text, text]).row([text, text])));
    report.ledger = vec![
        LedgerRow::new(name(0), text, text, text)
            .source(text, Some(text))
            .identified_at(text, true)
            .used_by([text, &name(0)]),
        LedgerRow::new(name(1), text, text, text).retuned(text),
    ];
    report.variance = vec![VarianceDecomposition::new(text, text).share(text, 0.4, Some(1.0))];
    report.depends_on =
        vec![Dependency::new(name(0), [name(1), name(2)]), Dependency::new(name(2), [text, "leaf"])];
    report.excluded = vec![Excluded { structure: text.into(), frame: text.into(), reason: text.into() }];
    report.citations = vec![Citation { text: text.into(), doi: Some(text.into()) }];
    report.steps =
        vec![RunStep { step: text.into(), kind: text.into(), key: text.into(), ..RunStep::default() }];
    report
}

const HOSTILE: [&str; 9] = [
    "<script>alert(1)</script>",
    "</script><script>alert(1)</script>",
    "\"><img src=x onerror=alert(1)>",
    "' onmouseover='alert(1)",
    "javascript:alert(1)",
    "<!-- --> ]]> &lt;b&gt; </title></style></svg>",
    "\u{0}\u{1b}[31m\u{202e}evil\u{2028}\u{feff}\u{fffe}",
    "%{x} ${7*7} {{7*7}} <%= 7 %>",
    "数値 𝔘𝔫𝔦𝔠𝔬𝔡𝔢 e\u{301}\u{301}\u{301} 👩‍🔬 \u{5e9}\u{5dc}",
];

/// Scripts, event handlers, and links of a page are those of the crate alone.
fn assert_inert(page: &str) {
    assert_eq!(check_balance(page), Ok(()));
    let tags = elements(page);
    let scripts: Vec<&String> = tags.iter().filter(|t| t.starts_with("script")).collect();
    let active = scripts.iter().filter(|t| !t.contains("application/json")).count();
    assert_eq!(active, 2, "{scripts:?}");
    for tag in &tags {
        let name = tag.split_whitespace().next().unwrap_or_default();
        assert!(
            !matches!(
                name,
                "img" | "iframe" | "object" | "embed" | "link" | "base" | "form" | "image" | "b<"
            ),
            "{tag}"
        );
        for (attribute, value) in attribute_values(tag) {
            assert!(!attribute.starts_with("on"), "{tag}");
            assert!(!matches!(attribute.as_str(), "src" | "srcset" | "action" | "xlink:href"), "{tag}");
            if attribute == "href" {
                let safe =
                    ["#", "data:text/csv;", "https://", "http://"].iter().any(|p| value.starts_with(p));
                assert!(safe && name == "a", "{tag}");
            }
        }
    }
}

#[test]
fn hostile_strings_stay_text() {
    for text in HOSTILE {
        let page = render(&everywhere(text)).expect("renders");
        assert_inert(&page);
        assert!(!page.contains("<script>alert") && !page.contains("onerror=alert(1)>"));
        assert!(!page.contains('\u{0}') && !page.contains('\u{202e}'));
    }
}

#[test]
fn very_long_strings_are_carried() {
    let long = "W".repeat(5000);
    let page = render(&everywhere(&long)).expect("renders");
    assert_inert(&page);
    let spaced = "many words ".repeat(400);
    assert_inert(&render(&everywhere(&spaced)).expect("renders"));
}

#[test]
fn empty_strings_and_empty_reports_are_pages() {
    assert_inert(&render(&everywhere("")).expect("renders"));
    let page = render(&Report::default()).expect("renders");
    assert_inert(&page);
    assert!(page.contains("<title>Report</title>"));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]
    #[test]
    fn no_string_becomes_markup(text in "(<|>|&|\"|'|/|script|style|svg|on[a-z]{3,6}=|[ -~]|\\PC|[\\x00-\\x1f]){0,24}") {
        let page = render(&everywhere(&text)).expect("renders");
        assert_inert(&page);
    }
}

#[test]
fn the_same_report_gives_the_same_bytes() {
    let report = everywhere("same");
    assert_eq!(render(&report), render(&report.clone()));
    let json = serde_json::to_string(&report).expect("serialises");
    let read: Report = serde_json::from_str(&json).expect("reads back");
    assert_eq!(read, report);
    assert_eq!(render(&read), render(&report));
}

#[test]
fn structure_serves_keyboard_and_screen_reader() {
    let page = render(&everywhere("a")).expect("renders");
    for part in [
        "<main id=\"content\"",
        "<nav ",
        "<header ",
        "<footer>",
        "class=\"skip\" href=\"#content\"",
        "lang=\"en\"",
    ] {
        assert_eq!(page.matches(part).count(), 1, "{part}");
    }
    // Headings descend one level at a time.
    let mut level = 0;
    for tag in elements(&page) {
        if let Some(next) = tag.strip_prefix('h').and_then(|rest| rest.get(..1)?.parse::<usize>().ok()) {
            assert!(next <= level + 1, "h{level} then h{next}");
            level = next;
        }
    }
    // Identifiers are unique, and every reference within the page has its target.
    let tags = elements(&page);
    let values = |wanted: &str| -> Vec<String> {
        tags.iter().flat_map(|t| attribute_values(t)).filter(|(n, _)| n == wanted).map(|(_, v)| v).collect()
    };
    let mut ids = values("id");
    let count = ids.len();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), count);
    for target in values("href").iter().filter_map(|h| h.strip_prefix('#')) {
        assert!(ids.iter().any(|id| id == target), "#{target}");
    }
    for labels in values("aria-labelledby") {
        for label in labels.split(' ') {
            assert!(ids.iter().any(|id| id == label), "{label}");
        }
    }
    assert_eq!(page.matches("role=\"img\"").count(), page.matches("<desc id=").count());
}

#[test]
fn retuned_parameters_mark_what_stands_downstream() {
    let mut report = Report::new("t", "s", "g")
        .headline(Headline::new("capacity", "Capacity", 150.0, Some(2.0), "mA h/g"))
        .headline(Headline::new("voltage", "Voltage", 3.9, Some(0.1), "V"));
    report.ledger = vec![LedgerRow::new("rate constant", "2e-11", "3e-12", "m/s").retuned("pulse test")];
    report.depends_on = vec![
        Dependency::new("capacity", ["overpotential"]),
        Dependency::new("overpotential", ["rate constant"]),
        Dependency::new("voltage", ["energies"]),
    ];
    let page = render(&report).expect("renders");
    let row = |id: &str| {
        let start = page.find(&format!("id=\"result-{id}\"")).expect("row");
        &page[start..start + page[start..].find("</tr>").expect("end")]
    };
    assert!(row("capacity").contains("re-tuned: rate constant: pulse test"));
    assert!(!row("voltage").contains("re-tuned"));
}

#[test]
fn numbers_that_are_not_finite_are_refused_with_their_place() {
    let figure =
        |series: Series| Figure::new("fig", "F", Axis::new("x", ""), Axis::new("y", "")).series(series);
    let refuse = |figure: Figure| {
        let report = Report::new("t", "s", "g").section(Section::new("a", "A").figure(figure.clone()));
        let error = render(&report).expect_err("refused");
        assert_eq!(figure_svg(&figure, Theme::Light).expect_err("refused").to_string(), error.to_string());
        error
    };
    let error = refuse(figure(Series::line("name", vec![0.0, 1.0], vec![1.0, f64::NAN])));
    assert!(error.to_string().contains("`fig`") && error.to_string().contains("`name`"), "{error}");
    assert!(matches!(error, ReportError::NonFinite { part: "y", index: 1, .. }));
    let error = refuse(figure(Series::line("s", vec![f64::INFINITY], vec![1.0])));
    assert!(matches!(error, ReportError::NonFinite { part: "x", index: 0, .. }));
    let error = refuse(figure(Series::line("s", vec![0.0], vec![1.0]).errors(vec![f64::NAN])));
    assert!(matches!(error, ReportError::NonFinite { part: "y_error", .. }));
    let error = refuse(figure(Series::line("s", vec![0.0], vec![1.0]).errors(vec![-1.0])));
    assert!(matches!(error, ReportError::Unordered { part: "y_error", .. }));
    let error = refuse(figure(Series::line("s", vec![0.0, 1.0], vec![1.0])));
    assert!(matches!(error, ReportError::LengthMismatch { part: "y", expected: 2, found: 1, .. }));
    let error = refuse(figure(Series::band("s", vec![0.0], vec![2.0], vec![1.0])));
    assert!(matches!(error, ReportError::Unordered { part: "upper", .. }));
    let error = refuse(figure(Series::line("s", vec![], vec![])));
    assert!(matches!(error, ReportError::Empty { .. }));
    let error = refuse(figure(Series::line("s", vec![1e301], vec![1.0])));
    assert!(matches!(error, ReportError::TooFarOut { .. }));
    let mut log = figure(Series::line("s", vec![1.0, 2.0], vec![1.0, 0.0]));
    log.y.log = true;
    assert!(matches!(refuse(log), ReportError::NotPositiveOnLogAxis { part: "y", index: 1, .. }));
    let spanned = figure(Series::line("s", vec![1.0], vec![1.0])).span(f64::NAN, 1.0, "");
    assert!(matches!(refuse(spanned), ReportError::NonFinite { part: "from", .. }));
    let report = Report::new("t", "s", "g").headline(Headline::new("v", "V", f64::NAN, None, "V"));
    assert!(matches!(render(&report), Err(ReportError::NonFiniteNumber { .. })));
    let report = Report::new("t", "s", "g").headline(Headline::new("v", "V", 1.0, Some(-0.1), "V"));
    assert!(matches!(render(&report), Err(ReportError::NegativeNumber { .. })));
}

#[test]
fn inconsistent_documents_are_refused() {
    let section = |id: &str| Section::new(id, "S");
    let report = Report::new("t", "s", "g").section(section("a")).section(section("a"));
    assert!(matches!(render(&report), Err(ReportError::DuplicateId { what: "section", .. })));
    let report = Report::new("t", "s", "g").rung(Rung::new("r", "m", "", "", "").section("nowhere"));
    assert!(matches!(render(&report), Err(ReportError::UnknownSection { .. })));
    let ragged = Table::new("t", "T", ["a", "b"]).row(["1"]);
    let report = Report::new("t", "s", "g").section(section("a").table(ragged));
    assert!(matches!(render(&report), Err(ReportError::RaggedTable { row: 0, expected: 2, found: 1, .. })));
    let mut report = Report::new("t", "s", "g");
    report.depends_on = vec![Dependency::new("a", ["b"]), Dependency::new("b", ["a"])];
    assert!(matches!(render(&report), Err(ReportError::DependencyCycle { .. })));
    report.depends_on.clear();
    report.variance = vec![VarianceDecomposition::new("p", "V").share("a", 0.7, None).share("b", 0.4, None)];
    assert!(matches!(render(&report), Err(ReportError::SharesExceedWhole { .. })));
}

#[test]
fn the_page_stays_below_its_limit() {
    let line = |count: usize| {
        let x: Vec<f64> = (0..count).map(|i| i as f64 * 0.37).collect();
        let y: Vec<f64> = x.iter().map(|x| x.sin() * 1.234_567_89).collect();
        let figure = Figure::new("f", "F", Axis::new("t", "s"), Axis::new("V", "V"));
        Report::new("t", "s", "g")
            .section(Section::new("a", "A").figure(figure.series(Series::line("s", x, y))))
    };
    let page = render(&line(5000)).expect("fits");
    assert!(page.len() < 1_600_000, "{}", page.len());
    for count in [100_000, 2_000_000] {
        match render(&line(count)) {
            Err(ReportError::TooLarge { bytes, limit }) => assert!(bytes > limit && limit == SIZE_LIMIT),
            other => panic!("{:?}", other.map(|page| page.len())),
        }
    }
}

#[test]
fn a_deep_lineage_does_not_exhaust_the_stack() {
    let mut report = Report::new("t", "s", "g");
    report.depends_on =
        (0..4000).map(|i| Dependency::new(format!("p{i}"), [format!("p{}", i + 1)])).collect();
    assert_inert(&render(&report).expect("renders"));
}

#[test]
fn extreme_but_finite_figures_are_drawn() {
    let cases: [(Vec<f64>, Vec<f64>, bool); 7] = [
        (vec![0.0], vec![0.0], false),
        (vec![1e300, -1e300], vec![-1e300, 1e300], false),
        (vec![1.0, 1.0 + 1e-16], vec![5e-324, 0.0], false),
        (vec![1e-300, 1e300], vec![5e-324, 1e300], true),
        (vec![3.0, 3.0], vec![7.0, 7.0], true),
        (vec![1e17, 1e17 + 32.0], vec![-0.0, 0.0], false),
        (vec![-5.0, 5.0, -5.0], vec![1.0, 2.0, 3.0], false),
    ];
    for (x, y, log) in cases {
        for series in [
            Series::line_markers("s", x.clone(), y.clone()),
            Series::step("s", x.clone(), y.clone()),
            Series::bars("s", x.clone(), y.clone()),
            Series::band("s", x.clone(), y.clone(), y.clone()),
        ] {
            for equal in [false, true] {
                let mut figure =
                    Figure::new("f", "F", Axis::new("x", "m"), Axis::new("y", "V")).series(series.clone());
                (figure.x.log, figure.y.log, figure.equal_aspect) = (log, log, equal);
                let svg = figure_svg(&figure, Theme::Dark).expect("draws");
                assert_eq!(check_balance(&svg), Ok(()));
                assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
            }
        }
    }
}
