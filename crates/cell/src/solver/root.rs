//! Roots of functions of one variable.

/// Root of a function with `low.1 > 0 >= high.1` (or the other way round) at the ends `low` and `high`: secant
/// steps from `start` (with `slope` there, if it is known), kept inside a bracket, until a step is at most
/// `tolerance` or the bracket closes.
///
/// # Errors
/// Those of the function.
pub(crate) fn root<E>(
    mut low: (f64, f64),
    mut high: (f64, f64),
    start: f64,
    slope: Option<f64>,
    tolerance: f64,
    mut function: impl FnMut(f64) -> Result<f64, E>,
) -> Result<f64, E> {
    /// So many secant steps are believed to converge; then every second step halves the bracket.
    const PATIENCE: usize = 8;
    let mut at = start;
    let mut previous: Option<(f64, f64)> = None;
    for count in 0..200 {
        if !(at > low.0 && at < high.0) || (count > PATIENCE && count % 2 == 1) {
            at = 0.5 * (low.0 + high.0);
            if at <= low.0 || at >= high.0 {
                break;
            }
        }
        let value = function(at)?;
        if value == 0.0 {
            return Ok(at);
        }
        let nearest = if (at - low.0).abs() < (high.0 - at).abs() { low } else { high };
        if (value > 0.0) == (low.1 > 0.0) {
            low = (at, value);
        } else {
            high = (at, value);
        }
        let secant = |from: (f64, f64)| (value - from.1) / (at - from.0);
        let slope = previous.map_or_else(|| slope.unwrap_or_else(|| secant(nearest)), secant);
        previous = Some((at, value));
        let step = value / slope;
        at -= step;
        if step.abs() <= tolerance {
            return Ok(at.clamp(low.0, high.0));
        }
    }
    Ok(0.5 * (low.0 + high.0))
}

#[cfg(test)]
mod tests {
    use super::root;

    #[test]
    fn roots_are_found_with_good_and_bad_starts() {
        let f = |x: f64| Ok::<f64, ()>((2.0 - x * x) * (1.0 + (5.0 * x).exp()));
        for (start, slope) in [(1.41, Some(-3400.0)), (0.1, None), (1.9, Some(1.0)), (5.0, None)] {
            let found = root((0.0, 2.0), (2.0, -1.0), start, slope, 1e-13, f).unwrap();
            assert!((found - 2.0_f64.sqrt()).abs() < 1e-13, "{start}: {found}");
        }
        let rising =
            root((0.0, -1.0), (1.0, 1.0), 0.5, None, 1e-14, |x| Ok::<f64, ()>(x.powi(9) - 0.2)).unwrap();
        assert!((rising - 0.2_f64.powf(1.0 / 9.0)).abs() < 1e-13);
        assert_eq!(root((0.0, 1.0), (1.0, -1.0), 0.5, None, 1e-9, |_| Err("no value")), Err("no value"));
        // A jump is closed in on.
        let jump = root((0.0, 1.0), (1.0, -1.0), 0.5, None, 1e-12, |x| {
            Ok::<f64, ()>(if x < 0.3 { 1.0 } else { -1.0 })
        });
        assert!((jump.unwrap() - 0.3).abs() < 1e-12);
    }
}
