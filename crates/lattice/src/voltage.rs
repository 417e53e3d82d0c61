//! From a two-directional scan to free energy, voltage, its temperature coefficient and the thermodynamic factor.
//!
//! Per site, the grand potential w = e - T s - mu x obeys dw/dmu = -x. It is exact at both ends of the scan, where ions or vacancies are a
//! dilute gas: w = e_empty + kT ln(1 - x), and w = e_full - mu + kT ln x. Integrating x along single-phase branches from one end to the other must
//! join the two (closure); a transition between branches sits where it does, by which common fraction of their hysteresis loops. Between
//! coexisting phases mu is constant: that is the common tangent of g(x) = w + mu x.

use crate::phases::{Loop, Phase, branches};
use crate::{BOLTZMANN_EV_PER_K, Estimate, LatticeError, Member, Monitor, Scan, ScanSettings, scan};
use scalade_handoff::LatticeHamiltonian;
use serde::{Deserialize, Serialize};

/// Standard errors by which the closure may be missed before the result is refused.
const CLOSURE_SIGMAS: f64 = 8.0;
/// Misses below this are never refused, eV per site.
const CLOSURE_EV: f64 = 1e-3;

/// A first-order transition found by the scan.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Transition {
    /// Chemical potential of coexistence, eV.
    pub chemical_potential_ev: f64,
    /// Its standard error, eV.
    pub chemical_potential_std_ev: f64,
    /// Compositions of the coexisting phases.
    pub x: [f64; 2],
    /// Ends of the hysteresis loop (or of the interval in which x jumps), eV.
    pub hysteresis_ev: [f64; 2],
}

/// Equilibrium curves over composition x (occupied over all sites of the working ion).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VoltageCurve {
    /// Temperature, kelvin.
    pub temperature_k: f64,
    /// Compositions.
    pub x: Vec<f64>,
    /// Voltage against the reference, -(mu - E_ref)/e, volt. Non-increasing; constant in two-phase intervals.
    pub voltage_v: Vec<f64>,
    /// Statistical standard error of the voltage, volt.
    pub voltage_std: Vec<f64>,
    /// dV/dT at constant x (configurational part), V/K.
    pub dvdt_v_per_k: Vec<f64>,
    /// Its standard error, V/K.
    pub dvdt_std: Vec<f64>,
    /// Thermodynamic factor d(mu/kT)/d ln x; 0 in two-phase intervals.
    pub theta: Vec<f64>,
    /// Its standard error.
    pub theta_std: Vec<f64>,
    /// Two-phase intervals of x.
    pub two_phase: Vec<[f64; 2]>,
    /// Free energy per site on the scale of the data, eV.
    pub free_energy_ev: Vec<f64>,
    /// Free energy of mixing per site: less (1 - x) e_empty + x e_full, eV.
    pub mixing_free_energy_ev: Vec<f64>,
    /// Statistical standard error of the free energy, eV.
    pub free_energy_std: Vec<f64>,
    /// The transitions behind `two_phase`.
    pub transitions: Vec<Transition>,
    /// By how much the integrations from the two ends disagree, eV per site.
    pub closure_ev: f64,
    /// Its statistical standard error, eV per site.
    pub closure_std_ev: f64,
    /// Worst mean squared and largest residual of the smoothing, in error bars.
    pub smoothing_misfit: [f64; 2],
    /// Points (of both scans) whose run may still have been drifting.
    pub unequilibrated: usize,
}

/// Budget of a voltage curve.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VoltageSettings {
    /// The scans.
    pub scan: ScanSettings,
    /// Compositions at which to evaluate.
    pub x: Vec<f64>,
}

impl Default for VoltageSettings {
    fn default() -> Self {
        Self { scan: ScanSettings::default(), x: (1..200).map(|i| 0.005 * f64::from(i)).collect() }
    }
}

