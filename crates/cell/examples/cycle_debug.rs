//! d
use scalade_cell::*;
fn main() -> Result<(), CellError> {
    let p = ParameterSet::bundled("Mohtat2020")?.started_at_state_of_charge(1.0)?;
    let n: usize = std::env::args().nth(1).and_then(|a| a.parse().ok()).unwrap_or(10);
    let ageing = AgeingOptions { sei: SeiLaw::SolventDiffusion, ..AgeingOptions::default() };
    let kinds = [ModelKind::Dfn, ModelKind::Spm];
    for model in kinds {
        let o = DfnOptions { model, ageing, rtol: 1e-4, ..DfnOptions::default() };
        let cycle = vec![
            Step::lasting(Control::CRate(1.0), 7200.0).until_voltage_below(3.0),
            Step::lasting(Control::CRate(-1.0), 7200.0).until_voltage_above(4.2),
            Step::lasting(Control::Voltage { volts: 4.2 }, 36000.0).until_current_below(0.1),
        ];
        let t = std::time::Instant::now();
        let s = solve(&p, &Protocol::cycles(n, cycle), &o, &[])?;
        let caps: Vec<f64> = s.steps.iter().step_by(3).map(|s| s.charge_ah).collect();
        println!("{} s; {:?}", t.elapsed().as_secs_f64(), s.work);
        println!("{} {} {:?}", caps[0], caps[n - 1], s.inventory);
        if n >= 10 {
            println!("{}", caps[9]);
        }
    }
    Ok(())
}
