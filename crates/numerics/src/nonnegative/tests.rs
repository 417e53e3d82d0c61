//! Optimality conditions, brute force and what rounding does.

use super::*;
use crate::{Cholesky, Philox};

fn random_matrix(random: &mut Philox, rows: usize, columns: usize) -> Matrix {
    let data = (0..rows * columns).map(|_| random.normal()).collect();
    Matrix::from_rows(rows, columns, data).unwrap()
}

fn random_vector(random: &mut Philox, length: usize) -> Vec<f64> {
    (0..length).map(|_| random.normal()).collect()
}

fn product(a: &Matrix, b: &Matrix) -> Matrix {
    let rows: Vec<f64> = (0..a.rows()).flat_map(|i| b.transposed_times(a.row(i))).collect();
    Matrix::from_rows(a.rows(), b.columns(), rows).unwrap()
}

fn transposed(a: &Matrix) -> Matrix {
    let mut out = Matrix::zeros(a.columns(), a.rows());
    for i in 0..a.rows() {
        for (j, value) in a.row(i).iter().enumerate() {
            out.row_mut(j)[i] = *value;
        }
    }
    out
}

fn difference(a: &[f64], b: &[f64]) -> Vec<f64> {
    a.iter().zip(b).map(|(x, y)| x - y).collect()
}

/// Each violation of the conditions of Karush, Kuhn and Tucker, which are sufficient for this convex
/// problem, over the size of the terms that cancel in it.
fn assert_optimal(a: &Matrix, b: &[f64], x: &[f64], label: &str) {
    let columns = transposed(a);
    let gradient = a.transposed_times(&difference(b, &a.times(x)));
    let terms = norm(b) + x.iter().enumerate().map(|(j, v)| v * norm(columns.row(j))).sum::<f64>();
    for (j, (value, w)) in x.iter().zip(&gradient).enumerate() {
        let tolerance = 1e-11 * norm(columns.row(j)) * terms;
        assert!(*value >= 0.0, "{label}: x_{j} = {value}");
        assert!(*w <= tolerance, "{label}: w_{j} = {w:e}, x_{j} = {value:e}");
        assert!(*value == 0.0 || w.abs() <= tolerance, "{label}: w_{j} = {w:e}, x_{j} = {value:e}");
    }
}

/// A problem of one of four kinds: full, of low rank, with multiples of columns, with columns of very
/// different norms. Every other right-hand side is a nonnegative combination of the columns, so that the
/// residual is zero.
fn random_problem(random: &mut Philox, kind: usize) -> (Matrix, Vec<f64>) {
    let (rows, columns) = (1 + random.below(12) as usize, 1 + random.below(18) as usize);
    let mut a = random_matrix(random, rows, columns);
    match kind % 4 {
        1 => {
            let rank = 1 + random.below(3) as usize;
            let left = random_matrix(random, rows, rank);
            a = product(&left, &random_matrix(random, rank, columns));
        }
        2 => {
            for j in 1..columns {
                if random.below(2) == 0 {
                    let (from, factor) = (random.below(j as u32) as usize, random.normal());
                    for i in 0..rows {
                        a.row_mut(i)[j] = factor * a.row(i)[from];
                    }
                }
            }
        }
        3 => {
            for j in 0..columns {
                let factor = 10f64.powi(random.below(13) as i32 - 6);
                for i in 0..rows {
                    a.row_mut(i)[j] *= factor;
                }
            }
        }
        _ => {}
    }
    let b = if kind % 8 < 4 {
        random_vector(random, rows)
    } else {
        a.times(&(0..columns).map(|_| random.exponential()).collect::<Vec<_>>())
    };
    (a, b)
}

#[test]
fn a_known_constraint_is_active() {
    // The line through (0, 3), (1, 2), (2, 0) falls; the best one that does not is the mean.
    let a = Matrix::from_rows(3, 2, vec![1.0, 0.0, 1.0, 1.0, 1.0, 2.0]).unwrap();
    let x = nonnegative_least_squares(&a, &[3.0, 2.0, 0.0]).unwrap();
    assert!((x[0] - 5.0 / 3.0).abs() < 1e-14, "{x:?}");
    assert_eq!(x[1], 0.0);
    // Rising, it is the ordinary line: 1/6 + 3/2 t.
    let x = nonnegative_least_squares(&a, &[0.0, 2.0, 3.0]).unwrap();
    assert!((x[0] - 1.0 / 6.0).abs() < 1e-14 && (x[1] - 1.5).abs() < 1e-14, "{x:?}");
}

