//! Forward derivatives of the small local laws of an interface: numbers that carry their gradient.

use std::ops::{Add, Div, Mul, Neg, Sub};

/// Arithmetic that the laws need: of plain numbers, and of numbers with a gradient.
pub(crate) trait Real:
    Copy
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
    + Neg<Output = Self>
    + Mul<f64, Output = Self>
    + Add<f64, Output = Self>
{
    fn constant(value: f64) -> Self;
    fn value(self) -> f64;
    fn exp(self) -> Self;
    /// self^exponent for a nonnegative value; its derivative at 0 counts as 0 (exponents above 1).
    fn power(self, exponent: f64) -> Self;
    fn sqrt(self) -> Self {
        self.power(0.5)
    }
}

impl Real for f64 {
    fn constant(value: f64) -> Self {
        value
    }

    fn value(self) -> f64 {
        self
    }

    fn exp(self) -> Self {
        Self::exp(self)
    }

    fn power(self, exponent: f64) -> Self {
        if self > 0.0 { self.powf(exponent) } else { 0.0 }
    }
}

/// A number with its derivatives with respect to `N` variables.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Dual<const N: usize> {
    pub(crate) value: f64,
    pub(crate) gradient: [f64; N],
}

impl<const N: usize> Dual<N> {
    /// The variable number `index`.
    pub(crate) fn variable(value: f64, index: usize) -> Self {
        let mut gradient = [0.0; N];
        gradient[index] = 1.0;
        Self { value, gradient }
    }

    /// f(self) with f' = `slope`.
    fn chain(self, value: f64, slope: f64) -> Self {
        Self { value, gradient: self.gradient.map(|g| slope * g) }
    }

    fn combine(self, other: Self, value: f64, by_self: f64, by_other: f64) -> Self {
        let gradient = std::array::from_fn(|i| by_self * self.gradient[i] + by_other * other.gradient[i]);
        Self { value, gradient }
    }
}

impl<const N: usize> Add for Dual<N> {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        self.combine(other, self.value + other.value, 1.0, 1.0)
    }
}

impl<const N: usize> Sub for Dual<N> {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        self.combine(other, self.value - other.value, 1.0, -1.0)
    }
}

impl<const N: usize> Mul for Dual<N> {
    type Output = Self;
    fn mul(self, other: Self) -> Self {
        self.combine(other, self.value * other.value, other.value, self.value)
    }
}

impl<const N: usize> Div for Dual<N> {
    type Output = Self;
    fn div(self, other: Self) -> Self {
        let value = self.value / other.value;
        self.combine(other, value, 1.0 / other.value, -value / other.value)
    }
}

impl<const N: usize> Neg for Dual<N> {
    type Output = Self;
    fn neg(self) -> Self {
        self.chain(-self.value, -1.0)
    }
}

impl<const N: usize> Mul<f64> for Dual<N> {
    type Output = Self;
    fn mul(self, factor: f64) -> Self {
        self.chain(self.value * factor, factor)
    }
}

impl<const N: usize> Add<f64> for Dual<N> {
    type Output = Self;
    fn add(self, other: f64) -> Self {
        self.chain(self.value + other, 1.0)
    }
}

impl<const N: usize> Real for Dual<N> {
    fn constant(value: f64) -> Self {
        Self { value, gradient: [0.0; N] }
    }

    fn value(self) -> f64 {
        self.value
    }

    fn exp(self) -> Self {
        let value = self.value.exp();
        self.chain(value, value)
    }

    fn power(self, exponent: f64) -> Self {
        if self.value <= 0.0 {
            return Self::constant(0.0);
        }
        let value = self.value.powf(exponent);
        self.chain(value, exponent * value / self.value)
    }
}
