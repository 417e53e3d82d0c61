//! CPU time of the interpolation: fit, arbitrary k points and dense grids, on a cubic lattice with four bands and 24^3 k points.

use scalade_bands::{
    BandSet, BandSetParts, Bands, Condition, Grid, Hopping, Level, Refinement, RelaxationTime,
    StarInterpolation, TightBinding, cubic_rotations, transport,
};
use scalade_numerics::cpu_seconds;

/// Four bands of one orbital each with hoppings to the nearest and second-nearest cells.
fn model() -> Result<TightBinding, scalade_bands::BandsError> {
    let mut list = Vec::new();
    for band in 0..4 {
        let hop = |cell, re| Hopping { row: band, column: band, cell, amplitude_ev: [re, 0.0] };
        let shift = band as f64;
        list.push(hop([0; 3], 2.0 * shift));
        for cell in [[1, 0, 0], [0, 1, 0], [0, 0, 1]] {
            list.push(hop(cell, -0.3 - 0.1 * shift));
        }
        for cell in [[1, 1, 0], [1, -1, 0], [1, 0, 1], [1, 0, -1], [0, 1, 1], [0, 1, -1]] {
            list.push(hop(cell, 0.05 * shift));
        }
    }
    let lattice = [[3.175, 0.0, 0.0], [0.0, 3.175, 0.0], [0.0, 0.0, 3.175]];
    TightBinding::new(lattice, 4, &list, true, 2.0)?.with_rotations(&cubic_rotations(), true)
}

fn sampled(model: &TightBinding, n: usize) -> Result<BandSet, scalade_bands::BandsError> {
    let grid = Grid::new([n; 3], model.group())?;
    let mut parts = BandSetParts {
        lattice_angstrom: *model.lattice_angstrom(),
        rotations: model.group().rotations().to_vec(),
        spin_degeneracy: 2.0,
        ..BandSetParts::default()
    };
    for (i1, plane) in grid.planes.iter().enumerate() {
        for p in plane {
            let k = grid.k(i1, p.index);
            parts.energies_ev.push(model.energies(k)?);
            parts.k_points.push(k);
            parts.weights.push(f64::from(p.multiplicity) / grid.points() as f64);
        }
    }
    BandSet::new(parts)
}

#[allow(clippy::print_stdout)]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let model = model()?;
    let set = sampled(&model, 24)?;
    let before = cpu_seconds();
    let bands = StarInterpolation::new(&set, 5.95)?;
    println!(
        "fit: {} k points, {} stars, {} bands: {:.2} CPU s",
        set.k_points().len(),
        bands.stars(),
        set.bands(),
        cpu_seconds() - before
    );
    let k: Vec<[f64; 3]> =
        (0..5000).map(|i| [0.37, 0.61, 0.83].map(|s| (s * f64::from(i)).fract())).collect();
    let before = cpu_seconds();
    let found = bands.at(&k)?;
    let seconds = cpu_seconds() - before;
    println!("arbitrary k with slopes: {:.3} CPU s for 500 ({} values)", seconds / 10.0, found.len());
    for n in [60, 120] {
        let grid = Grid::new([n; 3], bands.group())?;
        let whole = scalade_bands::PointGroup::identity();
        for (name, grid) in [("whole grid", Grid::new([n; 3], &whole)?), ("irreducible", grid)] {
            let before = cpu_seconds();
            let (mut done, mut sum) = (0usize, 0.0);
            let repeats = if n == 60 { 8 } else { 1 };
            for _ in 0..repeats {
                for batch in bands.batches() {
                    let planes = bands.on_grid(&grid, batch)?;
                    let mut out = Vec::new();
                    for (i1, wanted) in grid.planes.iter().enumerate().filter(|(_, w)| !w.is_empty()) {
                        out.clear();
                        planes.plane(i1, wanted, &mut out)?;
                        sum += out.iter().map(|p| p.energy_ev).sum::<f64>();
                        done += out.len();
                    }
                }
            }
            let seconds = cpu_seconds() - before;
            println!(
                "{n}^3, {name}: {:.3} CPU s, {:.2e} points with slopes/s, {:.2e} of the whole grid/s (sum {sum:.6})",
                seconds / f64::from(repeats),
                done as f64 / seconds,
                (f64::from(repeats) * 4.0 * (n as f64).powi(3)) / seconds
            );
        }
    }
    let before = cpu_seconds();
    let at = Condition { level: Level::Electrons { neutral: 2.0, added: 0.3 }, temperature_k: 300.0 };
    let got = transport(&bands, &[at], &RelaxationTime::constant(1e-14)?, &Refinement::default())?;
    println!(
        "transport at 300 K: grids {:?}, {:?}: {:.2} CPU s",
        got.grids,
        got.errors[0],
        cpu_seconds() - before
    );
    Ok(())
}
