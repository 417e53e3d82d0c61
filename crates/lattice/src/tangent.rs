//! Common tangents and spinodals of a free energy of mixing.

use crate::LatticeError;
use crate::hull::lower_hull;
use serde::{Deserialize, Serialize};

/// A composition x with 1 - x, so that neither end loses digits.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Fraction {
    /// x.
    pub x: f64,
    /// 1 - x.
    pub rest: f64,
}

impl Fraction {
    /// The composition x.
    pub fn of(x: f64) -> Self {
        Self { x, rest: 1.0 - x }
    }

    /// x = 1/(1 + e^-u).
    pub fn from_logit(u: f64) -> Self {
        let small = (-u.abs()).exp();
        let (near, far) = (1.0 / (1.0 + small), small / (1.0 + small));
        if u < 0.0 { Self { x: far, rest: near } } else { Self { x: near, rest: far } }
    }

    /// u = ln(x/(1 - x)).
    pub fn logit(self) -> f64 {
        (self.x / self.rest).ln()
    }

    /// How far another composition lies above this one.
    fn distance_to(self, other: Self) -> f64 {
        if self.x > 0.5 { self.rest - other.rest } else { other.x - self.x }
    }
}

/// A free energy of mixing per site.
pub trait MixingCurve {
    /// Compositions at which it is known, within [0, 1].
    fn domain(&self) -> [f64; 2] {
        [0.0, 1.0]
    }

    /// g, dg/dx and d2g/dx2.
    fn evaluate(&self, at: Fraction) -> [f64; 3];
}

/// Two phases with a common tangent.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Tangent {
    /// The two compositions.
    pub phases: [Fraction; 2],
    /// Slope of the tangent: the chemical potential.
    pub slope: f64,
    /// Largest violation of the two tangent conditions, in the units of g.
    pub residual: f64,
}

impl Tangent {
    /// The two compositions x.
    pub fn x(&self) -> [f64; 2] {
        self.phases.map(|p| p.x)
    }
}

/// Points between which tangents and spinodals are looked for.
const GRID: usize = 4096;
/// Logit at the outermost points of the grid over the whole range of compositions.
const OUTERMOST_LOGIT: f64 = 36.0;
/// Allowed violation of the tangent conditions, relative to the scale of g.
const TOLERANCE: f64 = 1e-11;
/// Newton steps.
const STEPS: usize = 200;

/// The grid: even in x, with even logits towards the ends of the whole range.
fn grid(domain: [f64; 2]) -> Vec<Fraction> {
    let [low, high] = domain;
    let mut logits: Vec<f64> = (1..GRID)
        .map(|i| Fraction::of(low + (high - low) * i as f64 / GRID as f64).logit())
        .filter(|u| u.is_finite())
        .collect();
    let tail = |sign: f64| (0..GRID / 4).map(move |i| sign * OUTERMOST_LOGIT * 4.0 * i as f64 / GRID as f64);
    let within = |u: &f64| {
        let x = Fraction::from_logit(*u).x;
        x > low && x < high
    };
    logits.extend(tail(-1.0).chain(tail(1.0)).filter(within));
    logits.sort_by(f64::total_cmp);
    logits.dedup();
    logits.into_iter().map(Fraction::from_logit).collect()
}

/// Compositions at which the curvature changes its sign, in order: the spinodals. A gap narrower than the grid is found from the least curvature.
pub fn spinodals(curve: &dyn MixingCurve) -> Vec<Fraction> {
    let grid = grid(curve.domain());
    // Times x (1 - x): finite at the ends, of the same sign.
    let bend = |u: f64| {
        let at = Fraction::from_logit(u);
        curve.evaluate(at)[2] * at.x * at.rest
    };
    let mut marks: Vec<(f64, f64)> = grid.iter().map(|f| f.logit()).map(|u| (u, bend(u))).collect();
    let dips: Vec<(f64, f64)> = marks
        .windows(3)
        .filter(|w| w[1].1 > 0.0 && w[1].1 <= w[0].1 && w[1].1 <= w[2].1)
        .map(|w| least(&bend, w[0].0, w[2].0))
        .collect();
    marks.extend(dips);
    marks.sort_by(|a, b| a.0.total_cmp(&b.0));
    marks
        .windows(2)
        .filter(|w| (w[0].1 < 0.0) != (w[1].1 < 0.0))
        .map(|w| {
            let ((mut low, sign), (mut high, _)) = (w[0], w[1]);
            for _ in 0..100 {
                let middle = 0.5 * (low + high);
                if (bend(middle) < 0.0) == (sign < 0.0) { low = middle } else { high = middle }
            }
            Fraction::from_logit(0.5 * (low + high))
        })
        .collect()
}

