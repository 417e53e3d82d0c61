//! Analytic checks on the user's own machine: every rung against a result that is known exactly.

use scalade_cell::ParameterSet;
use scalade_crystal::SiteGrid;
use scalade_energetics::{ComputedEntry, IonReference, voltage_profile};
use scalade_handoff::{ClusterOrbit, LatticeEnergy, LatticeHamiltonian};
use scalade_lattice::tangent::tangents;
use scalade_lattice::{Metropolis, RedlichKister, Series, sample_point};
use scalade_numerics::{Pchip, philox4x32};
use scalade_units::{Quantity, constants, dimension};
use serde::Serialize;

/// One check.
#[derive(Clone, Debug, Serialize)]
pub struct Check {
    /// What is checked against what.
    pub name: &'static str,
    /// Measured deviation.
    pub deviation: f64,
    /// Largest deviation allowed.
    pub allowed: f64,
    /// Whether it passed.
    pub passed: bool,
}

fn check(name: &'static str, deviation: Option<f64>, allowed: f64) -> Check {
    let deviation = deviation.unwrap_or(f64::INFINITY);
    Check { name, deviation, allowed, passed: deviation <= allowed }
}

/// Runs all checks; a few seconds on one core.
pub fn run() -> Vec<Check> {
    let mut all = vec![
        check("unit strings: 5.8 um and 5.8e-6 m have equal bits", units(), 0.0),
        check(
            "constants: R = k N_A",
            Some((constants::GAS_CONSTANT / (constants::BOLTZMANN * constants::AVOGADRO) - 1.0).abs()),
            1e-15,
        ),
        check("random numbers: Philox4x32-10 known answer", Some(philox()), 0.0),
        check("interpolation: integral of a monotone cubic", interpolation(), 1e-12),
        check("voltage: GPAW energies of LiCoO2, 3.3764 V", voltage(), 1e-6),
        check("common tangent: regular solution, w = 3 kT", binodal(3.0, 0.070_720_182), 1e-9),
        check("common tangent: regular solution, w = 4 kT", binodal(4.0, 0.021_247_988), 1e-9),
        check("lattice kernel: increments against straight summation", kernel(), 1e-10),
    ];
    all.extend(lattice_gas());
    all.extend(cells());
    all
}

fn units() -> Option<f64> {
    let si = |text: &str| text.parse::<Quantity>().ok()?.in_si(dimension::LENGTH).ok();
    Some((si("5.8 um")? - si("5.8e-6 m")?).abs())
}

fn philox() -> f64 {
    let expected = [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8];
    f64::from(u8::from(philox4x32([0; 4], [0; 2]) != expected))
}

fn interpolation() -> Option<f64> {
    let p = Pchip::new(&[0.0, 0.4, 1.0], &[0.0, 0.8, 2.0]).ok()?;
    Some((p.integral(0.7) - 0.49).abs())
}

fn voltage() -> Option<f64> {
    let entries = [
        ComputedEntry::new("CoO2", [("Co", 1), ("O", 2)], -17.181_656),
        ComputedEntry::new("LiCoO2", [("Li", 1), ("Co", 1), ("O", 2)], -22.462_356),
    ];
    let reference = IonReference::new("Li", -1.904_300).ok()?;
    Some((voltage_profile(&entries, &reference, 1).ok()?.average_voltage_v - 3.3764).abs())
}

fn binodal(strength: f64, expected: f64) -> Option<f64> {
    let solution = RedlichKister { kt_ev: 1.0, interactions_ev: vec![strength] };
    Some((tangents(&solution).ok()?.first()?.x()[0] - expected).abs())
}

