//! Figures of diffusion over compositions and temperatures, from the points of kinetic Monte Carlo and the thermodynamic factor at their temperatures: nothing is
//! carried from one temperature to another, so that the points show whether a line through them is one.

use super::plain;
use crate::kinds::{HopDetail, Ladder, ThermoDetail, projection};
use scalade_handoff::{Projection, SymmetricTensor, ThermodynamicFactor};
use scalade_hopping::Diffusivity;
use scalade_lattice::VoltageCurve;
use scalade_report::{Axis, Dash, Figure, Marker, Series};
use scalade_study::{InputRecord, RunRecord, StepRecord};

/// A number and its relative standard error.
type Known = (f64, f64);

/// What is known at one composition and temperature.
#[derive(Clone, Copy, Debug)]
struct Point {
    x: f64,
    temperature_k: f64,
    tracer: Option<Known>,
    jump: Option<Known>,
    theta: Option<Known>,
    chemical: Option<Known>,
    haven: Option<Known>,
}

/// Markers of the ninth curve and those after it, none of them that of the curve with the same colour.
const LATER: [Marker; 8] = [
    Marker::Diamond,
    Marker::TriangleUp,
    Marker::Circle,
    Marker::Square,
    Marker::Cross,
    Marker::Plus,
    Marker::CircleOpen,
    Marker::SquareOpen,
];

type Pick = fn(&Point) -> Option<Known>;

/// The step that an input comes from.
fn origin<'a>(record: &'a RunRecord, of: &StepRecord, key: &str) -> Option<&'a StepRecord> {
    match of.inputs.get(key)? {
        InputRecord::Reference { step, .. } => record.steps.get(step),
        _ => None,
    }
}

/// The scalar of a tensor with the relative error of its trace.
fn scalar(of: &Diffusivity, projection: Projection) -> Option<Known> {
    let found = of.tensor()?;
    let tensor = SymmetricTensor::from_full(found.value_m2_s);
    let error = (0..3).map(|i| found.std_m2_s[i][i].powi(2)).sum::<f64>().sqrt();
    let [first, second, _] = tensor.eigenvalues();
    let value = match projection {
        Projection::Isotropic => tensor.trace() / 3.0,
        Projection::FastPlane => 0.5 * (first + second),
        Projection::FastAxis => first,
    };
    (value > 0.0 && tensor.trace() > 0.0).then(|| (value, error / tensor.trace()))
}

/// Relative standard error of the factor of a curve at a composition, between its points by a line.
fn relative_error(curve: &VoltageCurve, x: f64) -> Option<f64> {
    let right = curve.x.partition_point(|v| *v < x).clamp(1, curve.x.len().checked_sub(1)?);
    let at = |i: usize| (curve.theta[i] > 0.0).then(|| curve.theta_std[i] / curve.theta[i]);
    let weight = (x - curve.x[right - 1]) / (curve.x[right] - curve.x[right - 1]);
    Some(at(right - 1)? * (1.0 - weight) + at(right)? * weight)
}

/// The thermodynamic factor at a composition and a temperature of Monte Carlo.
struct Factors {
    factor: ThermodynamicFactor,
    curves: Vec<VoltageCurve>,
}

impl Factors {
    fn of(record: &RunRecord, diffusion: &StepRecord) -> Option<Self> {
        let s = origin(record, diffusion, "thermodynamic_factor")?;
        let detail: ThermoDetail = plain(s, "detail")?;
        Some(Self { factor: plain(s, "thermodynamic_factor")?, curves: detail.mean })
    }

    fn at(&self, x: f64, temperature_k: f64) -> Option<Known> {
        let curve = self.curves.iter().find(|c| c.temperature_k == temperature_k)?;
        let value = self.factor.evaluate(&[x], temperature_k).ok()?;
        Some((*value.first()?, relative_error(curve, x)?))
    }
}

