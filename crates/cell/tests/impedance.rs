//! Impedances against exact and independent values.
#![allow(clippy::unwrap_used, clippy::panic)]

use scalade_cell::{ModelKind, ParameterSet, Property, Spectrum, impedance_at_rest};

fn spectrum(p: &ParameterSet, model: ModelKind, frequencies: &[f64]) -> Spectrum {
    impedance_at_rest(p, model, frequencies).unwrap()
}

fn assert_close(s: &Spectrum, expected: &[(f64, f64)], relative: f64) {
    for (i, (re, im)) in expected.iter().enumerate() {
        let miss = (s.z_real_ohm[i] - re).hypot(s.z_imag_ohm[i] - im) / re.hypot(*im);
        assert!(
            miss < relative,
            "{} Hz: {} {} ({miss})",
            s.frequency_hz[i],
            s.z_real_ohm[i],
            s.z_imag_ohm[i]
        );
    }
}

const LOW: [f64; 4] = [1e-4, 1e-3, 1e-2, 0.1];
/// Chen2020 at its initial state: Rct and diffusion of both electrodes with 0.2 F/m2.
const EXACT: [(f64, f64); 4] = [
    (0.0832099843, -0.157732492),
    (0.0634909317, -0.0291660248),
    (0.0480559919, -0.00802989501),
    (0.0429726545, -0.00301521218),
];

#[test]
fn e14_single_particle_impedance() {
    let p = ParameterSet::chen2020().unwrap();
    assert_close(&spectrum(&p, ModelKind::Spm, &LOW), &EXACT, 2e-9);
}

/// With fast electrolyte and solid, all models are the single-particle model.
#[test]
fn e15_limit_of_fast_electrolyte() {
    let mut p = ParameterSet::chen2020().unwrap();
    p.negative.porous_mut().unwrap().conductivity_s_per_m = 1e9;
    p.positive.conductivity_s_per_m = 1e9;
    p.electrolyte.conductivity.at_reference = Property::Constant(1e9);
    p.electrolyte.diffusivity.at_reference = Property::Constant(1e2);
    for model in [ModelKind::Dfn, ModelKind::Spme] {
        assert_close(&spectrum(&p, model, &LOW), &EXACT, 1e-8);
    }
}

/// PyBaMM 26.10.1.1: with 20 points in each layer and 200 shells (2 % where its layers and shells stay
/// unresolved, 0.3 % at 1e-4 Hz), and with 240 points and 50 shells at the two highest frequencies, where 20,
/// 80 and 240 points give 2.752, 2.854 and 2.861 mohm.
#[test]
fn e15_porous_impedance() {
    let p = ParameterSet::chen2020().unwrap();
    let low = [
        (0.0947467, -0.1578568),
        (0.0747898, -0.0303079),
        (0.0547904, -0.0105734),
        (0.0482583, -0.0034429),
        (0.0455165, -0.0067796),
        (0.0188094, -0.0175014),
        (0.00670272, -0.00423247),
    ];
    let s = spectrum(&p, ModelKind::Dfn, &[1e-4, 1e-3, 0.01, 0.1, 1.0, 10.0, 100.0]);
    assert_close(&s, &low, 0.02);
    assert_close(&spectrum(&p, ModelKind::Dfn, &[1e-4]), &low[..1], 0.003);
    let high = [(0.0038568, -0.00137882), (0.002861, -0.00045226)];
    assert_close(&spectrum(&p, ModelKind::Dfn, &[1e3, 1e4]), &high, 6e-4);
    for i in 0..s.frequency_hz.len() {
        let sum: f64 = s.contributions.iter().map(|c| c.z_real_ohm[i]).sum();
        assert!((sum - s.z_real_ohm[i]).abs() < 1e-15);
    }
}

/// At very high frequency the double layers short-circuit the reactions: what is left is ohmic, of the
/// electrolyte in the separator (and of the contacts), since the current stays at the separator's faces.
#[test]
fn impedance_tends_to_the_ohmic_resistance() {
    let mut p = ParameterSet::marquis2019().unwrap();
    p.contact_resistance_ohm = 0.02;
    let s = spectrum(&p, ModelKind::Dfn, &[1e12]);
    let kappa = p.electrolyte.conductivity.at_reference.value([1000.0, 1000.0, 0.0, 298.15]).unwrap();
    let ohmic =
        0.02 + p.separator.thickness_m / (kappa * p.separator.electrolyte_efficiency) / p.total_area_m2();
    let negative = p.negative.porous().unwrap();
    let parallel = |e: &scalade_cell::Electrode| {
        let (sigma, kappa) = (e.conductivity_s_per_m * e.solid_efficiency, kappa * e.electrolyte_efficiency);
        e.thickness_m / (sigma + kappa) / p.total_area_m2()
    };
    let expected = ohmic + parallel(negative) + parallel(&p.positive);
    assert!((s.z_real_ohm[0] / expected - 1.0).abs() < 1e-3, "{} {expected}", s.z_real_ohm[0]);
    assert!(s.z_imag_ohm[0].abs() < 1e-3 * expected);
}

#[test]
fn frequencies_that_make_no_sense_are_refused() {
    let p = ParameterSet::marquis2019().unwrap();
    for f in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        assert!(impedance_at_rest(&p, ModelKind::Dfn, &[1.0, f]).is_err());
    }
}