#[test]
fn a_column_that_entered_can_leave() {
    // b = 2.5 A_1 + 2.5 A_2 - 1.5 A_3, and A_3 makes the smallest angle with b, so that it enters first.
    let a = Matrix::from_rows(3, 3, vec![1.0, 0.0, 1.0, 0.0, 1.0, 1.0, 0.0, 0.0, 0.2]).unwrap();
    let b = [1.0, 1.0, -0.3];
    let mut third = [1.0, 1.0, 0.2];
    normalise(&mut third);
    assert!(dot(&third, &b) > 1.3);
    let x = nonnegative_least_squares(&a, &b).unwrap();
    assert!(norm(&difference(&x, &[1.0, 1.0, 0.0])) < 1e-14, "{x:?}");
    assert_eq!(x[2], 0.0);
}

#[test]
fn random_problems_meet_the_optimality_conditions() {
    let mut random = Philox::new(23, 0, 0);
    let (mut active, mut passive) = (0, 0);
    for k in 0..200 {
        let (a, b) = random_problem(&mut random, k);
        let x = nonnegative_least_squares(&a, &b).unwrap();
        assert_eq!(x.len(), a.columns());
        assert_optimal(&a, &b, &x, &format!("problem {k} of {} x {}", a.rows(), a.columns()));
        active += x.iter().filter(|v| **v == 0.0).count();
        passive += x.iter().filter(|v| **v > 0.0).count();
    }
    assert!(active > 200 && passive > 200, "{active} {passive}");
}

#[test]
fn extreme_scales_do_not_overflow() {
    let a = Matrix::from_rows(2, 2, vec![1e-200, 0.0, 0.0, 1e200]).unwrap();
    // The first equation is below the rounding of the second, so that its unknown may be anything small.
    let x = nonnegative_least_squares(&a, &[1e-250, 1e250]).unwrap();
    assert!((0.0..1e-49).contains(&x[0]), "{x:?}");
    assert!((x[1] / 1e50 - 1.0).abs() < 1e-12, "{x:?}");
    let x = least_distance(&a, &[1e-250, 1e250]).unwrap().unwrap();
    assert!((x[1] / 1e50 - 1.0).abs() < 1e-12, "{x:?}");
    assert!(matches!(
        nonnegative_least_squares(&Matrix::from_rows(1, 1, vec![1e-200]).unwrap(), &[1e200]),
        Err(DenseError::NotFinite {
            what: "nonnegative least-squares solution",
            index: 0,
            value: f64::INFINITY
        })
    ));
    let opposite = Matrix::from_rows(2, 1, vec![1.0, 1.0]).unwrap();
    let x = least_distance(&opposite, &[1e-300, -1e300]).unwrap().unwrap();
    assert!((x[0] / 1e-300 - 1.0).abs() < 1e-12, "{x:?}");
}

#[test]
fn empty_and_zero_problems() {
    assert_eq!(nonnegative_least_squares(&Matrix::zeros(3, 0), &[1.0; 3]), Ok(vec![]));
    assert_eq!(nonnegative_least_squares(&Matrix::zeros(0, 2), &[]), Ok(vec![0.0; 2]));
    assert_eq!(nonnegative_least_squares(&Matrix::zeros(3, 2), &[1.0; 3]), Ok(vec![0.0; 2]));
    let ones = Matrix::from_rows(2, 1, vec![1.0; 2]).unwrap();
    assert_eq!(nonnegative_least_squares(&ones, &[0.0; 2]), Ok(vec![0.0]));
    assert_eq!(least_distance(&Matrix::zeros(0, 2), &[]), Ok(Some(vec![0.0; 2])));
    assert_eq!(least_distance(&Matrix::zeros(1, 2), &[0.0]), Ok(Some(vec![0.0; 2])));
    assert_eq!(least_distance(&Matrix::zeros(1, 2), &[1e-300]), Ok(None));
    assert_eq!(least_distance(&Matrix::zeros(1, 0), &[-1.0]), Ok(Some(vec![])));
    assert_eq!(least_distance(&Matrix::zeros(1, 0), &[1.0]), Ok(None));
}

