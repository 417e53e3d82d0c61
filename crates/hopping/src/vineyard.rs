//! Attempt frequencies of hops from normal modes.
//!
//! In harmonic transition-state theory a hop with M modes has the rate nu* e^(-E_barrier/kT) with
//!
//! nu* = prod_{i=1}^{M} nu_i(end) / prod_{j=1}^{M-1} nu_j(saddle)
//!
//! over the real modes of the end that it starts from and of the saddle (G. H. Vineyard, J. Phys. Chem. Solids 3, 121 (1957)); M = 3N - 3 of a periodic
//! crystal of N atoms, 3N where part of the atoms is held. With the partition functions of quantum oscillators,
//!
//! nu* = (kT/h) prod 2 sinh(h nu_i/2kT) / prod 2 sinh(h nu_j/2kT),
//!
//! which holds the change of the zero point and tends to the above for h nu << kT. Tunnelling along the unstable mode is not in it: below about
//! h |nu_unstable|/(2 pi k) kelvin it is what matters.
//!
//! **Detailed balance.** Both directions share the saddle, so that nu_f/nu_b = Z(final)/Z(initial), the ratio of the ends' vibrational partition functions. Rates with nu_f and
//! nu_b therefore balance in the energies with the free energies -kT ln Z of the ends added. A Hamiltonian of energies without vibrations balances with
//! one frequency for both directions, their geometric mean, as both directions share one kinetically resolved activation.

use crate::HoppingError;
use scalade_units::constants::{BOLTZMANN, PLANCK};

/// Largest acoustic mode over the smallest other one.
const LARGEST_ACOUSTIC: f64 = 0.5;
/// Hertz in a terahertz.
const TERAHERTZ: f64 = 1e12;
/// Largest frequency taken, THz: that of hydrogen molecules is 132.
const LARGEST_THZ: f64 = 1000.0;

/// Normal modes of a hop, THz, imaginary ones negative; as many of each state, translations included where nothing is held.
#[derive(Clone, Debug, PartialEq)]
pub struct HopModes {
    /// Of the end that the hop starts from.
    pub initial_thz: Vec<f64>,
    /// Of the saddle.
    pub saddle_thz: Vec<f64>,
    /// Of the end that it leads to.
    pub final_thz: Vec<f64>,
}

/// Attempt frequencies of both directions of a hop.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AttemptFrequencies {
    /// Of the hop, THz.
    pub forward_thz: f64,
    /// Of the way back, THz.
    pub backward_thz: f64,
    /// Magnitude of the unstable mode of the saddle, THz.
    pub unstable_thz: f64,
    /// Largest magnitude of a mode taken for a translation, THz.
    pub largest_acoustic_thz: f64,
    /// M.
    pub modes: usize,
}

impl AttemptFrequencies {
    /// Geometric mean of both directions, THz: for energies that hold no vibrations.
    pub fn symmetric_thz(&self) -> f64 {
        (self.forward_thz * self.backward_thz).sqrt()
    }

    /// Difference of the vibrational free energies of the ends over kT, (F(final) - F(initial))/kT = -ln(nu_f/nu_b).
    pub fn free_energy_difference_kt(&self) -> f64 {
        (self.backward_thz / self.forward_thz).ln()
    }
}

/// Modes of a state without translations.
struct Sorted {
    real: Vec<f64>,
    imaginary: Vec<f64>,
    acoustic: f64,
}

fn sorted(id: &str, what: &'static str, modes: &[f64], acoustic: usize) -> Result<Sorted, HoppingError> {
    let wrong = |what, value, want| Err(HoppingError::Barrier { id: id.to_string(), what, value, want });
    if let Some(value) = modes.iter().find(|f| !f.is_finite() || f.abs() > LARGEST_THZ) {
        return wrong(what, *value, "a finite frequency below 1000 THz is due, imaginary ones negative");
    }
    if modes.len() < acoustic + 2 {
        return wrong("number of modes", modes.len() as f64, "at least two beside the translations are due");
    }
    let mut all = modes.to_vec();
    all.sort_by(|a, b| a.abs().total_cmp(&b.abs()));
    let rest = all.split_off(acoustic);
    let largest = all.last().map_or(0.0, |f| f.abs());
    let smallest = rest.first().map_or(0.0, |f| f.abs());
    if smallest == 0.0 {
        let want = "none is due beside the translations; where atoms are held, or molecules turn freely, count the translations anew";
        return wrong("a mode beside the translations (THz)", smallest, want);
    }
    if largest > LARGEST_ACOUSTIC * smallest {
        let want = "at most half of the smallest other mode is due; converge forces, impose the acoustic sum rule, or count translations as 0 where atoms are held";
        return wrong("largest acoustic mode (THz)", largest, want);
    }
    let (imaginary, real) = rest.into_iter().partition(|f| *f < 0.0);
    Ok(Sorted { real, imaginary, acoustic: largest })
}