/// Samples and analyses one member at one temperature: a pure function of its arguments, so that members and temperatures can be spread over
/// threads and cached one by one. `reference_ev` is the energy of one working ion in the reference electrode, on the scale of the data.
pub fn compute_voltage(
    hamiltonian: &LatticeHamiltonian,
    member: Member,
    temperature_k: f64,
    reference_ev: f64,
    settings: &VoltageSettings,
    monitor: &dyn Monitor,
) -> Result<(VoltageCurve, Scan), LatticeError> {
    check_grid(&settings.x)?;
    let scan = scan(hamiltonian, member, temperature_k, &settings.scan, monitor)?;
    let curve = voltage_curve(&scan, reference_ev, &settings.x)?;
    Ok((curve, scan))
}

/// -dx/dV = x/(kT theta) at every composition, per volt and per ion of charge one; `None` on a plateau, where it is infinite.
pub fn incremental_capacity(curve: &VoltageCurve) -> Vec<Option<Estimate>> {
    let kt = BOLTZMANN_EV_PER_K * curve.temperature_k;
    let points = curve.x.iter().zip(curve.theta.iter().zip(&curve.theta_std));
    points
        .map(|(x, (theta, error))| {
            let value = x / (kt * theta);
            (*theta > 0.0).then(|| Estimate { value, error: value * error / theta })
        })
        .collect()
}

fn check_grid(x: &[f64]) -> Result<(), LatticeError> {
    if x.len() < 2 {
        return Err(LatticeError::Length { what: "compositions", expected: 2, got: x.len() });
    }
    for (i, value) in x.iter().enumerate() {
        let holds = *value > 0.0 && *value < 1.0 && (i == 0 || *value > x[i - 1]);
        LatticeError::require(holds, "composition", *value, "rising numbers between 0 and 1 are due")?;
    }
    Ok(())
}

/// The branches with the places where they meet.
struct Diagram {
    phases: Vec<Phase>,
    loops: Vec<Loop>,
    /// mu at the start of the scan, at every transition, and at its end.
    bounds: Vec<f64>,
    /// Grand potential at `bounds`, integrated from the left.
    potentials: Vec<f64>,
    closure: f64,
    closure_std: f64,
}

impl Diagram {
    fn new(scan: &Scan) -> Result<Self, LatticeError> {
        let temperature_k = scan.up.first().map_or(f64::NAN, |p| p.temperature_k);
        let kt = BOLTZMANN_EV_PER_K * temperature_k;
        let (found, loops) = branches(scan)?;
        let spacing = scan.up[1].chemical_potential_ev - scan.up[0].chemical_potential_ev;
        let phases: Vec<Phase> = found
            .iter()
            .map(|n| Phase::new(n, &scan.ends, temperature_k, spacing))
            .collect::<Result<_, _>>()?;
        let (Some(first), Some(last)) = (phases.first(), phases.last()) else {
            return Err(LatticeError::Length { what: "phases", expected: 1, got: 0 });
        };
        let (start, end) = (first.mu[0], last.mu[last.mu.len() - 1]);
        let left = scan.ends.empty_ev + kt * (-first.x(start)).ln_1p();
        let right = scan.ends.full_ev - end + kt * last.x(end).ln();
        let bounds_at = |fraction: f64| -> Vec<f64> {
            let inner = loops.iter().map(|l| l.low + fraction * (l.high - l.low));
            std::iter::once(start).chain(inner).chain(std::iter::once(end)).collect()
        };
        // Later transitions leave less area under x(mu): the miss falls with the fraction.
        let miss = |fraction: f64| -> f64 {
            let bounds = bounds_at(fraction);
            let area: f64 =
                phases.iter().enumerate().map(|(k, p)| p.integral(bounds[k], bounds[k + 1])).sum();
            right - left + area
        };
        let (mut low, mut high) = (0.0, 1.0);
        if !loops.is_empty() {
            for _ in 0..60 {
                let middle = 0.5 * (low + high);
                if miss(middle) > 0.0 { low = middle } else { high = middle }
            }
        }
        let fraction = 0.5 * (low + high);
        let bounds = bounds_at(fraction);
        let closure = miss(fraction);
        let variance: f64 = phases
            .iter()
            .enumerate()
            .map(|(k, p)| p.integral_variance(bounds[k + 1]) - p.integral_variance(bounds[k] - spacing))
            .sum();
        let mut potentials = vec![left];
        for (k, phase) in phases.iter().enumerate() {
            potentials.push(potentials[k] - phase.integral(bounds[k], bounds[k + 1]));
        }
        let closure_std = variance.max(0.0).sqrt();
        Ok(Self { phases, loops, bounds, potentials, closure, closure_std })
    }