#[test]
fn wrong_lengths_and_numbers_that_are_not_finite_are_refused() {
    let good = Matrix::from_rows(2, 3, vec![1.0; 6]).unwrap();
    let mut bad = good.clone();
    bad.row_mut(1)[2] = f64::NAN;
    let shape = DenseError::Shape { expected: 2, got: 3 };
    assert_eq!(nonnegative_least_squares(&good, &[1.0; 3]), Err(shape.clone()));
    assert_eq!(least_distance(&good, &[1.0; 3]), Err(shape));
    for error in [
        nonnegative_least_squares(&bad, &[1.0; 2]).unwrap_err(),
        least_distance(&bad, &[1.0; 2]).unwrap_err(),
    ] {
        assert_eq!(error.to_string(), "number 5 of the matrix is NaN, not finite");
    }
    for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        for error in [
            nonnegative_least_squares(&good, &[1.0, value]).unwrap_err(),
            least_distance(&good, &[1.0, value]).unwrap_err(),
        ] {
            assert!(matches!(error, DenseError::NotFinite { what: "right-hand side", index: 1, .. }));
        }
    }
}

#[test]
fn too_few_iterations_are_an_error_with_the_numbers() {
    let columns = vec![vec![1.0, 0.0, 0.0], vec![0.0, 1.0, 0.0], vec![0.0, 0.0, 1.0]];
    let right = [0.48, 0.6, 0.64];
    let Err(error) = ActiveSet::solve(&columns, &right, 2) else {
        panic!("three columns entered in two steps");
    };
    let message = error.to_string();
    assert!(message.contains("did not end in 2 steps for 3 columns: 2 are positive"), "{message}");
    let DenseError::Iterations { gradient, .. } = error else {
        panic!("{message}");
    };
    assert!((gradient - 0.48).abs() < 1e-14, "{message}");
    assert_eq!(ActiveSet::solve(&columns, &right, 3).unwrap().passive.len(), 3);
}

/// The least-distance point by trying all sets of constraints as equalities, x = G_S^T (G_S G_S^T)^-1
/// h_S, and keeping the nearest feasible one.
fn least_distance_by_enumeration(g: &Matrix, h: &[f64]) -> Option<Vec<f64>> {
    let mut best: Option<Vec<f64>> = None;
    for set in 0..1u32 << h.len() {
        let chosen: Vec<usize> = (0..h.len()).filter(|i| set & (1 << i) != 0).collect();
        let rows: Vec<f64> = chosen.iter().flat_map(|i| g.row(*i).to_vec()).collect();
        let part = Matrix::from_rows(chosen.len(), g.columns(), rows).unwrap();
        let Ok(cholesky) = Cholesky::new(&product(&part, &transposed(&part))) else {
            continue;
        };
        let bounds: Vec<f64> = chosen.iter().map(|i| h[*i]).collect();
        let x = part.transposed_times(&cholesky.solve(&bounds));
        let feasible = g.times(&x).iter().zip(h).all(|(value, bound)| *value >= bound - 1e-9);
        if feasible && best.as_ref().is_none_or(|b| norm(&x) < norm(b)) {
            best = Some(x);
        }
    }
    best
}

/// A least-distance problem with normal or (every other time) small whole numbers, which bring ties,
/// repeated and opposite constraints and rows of zeros.
fn random_constraints(random: &mut Philox, kind: usize, rows: usize, columns: usize) -> (Matrix, Vec<f64>) {
    if kind.is_multiple_of(2) {
        let g = random_matrix(random, rows, columns);
        return (g, random_vector(random, rows));
    }
    let mut whole =
        |length: usize| -> Vec<f64> { (0..length).map(|_| f64::from(random.below(5)) - 2.0).collect() };
    (Matrix::from_rows(rows, columns, whole(rows * columns)).unwrap(), whole(rows))
}

