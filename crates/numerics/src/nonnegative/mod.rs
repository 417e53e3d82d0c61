//! Nonnegative least squares, and the point nearest to the origin under linear inequalities.
//!
//! C. L. Lawson and R. J. Hanson, Solving Least Squares Problems (Prentice-Hall 1974, SIAM 1995), chapter 23.
//! The inner least squares are solved by Householder reflections of the columns themselves: normal equations
//! would square their condition.

#[cfg(test)]
mod tests;

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