    /// Rise of x at transition k.
    fn rise(&self, k: usize) -> [f64; 2] {
        let mu = self.bounds[k + 1];
        [self.phases[k].x(mu), self.phases[k + 1].x(mu)]
    }

    fn transitions(&self) -> Vec<Transition> {
        let total: f64 = (0..self.loops.len()).map(|k| self.rise(k)[1] - self.rise(k)[0]).sum();
        self.loops
            .iter()
            .enumerate()
            .map(|(k, l)| {
                // One loop is placed by the closure alone; of several only the common fraction is known.
                let spread = if self.loops.len() > 1 { (l.high - l.low) / 12f64.sqrt() } else { 0.0 };
                let closed =
                    (self.closure_std / total.abs().max(1e-3)).hypot(self.closure / total.abs().max(1e-3));
                Transition {
                    chemical_potential_ev: self.bounds[k + 1],
                    chemical_potential_std_ev: closed.min(l.high - l.low).hypot(spread),
                    x: self.rise(k),
                    hysteresis_ev: [l.low, l.high],
                }
            })
            .collect()
    }
}

/// What holds at one composition.
struct Point {
    mu: f64,
    mu_std: f64,
    slope: (f64, f64),
    theta: (f64, f64),
    grand_potential: f64,
    /// Variance of the integral of x from the left.
    variance: f64,
}

impl Diagram {
    fn point(&self, x: f64, temperature_k: f64, transitions: &[Transition]) -> Point {
        let before = |k: usize, mu: f64| -> f64 {
            (0..k).map(|j| self.phases[j].integral_variance(self.bounds[j + 1])).sum::<f64>()
                + self.phases[k].integral_variance(mu)
        };
        for (k, transition) in transitions.iter().enumerate() {
            let [low, high] = transition.x;
            if x > low && x < high {
                let mu = transition.chemical_potential_ev;
                let energy = [self.phases[k].energy(mu), self.phases[k + 1].energy(mu)];
                // Coexistence: dmu/dT = -(s'' - s')/(x'' - x') with s'' - s' = (e'' - e' - mu (x'' - x'))/T.
                let partial = (energy[1] - energy[0]) / (high - low);
                return Point {
                    mu,
                    mu_std: transition.chemical_potential_std_ev,
                    slope: (
                        (mu - partial) / temperature_k,
                        transition.chemical_potential_std_ev / temperature_k,
                    ),
                    theta: (0.0, 0.0),
                    grand_potential: self.potentials[k + 1],
                    variance: before(k, mu),
                };
            }
        }
        let k = transitions.iter().take_while(|t| x >= t.x[1]).count();
        let phase = &self.phases[k];
        let (mu, rate) = phase.at(x);
        let partial = phase.partial_energy(mu);
        let theta = rate / (1.0 - x);
        let mu_std = phase.error_y(mu) * rate;
        Point {
            mu,
            mu_std,
            slope: ((mu - partial.0) / temperature_k, partial.1.hypot(mu_std) / temperature_k),
            theta: (theta, theta * rate * phase.error_slope(mu)),
            grand_potential: self.potentials[k] - phase.integral(self.bounds[k], mu),
            variance: before(k, mu),
        }
    }
}

