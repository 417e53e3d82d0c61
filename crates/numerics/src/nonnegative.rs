//! Nonnegative least squares, and the point nearest to the origin under linear inequalities.
//!
//! C. L. Lawson and R. J. Hanson, Solving Least Squares Problems (Prentice-Hall 1974, SIAM 1995), chapter 23.
//! The inner least squares are solved by Householder reflections of the columns themselves: normal equations
//! would square their condition.

use crate::{DenseError, Matrix};

/// A column of which less than this part stands outside the span of the passive ones counts as one of their
/// span: its coefficient would be rounding error. Its gradient is below the same part of |b|.
const DEPENDENT: f64 = 1e-12;

/// Residuals of the least-distance problem below this mean that no point is feasible. The residual of a
/// feasible one is 1 / sqrt(1 + |x|^2) with x in units of the farthest single constraint.
const INFEASIBLE: f64 = 1e-8;

/// Least-distance problems are scaled again until 1 / |r| is below this: a gradient lost in rounding stands
/// for a violation that grows with 1 / |r|^2.
const WELL_SCALED: f64 = 2.0;

/// Scalings tried. The second one meets the distance to the digits of the first, so a third is already spare.
const SCALINGS: usize = 3;

/// Violation of a constraint that is accepted, over |g_i| |x|.
const VIOLATION: f64 = 1e-9;

/// Contradictions smaller than this, over the distance of the farthest single constraint, count as rounding
/// of the data.
const RELAXATION: f64 = 1e-11;

/// The nonnegative least-squares solution: the x >= 0 that minimises |A x - b|.
///
/// `a` has one row per equation, `b` one number per row; the result has one number per column. At the result,
/// with w = A^T (b - A x), every x_j > 0 has w_j = 0 and every x_j = 0 has w_j <= 0, up to 1e-12 |A_j| |b|
/// and the rounding of A x. For dependent columns the minimiser is not unique; the one returned uses
/// independent columns only. Any shape is allowed, more columns than rows too.
///
/// Active-set method: columns enter the passive (positive) set one by one, the one with the largest w_j /
/// |A_j| first, and leave it when the least-squares solution of the passive columns would make them negative.
///
/// Errors: [`DenseError::Shape`] when `b` does not fit, [`DenseError::NotFinite`] for numbers that are not
/// finite, and [`DenseError::Iterations`] when 3 x columns + 30 entries into the passive set did not suffice.
///
/// Source: Lawson and Hanson (1974), section 23.3, algorithm NNLS.
pub fn nonnegative_least_squares(a: &Matrix, b: &[f64]) -> Result<Vec<f64>, DenseError> {
    check_rows(a, b)?;
    let mut columns = vec![Vec::with_capacity(a.rows()); a.columns()];
    for i in 0..a.rows() {
        for (column, value) in columns.iter_mut().zip(a.row(i)) {
            column.push(*value);
        }
    }
    // The minimiser scales with b and inversely with each column; at length one, the tolerances are plain
    // numbers.
    let lengths = columns.iter_mut().map(|column| normalise(column)).collect::<Vec<_>>();
    let mut right = b.to_vec();
    let right_length = normalise(&mut right);
    all_finite("column norms", &lengths)?;
    all_finite("norm of the right-hand side", &[right_length])?;
    let limit = iteration_limit(columns.len());
    let mut x = ActiveSet::solve(&columns, &right, limit)?.solution;
    for (value, length) in x.iter_mut().zip(&lengths) {
        if *value > 0.0 {
            *value *= right_length / length;
        }
    }
    all_finite("nonnegative least-squares solution", &x)?;
    Ok(x)
}