/// Golden-section search for a minimum.
fn least(f: &dyn Fn(f64) -> f64, mut low: f64, mut high: f64) -> (f64, f64) {
    let ratio = 0.5 * (5f64.sqrt() - 1.0);
    for _ in 0..80 {
        let (a, b) = (high - ratio * (high - low), low + ratio * (high - low));
        if f(a) < f(b) { high = b } else { low = a }
    }
    let at = 0.5 * (low + high);
    (at, f(at))
}

/// Every common tangent that lies nowhere above the curve, in order of x.
///
/// Edges of the lower convex hull of a grid and the spinodal intervals are the first guesses; Newton's method on both tangent conditions, with
/// the logits as unknowns, finishes (in these g' is nearly linear towards the ends, so that phases of 1e-50 are as good as any).
pub fn tangents(curve: &dyn MixingCurve) -> Result<Vec<Tangent>, LatticeError> {
    let grid = grid(curve.domain());
    let points: Vec<[f64; 2]> = grid.iter().map(|f| [f.x, curve.evaluate(*f)[0]]).collect();
    let spinodals = spinodals(curve);
    let hull = lower_hull(&points);
    let mut guesses: Vec<[Fraction; 2]> = Vec::new();
    for pair in spinodals.chunks_exact(2) {
        let logits = pair.iter().map(|f| f.logit()).collect::<Vec<_>>();
        // Near a critical point the phases lie at sqrt(3) of the spinodal's distance from its middle.
        let apart = 0.366 * (logits[1] - logits[0]);
        guesses.push([Fraction::from_logit(logits[0] - apart), Fraction::from_logit(logits[1] + apart)]);
    }
    for edge in hull.windows(2) {
        let between = |f: &Fraction| f.x > grid[edge[0]].x && f.x < grid[edge[1]].x;
        if edge[1] - edge[0] > 1 && spinodals.iter().any(between) {
            guesses.push([grid[edge[0]], grid[edge[1]]]);
        }
    }
    let mut found: Vec<Tangent> = Vec::new();
    let mut failure = None;
    for guess in guesses {
        match refine(curve, guess) {
            Ok(tangent) if lies_below(curve, &tangent, &points) => found.push(tangent),
            Ok(_) => {}
            Err(e) => failure = Some(e),
        }
    }
    found.sort_by(|a, b| a.phases[0].x.total_cmp(&b.phases[0].x));
    found.dedup_by(|a, b| {
        (0..2).all(|k| {
            (a.phases[k].logit() - b.phases[k].logit()).abs() < 1e-6 * (1.0 + a.phases[k].logit().abs())
        })
    });
    match failure {
        Some(e) if found.is_empty() => Err(e),
        _ => Ok(found),
    }
}

/// Scale of g and of its slope around a tangent.
fn scale(values: [[f64; 3]; 2]) -> f64 {
    values.iter().flat_map(|v| v[..2].iter()).fold(f64::MIN_POSITIVE, |s, v| s.max(v.abs()))
}

