//! Writes a report over invented but realistic numbers, to look at and to test the page with.
//!
//! `cargo run -p scalade-report --example sample -- sample.html`
//!
//! A second argument is appended to every text of the report, to see what hostile or foreign names do to the page.

use scalade_report::{
    Axis, Citation, Dash, Dependency, Excluded, Figure, Headline, LedgerRow, Marker, NoteLevel, Orientation,
    Report, RunStep, Rung, RungStatus, Section, Series, StepOrigin, Table, VarianceDecomposition, render,
};
use std::error::Error;

fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::args().nth(1).ok_or("give the path of the HTML file to write")?;
    let mut report = sample();
    if let Some(text) = std::env::args().nth(2) {
        let mut document = serde_json::to_value(&report)?;
        append(&mut document, &text);
        report = serde_json::from_value(document)?;
    }
    std::fs::write(path, render(&report)?)?;
    Ok(())
}

/// Appends a text to every string but the words of the model.
fn append(value: &mut serde_json::Value, text: &str) {
    match value {
        serde_json::Value::String(string) => string.push_str(text),
        serde_json::Value::Array(list) => list.iter_mut().for_each(|entry| append(entry, text)),
        serde_json::Value::Object(entries) => {
            let words = ["kind", "dash", "marker", "orientation", "status", "origin", "level"];
            // `kind` of a step is a name, of a series a word of the model.
            let step = entries.contains_key("step");
            entries
                .iter_mut()
                .filter(|(key, _)| !words.contains(&key.as_str()) || (step && *key == "kind"))
                .for_each(|(_, entry)| append(entry, text));
        }
        _ => {}
    }
}

/// Evenly spaced numbers, both ends included.
fn grid(from: f64, to: f64, count: usize) -> Vec<f64> {
    (0..count).map(|i| from + (to - from) * i as f64 / (count - 1) as f64).collect()
}

