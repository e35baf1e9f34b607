//! Drawing from any discrete law by table: one random word and one look-up, whatever the law.
//! A. J. Walker, ACM TOMS 3(3), 1977; built as by M. D. Vose, IEEE TSE 17(9), 1991.

use super::random::Stream;

/// The most outcomes that a table is made for: 16 MiB. Beyond, the law is drawn from directly.
pub(super) const OUTCOMES_MAX: u64 = 1 << 20;

/// Equally likely slots, each shared by at most two outcomes.
#[derive(Clone, Debug)]
pub(super) struct AliasTable(Vec<Slot>);

#[derive(Clone, Copy, Debug)]
struct Slot {
    /// The share of `own`, in units of 2^-64.
    threshold: u64,
    own: u32,
    other: u32,
}

impl AliasTable {
    /// A table of the outcomes `name(0)`, `name(1)`, …, as likely as their weights.
    ///
    /// # Panics
    /// When there is no weight, or more than [`OUTCOMES_MAX`].
    pub(super) fn new(weights: &[f64], name: impl Fn(u64) -> u64) -> Self {
        let n = weights.len();
        assert!(n > 0 && n as u64 <= OUTCOMES_MAX, "outcomes out of range");
        let scale = n as f64 / weights.iter().sum::<f64>();
        let mut shares: Vec<_> = weights.iter().map(|weight| weight * scale).collect();
        let mut slots: Vec<_> = (0..n as u64)
            .map(|outcome| Slot {
                threshold: u64::MAX,
                own: name(outcome) as u32,
                other: name(outcome) as u32,
            })
            .collect();
        let (mut small, mut large): (Vec<_>, Vec<_>) = (0..n).partition(|i| shares[*i] < 1.0);
        // Every step settles one slot, so there are at most n. What rounding leaves over has a
        // share of one, and keeps its slot whole.
        while let (Some(poor), Some(rich)) = (small.pop(), large.pop()) {
            slots[poor].threshold = (shares[poor] * 2f64.powi(64)) as u64;
            slots[poor].other = slots[rich].own;
            shares[rich] -= 1.0 - shares[poor];
            if shares[rich] < 1.0 {
                small.push(rich);
            } else {
                large.push(rich);
            }
        }
        Self(slots)
    }

    /// One outcome. The high half of the product picks the slot, the low half is uniform within.
    #[inline]
    pub(super) fn sample(&self, stream: &mut Stream) -> u64 {
        let product = u128::from(stream.bits()) * self.0.len() as u128;
        let slot = &self.0[(product >> 64) as usize];
        let own = (product as u64) < slot.threshold;
        u64::from(if own { slot.own } else { slot.other })
    }
}