/// Analyses a finished scan on a grid of compositions (rising, between 0 and 1).
///
/// Smoothing: on each single-phase branch y = kT ln(x/(1-x)) is smoothed over mu as far as the error bars of x and var(N) allow, then made monotone by
/// pooling adjacent violators; branches end where the two scans part or x jumps, so nothing is smoothed across a transition.
pub fn voltage_curve(scan: &Scan, reference_ev: f64, x: &[f64]) -> Result<VoltageCurve, LatticeError> {
    check_grid(x)?;
    LatticeError::require(
        reference_ev.is_finite(),
        "reference energy (eV)",
        reference_ev,
        "a finite number is due",
    )?;
    let diagram = Diagram::new(scan)?;
    let temperature_k = scan.up[0].temperature_k;
    let sigmas = diagram.closure.abs() / diagram.closure_std.max(1e-300);
    if diagram.closure.abs() > CLOSURE_EV && sigmas > CLOSURE_SIGMAS {
        return Err(LatticeError::Closure {
            mismatch_ev: diagram.closure,
            sigmas,
            limit_sigmas: CLOSURE_SIGMAS,
        });
    }
    let (first, last) = (&diagram.phases[0], &diagram.phases[diagram.phases.len() - 1]);
    let (low, high) = (first.nodes[0].x.0, last.nodes[last.nodes.len() - 1].x.0);
    for wanted in [x[0], x[x.len() - 1]] {
        // Beyond its ends the branch is a dilute gas: a factor of two outside is safe, more is not.
        if wanted < 0.5 * low || 1.0 - wanted < 0.5 * (1.0 - high) {
            return Err(LatticeError::Range { low, high, wanted });
        }
    }
    let transitions = diagram.transitions();
    let total: f64 = diagram.closure_std.powi(2).max(1e-300);
    let mut out = empty_curve(temperature_k, x);
    for at in x {
        let p = diagram.point(*at, temperature_k, &transitions);
        out.voltage_v.push(reference_ev - p.mu);
        out.voltage_std.push(p.mu_std);
        out.dvdt_v_per_k.push(-p.slope.0);
        out.dvdt_std.push(p.slope.1);
        out.theta.push(p.theta.0);
        out.theta_std.push(p.theta.1);
        // The miss is shared out so that both ends are exact; the errors form a bridge between them.
        let free = p.grand_potential + p.mu * at + at * diagram.closure;
        out.free_energy_ev.push(free);
        out.mixing_free_energy_ev.push(free - (1.0 - at) * scan.ends.empty_ev - at * scan.ends.full_ev);
        // Smoothing ties the errors of neighbouring compositions together: to the independent part add one that moves as a whole.
        let bridge = p.variance * (total - p.variance).max(0.0) / total;
        out.free_energy_std.push(bridge.sqrt().hypot(at * (1.0 - at) * p.mu_std));
    }
    out.two_phase = transitions.iter().map(|t| t.x).filter(|x| x[1] > x[0]).collect();
    out.transitions = transitions;
    (out.closure_ev, out.closure_std_ev) = (diagram.closure, diagram.closure_std);
    for phase in &diagram.phases {
        let misfit = phase.misfit();
        out.smoothing_misfit[0] = out.smoothing_misfit[0].max(misfit.0);
        out.smoothing_misfit[1] = out.smoothing_misfit[1].max(misfit.1);
    }
    out.unequilibrated = scan.up.iter().chain(&scan.down).filter(|p| !p.equilibrated).count();
    finite(&out)?;
    Ok(out)
}

fn empty_curve(temperature_k: f64, x: &[f64]) -> VoltageCurve {
    VoltageCurve {
        temperature_k,
        x: x.to_vec(),
        voltage_v: Vec::new(),
        voltage_std: Vec::new(),
        dvdt_v_per_k: Vec::new(),
        dvdt_std: Vec::new(),
        theta: Vec::new(),
        theta_std: Vec::new(),
        two_phase: Vec::new(),
        free_energy_ev: Vec::new(),
        mixing_free_energy_ev: Vec::new(),
        free_energy_std: Vec::new(),
        transitions: Vec::new(),
        closure_ev: 0.0,
        closure_std_ev: 0.0,
        smoothing_misfit: [0.0; 2],
        unequilibrated: 0,
    }
}

/// No number that is not finite leaves.
fn finite(curve: &VoltageCurve) -> Result<(), LatticeError> {
    let lists = [
        ("voltage", &curve.voltage_v),
        ("voltage error", &curve.voltage_std),
        ("dV/dT", &curve.dvdt_v_per_k),
        ("dV/dT error", &curve.dvdt_std),
        ("thermodynamic factor", &curve.theta),
        ("thermodynamic factor error", &curve.theta_std),
        ("free energy", &curve.free_energy_ev),
        ("free energy error", &curve.free_energy_std),
    ];
    for (what, list) in lists {
        if let Some(index) = list.iter().position(|v| !v.is_finite()) {
            return Err(LatticeError::NotFinite { what, index, value: list[index] });
        }
    }
    Ok(())
}