/// The points of the best ladder, by composition, then temperature.
fn points(record: &RunRecord, diffusion: &StepRecord) -> Option<Vec<Point>> {
    let detail: HopDetail = plain(origin(record, diffusion, "jump")?, "detail")?;
    let factors = Factors::of(record, diffusion);
    let projection = match diffusion.inputs.get("projection") {
        Some(InputRecord::Literal { value, .. }) => projection(value.as_str().unwrap_or_default()),
        _ => Projection::FastPlane,
    };
    let best = detail.points.iter().filter(|p| p.ladder == Ladder::Best).map(|p| &p.point);
    let mut out: Vec<Point> = best
        .map(|p| {
            let (x, temperature_k) = (p.x, p.temperature_k);
            let jump = scalar(&p.jump, projection);
            let theta = factors.as_ref().and_then(|f| f.at(x, temperature_k));
            let chemical = jump.zip(theta).map(|((d, a), (f, b))| (d * f, a.hypot(b)));
            let haven = p.haven.map(|h| (h.value, h.std / h.value));
            Point { x, temperature_k, tracer: scalar(&p.tracer, projection), jump, theta, chemical, haven }
        })
        .collect();
    out.sort_by(|a, b| a.x.total_cmp(&b.x).then(a.temperature_k.total_cmp(&b.temperature_k)));
    Some(out)
}

/// One curve of `pick` for each value of `by`, with error bars; curves of one point are left out.
fn curves(
    mut figure: Figure,
    points: &[Point],
    by: fn(&Point) -> f64,
    name: fn(f64) -> String,
    at: fn(&Point) -> f64,
    pick: Pick,
) -> Option<Figure> {
    let mut keys: Vec<f64> = points.iter().map(by).collect();
    keys.sort_by(f64::total_cmp);
    keys.dedup();
    for (place, key) in keys.into_iter().enumerate() {
        let kept: Vec<(f64, Known)> =
            points.iter().filter(|p| by(p) == key).filter_map(|p| Some((at(p), pick(p)?))).collect();
        if kept.len() < 2 {
            continue;
        }
        let x = kept.iter().map(|(x, _)| *x).collect();
        let y = kept.iter().map(|(_, (value, _))| *value).collect();
        let errors = kept.iter().map(|(_, (value, relative))| value * relative).collect();
        let series = Series::line_markers(name(key), x, y).errors(errors);
        // Colours and markers begin anew after eight curves: other markers and broken lines keep them apart.
        figure =
            figure.series(if place < 8 { series } else { series.marker(LATER[place % 8]).dash(Dash::Dash) });
    }
    (!figure.series.is_empty()).then_some(figure)
}

/// Arrhenius plots by composition, and curves over composition by temperature.
pub(super) fn figures(record: &RunRecord, diffusion: &StepRecord) -> Vec<Figure> {
    let Some(points) = points(record, diffusion) else { return Vec::new() };
    let kelvin = |t: f64| format!("{t} K");
    let content = |x: f64| format!("x = {x:.2}");
    let inverse = |p: &Point| 1e3 / p.temperature_k;
    let arrhenius = |id: &str, what: &str, pick: Pick| {
        let figure = Figure::new(
            id,
            format!("{what} against temperature"),
            Axis::new("1000/T", "1/K"),
            Axis::new("diffusivity", "m2/s").log(),
        )
        .caption("One curve a composition, every point from its own run. Bars: one standard error of the sampling; the ensemble is not in them.");
        curves(figure, &points, |p| p.x, content, inverse, pick)
    };
    let over_x = |id: &str, title: &str, y: Axis, caption: &str, pick: Pick| {
        let figure = Figure::new(id, title, Axis::new("x", ""), y).caption(caption);
        curves(figure, &points, |p| p.temperature_k, kelvin, |p| p.x, pick)
    };
    [
        arrhenius("arrhenius-chemical", "Chemical diffusivity", |p| p.chemical),
        arrhenius("arrhenius-jump", "Jump diffusivity", |p| p.jump),
        arrhenius("arrhenius-tracer", "Tracer diffusivity", |p| p.tracer),
        over_x(
            "diffusivity-temperature",
            "Chemical diffusivity at several temperatures",
            Axis::new("diffusivity", "m2/s").log(),
            "Thermodynamic factor times jump diffusivity, both at the temperature of the curve. Bars: one standard error of the sampling.",
            |p| p.chemical,
        ),
        over_x(
            "thermodynamic-factor-points",
            "Thermodynamic factor at the compositions of the diffusivities",
            Axis::new("thermodynamic factor", "").log(),
            "d(mu/kT)/d ln x as it enters the chemical diffusivity. Bars: one standard error of the sampling.",
            |p| p.theta,
        ),
        over_x(
            "haven-ratio",
            "Haven ratio",
            Axis::new("Haven ratio", ""),
            "Ratio of the traces of tracer and jump diffusivity. Below 1, ions move together; what the shortcut factor × tracer misses. Bars: one standard error.",
            |p| p.haven,
        ),
    ]
    .into_iter()
    .flatten()
    .collect()
}