fn refine(curve: &dyn MixingCurve, guess: [Fraction; 2]) -> Result<Tangent, LatticeError> {
    let [low, high] = curve.domain();
    let inside = |f: Fraction| f.x > 0.0 && f.x >= low && f.x <= high && f.rest > 0.0;
    let conditions = |p: [Fraction; 2]| {
        let [a, b] = p.map(|f| curve.evaluate(f));
        let apart = p[0].distance_to(p[1]);
        ([a[1] - b[1], b[0] - a[0] - 0.5 * (a[1] + b[1]) * apart], [a, b], apart)
    };
    let worst = |r: [f64; 2]| r[0].abs().max(r[1].abs());
    let mut u = guess.map(Fraction::logit);
    let mut phases = guess;
    let (mut r, mut values, mut apart) = conditions(phases);
    let mut steps = 0;
    while steps < STEPS && worst(r) > 1e-16 * scale(values) {
        steps += 1;
        // With s = x (1 - x) = dx/du; the slope in the second condition is the mean of both.
        let [a, b] = values;
        let [sa, sb] = phases.map(|f| f.x * f.rest);
        let gap = 0.5 * (a[1] - b[1]);
        let (j00, j01) = (a[2] * sa, -b[2] * sb);
        let (j10, j11) = (sa * (-gap - 0.5 * a[2] * apart), sb * (-gap - 0.5 * b[2] * apart));
        let det = j00 * j11 - j01 * j10;
        let full = [(r[0] * j11 - r[1] * j01) / det, (j00 * r[1] - j10 * r[0]) / det];
        let mut share = 1.0;
        let next = loop {
            let trial = [0, 1].map(|k| u[k] - share * full[k].clamp(-20.0, 20.0));
            let p = trial.map(Fraction::from_logit);
            if trial[0] < trial[1] && p.into_iter().all(inside) {
                let (rt, vt, at) = conditions(p);
                if worst(rt) < worst(r) && vt.iter().flatten().all(|v| v.is_finite()) {
                    break Some((trial, p, rt, vt, at));
                }
            }
            share *= 0.5;
            if share < 1e-6 {
                break None;
            }
        };
        let Some(next) = next else { break };
        (u, phases, r, values, apart) = next;
    }
    let (residual, tolerance) = (worst(r), TOLERANCE * scale(values));
    // Newton's method may close the gap: then it has found a point, not two phases.
    if residual.is_nan() || residual > tolerance || u[1] - u[0] < 1e-9 {
        let what = "common tangent";
        return Err(LatticeError::NotConverged {
            what,
            iterations: steps,
            residual,
            tolerance,
            at: phases[0].x,
        });
    }
    Ok(Tangent { phases, slope: 0.5 * (values[0][1] + values[1][1]), residual })
}

/// Whether a tangent lies nowhere above the curve.
fn lies_below(curve: &dyn MixingCurve, tangent: &Tangent, points: &[[f64; 2]]) -> bool {
    let [a, b] = tangent.phases.map(|f| curve.evaluate(f));
    let noise = 1e-9 * scale([a, b]);
    let x0 = tangent.phases[0].x;
    points.iter().all(|p| p[1] - a[0] - tangent.slope * (p[0] - x0) >= -noise)
}

/// A tabled free energy: a spline through what is left beside ideal mixing.
#[derive(Clone, Debug)]
pub struct TabledMixing {
    spline: scalade_numerics::CubicSpline,
    kt: f64,
}

impl TabledMixing {
    /// From compositions (increasing, within [0, 1]) and free energies g per site with ideal mixing at kT in them. What is left without ideal mixing
    /// is smooth up to the ends, so that the spline needs few points.
    pub fn new(x: &[f64], g: &[f64], kt: f64) -> Result<Self, LatticeError> {
        LatticeError::require(kt.is_finite() && kt > 0.0, "kT", kt, "a positive number is due")?;
        LatticeError::require(
            x.len() >= 4,
            "points of the free energy",
            x.len() as f64,
            "four at least are due",
        )?;
        if let Some(bad) = x.iter().find(|x| !(0.0..=1.0).contains(*x)) {
            LatticeError::require(false, "composition", *bad, "a share in [0, 1] is due")?;
        }
        let excess: Vec<f64> = x.iter().zip(g).map(|(x, g)| g - kt * ideal(Fraction::of(*x))[0]).collect();
        let spline = scalade_numerics::CubicSpline::new(x, &excess)
            .map_err(|source| LatticeError::Table { what: "free energy", source })?;
        Ok(Self { spline, kt })
    }
}

impl MixingCurve for TabledMixing {
    fn domain(&self) -> [f64; 2] {
        let (low, high) = self.spline.domain();
        [low, high]
    }

    fn evaluate(&self, at: Fraction) -> [f64; 3] {
        let (excess, ideal) = (self.spline.evaluate(at.x), ideal(at));
        std::array::from_fn(|k| excess[k] + self.kt * ideal[k])
    }
}

