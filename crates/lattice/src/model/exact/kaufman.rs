//! The Ising model on a finite square torus in closed form.

/// A number with its first and second derivative in one variable.
#[derive(Clone, Copy, Debug)]
struct Jet([f64; 3]);

impl Jet {
    fn constant(v: f64) -> Self {
        Self([v, 0.0, 0.0])
    }

    /// f(self) from f, f' and f'' there.
    fn map(self, f: [f64; 3]) -> Self {
        let [_, d, dd] = self.0;
        Self([f[0], f[1] * d, f[2] * d * d + f[1] * dd])
    }

    fn plus(self, o: Self) -> Self {
        Self(std::array::from_fn(|i| self.0[i] + o.0[i]))
    }

    fn product(self, o: Self) -> Self {
        let ([a, da, dda], [b, db, ddb]) = (self.0, o.0);
        Self([a * b, a * db + da * b, a * ddb + 2.0 * da * db + dda * b])
    }

    fn times(self, s: f64) -> Self {
        Self(self.0.map(|v| v * s))
    }

    /// ln(2 cosh x).
    fn log_two_cosh(self) -> Self {
        let x = self.0[0];
        let t = x.tanh();
        self.map([x.abs() + (-2.0 * x.abs()).exp().ln_1p(), t, 1.0 - t * t])
    }

    /// ln|2 sinh x|.
    fn log_two_sinh(self) -> Self {
        let x = self.0[0];
        let c = 1.0 / x.tanh();
        self.map([x.abs() + (-(-2.0 * x.abs()).exp()).ln_1p(), c, 1.0 - c * c])
    }
}

/// What Kaufman's formula gives, J = 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct KaufmanPoint {
    /// ln Z per site.
    pub log_partition: f64,
    /// Energy per site.
    pub energy: f64,
    /// Heat capacity per site, in units of k.
    pub heat_capacity: f64,
}

/// The ferromagnetic Ising model E = -sum s s' on a periodic square box of `n` by `m` sites at temperature `t` (k = J = 1):
///
/// Z = 1/2 (2 sinh 2K)^(nm/2) [prod 2 cosh(m g_(2r+1)/2) + prod 2 sinh(m g_(2r+1)/2) + prod 2 cosh(m g_(2r)/2) + prod 2 sinh(m g_(2r)/2)], r = 0 .. n-1,
///
/// with K = 1/t, cosh g_l = cosh 2K coth 2K - cos(pi l/n) and g_0 = 2K + ln tanh K, which changes its sign at Tc
/// (B. Kaufman, Phys. Rev. 76, 1232 (1949), eq. 39; A. E. Ferdinand and M. E. Fisher, Phys. Rev. 185, 832 (1969)). Energy and heat capacity are
/// its analytic derivatives.
pub fn kaufman(n: usize, m: usize, t: f64) -> KaufmanPoint {
    let k = 1.0 / t;
    // cosh 2K coth 2K and its derivatives in K.
    let (s, c) = ((2.0 * k).sinh(), (2.0 * k).cosh());
    let product = Jet([c * c / s, 2.0 * c * (2.0 - c * c / (s * s)), {
        // d/dK of 2 c (2 - c^2/s^2) = 2c (1 - 1/s^2), since c^2 = 1 + s^2.
        4.0 * s * (1.0 - 1.0 / (s * s)) + 8.0 * c * c / (s * s * s)
    }]);
    let angle = |l: usize| -> Jet {
        if l == 0 {
            // d/dK ln tanh K = 2/sinh 2K.
            return Jet([2.0 * k + k.tanh().ln(), 2.0 + 2.0 / s, -4.0 * c / (s * s)]);
        }
        let x = product.plus(Jet::constant(-(std::f64::consts::PI * l as f64 / n as f64).cos()));
        let v = x.0[0];
        let root = (v * v - 1.0).sqrt();
        x.map([v.acosh(), 1.0 / root, -v / (root * root * root)])
    };
    let half = 0.5 * m as f64;
    let prefactor = Jet([2.0 * k, 2.0, 0.0]).log_two_sinh().times(0.5 * (n * m) as f64);
    // Each product as exp(logarithm) times a factor, which is g_0's where its sinh is near zero: there the logarithm's derivatives diverge.
    let mut terms = [(Jet::constant(1.0), prefactor); 4];
    for r in 0..n {
        for (offset, cosh, sinh) in [(1, 0, 1), (0, 2, 3)] {
            let x = angle(2 * r + offset).times(half);
            terms[cosh].1 = terms[cosh].1.plus(x.log_two_cosh());
            if x.0[0].abs() < 1.0 {
                let (sinh_x, cosh_x) = (2.0 * x.0[0].sinh(), 2.0 * x.0[0].cosh());
                terms[sinh].0 = terms[sinh].0.product(x.map([sinh_x, cosh_x, sinh_x]));
            } else {
                terms[sinh].0 = terms[sinh].0.times(x.0[0].signum());
                terms[sinh].1 = terms[sinh].1.plus(x.log_two_sinh());
            }
        }
    }
    let largest = terms.iter().map(|t| t.1.0[0]).fold(f64::NEG_INFINITY, f64::max);
    let (mut z, mut first, mut second) = (0.0, 0.0, 0.0);
    for (factor, jet) in terms {
        let weight = (jet.0[0] - largest).exp();
        let ([f, df, ddf], [_, d, dd]) = (factor.0, jet.0);
        z += weight * f;
        first += weight * (f * d + df);
        second += weight * (f * (dd + d * d) + 2.0 * d * df + ddf);
    }
    let size = (n * m) as f64;
    let slope = first / z;
    KaufmanPoint {
        log_partition: (largest + z.ln() - std::f64::consts::LN_2) / size,
        energy: -slope / size,
        heat_capacity: k * k * (second / z - slope * slope) / size,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn derivatives_are_those_of_the_logarithm() {
        for (n, m, t) in [(4, 4, 2.0), (5, 8, 2.4), (16, 16, 2.26), (8, 8, 2.269185314213)] {
            let at = |k: f64| kaufman(n, m, 1.0 / k);
            let (k, h) = (1.0 / t, 1e-4);
            let size = (n * m) as f64;
            let lnz = |k: f64| size * at(k).log_partition;
            let u = -(lnz(k + h) - lnz(k - h)) / (2.0 * h * size);
            let du = -(at(k + h).energy - at(k - h).energy) / (2.0 * h);
            let point = at(k);
            assert!((point.energy - u).abs() < 1e-6, "{n} {m} {t}: {} {u}", point.energy);
            assert!((point.heat_capacity - k * k * du).abs() < 1e-5, "{n} {m} {t}");
        }
    }
}
