//! Seeded chance: the one source of randomness of the simulator, the same for the same seed.

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

/// A stream of random numbers that a seed and a stream's number determine.
pub(super) struct Chance(StdRng);

impl Chance {
    /// The stream `stream` of `seed`; streams of one seed are independent of each other.
    pub(super) fn new(seed: u64, stream: u64) -> Self {
        let mut key = [0; 32];
        key[..8].copy_from_slice(&seed.to_le_bytes());
        key[8..16].copy_from_slice(&stream.to_le_bytes());
        Self(StdRng::from_seed(key))
    }

    /// Uniform in [0, 1).
    pub(super) fn unit(&mut self) -> f64 {
        self.0.random()
    }

    /// True with probability `p`.
    pub(super) fn hit(&mut self, p: f64) -> bool {
        self.unit() < p
    }

    /// A whole number in `low..high`; `low` where the range is empty.
    pub(super) fn range(&mut self, low: i64, high: i64) -> i64 {
        if high <= low { low } else { self.0.random_range(low..high) }
    }

    /// An index below `len`; 0 where `len` is 0.
    pub(super) fn below(&mut self, len: usize) -> usize {
        if len == 0 { 0 } else { self.0.random_range(0..len) }
    }

    /// One of `items`, which must not be empty.
    pub(super) fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.below(items.len())]
    }

    /// An index, each with its weight's share.
    pub(super) fn weighted(&mut self, weights: &[u32]) -> usize {
        let total: u32 = weights.iter().sum();
        let mut rest = if total == 0 { 0 } else { self.0.random_range(0..total) };
        for (index, weight) in weights.iter().enumerate() {
            if rest < *weight {
                return index;
            }
            rest -= weight;
        }
        0
    }

    /// 128 random bits, for tokens and delivery ids.
    pub(super) fn bits(&mut self) -> u128 {
        self.0.random()
    }

    /// Exponential with the given mean.
    pub(super) fn exponential(&mut self, mean: f64) -> f64 {
        -mean * (1.0 - self.unit()).ln()
    }

    /// Gamma with the given shape and scale 1 (Marsaglia and Tsang 2000).
    pub(super) fn gamma(&mut self, shape: f64) -> f64 {
        if shape < 1.0 {
            let boost = (1.0 - self.unit()).powf(1.0 / shape);
            return self.gamma(shape + 1.0) * boost;
        }
        let d = shape - 1.0 / 3.0;
        let c = 1.0 / (9.0 * d).sqrt();
        loop {
            let x = self.normal();
            let v = (1.0 + c * x).powi(3);
            if v > 0.0 && (1.0 - self.unit()).ln() < 0.5 * x * x + d - d * v + d * v.ln() {
                return d * v;
            }
        }
    }

    /// Beta with the given shapes.
    pub(super) fn beta(&mut self, a: f64, b: f64) -> f64 {
        let (x, y) = (self.gamma(a), self.gamma(b));
        x / (x + y)
    }

    /// Standard normal (Box and Muller).
    fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.unit()).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.unit()).cos()
    }
}

/// A real number's whole part.
#[expect(clippy::cast_possible_truncation, reason = "simulated spans are far below 2^53")]
pub(super) const fn whole(value: f64) -> i64 {
    value as i64
}

/// A whole number as a real one.
#[expect(clippy::cast_precision_loss, reason = "simulated spans are far below 2^53")]
pub(super) const fn real(value: i64) -> f64 {
    value as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn has_the_moments_it_claims() {
        let mut chance = Chance::new(1, 0);
        let mut mean = |draw: fn(&mut Chance) -> f64| {
            (0..20_000).map(|_| draw(&mut chance)).sum::<f64>() / 20_000.0
        };
        assert!((mean(|c| c.gamma(0.5)) - 0.5).abs() < 0.03);
        assert!((mean(|c| c.gamma(3.0)) - 3.0).abs() < 0.06);
        assert!((mean(|c| c.beta(1.0, 3.0)) - 0.25).abs() < 0.01);
        assert!((mean(|c| c.exponential(5.0)) - 5.0).abs() < 0.2);
    }

    #[test]
    fn a_seed_determines_its_streams() {
        assert_eq!(Chance::new(7, 1).bits(), Chance::new(7, 1).bits());
        assert_ne!(Chance::new(7, 1).bits(), Chance::new(7, 2).bits());
    }
}
