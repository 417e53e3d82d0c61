//! Ageing: growth laws, cycling against an independent program, lithium bookkeeping.
#![allow(clippy::unwrap_used, clippy::panic)]

use scalade_cell::{
    AgeingOptions, Control, DfnOptions, DfnSolution, ModelKind, ParameterSet, PlatingLaw, Property, Protocol,
    SeiLaw, Step, Thermal, solve,
};

fn sei(law: SeiLaw) -> AgeingOptions {
    AgeingOptions { sei: law, ..AgeingOptions::default() }
}

fn cccv(cycles: usize) -> Protocol {
    let cycle = vec![
        Step::lasting(Control::CRate(1.0), 7200.0).until_voltage_below(3.0),
        Step::lasting(Control::CRate(-1.0), 7200.0).until_voltage_above(4.2),
        Step::lasting(Control::Voltage { volts: 4.2 }, 36_000.0).until_current_below(0.1),
    ];
    Protocol::cycles(cycles, cycle)
}

fn assert_conserved(solution: &DfnSolution, name: &str) {
    let i = &solution.inventory;
    assert!(i.solid_lithium_drift < 1e-12 && i.salt_drift < 1e-12, "{name}: {i:?}");
    assert!(i.coulomb_count_error < 1e-11 && i.charge_balance_error < 1e-11, "{name}: {i:?}");
}

/// Growth limited by diffusion of the solvent at rest: L = sqrt(L0^2 + 2 V D c t/z).
#[test]
fn sei_grows_with_the_root_of_time() {
    let p = ParameterSet::bundled("Mohtat2020").unwrap().started_at_state_of_charge(1.0).unwrap();
    for (days, expected) in [(30.0, 1.373768790e-8), (365.0, 4.491075785e-8)] {
        for model in [ModelKind::Dfn, ModelKind::Spm] {
            let options = DfnOptions {
                model,
                ageing: sei(SeiLaw::SolventDiffusion),
                rtol: 1e-11,
                atol: 1e-11,
                ..DfnOptions::default()
            };
            let rest = Protocol::sequence(vec![Step::lasting(Control::Rest, days * 86_400.0)]);
            let solution = solve(&p, &rest, &options, &[]).unwrap();
            let thickness = solution.steps[0].ageing.unwrap().sei_thickness_m;
            assert!((thickness / expected - 1.0).abs() < 1e-8, "{days} d, {model:?}: {thickness:e}");
        }
    }
}

/// Capacity at equilibrium after cycles and loss of lithium inventory, PyBaMM 26.10.1.1 at its default mesh.
#[test]
fn age_cycling_with_sei() {
    let p = ParameterSet::bundled("Mohtat2020").unwrap().started_at_state_of_charge(1.0).unwrap();
    let cases = [
        (ModelKind::Dfn, [4.9688827, 4.9667311, 4.9506787], 0.363335),
        (ModelKind::Spm, [4.9688848, 4.9667498, 4.9507958], 0.361029),
    ];
    for (model, capacities, loss) in cases {
        let options =
            DfnOptions { model, ageing: sei(SeiLaw::SolventDiffusion), rtol: 1e-4, ..DfnOptions::default() };
        let solution = solve(&p, &cccv(100), &options, &[]).unwrap();
        for (cycle, expected) in [1, 10, 100].into_iter().zip(capacities) {
            let lithium = solution.steps[3 * cycle - 1].ageing.unwrap().particle_lithium_mol;
            let window = p.with_particle_lithium(lithium).unwrap().voltage_window().unwrap();
            let q = window.capacity_ah;
            assert!((q - expected).abs() < 2e-5, "{model:?} cycle {cycle}: {q} against {expected}");
        }
        let end = solution.steps[299].ageing.unwrap();
        let lost = 100.0 * end.sei_lithium_mol / (end.particle_lithium_mol + end.sei_lithium_mol);
        assert!((lost - loss).abs() < 1e-4, "{model:?}: {lost} %");
        assert_conserved(&solution, "cycling");
    }
}