/// The point nearest to the origin under linear inequalities: the x with G x >= h that minimises |x|.
///
/// `g` has one row per constraint and one column per unknown, `h` one number per row; the result has one
/// number per column. The constraints hold within 1e-9 |g_i| |x|. Without a constraint that excludes the
/// origin the result is exactly zero. It is `None` when no x satisfies all constraints; with d = max_i h_i /
/// |g_i|, that is also said when every such x is farther than about 1e8 d, and not said of contradictions
/// below 1e-11 d, which equations written as opposite inequalities have by rounding. Rows of G may have any
/// norm; a row of zeros says that h_i must not be positive.
///
/// With E = \[G^T; h^T\] and f = (0, ..., 0, 1), the nonnegative least-squares solution u of E u = f has the
/// residual r = E u - f, and x_j = -r_j / r_{n+1} = (G^T u)_j / |r|^2; no x is feasible if r = 0.
///
/// Errors: [`DenseError::Shape`] when `h` does not fit, [`DenseError::NotFinite`] for numbers that are not
/// finite, [`DenseError::Iterations`] as for [`nonnegative_least_squares`], and [`DenseError::Undecided`]
/// when rounding hides whether a nearly contradictory system is feasible.
///
/// Source: Lawson and Hanson (1974), section 23.4, algorithm LDP.
pub fn least_distance(g: &Matrix, h: &[f64]) -> Result<Option<Vec<f64>>, DenseError> {
    check_rows(g, h)?;
    let (mut directions, mut distances, mut numbers) = (Vec::new(), Vec::new(), Vec::new());
    for (i, bound) in h.iter().enumerate() {
        let mut direction = g.row(i).to_vec();
        let length = normalise(&mut direction);
        all_finite("constraint norms", &[length])?;
        if length > 0.0 {
            directions.push(direction);
            distances.push(bound / length);
            numbers.push(i);
        } else if *bound > 0.0 {
            return Ok(None);
        }
    }
    all_finite("distances of the constraints", &distances)?;
    let reach = distances.iter().fold(0.0, |largest: f64, distance| largest.max(*distance));
    if reach == 0.0 {
        return Ok(Some(vec![0.0; g.columns()]));
    }
    let holds = |x: &[f64], violation: f64| violation <= VIOLATION * norm(x);
    if let Some(x) = nearest_point(&directions, &distances, reach)? {
        let (worst, violation) = largest_violation(&directions, &distances, &x);
        if holds(&x, violation) {
            return Ok(Some(x));
        }
        return Err(DenseError::Undecided { constraint: numbers[worst], violation, distance: norm(&x) });
    }
    // Equations written as opposite inequalities contradict each other by their rounding.
    let relaxed: Vec<f64> = distances.iter().map(|distance| distance - RELAXATION * reach).collect();
    let point = nearest_point(&directions, &relaxed, reach)?;
    Ok(point.filter(|x| holds(x, largest_violation(&directions, &distances, x).1)))
}

/// The constraint (of unit norm) that a point misses most, and by how much.
fn largest_violation(directions: &[Vec<f64>], distances: &[f64], x: &[f64]) -> (usize, f64) {
    let mut largest = (0, f64::NEG_INFINITY);
    for (i, (direction, distance)) in directions.iter().zip(distances).enumerate() {
        let violation = distance - dot(direction, x);
        if violation > largest.1 {
            largest = (i, violation);
        }
    }
    largest
}

/// The least-distance point for constraints of unit norm at the given distances, the largest of which is
/// `reach` > 0.
fn nearest_point(
    directions: &[Vec<f64>],
    distances: &[f64],
    reach: f64,
) -> Result<Option<Vec<f64>>, DenseError> {
    let unknowns = directions.first().map_or(0, Vec::len);
    let mut right = vec![0.0; unknowns + 1];
    right[unknowns] = 1.0;
    let mut scale = reach;
    let mut x = Vec::new();
    for _ in 0..SCALINGS {
        let mut columns = directions.to_vec();
        for (column, distance) in columns.iter_mut().zip(distances) {
            // A constraint satisfied by far may overflow here; it stays one that never enters.
            column.push((distance / scale).max(f64::MIN));
            normalise(column);
        }
        let state = ActiveSet::solve(&columns, &right, iteration_limit(columns.len()))?;
        // f - E u, that is -r.
        let residual = state.factor.residual();
        let length = norm(&residual);
        // Nearly opposite constraints have large multipliers u, whose sum can only cancel to its own
        // rounding.
        let multipliers: f64 = state.solution.iter().sum();
        if length <= INFEASIBLE.max(rounding_error(residual.len()) * multipliers) {
            return Ok(None);
        }
        x = residual[..unknowns].iter().map(|r| -scale * r / residual[unknowns]).collect();
        if length * WELL_SCALED >= 1.0 {
            break;
        }
        scale /= length;
        // Each scaling has its own residual: together they must not go farther than one of them may.
        if scale * INFEASIBLE > reach {
            return Ok(None);
        }
    }
    all_finite("least-distance point", &x)?;
    Ok(Some(x))
}

/// What rounding may leave of a scalar product of unit vectors, or of one with the residual, that should
/// vanish.
fn rounding_error(rows: usize) -> f64 {
    10.0 * f64::EPSILON * rows as f64
}

/// Entries into the passive set allowed. Each one usually stays, so that columns plus a few are needed.
fn iteration_limit(columns: usize) -> usize {
    3 * columns + 30
}

