//! What others have published of these materials, against the bundled energies: reference result L16.
//!
//! A. Van der Ven et al., Phys. Rev. B 58, 2975 (1998): Li and vacancies of LixCoO2 order at x = 1/2, and there is no two-phase region near x = 1 in an
//! expansion of Li and vacancies (the one measured is of the electrons). PBE + U gives LiFePO4 3.4 to 3.5 V, PBE gives LiCoO2 about 3.4 V.

#![allow(clippy::unwrap_used, reason = "the helpers of a test fail with it")]

mod common;

use serde_json::Value;
use std::path::Path;

fn data(name: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../data").join(name).to_string_lossy().into_owned()
}

fn numbers(list: &Value) -> Vec<f64> {
    list.as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect()
}

#[test]
fn l16_lixcoo2_orders_at_one_half_and_does_not_separate_near_one() {
    let frames = data("licoo2/orderings.extxyz");
    let reference = ["--reference-energy", "-2.0623168473947775 eV"];
    let energies = common::document(&[&["voltage", &frames][..], &reference].concat());
    let hull = energies["hull"].as_array().unwrap();
    assert!(hull.iter().any(|p| p["x"] == 0.5), "{hull:?}");
    let scans = common::document(
        &[&["montecarlo", &frames, "--temperature", "100 K, 300 K", "--members", "1"][..], &reference]
            .concat(),
    );
    let curves = scans["curves"].as_array().unwrap();
    for curve in curves {
        let (x, factor) = (numbers(&curve["x"]), numbers(&curve["thermodynamic_factor"]));
        let voltage = numbers(&curve["voltage_V"]);
        // 0 stands for coexistence. Nowhere near the full lattice, and the voltage falls all the way.
        let near_full: Vec<usize> = (0..x.len()).filter(|i| x[*i] > 0.9).collect();
        assert!(near_full.len() > 10);
        assert!(near_full.iter().all(|i| factor[*i] > 1.0), "{curve}");
        assert!(near_full.windows(2).all(|w| voltage[w[1]] < voltage[w[0]] - 1e-4));
    }
    assert!(curves[1]["two_phase_intervals"].as_array().unwrap().is_empty());
    // Order at 1/2 in the cold: the thermodynamic factor d(mu/kT)/d ln x peaks there, many times above its surroundings, as it does nowhere else between.
    let (x, factor) = (numbers(&curves[0]["x"]), numbers(&curves[0]["thermodynamic_factor"]));
    let inner: Vec<usize> = (0..x.len()).filter(|i| (0.05..0.95).contains(&x[*i])).collect();
    let peak = inner.iter().copied().max_by(|a, b| factor[*a].total_cmp(&factor[*b])).unwrap();
    assert!((x[peak] - 0.5).abs() < 0.006, "{}", x[peak]);
    let beside = inner.iter().filter(|i| (x[**i] - 0.5).abs() > 0.03).map(|i| factor[*i]).fold(0.0, f64::max);
    assert!(factor[peak] > 3.0 * beside, "{} {beside}", factor[peak]);
}

#[test]
fn l16_voltages_lie_where_their_functionals_do() {
    // Trained on PBE and PBE + U.
    let found =
        common::document(&["voltage", &data("lifepo4/endmembers.extxyz"), "--where", "model=CHGNet-0.3.0"]);
    let voltage = found["average_voltage_V"].as_f64().unwrap();
    assert!((3.4..3.5).contains(&voltage), "{voltage}");
    // The electrochemical window of LiCoO2 in the same model: above PBE's 3.4, at or below the 3.9 to 4.1 V that are measured.
    let reference = ["--reference-energy", "-2.0623168473947775 eV"];
    let found = common::document(&[&["voltage", &data("licoo2/orderings.extxyz")][..], &reference].concat());
    let voltage = found["average_voltage_V"].as_f64().unwrap();
    assert!((3.4..4.1).contains(&voltage), "{voltage}");
}