#[test]
fn least_distance_is_that_of_all_active_sets() {
    let mut random = Philox::new(29, 0, 0);
    let (mut infeasible, mut at_origin, mut on_boundary) = (0, 0, 0);
    for k in 0..3000 {
        let (rows, columns) = (1 + random.below(5) as usize, 1 + random.below(3) as usize);
        let (g, h) = random_constraints(&mut random, k, rows, columns);
        let found = least_distance(&g, &h).unwrap();
        match (found, least_distance_by_enumeration(&g, &h)) {
            (None, None) => infeasible += 1,
            (Some(x), Some(expected)) => {
                let apart = norm(&difference(&x, &expected));
                assert!(apart <= 1e-9 * norm(&expected), "problem {k}: {x:?} {expected:?}");
                if norm(&x) == 0.0 { at_origin += 1 } else { on_boundary += 1 }
            }
            (found, expected) => panic!("problem {k}: {g:?} {h:?}: {found:?} {expected:?}"),
        }
    }
    assert!(infeasible > 100 && at_origin > 100 && on_boundary > 100);
}

#[test]
fn least_distance_has_multipliers() {
    let mut random = Philox::new(31, 0, 0);
    for k in 0..100 {
        let (rows, columns) = (1 + random.below(60) as usize, 1 + random.below(20) as usize);
        let (g, mut h) = random_constraints(&mut random, k, rows, columns);
        // A point that satisfies all constraints, some of them as equalities.
        let inside = random_vector(&mut random, columns);
        for (bound, value) in h.iter_mut().zip(g.times(&inside)) {
            *bound = value - bound.max(0.0);
        }
        let x = least_distance(&g, &h).unwrap().unwrap();
        let slack = difference(&g.times(&x), &h);
        assert!(slack.iter().all(|s| *s >= -1e-9), "problem {k}: {slack:?}");
        // x = G^T l with l >= 0, and l_i = 0 unless constraint i is an equality.
        let active: Vec<usize> = (0..rows).filter(|i| slack[*i] <= 1e-9).collect();
        let gradients: Vec<f64> = active.iter().flat_map(|i| g.row(*i).to_vec()).collect();
        let gradients = Matrix::from_rows(active.len(), columns, gradients).unwrap();
        let multipliers = nonnegative_least_squares(&transposed(&gradients), &x).unwrap();
        let rest = norm(&difference(&gradients.transposed_times(&multipliers), &x));
        assert!(rest <= 1e-9 * norm(&x), "problem {k}: {rest:e}");
        assert!(norm(&x) <= norm(&inside) + 1e-9, "problem {k}");
    }
}

#[test]
fn contradictions_have_no_point() {
    // x + y >= 1 and x + y <= 1/2; then, among others, a triangle of half planes that all point outwards.
    let g = Matrix::from_rows(2, 2, vec![1.0, 1.0, -1.0, -1.0]).unwrap();
    assert_eq!(least_distance(&g, &[1.0, -0.5]), Ok(None));
    let side = 0.75f64.sqrt();
    let g = Matrix::from_rows(4, 2, vec![1.0, 0.0, 0.0, 1.0, -0.5, side, -0.5, -side]).unwrap();
    assert_eq!(least_distance(&g, &[0.1, -9.0, 0.1, 0.1]), Ok(None));
    // Contradictory by a millionth, consistent, and open by a millionth.
    let g = Matrix::from_rows(2, 1, vec![3.0, -7.0]).unwrap();
    assert_eq!(least_distance(&g, &[1.0 + 1e-6, -7.0 / 3.0]), Ok(None));
    for bound in [1.0, 1.0 - 1e-6] {
        let x = least_distance(&g, &[bound, -7.0 / 3.0]).unwrap().unwrap();
        assert!((x[0] - bound / 3.0).abs() < 1e-15, "{x:?}");
    }
}

