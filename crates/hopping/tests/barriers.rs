//! Barrier laws on the hops of the layered cobalt oxide data set (`data/licoo2/barriers.csv`).

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout)]

use scalade_hopping::{BarrierRow, HoppingError, LawForm, Mechanism, fit_barriers};

/// id, x, mechanism, occupied neighbours of both ends, vacant common neighbours, forward and backward barrier, end energies (eV).
type Row = (&'static str, f64, Mechanism, u32, u32, u32, f64, f64, f64, f64);

const ROWS: [Row; 15] = [
    ("h01", 0.9167, Mechanism::Odh, 5, 5, 0, 0.5805, 0.5807, -311.1674, -311.1676),
    ("h02", 0.8333, Mechanism::Tsh, 4, 4, 1, 0.2165, 0.2209, -305.4746, -305.4789),
    ("h03", 0.0833, Mechanism::Tsh, 0, 0, 2, 0.2913, 0.2906, -252.5716, -252.5708),
    ("h04", 0.5, Mechanism::Tsh, 3, 2, 1, 0.2016, 0.2283, -282.2723, -282.299),
    ("h05", 0.75, Mechanism::Tsh, 3, 4, 1, 0.2009, 0.2041, -299.7484, -299.7516),
    ("h06", 0.75, Mechanism::Odh, 4, 4, 0, 0.5753, 0.5745, -299.7514, -299.7507),
    ("h07", 0.25, Mechanism::Tsh, 2, 0, 2, 0.2268, 0.2579, -264.5756, -264.6067),
    ("h08", 0.5, Mechanism::Odh, 4, 3, 0, 0.48, 0.4873, -282.2683, -282.2756),
    ("h09", 0.5, Mechanism::Tsh, 3, 2, 1, 0.2622, 0.2638, -282.2691, -282.2707),
    ("h10", 0.25, Mechanism::Odh, 2, 2, 0, 0.4871, 0.4872, -264.594, -264.5941),
    ("h11", 0.75, Mechanism::Tsh, 4, 3, 1, 0.2086, 0.2172, -299.7358, -299.7444),
    ("h12", 0.25, Mechanism::Tsh, 1, 0, 2, 0.3111, 0.3065, -264.5958, -264.5912),
    ("h13", 0.8333, Mechanism::Odh, 4, 5, 0, 0.5879, 0.5774, -305.4901, -305.4796),
    ("h14", 0.5, Mechanism::Odh, 4, 2, 0, 0.5177, 0.5366, -282.2761, -282.295),
    ("h15", 0.5, Mechanism::Tsh, 2, 3, 1, 0.276, 0.265, -282.3012, -282.2903),
];

fn rows() -> Vec<BarrierRow> {
    ROWS.iter()
        .map(|r| BarrierRow {
            id: r.0.into(),
            x: r.1,
            mechanism: r.2,
            n_li_initial: r.3,
            n_li_final: r.4,
            n_vacant_common: r.5,
            forward_ev: r.6,
            backward_ev: r.7,
            energy_difference_ev: Some(r.9 - r.8),
        })
        .collect()
}

#[test]
fn laws_of_both_mechanisms_with_exact_leave_one_out_errors() {
    let fit = fit_barriers(&rows(), 2, 10, 400, 1).unwrap();
    for (k, law) in fit.laws.iter().enumerate() {
        println!("{law:?}");
        assert_eq!(law.form, LawForm::Linear);
        assert!(law.leave_one_out_ev < law.rejected_leave_one_out_ev.unwrap());
        assert!(law.leave_one_out_ev < 0.04);
        // Leave-one-out by refitting with each row left out.
        let chosen: Vec<BarrierRow> = rows().into_iter().filter(|r| r.mechanism == law.mechanism).collect();
        let mut squares = 0.0;
        for out in &chosen {
            let rest: Vec<&BarrierRow> = chosen.iter().filter(|r| r.id != out.id).collect();
            let n: Vec<f64> = rest.iter().map(|r| f64::from(r.occupied_neighbours())).collect();
            let y: Vec<f64> = rest.iter().map(|r| r.kra_ev()).collect();
            let (mx, my) = (n.iter().sum::<f64>() / n.len() as f64, y.iter().sum::<f64>() / n.len() as f64);
            let sxy: f64 = n.iter().zip(&y).map(|(a, b)| (a - mx) * (b - my)).sum();
            let sxx: f64 = n.iter().map(|a| (a - mx).powi(2)).sum();
            let predicted = my + sxy / sxx * (f64::from(out.occupied_neighbours()) - mx);
            squares += (out.kra_ev() - predicted).powi(2);
        }
        assert!((law.leave_one_out_ev - (squares / chosen.len() as f64).sqrt()).abs() < 1e-12);
        // Samples scatter about the mean with the stated spread (Student tails: 15 %).
        let slopes: Vec<f64> = fit.samples.iter().map(|s| s.law(law.mechanism).slope_ev).collect();
        let mean = slopes.iter().sum::<f64>() / slopes.len() as f64;
        let std = (slopes.iter().map(|s| (s - mean).powi(2)).sum::<f64>() / (slopes.len() - 1) as f64).sqrt();
        assert!((mean - law.law.slope_ev).abs() < 4.0 * law.standard_ev[1] / 20.0, "{k}");
        assert!((std / law.standard_ev[1] - 1.0).abs() < 0.3, "{std} {:?}", law.standard_ev);
    }
    // The dumbbell hop gets harder, the tetrahedral one easier with more ions around, and is easier throughout.
    assert!(fit.model.odh.slope_ev > 0.0 && fit.model.tsh.slope_ev < 0.0);
    assert!(fit.model.barrier(0, 4).kra_ev > fit.model.barrier(1, 4).kra_ev + 0.15);
    assert_eq!(fit, fit_barriers(&rows(), 2, 10, 400, 1).unwrap());
    assert_ne!(fit.samples, fit_barriers(&rows(), 2, 10, 400, 2).unwrap().samples);
}

#[test]
fn impossible_rows_are_refused_by_name() {
    let edits: [fn(&mut BarrierRow); 6] = [
        |r| r.forward_ev = -0.1,
        |r| r.backward_ev = f64::NAN,
        |r| r.energy_difference_ev = Some(0.1),
        |r| r.n_vacant_common = 1,
        |r| r.x = 1.5,
        |r| r.n_li_final = u32::MAX,
    ];
    for edit in edits {
        let mut changed = rows();
        edit(&mut changed[5]);
        match fit_barriers(&changed, 2, 10, 1, 1) {
            Err(HoppingError::Barrier { id, .. }) => assert_eq!(id, "h06"),
            other => panic!("{other:?}"),
        }
    }
    let few: Vec<BarrierRow> = rows().into_iter().filter(|r| r.mechanism == Mechanism::Tsh).collect();
    assert!(matches!(fit_barriers(&few, 2, 10, 1, 1), Err(HoppingError::TooFewBarriers { rows: 0, .. })));
}