/// A triangular lattice gas with nearest-neighbour repulsion, in spin variables.
fn triangular() -> LatticeHamiltonian {
    use scalade_crystal::LatticeSite;
    let site = |i, j| LatticeSite { cell: [i, j, 0], basis: 0 };
    let pair = |i, j| vec![site(0, 0), site(i, j)];
    // V n n' = V/4 (1 + s + s' + s s'): six half-bonds per site.
    let v = 0.03;
    LatticeHamiltonian {
        lattice_angstrom: [[2.8, 0.0, 0.0], [1.4, 2.424_871_130_596_428, 0.0], [0.0, 0.0, 20.0]],
        basis_fractional: vec![[0.0; 3]],
        working_ion: "Li".into(),
        formula_units_per_cell: 1.0,
        orbits: vec![
            ClusterOrbit { order: 1, diameter_angstrom: 0.0, clusters: vec![vec![site(0, 0)]] },
            ClusterOrbit {
                order: 2,
                diameter_angstrom: 2.8,
                clusters: vec![pair(1, 0), pair(0, 1), pair(1, -1)],
            },
        ],
        coefficients_ev: vec![3.0 * v / 4.0, 6.0 * v / 4.0, v / 4.0],
        samples_ev: Vec::new(),
    }
}

fn kernel() -> Option<f64> {
    let h = triangular();
    let grid = SiteGrid::new([4, 4, 1], 1).ok()?;
    let mut energy = LatticeEnergy::new(&h, &h.coefficients_ev, grid, &[]).ok()?;
    for site in [0, 5, 6, 9, 10, 3, 5] {
        energy.flip(site);
    }
    Some((energy.energy_ev() - h.reference_energy_ev(&h.coefficients_ev, &grid, &energy.occupation())).abs())
}

/// Monte Carlo of the 4x4 box against the sum over all 65536 states, in standard errors.
fn lattice_gas() -> Vec<Check> {
    let (temperature, mu) = (300.0, 0.05);
    let result = || -> Option<(f64, f64)> {
        let h = triangular();
        let grid = SiteGrid::new([4, 4, 1], 1).ok()?;
        let kt = constants::BOLTZMANN_EV * temperature;
        let (mut z, mut n1, mut n2) = (0.0, 0.0, 0.0);
        for state in 0u32..1 << 16 {
            let occupied: Vec<bool> = (0..16).map(|i| state >> i & 1 == 1).collect();
            let n = f64::from(state.count_ones());
            let weight = (-(h.reference_energy_ev(&h.coefficients_ev, &grid, &occupied) - mu * n) / kt).exp();
            z += weight;
            n1 += weight * n;
            n2 += weight * n * n;
        }
        let (mean, variance) = (n1 / z, n2 / z - (n1 / z).powi(2));
        let energy = LatticeEnergy::new(&h, &h.coefficients_ev, grid, &[]).ok()?;
        let mut chain = Metropolis::new(energy, 7, 0, 0);
        let point = sample_point(&mut chain, temperature, mu, 200, 40_000, &mut Series::default()).ok()?;
        let occupation = (point.x.value - mean / 16.0).abs() / point.x.error;
        let theta =
            (point.thermodynamic_factor.value - mean / variance).abs() / point.thermodynamic_factor.error;
        Some((occupation, theta))
    };
    let (occupation, theta) = result().unzip();
    vec![
        check("Monte Carlo: occupation of 4x4 sites, in standard errors", occupation, 4.0),
        check("Monte Carlo: thermodynamic factor of 4x4 sites, in standard errors", theta, 4.0),
    ]
}

/// Two published cells against their spectral solutions (V).
fn cells() -> Vec<Check> {
    let run =
        |set: Result<ParameterSet, scalade_cell::CellError>, expected: [f64; 2]| -> Option<(f64, f64)> {
            let solution = crate::cell_run::Discharge::at(1.0).solve(&set.ok()?, &[300.0, 1200.0]).ok()?;
            let deviation = (0..2).map(|i| (solution.voltage_v[i] - expected[i]).abs()).fold(0.0, f64::max);
            Some((deviation, solution.inventory.solid_lithium_drift))
        };
    let (marquis, drift) = run(ParameterSet::marquis2019(), [3.720_785, 3.652_118]).unzip();
    let (chen, _) = run(ParameterSet::chen2020(), [3.897_456, 3.661_639]).unzip();
    vec![
        check("cell: Marquis2019 at 1C against a spectral solution, V", marquis, 1e-3),
        check("cell: Chen2020 at 1C against a spectral solution, V", chen, 1e-3),
        check("cell: lithium in the particles is conserved, relative", drift, 1e-12),
    ]
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_check_passes() {
        for check in super::run() {
            assert!(check.passed, "{check:?}");
        }
    }
}