/// Every law, in every model, with temperature: lithium is where the reactions put it.
#[test]
fn lithium_is_conserved_in_every_law() {
    let p = ParameterSet::bundled("OKane2022").unwrap().started_at_state_of_charge(0.9).unwrap();
    let laws = [
        sei(SeiLaw::ReactionLimited),
        sei(SeiLaw::ReactionLimitedAsymmetric),
        sei(SeiLaw::ElectronMigration),
        sei(SeiLaw::InterstitialDiffusion),
        sei(SeiLaw::EcReaction),
        sei(SeiLaw::EcReactionAsymmetric),
        AgeingOptions { film_resistance: false, ..sei(SeiLaw::SolventDiffusion) },
        AgeingOptions { cracking: true, sei_on_cracks: true, ..sei(SeiLaw::SolventDiffusion) },
        AgeingOptions { pore_clogging: true, ..sei(SeiLaw::EcReaction) },
        AgeingOptions { plating: PlatingLaw::Reversible, ..AgeingOptions::default() },
        AgeingOptions { plating: PlatingLaw::Irreversible, ..AgeingOptions::default() },
        AgeingOptions {
            plating: PlatingLaw::PartlyReversible,
            cracking: true,
            sei_on_cracks: true,
            ..sei(SeiLaw::SolventDiffusion)
        },
    ];
    for ageing in laws {
        for model in [ModelKind::Dfn, ModelKind::Spme, ModelKind::Spm] {
            if ageing.pore_clogging && model != ModelKind::Dfn {
                continue;
            }
            for thermal in [Thermal::Isothermal, Thermal::Lumped] {
                let options = DfnOptions { model, ageing, thermal, ..DfnOptions::default() };
                let cycle = vec![
                    Step::lasting(Control::CRate(1.0), 1200.0),
                    Step::lasting(Control::CRate(-1.0), 1200.0).until_voltage_above(4.3),
                    Step::lasting(Control::Rest, 600.0),
                ];
                let name = format!("{model:?} {thermal:?} {ageing:?}");
                let solution = solve(&p, &Protocol::cycles(2, cycle), &options, &[]);
                let solution = solution.unwrap_or_else(|e| panic!("{name}: {e}"));
                assert_conserved(&solution, &name);
                let end = solution.steps.last().unwrap().ageing.unwrap();
                let lost = end.sei_lithium_mol + end.plated_lithium_mol + end.dead_lithium_mol;
                assert!(lost > 0.0, "{name}: {end:?}");
            }
        }
    }
}

/// SEI of a known volume fills the pores: at rest with growth limited by diffusion of the solvent the films are
/// the same everywhere, so that the salt is concentrated by the lost pore volume, and nothing of it is lost.
#[test]
fn pores_fill_and_salt_stays() {
    let mut p = ParameterSet::bundled("Mohtat2020").unwrap().started_at_state_of_charge(1.0).unwrap();
    let negative = p.negative.porous_mut().unwrap();
    let sei_data = negative.material.sei.as_mut().unwrap();
    // A film of about 0.1 um, with little lithium in it.
    sei_data.lithium_per_sei = 0.02;
    sei_data.solvent_diffusivity_m2_per_s = 2.5e-23;
    let surface = negative.material.specific_surface();
    let (porosity, thickness) = (negative.porosity, negative.thickness_m);
    let days = 365.0 * 86_400.0;
    let ageing = AgeingOptions { pore_clogging: true, ..sei(SeiLaw::SolventDiffusion) };
    let options = DfnOptions { ageing, profile_times_s: vec![days], ..DfnOptions::default() };
    let rest = Protocol::sequence(vec![Step::lasting(Control::Rest, days)]);
    let solution = solve(&p, &rest, &options, &[]).unwrap();
    assert_conserved(&solution, "clogging");
    let state = solution.steps[0].ageing.unwrap();
    let lost = surface * (state.sei_thickness_m - 5e-9);
    assert!(lost > 0.05 && lost < 0.5 * porosity, "{lost}");
    let pores = |negative: f64| {
        negative * thickness
            + p.separator.porosity * p.separator.thickness_m
            + p.positive.porosity * p.positive.thickness_m
    };
    let expected = p.electrolyte.initial_concentration * pores(porosity) / pores(porosity - lost);
    for c in &solution.profiles[0].electrolyte_concentration {
        assert!((c / expected - 1.0).abs() < 1e-6, "{c} against {expected}");
    }
}

/// An electrode without data for the ageing asked for says what is missing.
#[test]
fn missing_ageing_data_are_named() {
    let p = ParameterSet::marquis2019().unwrap();
    let with = |ageing| DfnOptions { ageing, ..DfnOptions::default() };
    let rest = Protocol::sequence(vec![Step::lasting(Control::Rest, 1.0)]);
    for ageing in [
        AgeingOptions { cracking: true, ..AgeingOptions::default() },
        AgeingOptions { sei_on_cracks: true, ..sei(SeiLaw::SolventDiffusion) },
        AgeingOptions { plating: PlatingLaw::PartlyReversible, ..AgeingOptions::default() },
    ] {
        let message = solve(&p, &rest, &with(ageing), &[]).unwrap_err().to_string();
        assert!(message.contains("needs"), "{message}");
    }
    let half = ParameterSet::bundled("Xu2019").unwrap();
    assert!(solve(&half, &rest, &with(sei(SeiLaw::SolventDiffusion)), &[]).is_err());
}

#[test]
fn a_cracking_rate_that_is_no_number_is_refused() {
    let mut cell = ParameterSet::bundled("OKane2022").unwrap();
    let options = DfnOptions {
        ageing: AgeingOptions { cracking: true, ..AgeingOptions::default() },
        ..DfnOptions::default()
    };
    let material = &mut cell.negative.porous_mut().unwrap().material;
    material.mechanics.as_mut().unwrap().cracking_rate.at_reference =
        Property::formula("1e-20 * (1 + x)").unwrap();
    let error = solve(&cell, &Protocol::discharge(1.0, 3.0), &options, &[]).unwrap_err().to_string();
    assert!(error.contains("cracking rate': must be a number"), "{error}");
}