/// x ln x + (1-x) ln(1-x) with its derivatives: minus the entropy of ideal mixing over k.
pub fn ideal(at: Fraction) -> [f64; 3] {
    let term = |v: f64| if v > 0.0 { v * v.ln() } else { 0.0 };
    [term(at.x) + term(at.rest), at.logit(), 1.0 / (at.x * at.rest)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::RedlichKister;

    #[test]
    fn phases_at_low_temperature_are_as_good_as_any() {
        // Dilute solution: ln x = -w/kT (1 - 2 x) + ..., symmetric phases at x/(1-x) = e^(-w (1-2x)/kT).
        for strength in [5.0, 40.0, 116.0, 600.0] {
            let model = RedlichKister { kt_ev: 1.0, interactions_ev: vec![strength] };
            let [t] = tangents(&model).unwrap()[..] else { panic!("{strength}") };
            let [a, b] = t.phases;
            assert!((a.x / b.rest - 1.0).abs() < 1e-9, "{strength} {t:?}");
            assert!((a.logit() + strength * (1.0 - 2.0 * a.x)).abs() < 1e-9 * strength, "{t:?}");
            assert!(t.slope.abs() < 1e-9 * strength);
        }
    }

    #[test]
    fn a_gap_narrower_than_the_grid_is_found() {
        let model = RedlichKister { kt_ev: 1.0, interactions_ev: vec![2.0 + 1e-6] };
        let s = spinodals(&model);
        // x (1 - x) = kT/2w.
        let half = (0.25f64 - 1.0 / (2.0 * (2.0 + 1e-6))).sqrt();
        assert_eq!(s.len(), 2);
        assert!((s[0].x - 0.5 + half).abs() < 1e-3 * half && (s[1].x - 0.5 - half).abs() < 1e-3 * half);
        let [t] = tangents(&model).unwrap()[..] else { panic!("no tangent") };
        let ratio = (t.phases[1].x - t.phases[0].x) / (s[1].x - s[0].x);
        assert!((ratio / 3f64.sqrt() - 1.0).abs() < 0.01, "{ratio}");
    }

    #[test]
    fn a_curve_with_three_phases_has_two_tangents() {
        // An ordered phase at one half: g_ex = -a x (1-x) with two humps.
        let model = RedlichKister { kt_ev: 0.02, interactions_ev: vec![-0.05, 0.0, 0.5] };
        let two = tangents(&model).unwrap();
        assert_eq!(two.len(), 2, "{two:?}");
        assert!((two[0].phases[1].x + two[1].phases[0].x - 1.0).abs() < 1e-9);
        assert!((two[0].slope + two[1].slope).abs() < 1e-12);
        for t in two {
            let [a, b] = t.phases.map(|f| model.evaluate(f));
            assert!((a[1] - b[1]).abs() < 1e-12);
            assert!((b[0] - a[0] - a[1] * (t.phases[1].x - t.phases[0].x)).abs() < 1e-12);
        }
    }

    #[test]
    fn a_table_gives_what_its_formula_gives() {
        let model = RedlichKister { kt_ev: 0.0257, interactions_ev: vec![0.08, 0.01] };
        let x: Vec<f64> = (0..=40).map(|i| f64::from(i) / 40.0).collect();
        let g: Vec<f64> = x
            .iter()
            .map(|x| {
                let u = 1.0 - 2.0 * x;
                0.0257 * ideal(Fraction::of(*x))[0] + x * (1.0 - x) * (0.08 + 0.01 * u)
            })
            .collect();
        let table = TabledMixing::new(&x, &g, 0.0257).unwrap();
        let (a, b) = (tangents(&model).unwrap()[0], tangents(&table).unwrap()[0]);
        assert!((a.x()[0] - b.x()[0]).abs() < 1e-9 && (a.x()[1] - b.x()[1]).abs() < 1e-9, "{a:?} {b:?}");
        // Without the ends the tangent points lie outside the table: refused, not extrapolated.
        let cut = TabledMixing::new(&x[6..35], &g[6..35], 0.0257).unwrap();
        assert!(tangents(&cut).is_err());
        assert!(TabledMixing::new(&x[..3], &g[..3], 0.0257).is_err());
        assert!(TabledMixing::new(&[0.0, 0.5, 0.5, 1.0], &[0.0; 4], 0.0257).is_err());
        assert!(TabledMixing::new(&[0.0, 0.5, 0.7, 1.5], &[0.0; 4], 0.0257).is_err());
    }

    #[test]
    fn convex_curves_have_none() {
        let model = RedlichKister { kt_ev: 1.0, interactions_ev: vec![1.9, 0.3] };
        assert!(tangents(&model).unwrap().is_empty() && spinodals(&model).is_empty());
    }
}