/// A repeatable number in -1..1.
fn noise(index: usize) -> f64 {
    let mixed = (index as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let mixed = (mixed ^ (mixed >> 29)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    (mixed >> 40) as f64 / f64::from(1 << 23) - 1.0
}

fn map(x: &[f64], f: impl Fn(f64) -> f64) -> Vec<f64> {
    x.iter().map(|x| f(*x)).collect()
}

fn sample() -> Report {
    let mut report = Report::new("From first principles to a LiCoO₂ cell", "licoo2-demo", "scalade 0.1.0")
        .subtitle("Sample data: invented numbers in the shape of a real run");
    report.rungs = rungs();
    report.headline = headline();
    report.sections = vec![lattice(), transport(), cell()];
    report.ledger = ledger();
    report.variance = vec![
        VarianceDecomposition::new("capacity", "mA h/g")
            .share("atomic", 0.18, Some(0.9))
            .share("lattice", 0.55, Some(1.6))
            .share("electrode", 0.21, Some(1.0))
            .share("cell", 0.05, Some(0.5)),
        VarianceDecomposition::new("diffusivity", "m2/s").share("atomic", 0.83, Some(3.6e-15)).share(
            "lattice",
            0.17,
            Some(1.6e-15),
        ),
        VarianceDecomposition::new("peak-temperature", "K")
            .share("lattice", 0.004, Some(0.1))
            .share("electrode", 0.266, Some(0.8))
            .share("cell", 0.73, Some(1.3)),
    ];
    report.depends_on = vec![
        Dependency::new(
            "capacity",
            ["V(x)", "diffusivity", "porosity", "rate constant", "coating thickness"],
        ),
        Dependency::new("peak-temperature", ["capacity", "V(x)", "heat transfer coefficient"]),
        Dependency::new("V(x)", ["effective cluster interactions", "temperature"]),
        Dependency::new(
            "diffusivity",
            ["hop barrier", "attempt frequency", "effective cluster interactions"],
        ),
        Dependency::new("effective cluster interactions", ["total energies"]),
    ];
    report.excluded = vec![
        Excluded {
            structure: "mp-24850-supercell-12".into(),
            frame: "3".into(),
            reason:
                "relaxed into another host lattice: largest displacement 1.31 Å above the limit of 0.80 Å"
                    .into(),
        },
        Excluded {
            structure: "enum-1124".into(),
            frame: "1".into(),
            reason: "electronic steps did not converge within 200 iterations".into(),
        },
    ];
    report.citations = citations();
    report.steps = [
        ("energies", "energetics.read", StepOrigin::Cached, 0.02),
        ("expansion", "lattice.expand", StepOrigin::Computed, 1.94),
        ("thermo", "lattice.montecarlo", StepOrigin::Computed, 14.2),
        ("hops", "hopping.kmc", StepOrigin::Computed, 21.7),
        ("discharge", "cell.dfn", StepOrigin::Computed, 0.31),
    ]
    .into_iter()
    .enumerate()
    .map(|(i, (step, kind, origin, seconds))| RunStep {
        step: step.into(),
        kind: kind.into(),
        origin,
        seconds: Some(seconds),
        key: format!("{:012x}", (i as u64 + 3).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 16),
    })
    .collect();
    report
}

fn citations() -> Vec<Citation> {
    vec![
        Citation {
            text: "A. Van der Ven, M. K. Aydinol, G. Ceder, G. Kresse, J. Hafner: First-principles investigation of phase stability in LixCoO2. Phys. Rev. B 58 (1998) 2975.".into(),
            doi: Some("10.1103/PhysRevB.58.2975".into()),
        },
        Citation {
            text: "J. N. Reimers, J. R. Dahn: Electrochemical and in situ X-ray diffraction studies of lithium intercalation in LixCoO2. J. Electrochem. Soc. 139 (1992) 2091.".into(),
            doi: Some("10.1149/1.2221184".into()),
        },
        Citation {
            text: "M. Doyle, T. F. Fuller, J. Newman: Modeling of galvanostatic charge and discharge of the lithium/polymer/insertion cell. J. Electrochem. Soc. 140 (1993) 1526.".into(),
            doi: Some("10.1149/1.2221597".into()),
        },
    ]
}

fn rungs() -> Vec<Rung> {
    vec![
        Rung::new("Atomic", "Å", "DFT total energies, nudged elastic band", "Average voltage", "3.98(2) V")
            .hand_off("energies of 312 orderings, hop barriers")
            .status(RungStatus::Published)
            .section("lattice"),
        Rung::new(
            "Lattice",
            "nm",
            "cluster expansion, Monte Carlo",
            "Two-phase interval",
            "x = 0.76(1) … 0.93(1)",
        )
        .hand_off("V(x,T), thermodynamic factor, D(x,T)")
        .section("lattice"),
        Rung::new(
            "Particle",
            "0.01–10 µm",
            "diffusion, kinetic Monte Carlo",
            "Chemical diffusivity",
            "3.9(4) × 10⁻¹⁴ m²/s",
        )
        .hand_off("particle kinetics")
        .status(RungStatus::Cached)
        .section("transport"),
        Rung::new("Electrode", "10–100 µm", "homogenisation of images", "Tortuosity factor", "2.31(6)")
            .hand_off("porosity, area, effective tensors")
            .status(RungStatus::Measured),
        Rung::new("Cell", "mm–cm", "Doyle–Fuller–Newman", "Capacity at 1C", "148.2(19) mA h/g")
            .hand_off("cell surrogate, heat source")
            .section("cell"),
        Rung::new("Pack", "m", "electrical and thermal network", "Peak temperature", "312.4(15) K")
            .status(RungStatus::NotRun),
    ]
}

fn headline() -> Vec<Headline> {
    vec![
        Headline::new("voltage", "Average voltage, x = 0.5 to 1", 3.98, Some(0.021), "V")
            .from_scale("atomic", "computed from published energies")
            .sealed()
            .reference("3.97 V measured (Reimers 1992)"),
        Headline::new(
            "diffusivity",
            "Chemical diffusivity at x = 0.6, 300 K",
            3.94e-14,
            Some(4.1e-15),
            "m2/s",
        )
        .from_scale("lattice", "kinetic Monte Carlo, 64 replicas")
        .sealed()
        .reference("10⁻¹⁵ … 10⁻¹³ m²/s in the literature"),
        Headline::new("barrier", "Divacancy hop barrier", 0.2312, Some(0.0083), "eV")
            .from_scale("atomic", "published, nudged elastic band")
            .sealed(),
        Headline::new("capacity", "Capacity at 1C, 298 K", 148.21, Some(1.93), "mA h/g")
            .from_scale("cell", "discharge to 3.0 V, 128 samples")
            .reference("146 mA h/g measured"),
        Headline::new("peak-temperature", "Peak temperature, adiabatic side", 312.44, Some(1.52), "K")
            .from_scale("cell", "1-D heat balance"),
        Headline::new("resistance", "Area-specific resistance", 2.1e-3, None, "ohm*m2")
            .from_scale("cell", "impedance at 1 kHz"),
    ]
}

fn lattice() -> Section {
    let x = vec![0.0, 0.25, 1.0 / 3.0, 0.5, 2.0 / 3.0, 0.75, 1.0];
    let energy = vec![0.0, -82.0, -104.0, -131.0, -109.0, -88.0, 0.0];
    let hull = Series::line_markers("convex hull", x, energy.clone())
        .errors(vec![0.0, 4.0, 4.0, 5.0, 4.0, 4.0, 0.0])
        .labels(["", "", "", "Li½CoO₂", "", "", ""]);
    let above_x: Vec<f64> = (0..160).map(|i| (1 + i % 11) as f64 / 12.0).collect();
    let above_y: Vec<f64> = above_x
        .iter()
        .enumerate()
        .map(|(i, x)| -500.0 * x * (1.0 - x) + 8.0 + 42.0 * (noise(i) + 1.0))
        .collect();
    let reference: Vec<f64> = (0..312).map(|i| -130.0 + 0.55 * i as f64 + 6.0 * noise(i + 400)).collect();
    let fitted: Vec<f64> = reference.iter().enumerate().map(|(i, e)| e + 3.1 * noise(i + 900)).collect();
    let radius = [2.83, 4.90, 5.66, 7.49, 8.49, 4.72, 5.49, 6.62];
    Section::new("lattice", "Phase stability and voltage")
        .paragraph("A cluster expansion of 14 interactions is fitted to the formation energies of 312 orderings of lithium and vacancies on the triangular planes of O3 LiCoO₂. Its ensemble of 64 posterior samples goes through Monte Carlo, so that the voltage carries the uncertainty of the energies.")
        .note(NoteLevel::Warning, "The metal–insulator transition near x = 0.94 is not described by energies of the insulating state: the two-phase interval 0.76 < x < 0.93 is taken from the common tangent with the published electronic term.")
        .figure(
            Figure::new("hull", "Formation energies and their convex hull", Axis::new("Stoichiometry x in LiₓCoO₂", ""), Axis::new("Formation energy", "meV"))
                .caption("Per formula unit, against LiCoO₂ and O3 CoO₂. Error bars: standard deviation of the ensemble.")
                .series(Series::markers("orderings above the hull", above_x, above_y).marker(Marker::CircleOpen).color(7))
                .series(hull.color(0).marker(Marker::Square)),
        )
        .figure(
            Figure::new("parity", "Cluster expansion against first principles", Axis::new("DFT formation energy", "meV"), Axis::new("Cluster expansion", "meV"))
                .caption("Root-mean-square error in ten-fold cross-validation 2.1 meV per formula unit.")
                .series(Series::markers("312 orderings", reference, fitted).marker(Marker::CircleOpen))
                .reference(Orientation::Diagonal, 0.0, "y = x")
                .equal_aspect(),
        )
        .figure(
            Figure::new("eci", "Effective cluster interactions against distance", Axis::new("Pair distance", "angstrom"), Axis::new("ECI", "meV"))
                .caption("Per cluster; the first-neighbour repulsion dominates.")
                .series(Series::bars("pairs in the plane", radius[..5].to_vec(), vec![28.4, -3.1, 4.6, 0.8, -0.4]).errors(vec![1.1, 0.9, 0.9, 0.5, 0.5]))
                .series(Series::bars("pairs between planes", radius[5..].to_vec(), vec![6.1, -1.9, 0.7]).errors(vec![0.8, 0.7, 0.4])),
        )
        .figure(voltage())
}

fn voltage() -> Figure {
    let x = grid(0.4, 0.995, 240);
    let value = |x: f64| {
        let plateau = if (0.76..0.93).contains(&x) { 0.845 } else { x };
        4.62 - 0.78 * plateau
            + 0.018 * ((0.5 - plateau) / 0.012).tanh()
            + 0.009 * (1.0 / plateau - 1.0).ln().clamp(-6.0, 6.0)
    };
    let y = map(&x, value);
    let width = map(&x, |x| 0.012 + 0.03 * (x - 0.7).powi(2));
    let lower: Vec<f64> = y.iter().zip(&width).map(|(y, w)| y - 2.0 * w).collect();
    let upper: Vec<f64> = y.iter().zip(&width).map(|(y, w)| y + 2.0 * w).collect();
    let measured = grid(0.42, 0.98, 24);
    let points: Vec<f64> =
        measured.iter().enumerate().map(|(i, x)| value(*x) + 0.012 * noise(i + 77) - 0.01).collect();
    Figure::new(
        "ocv",
        "Open-circuit voltage at 300 K",
        Axis::new("Stoichiometry x in LiₓCoO₂", ""),
        Axis::new("Voltage against Li", "V"),
    )
    .caption("Ensemble of 64 expansions; nothing was fitted to the measurement.")
    .span(0.76, 0.93, "two phases")
    .span(0.48, 0.52, "order at ½")
    .series(Series::band("95 % of the ensemble", x.clone(), lower, upper).color(0))
    .series(Series::line("computed", x, y).color(0).dash(Dash::Solid))
    .series(Series::markers("measured (Reimers 1992)", measured, points).color(1).marker(Marker::SquareOpen))
}

fn transport() -> Section {
    let x = grid(0.1, 0.98, 45);
    let chemical = map(&x, |x| {
        10f64.powf(-13.2 - 1.9 * (x - 0.55).powi(2) * 6.0 - 0.8 / (1.0 + ((x - 0.5) / 0.03).powi(2)))
    });
    let tracer: Vec<f64> = x.iter().zip(&chemical).map(|(x, d)| d * (1.0 - x) / (4.0 + 20.0 * x)).collect();
    let lower = chemical.iter().map(|d| d * 0.72).collect();
    let upper = chemical.iter().map(|d| d * 1.36).collect();
    let inverse: Vec<f64> =
        [250.0, 275.0, 300.0, 325.0, 350.0, 375.0, 400.0].iter().map(|t| 1000.0 / t).collect();
    let arrhenius: Vec<f64> = inverse
        .iter()
        .enumerate()
        .map(|(i, t)| {
            3.1e-10 * (-0.231 * t * 1000.0 / (8.617e-5 * 1e6) * 1.0).exp() * (1.0 + 0.06 * noise(i + 5))
        })
        .collect();
    let errors = arrhenius.iter().map(|d| 0.11 * d).collect();
    let fit_x = grid(2.4, 4.1, 30);
    let fit = map(&fit_x, |t| 3.1e-10 * (-0.231 * t * 1000.0 / (8.617e-5 * 1e6)).exp());
    Section::new("transport", "Diffusion")
        .paragraph("Lithium hops into divacancies. Kinetic Monte Carlo with the barriers of the cluster expansion gives the jump diffusivity; the thermodynamic factor of the same expansion turns it into the chemical one.")
        .figure(
            Figure::new("diffusivity", "Diffusivity against stoichiometry at 300 K", Axis::new("Stoichiometry x in LiₓCoO₂", ""), Axis::new("Diffusivity", "m2/s").log())
                .caption("Band: 68 % of the ensemble.")
                .series(Series::band("68 % of the ensemble", x.clone(), lower, upper).color(0))
                .series(Series::line("chemical", x.clone(), chemical).color(0).dash(Dash::Solid))
                .series(Series::line("tracer", x, tracer).color(1).dash(Dash::Dash)),
        )
        .figure(
            Figure::new("arrhenius", "Arrhenius plot of the chemical diffusivity at x = 0.6", Axis::new("Inverse temperature", "1000/K"), Axis::new("Diffusivity", "m2/s").log())
                .caption("Activation energy 0.231(8) eV.")
                .series(Series::markers("kinetic Monte Carlo", inverse, arrhenius).errors(errors).color(0))
                .series(Series::line("fit", fit_x, fit).color(0))
                .reference(Orientation::Vertical, 1000.0 / 298.15, "298 K"),
        )
        .table(
            Table::new("barriers", "Barriers of the divacancy hop", ["Path", "Barrier (eV)", "Attempt frequency (THz)", "Source"])
                .row(["tetrahedral, x = 0.5", "0.231(8)", "9.8(6)", "computed"])
                .row(["tetrahedral, x = 0.9", "0.29(1)", "10.1(6)", "computed"])
                .row(["oxygen dumbbell", "0.82(3)", "12(1)", "published"]),
        )
}

fn cell() -> Section {
    let t = grid(0.0, 3480.0, 400);
    let value = |t: f64| {
        4.18 - 0.42 * (t / 3480.0).powf(0.8)
            - 0.12 * (-t / 40.0).exp().mul_add(-1.0, 1.0)
            - 0.32 * (t / 3480.0).powi(14)
    };
    let volts = map(&t, value);
    let lower = map(&t, |t| value(t) - 0.014 - 0.12 * (t / 3480.0).powi(12));
    let upper = map(&t, |t| value(t) + 0.014 + 0.06 * (t / 3480.0).powi(12));
    let temperature = map(&t, |t| 298.15 + 13.8 * (1.0 - (-t / 1500.0).exp()) + 2.2 * (t / 3480.0).powi(8));
    let frequency: Vec<f64> = (0..61).map(|i| 10f64.powf(4.0 - 0.1 * f64::from(i))).collect();
    let impedance = |f: f64| {
        let w = std::f64::consts::TAU * f;
        let (r, c) = (14.0, 2.2e-3);
        let d = 1.0 + (w * r * c).powi(2);
        let warburg = 3.2 / w.sqrt();
        (11.0 + r / d + warburg, w * r * r * c / d + warburg)
    };
    let (real, imaginary): (Vec<f64>, Vec<f64>) =
        frequency.iter().map(|f| impedance(*f)).filter(|(re, _)| *re < 40.0).unzip();
    let mut section = Section::new("cell", "The cell")
        .paragraph("The Doyle–Fuller–Newman model takes the voltage and the diffusivity from the rungs below as they are. One kinetic parameter was unsealed by the user, and every result that it touches says so.")
        .figure(
            Figure::new("discharge", "Discharge at 1C", Axis::new("Time", "s"), Axis::new("Cell voltage", "V"))
                .caption("Band: 95 % of 128 samples through all rungs.")
                .series(Series::band("95 % of the samples", t.clone(), lower, upper).color(0))
                .series(Series::line("median", t.clone(), volts).color(0).dash(Dash::Solid))
                .reference(Orientation::Horizontal, 3.0, "cut-off 3.0 V")
                .retuned("rate constant: did not meet the pulse test of cell B"),
        )
        .figure(
            Figure::new("temperature", "Temperature during discharge", Axis::new("Time", "s"), Axis::new("Temperature", "K"))
                .series(Series::line("core", t.clone(), temperature.clone()))
                .series(Series::line("surface", t, temperature.iter().map(|k| 298.15 + 0.86 * (k - 298.15)).collect())),
        )
        .figure(
            Figure::new("nyquist", "Impedance at half charge", Axis::new("Re Z", "ohm cm2"), Axis::new("−Im Z", "ohm cm2"))
                .caption("From 10 kHz at the left to 10 mHz at the right.")
                .series(Series::line_markers("computed", real, imaginary))
                .equal_aspect(),
        );
    section.notes.push(scalade_report::Note {
        level: NoteLevel::Info,
        text: "Side reactions are switched off in this study.".into(),
    });
    section
}

fn ledger() -> Vec<LedgerRow> {
    vec![
        LedgerRow::new("total energies", "312 orderings", "1 meV", "eV")
            .source("Van der Ven 1998, recomputed", Some("10.1103/PhysRevB.58.2975"))
            .identified_at("atomic", true)
            .used_by(["effective cluster interactions"]),
        LedgerRow::new("hop barrier", "0.2312", "0.0083", "eV")
            .source("nudged elastic band, this run", None)
            .identified_at("atomic", true)
            .used_by(["diffusivity"]),
        LedgerRow::new("attempt frequency", "9.8e12", "6e11", "1/s")
            .source("phonons, this run", None)
            .identified_at("atomic", true)
            .used_by(["diffusivity"]),
        LedgerRow::new("temperature", "298.15", "exact", "K")
            .source("protocol", None)
            .identified_at("cell", false)
            .used_by(["V(x)"]),
        LedgerRow::new("porosity", "0.335", "0.012", "")
            .source("X-ray tomography", Some("https://doi.org/10.1149/1.2221184"))
            .identified_at("electrode", true)
            .used_by(["capacity"]),
        LedgerRow::new("rate constant", "2.1e-11", "3e-12", "m2.5 mol-0.5 s-1")
            .source("pulse test of cell B", None)
            .identified_at("cell", false)
            .retuned("did not meet the pulse test of cell B")
            .used_by(["capacity"]),
        LedgerRow::new("coating thickness", "7.56e-5", "5e-7", "m")
            .source("micrometer", None)
            .identified_at("cell", false)
            .used_by(["capacity"]),
        LedgerRow::new("heat transfer coefficient", "10", "not known: assumed", "W/m2/K")
            .source("assumed for natural convection", None)
            .identified_at("cell", false)
            .used_by(["peak-temperature"]),
    ]
}
