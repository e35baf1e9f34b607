//! Zipf's law over 1..=n by rejection-inversion: W. Hörmann and G. Derflinger, *Rejection-inversion
//! to generate variates from monotone discrete distributions*, ACM TOMACS 6(3), 1996.
//!
//! YCSB's own generator (Gray et al. 1994) needs theta below 1 and a sum over all n. This method is
//! exact for every theta above 0, takes about one draw a sample, and changes n in constant time,
//! which `latest` needs. (`rand_distr::Zipf` takes three powers a sample, this one about one.)

use super::random::Stream;

/// P(k) proportional to k^-theta for k in 1..=n.
#[derive(Clone, Debug)]
pub(super) struct Zipf {
    n: u64,
    theta: f64,
    /// H(1.5) - h(1): the upper end of the draw. H falls from here to `low` as k rises to n.
    high: f64,
    /// H(n + 0.5): the other end.
    low: f64,
    /// Within this distance of k a point is accepted without evaluating H.
    squeeze: f64,
}

impl Zipf {
    /// # Panics
    /// When `n` is 0 or `theta` is not above 0: the workload was validated before.
    pub(super) fn new(n: u64, theta: f64) -> Self {
        assert!(n > 0 && theta > 0.0, "a Zipf law needs n and theta above 0");
        let mut zipf = Self {
            n,
            theta,
            high: 0.0,
            low: 0.0,
            squeeze: 0.0,
        };
        zipf.high = zipf.integral(1.5) - 1.0;
        zipf.squeeze = 2.0 - zipf.inverse(zipf.integral(2.5) - zipf.density(2.0));
        zipf.low = zipf.integral(n as f64 + 0.5);
        zipf
    }

    /// Changes n, in constant time.
    pub(super) fn grow(&mut self, n: u64) {
        if n != self.n {
            self.n = n;
            self.low = self.integral(n as f64 + 0.5);
        }
    }

    /// A rank from 1, the most frequent, to n.
    #[inline]
    pub(super) fn sample(&self, stream: &mut Stream) -> u64 {
        // Each trial is accepted with a probability above one half, whatever n and theta are, so
        // the loop ends: after 64 trials with a probability of 1 - 2^-64.
        loop {
            let u = self.low + stream.unit() * (self.high - self.low);
            let x = self.inverse(u);
            let k = (x + 0.5).clamp(1.0, self.n as f64).floor();
            if k - x <= self.squeeze || u >= self.integral(k + 0.5) - self.density(k) {
                return k as u64;
            }
        }
    }

    /// h(x) = x^-theta.
    fn density(&self, x: f64) -> f64 {
        (-self.theta * x.ln()).exp()
    }

    /// H(x), an antiderivative of h with H(1) = 0: (x^(1-theta) - 1) / (1 - theta), or ln x at 1.
    fn integral(&self, x: f64) -> f64 {
        let log = x.ln();
        expm1_over((1.0 - self.theta) * log) * log
    }

    /// The inverse of H.
    #[inline]
    fn inverse(&self, u: f64) -> f64 {
        // Rounding can carry the argument past the pole at -1.
        let t = (u * (1.0 - self.theta)).max(-1.0);
        (ln1p_over(t) * u).exp()
    }
}

/// (e^x - 1) / x, continued through 0.
fn expm1_over(x: f64) -> f64 {
    if x.abs() > 1e-8 {
        x.exp_m1() / x
    } else {
        1.0 + x / 2.0
    }
}

/// ln(1 + x) / x, continued through 0.
#[inline]
fn ln1p_over(x: f64) -> f64 {
    if x.abs() > 1e-8 {
        x.ln_1p() / x
    } else {
        1.0 - x / 2.0
    }
}