/// ln of 2 sinh(h nu/2kT), which tends to h nu/kT; classical without a temperature, ln nu.
fn logarithm(thz: f64, kelvin: Option<f64>) -> f64 {
    kelvin.map_or_else(
        || thz.ln(),
        |kelvin| {
            let x = PLANCK * thz * TERAHERTZ / (BOLTZMANN * kelvin);
            0.5 * x + (-(-x).exp_m1()).ln()
        },
    )
}

/// Attempt frequencies of both directions; `acoustic` is the number of translations among the modes (3 of a periodic crystal, 0 where atoms are held), found
/// as the modes of smallest magnitude; quantum oscillators at a temperature, classical ones without. `id` is what messages call the hop.
///
/// Errors: states of unequal numbers of modes, frequencies that are not finite, translations that are not small, ends with an imaginary mode, and a saddle with none or several.
pub fn attempt_frequencies(
    id: &str,
    modes: &HopModes,
    acoustic: usize,
    temperature_k: Option<f64>,
) -> Result<AttemptFrequencies, HoppingError> {
    let wrong = |what, value, want| HoppingError::Barrier { id: id.to_string(), what, value, want };
    if let Some(kelvin) = temperature_k
        && !(1e-3..=1e6).contains(&kelvin)
    {
        return Err(wrong("temperature (K)", kelvin, "a number between 1e-3 and 1e6 is due"));
    }
    let lengths = [&modes.initial_thz, &modes.saddle_thz, &modes.final_thz].map(Vec::len);
    if let Some(other) = lengths.iter().find(|n| **n != lengths[0]) {
        let want = "as many as of the initial state are due: all modes of each state, the translations too";
        return Err(wrong("number of modes of a state", *other as f64, want));
    }
    let ends = [
        sorted(id, "mode of the initial state (THz)", &modes.initial_thz, acoustic)?,
        sorted(id, "mode of the final state (THz)", &modes.final_thz, acoustic)?,
    ];
    let saddle = sorted(id, "mode of the saddle (THz)", &modes.saddle_thz, acoustic)?;
    for end in &ends {
        if let Some(value) = end.imaginary.first() {
            let want = "none is imaginary where a hop begins and ends: relax the end further";
            return Err(wrong("mode of an end (THz)", *value, want));
        }
    }
    let [unstable] = saddle.imaginary[..] else {
        let want = "exactly one is due: a minimum has none, a saddle of higher order several; relax along the others";
        return Err(wrong("number of imaginary modes of the saddle", saddle.imaginary.len() as f64, want));
    };
    let sum = |list: &[f64]| list.iter().map(|f| logarithm(*f, temperature_k)).sum::<f64>();
    let above = sum(&saddle.real);
    // kT/h in THz, beside quantum partition functions only.
    let unit = temperature_k.map_or(0.0, |t| (BOLTZMANN * t / (PLANCK * TERAHERTZ)).ln());
    let [forward_thz, backward_thz] = [&ends[0], &ends[1]].map(|end| (unit + sum(&end.real) - above).exp());
    for value in [forward_thz, backward_thz] {
        if !value.is_normal() {
            let want = "a positive number is due; the modes of the states do not belong together";
            return Err(wrong("attempt frequency (THz)", value, want));
        }
    }
    Ok(AttemptFrequencies {
        forward_thz,
        backward_thz,
        unstable_thz: -unstable,
        largest_acoustic_thz: ends[0].acoustic.max(ends[1].acoustic).max(saddle.acoustic),
        modes: ends[0].real.len(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::f64::consts::PI;

    fn modes(initial: &[f64], saddle: &[f64], last: &[f64]) -> HopModes {
        HopModes { initial_thz: initial.to_vec(), saddle_thz: saddle.to_vec(), final_thz: last.to_vec() }
    }

    /// Frequencies of a ring of n atoms with springs: 2 nu0 |sin(pi j/n)|, whose product without j = 0 is n nu0^(n-1).
    fn ring(n: usize, nu: f64) -> Vec<f64> {
        (0..n).map(|j| 2.0 * nu * (PI * j as f64 / n as f64).sin().abs()).collect()
    }

    /// An atom leaves a ring of n for an unstable place: nu* = n nu0^(n-1)/((n-1) nu0^(n-2)).
    #[test]
    fn an_atom_that_leaves_a_ring() {
        for n in [4_usize, 9, 40] {
            let mut saddle = ring(n - 1, 3.0);
            saddle.push(-5.0);
            let hop = modes(&ring(n, 3.0), &saddle, &ring(n, 6.0));
            let found = attempt_frequencies("ring", &hop, 1, None).unwrap();
            let exact = 3.0 * n as f64 / (n - 1) as f64;
            assert!((found.forward_thz / exact - 1.0).abs() < 1e-11, "{n}: {found:?}");
            // Springs four times as strong: the way back is tried 2^(n-1) times as often.
            let ratio = (n - 1) as f64 * 2f64.ln();
            assert!((found.free_energy_difference_kt() - ratio).abs() < 1e-10, "{n}: {found:?}");
            assert_eq!((found.modes, found.unstable_thz), (n - 1, 5.0));
        }
    }

    /// An Einstein crystal that stiffens or softens at the saddle, and one that does not.
    #[test]
    fn einstein_crystals() {
        for (nu, other) in [(5.0, 5.0), (5.0, 6.0), (8.0, 7.0_f64)] {
            let mut saddle = vec![other; 29];
            saddle.insert(7, -1.0);
            let hop = modes(&[nu; 30], &saddle, &[nu; 30]);
            let found = attempt_frequencies("einstein", &hop, 0, None).unwrap();
            let exact = nu * (nu / other).powi(29);
            assert!((found.forward_thz / exact - 1.0).abs() < 1e-12, "{found:?}");
            assert_eq!(found.forward_thz, found.backward_thz);
            assert_eq!(found.symmetric_thz(), found.forward_thz);
        }
        // All modes but one are kept: nu* is the one that is lost, whichever theory.
        let hop = modes(&[2.0, 3.0, 4.0, 1e-3], &[-9.0, 2.0, 4.0, 1e-3], &[2.0, 3.0, 4.0, 0.0]);
        let found = attempt_frequencies("one", &hop, 1, None).unwrap();
        assert!((found.forward_thz - 3.0).abs() < 1e-14);
        let kelvin = 300.0;
        let unit = BOLTZMANN * kelvin / PLANCK / TERAHERTZ;
        let quantum = attempt_frequencies("one", &hop, 1, Some(kelvin)).unwrap().forward_thz;
        assert!((quantum / (unit * 2.0 * (1.5 / unit).sinh()) - 1.0).abs() < 1e-12, "{quantum}");
    }

    #[test]
    fn quantum_modes_have_both_limits() {
        let hop = modes(&[2.0, 9.0, 5.0], &[3.0, -4.0, 8.0], &[2.5, 6.0, 7.0]);
        let of = |t: Option<f64>| attempt_frequencies("q", &hop, 0, t).unwrap();
        let classical = of(None);
        // ln nu* departs from the classical one by (sum x_i^2 - sum x_j^2)/24, x = h nu/kT (E. Wigner, Z. Phys. Chem. B 19, 203 (1932)).
        for kelvin in [3e3, 1e4, 1e5] {
            let x = |f: f64| PLANCK * f * TERAHERTZ / (BOLTZMANN * kelvin);
            let expected =
                (x(2.0).powi(2) + x(9.0).powi(2) + x(5.0).powi(2) - x(3.0).powi(2) - x(8.0).powi(2)) / 24.0;
            let got = (of(Some(kelvin)).forward_thz / classical.forward_thz).ln();
            assert!((got - expected).abs() < 0.01 * expected, "{kelvin}: {got} {expected}");
        }
        // In the cold only the zero point is left: (kT/h) e^((sum nu_i - sum nu_j) h/2kT).
        let kelvin = 4.0;
        let unit = BOLTZMANN * kelvin / PLANCK / TERAHERTZ;
        let cold = of(Some(kelvin));
        let expected = unit * (0.5 * (16.0 - 11.0) / unit).exp();
        assert!((cold.forward_thz / expected - 1.0).abs() < 1e-9, "{cold:?} {expected}");
        // Both directions differ by the partition functions of the ends alone.
        let other = modes(&hop.initial_thz, &[1.0, -9.0, 1.5], &hop.final_thz);
        let other = attempt_frequencies("q", &other, 0, Some(300.0)).unwrap();
        let gap = other.free_energy_difference_kt() - of(Some(300.0)).free_energy_difference_kt();
        assert!(gap.abs() < 1e-12, "{gap}");
    }

    #[test]
    fn what_is_no_hop_is_refused() {
        let end = [0.1, 2.0, 3.0, 4.0];
        let said = |initial: &[f64], saddle: &[f64], last: &[f64]| {
            attempt_frequencies("h7", &modes(initial, saddle, last), 1, None).unwrap_err().to_string()
        };
        let none = said(&end, &[0.0, 2.0, 3.0, 4.0], &end);
        assert!(none.contains("h7") && none.contains("imaginary modes of the saddle is 0"), "{none}");
        assert!(said(&end, &[0.0, -2.0, -3.0, 4.0], &end).contains("saddle is 2"));
        assert!(said(&[0.1, -2.0, 3.0, 4.0], &[0.0, -2.0, 3.0, 4.0], &end).contains("relax the end"));
        assert!(said(&end, &[0.0, -2.0, 3.0], &end).contains("number of modes of a state is 3"));
        assert!(
            said(&[1.5, 2.0, 3.0, 4.0], &[0.0, -2.0, 3.0, 4.0], &end).contains("acoustic mode (THz) is 1.5")
        );
        assert!(
            said(&[0.0, 0.0, 3.0, 4.0], &[0.0, -2.0, 3.0, 4.0], &end).contains("beside the translations")
        );
        assert!(said(&[f64::NAN, 2.0, 3.0, 4.0], &[0.0, -2.0, 3.0, 4.0], &end).contains("NaN"));
        assert!(said(&[], &[], &[]).contains("number of modes"));
        let hop = modes(&end, &[0.0, -2.0, 3.0, 4.0], &end);
        let cold = attempt_frequencies("h7", &hop, 1, Some(-1.0)).unwrap_err().to_string();
        assert!(cold.contains("temperature"), "{cold}");
    }
}