/// The state of the active-set method, for columns and a right-hand side of length one (or zero).
struct ActiveSet<'a> {
    columns: &'a [Vec<f64>],
    /// Passive columns, in the order of their entry.
    passive: Vec<usize>,
    /// Factorisation of the passive columns, in the same order.
    factor: Factor<'a>,
    /// The coefficients: positive for passive columns, zero for the others.
    solution: Vec<f64>,
}

impl<'a> ActiveSet<'a> {
    /// Runs the method to its end.
    fn solve(columns: &'a [Vec<f64>], right: &'a [f64], limit: usize) -> Result<Self, DenseError> {
        let factor = Factor::new(right);
        let mut state = Self { columns, passive: Vec::new(), factor, solution: vec![0.0; columns.len()] };
        for _ in 0..limit {
            let candidates = state.candidates();
            let Some((column, reflected)) = state.entering(&candidates) else {
                return Ok(state);
            };
            state.passive.push(column);
            state.factor.append(reflected);
            state.restore_positivity();
        }
        let candidates = state.candidates();
        if state.entering(&candidates).is_none() {
            return Ok(state);
        }
        Err(DenseError::Iterations {
            limit,
            columns: columns.len(),
            positive: state.passive.len(),
            gradient: candidates.first().map_or(0.0, |candidate| candidate.0),
        })
    }

    /// Gradient and index of the columns outside the passive set along which the residual falls, steepest
    /// first. The sort is stable, so that ties go to the first column on every machine.
    fn candidates(&self) -> Vec<(f64, usize)> {
        let residual = self.factor.residual();
        let noise = rounding_error(residual.len());
        let mut outside = vec![true; self.columns.len()];
        for column in &self.passive {
            outside[*column] = false;
        }
        let mut candidates: Vec<(f64, usize)> = (0..self.columns.len())
            .filter(|column| outside[*column])
            .map(|column| (dot(&self.columns[column], &residual), column))
            .filter(|(gradient, _)| *gradient > noise)
            .collect();
        candidates.sort_by(|a, b| b.0.total_cmp(&a.0));
        candidates
    }

    /// The first candidate that can enter, with its reflected column.
    fn entering(&self, candidates: &[(f64, usize)]) -> Option<(usize, Vec<f64>)> {
        candidates
            .iter()
            .map(|(_, column)| (*column, self.factor.reflected(&self.columns[*column])))
            .find(|(_, reflected)| self.factor.accepts(reflected))
    }

    /// Moves to the least-squares solution of the passive columns; where that has coefficients that are not
    /// positive, only as far as the first one reaches zero, and again without that column.
    fn restore_positivity(&mut self) {
        loop {
            let target = self.factor.solution();
            // The step to the first zero, and the place of that column.
            let mut first: Option<(f64, usize)> = None;
            for (place, (column, value)) in self.passive.iter().zip(&target).enumerate() {
                if *value <= 0.0 {
                    let from = self.solution[*column];
                    let step = if from > 0.0 { from / (from - value) } else { 0.0 };
                    if first.is_none_or(|(smallest, _)| step < smallest) {
                        first = Some((step, place));
                    }
                }
            }
            let Some((step, blocking)) = first else {
                for (column, value) in self.passive.iter().zip(&target) {
                    self.solution[*column] = *value;
                }
                return;
            };
            let mut kept = Vec::with_capacity(self.passive.len());
            let mut untouched = blocking;
            for (place, (column, value)) in self.passive.iter().zip(&target).enumerate() {
                let moved = self.solution[*column] + step * (value - self.solution[*column]);
                // Rounding must not keep the blocking column, or the loop would not end.
                let leaves = place == blocking || (*value <= 0.0 && moved <= 0.0);
                self.solution[*column] = if leaves { 0.0 } else { moved };
                if leaves {
                    untouched = untouched.min(place);
                } else {
                    kept.push(*column);
                }
            }
            self.passive = kept;
            self.factor.truncate(untouched);
            for column in &self.passive[untouched..] {
                let reflected = self.factor.reflected(&self.columns[*column]);
                self.factor.append(reflected);
            }
        }
    }
}

/// Factorisation Q^T \[columns, b\] = \[R, c\] by Householder reflections, one column after the other.
struct Factor<'a> {
    /// The right-hand side b.
    right: &'a [f64],
    /// Q^T b.
    reflected_right: Vec<f64>,
    /// Unit vectors of the reflections; the k-th one acts on the rows from k on.
    reflectors: Vec<Vec<f64>>,
    /// Columns of R down to the diagonal.
    upper: Vec<Vec<f64>>,
}