#[test]
fn without_an_active_constraint_the_origin_is_nearest() {
    let mut random = Philox::new(37, 0, 0);
    for _ in 0..20 {
        let g = random_matrix(&mut random, 12, 4);
        let h: Vec<f64> = (0..12).map(|_| -random.exponential()).collect();
        assert_eq!(least_distance(&g, &h), Ok(Some(vec![0.0; 4])));
    }
    let g = Matrix::from_rows(1, 2, vec![1.0, 2.0]).unwrap();
    assert_eq!(least_distance(&g, &[0.0]), Ok(Some(vec![0.0; 2])));
}

#[test]
fn far_points_are_found_to_rounding() {
    // y >= 1 and y <= e x: the nearest point is the corner (1/e, 1), though the walls are at the
    // distances 1 and 0.
    for angle in [1e-2f64, 1e-4, 1e-6] {
        let g = Matrix::from_rows(2, 2, vec![0.0, 1.0, angle, -1.0]).unwrap();
        let x = least_distance(&g, &[1.0, 0.0]).unwrap().unwrap();
        assert!((x[0] * angle - 1.0).abs() < 1e-9 && (x[1] - 1.0).abs() < 1e-9 / angle, "{angle}: {x:?}");
    }
    // Farther than 1e8 times the first wall counts as nowhere.
    let g = Matrix::from_rows(2, 2, vec![0.0, 1.0, 1e-9, -1.0]).unwrap();
    assert_eq!(least_distance(&g, &[1.0, 0.0]), Ok(None));
}

#[test]
fn equations_written_as_opposite_inequalities_are_met() {
    let mut random = Philox::new(41, 0, 0);
    for k in 0..200 {
        // More equations than unknowns at times; consistent but for the rounding of h.
        let (rows, columns) = (1 + random.below(12) as usize, 1 + random.below(8) as usize);
        let (half, _) = random_constraints(&mut random, k, rows, columns);
        let half_bounds = half.times(&random_vector(&mut random, columns));
        let (mut g, mut h) = (Matrix::zeros(2 * rows, columns), Vec::new());
        for i in 0..2 * rows {
            let factor = if i < rows { 1.0 } else { -1.7 };
            for (to, from) in g.row_mut(i).iter_mut().zip(half.row(i % rows)) {
                *to = factor * from;
            }
            h.push(factor * half_bounds[i % rows]);
        }
        let x = least_distance(&g, &h).unwrap().unwrap();
        let rest = norm(&difference(&half.times(&x), &half_bounds));
        assert!(rest < 1e-9, "problem {k}: {rest:e}");
    }
}

#[test]
fn nearly_parallel_constraints_keep_a_point_that_they_have() {
    let mut random = Philox::new(43, 0, 0);
    for k in 0..3000 {
        let angle = 10f64.powi(-(1 + k % 9));
        let (rows, columns) = (2 + random.below(3) as usize, 2 + random.below(2) as usize);
        let (mut g, mut h) = random_constraints(&mut random, 1, rows, columns);
        let first = g.row(0).to_vec();
        for i in 1..rows {
            let sign = if random.below(2) == 0 { 1.0 } else { -1.0 };
            for (value, along) in g.row_mut(i).iter_mut().zip(&first) {
                *value = sign * along + angle * *value;
            }
        }
        let inside = random_vector(&mut random, columns);
        for (bound, value) in h.iter_mut().zip(g.times(&inside)) {
            *bound = value - bound.max(0.0);
        }
        let x = least_distance(&g, &h).unwrap().unwrap();
        for ((value, bound), i) in g.times(&x).iter().zip(&h).zip(0..) {
            let tolerance = 1e-9 * norm(g.row(i)) * norm(&x) + 1e-15;
            assert!(*value >= bound - tolerance, "problem {k}: {value} {bound}");
        }
    }
}

#[test]
fn what_rounding_hides_is_an_error() {
    // The only corner is (-1e6, 1e6), where 1e-6 x and 1e-6 y, known to 1e-10, must cancel.
    let g = Matrix::from_rows(3, 2, vec![2.0, 2.0, 2.000001, 2.0, -2.0, -1.999999]).unwrap();
    let error = least_distance(&g, &[-2.0, -1.0, 1.0]).unwrap_err();
    assert!(matches!(error, DenseError::Undecided { constraint: 1, .. }), "{error}");
}
