//! CPU time of the interpolation: fit, arbitrary k points and dense grids, on a cubic lattice with four bands and 24^3 k points.

use scalade_bands::{
    BandSet, BandSetParts, Bands, BandsError, Condition, Grid, Hopping, Level, PointGroup, Refinement,
    RelaxationTime, StarInterpolation, TightBinding, cubic_rotations, transport,
};
use scalade_numerics::cpu_seconds;

/// Four bands of one orbital each with hoppings to the nearest and second-nearest cells.
fn model() -> Result<TightBinding, BandsError> {
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

fn sampled(model: &TightBinding, n: usize) -> Result<BandSet, BandsError> {
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

/// Runs of each part; the shortest counts.
const ROUNDS: usize = 7;

/// Least CPU seconds of a call (all threads together) of some rounds of `repeats` calls.
fn best<T>(repeats: usize, mut call: impl FnMut() -> Result<T, BandsError>) -> Result<(f64, T), BandsError> {
    let mut last = call()?;
    let mut least = f64::INFINITY;
    for _ in 0..ROUNDS {
        let before = cpu_seconds();
        for _ in 0..repeats {
            last = call()?;
        }
        least = least.min((cpu_seconds() - before) / repeats as f64);
    }
    Ok((least, last))
}

/// Energies and slopes of all bands at the wanted points of a grid, the preparation of the grid's sums with them: how many, and the sum of the energies.
fn on_grid(bands: &StarInterpolation, grid: &Grid) -> Result<(usize, f64), BandsError> {
    let (mut done, mut sum, mut out) = (0, 0.0, Vec::new());
    for batch in bands.batches() {
        let planes = bands.on_grid(grid, batch)?;
        for (i1, wanted) in grid.planes.iter().enumerate().filter(|(_, w)| !w.is_empty()) {
            out.clear();
            planes.plane(i1, wanted, &mut out)?;
            sum += out.iter().map(|p| p.energy_ev).sum::<f64>();
            done += out.len();
        }
    }
    Ok((done, sum))
}

#[allow(clippy::print_stdout)]
fn anywhere(bands: &StarInterpolation) -> Result<(), BandsError> {
    let k: Vec<[f64; 3]> =
        (0..5000).map(|i| [0.37, 0.61, 0.83].map(|s| (s * f64::from(i)).fract())).collect();
    let (seconds, found) = best(1, || bands.at(&k))?;
    println!(
        "arbitrary k with slopes: {:.5} CPU s for 500 k points of {} bands (a tenth of {}; {} values)",
        seconds / 10.0,
        bands.bands(),
        k.len(),
        found.len()
    );
    let (seconds, ()) = best(1, || k[..500].iter().try_for_each(|k| bands.at(&[*k]).map(|_| ())))?;
    println!("one k at a time, with slopes: {seconds:.5} CPU s for 500 k points of {} bands", bands.bands());
    let (seconds, ()) = best(1, || k[..500].iter().try_for_each(|k| bands.curvature(*k, 1).map(|_| ())))?;
    println!("second derivatives: {seconds:.5} CPU s for 500 k points of one band");
    Ok(())
}

#[allow(clippy::print_stdout)]
fn grids(bands: &StarInterpolation) -> Result<(), BandsError> {
    let before = cpu_seconds();
    on_grid(bands, &Grid::new([1; 3], bands.group())?)?;
    println!("first grid of an interpolation, once: {:.4} CPU s", cpu_seconds() - before);
    for n in [60, 120] {
        for (name, group) in [("whole grid", &PointGroup::identity()), ("irreducible", bands.group())] {
            let before = cpu_seconds();
            let grid = Grid::new([n; 3], group)?;
            let search = cpu_seconds() - before;
            let (seconds, (done, sum)) = best(if n == 60 { 4 } else { 1 }, || on_grid(bands, &grid))?;
            println!(
                "{n}^3, {name}: {seconds:.5} CPU s, {:.2e} points with slopes/s, {:.2e} of the whole grid/s (all bands, {done} points, sum {sum:.6}; list of points before it: {search:.4} CPU s)",
                done as f64 / seconds,
                (bands.bands() * grid.points()) as f64 / seconds
            );
        }
    }
    Ok(())
}

#[allow(clippy::print_stdout)]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let model = model()?;
    let set = sampled(&model, 24)?;
    let (seconds, bands) = best(1, || StarInterpolation::new(&set, 5.95))?;
    println!(
        "fit: {} k points, {} stars, {} bands: {seconds:.4} CPU s (search of the stars included)",
        set.k_points().len(),
        bands.stars(),
        set.bands(),
    );
    anywhere(&bands)?;
    grids(&bands)?;
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