impl<'a> Factor<'a> {
    /// The factorisation of no columns.
    fn new(right: &'a [f64]) -> Self {
        Self { right, reflected_right: right.to_vec(), reflectors: Vec::new(), upper: Vec::new() }
    }

    /// Q^T times a column.
    fn reflected(&self, column: &[f64]) -> Vec<f64> {
        let mut out = column.to_vec();
        for (k, reflector) in self.reflectors.iter().enumerate() {
            reflect(reflector, &mut out[k..]);
        }
        out
    }

    /// Whether a column (reflected, of length one) is independent of those factorised and would get a
    /// positive coefficient. The second is implied by a positive gradient but for rounding, which could make
    /// a column enter and leave forever.
    fn accepts(&self, reflected: &[f64]) -> bool {
        let k = self.upper.len();
        norm(&reflected[k..]) > DEPENDENT && dot(&reflected[k..], &self.reflected_right[k..]) > 0.0
    }

    /// Appends a column (reflected, not zero from row k on).
    fn append(&mut self, reflected: Vec<f64>) {
        let k = self.upper.len();
        let mut reflector = reflected[k..].to_vec();
        let mut upper = reflected;
        upper.truncate(k + 1);
        // The sign that adds: no cancellation in the first element.
        let diagonal = -norm(&reflector).copysign(upper[k]);
        reflector[0] -= diagonal;
        upper[k] = diagonal;
        normalise(&mut reflector);
        reflect(&reflector, &mut self.reflected_right[k..]);
        self.upper.push(upper);
        self.reflectors.push(reflector);
    }

    /// Keeps the first columns only.
    fn truncate(&mut self, columns: usize) {
        self.reflectors.truncate(columns);
        self.upper.truncate(columns);
        self.reflected_right = self.reflected(self.right);
    }

    /// Coefficients of the least-squares solution: R z = c.
    fn solution(&self) -> Vec<f64> {
        let mut out = self.reflected_right[..self.upper.len()].to_vec();
        for (k, column) in self.upper.iter().enumerate().rev() {
            out[k] /= column[k];
            let value = out[k];
            for (o, u) in out[..k].iter_mut().zip(column) {
                *o -= value * u;
            }
        }
        out
    }

    /// The residual b - A z = Q (0, c_2), with c_2 the part of c below R: accurate to rounding of b even
    /// where z is large.
    fn residual(&self) -> Vec<f64> {
        let mut out = self.reflected_right.clone();
        out[..self.upper.len()].fill(0.0);
        for (k, reflector) in self.reflectors.iter().enumerate().rev() {
            reflect(reflector, &mut out[k..]);
        }
        out
    }
}

/// The reflection y - 2 v (v y) for a unit vector v.
fn reflect(unit: &[f64], y: &mut [f64]) {
    let twice = 2.0 * dot(unit, y);
    for (value, v) in y.iter_mut().zip(unit) {
        *value -= twice * v;
    }
}

/// Scalar product.
fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(x, y)| x * y).sum()
}

/// Euclidean norm without overflow or underflow of the squares.
fn norm(v: &[f64]) -> f64 {
    let largest = v.iter().fold(0.0, |m: f64, x| m.max(x.abs()));
    if largest == 0.0 {
        return 0.0;
    }
    largest * v.iter().map(|x| (x / largest).powi(2)).sum::<f64>().sqrt()
}

/// Divides a vector by its norm, which is returned; zero stays zero.
fn normalise(v: &mut [f64]) -> f64 {
    let length = norm(v);
    if length > 0.0 {
        for value in v {
            *value /= length;
        }
    }
    length
}

/// Refuses a right-hand side that does not fit the rows, and numbers that are not finite.
fn check_rows(matrix: &Matrix, right: &[f64]) -> Result<(), DenseError> {
    if right.len() != matrix.rows() {
        return Err(DenseError::Shape { expected: matrix.rows(), got: right.len() });
    }
    for i in 0..matrix.rows() {
        if let Some(j) = matrix.row(i).iter().position(|value| !value.is_finite()) {
            let (index, value) = (i * matrix.columns() + j, matrix.row(i)[j]);
            return Err(DenseError::NotFinite { what: "matrix", index, value });
        }
    }
    all_finite("right-hand side", right)
}

/// Refuses numbers that are not finite.
fn all_finite(what: &'static str, values: &[f64]) -> Result<(), DenseError> {
    match values.iter().position(|value| !value.is_finite()) {
        Some(index) => Err(DenseError::NotFinite { what, index, value: values[index] }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
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
    fn random_constraints(
        random: &mut Philox,
        kind: usize,
        rows: usize,
        columns: usize,
    ) -> (Matrix, Vec<f64>) {
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
}
