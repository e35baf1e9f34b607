//! What the theory of epidemics says of rumours and of anti-entropy, to put beside what is
//! measured.
//!
//! A rumour here is *infect and die*: who hears it first passes it on once, to `fanout` peers drawn
//! at random (Demers et al., *Epidemic algorithms for replicated database maintenance*, 1987;
//! Eugster, Guerraoui, Kermarrec and Massoulié, *Epidemic information dissemination in distributed
//! systems*, 2004). In a large group it reaches the fraction s with 1 - s = exp(-fanout s), and
//! everybody with probability exp(-exp(-c)) where fanout = ln n + c (Kermarrec, Massoulié and
//! Ganesh, *Probabilistic reliable dissemination in large-scale systems*, 2003). The numbers here
//! are exact for any size.

/// Probabilities below this are left out.
const NEGLIGIBLE: f64 = 1e-14;
/// Rounds after which a spread that has not ended is given up.
const ROUNDS_MAX: u32 = 10_000;
/// Fewer replicas than this are, more often than not, none.
const HALF_A_REPLICA: f64 = 0.5;

/// One rumour in one group.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rumour {
    /// The mean fraction of replicas that it reaches, with the one that took the put.
    pub reached: f64,
    /// The probability that it reaches every replica.
    pub everybody: f64,
    /// The mean number of messages.
    pub messages: f64,
    /// In how many rounds half of those whom it reaches have heard it.
    pub rounds_half: f64,
    /// In how many rounds all of those have.
    pub rounds_last: f64,
}

impl Rumour {
    /// A rumour among `replicas`, at least one, where each message is lost with probability `loss`.
    /// In a group of up to `fanout + 1` the first replica tells everybody and nobody passes it on.
    #[must_use]
    pub fn new(replicas: u32, fanout: u32, loss: f64) -> Self {
        let others = f64::from(replicas - 1);
        if others <= f64::from(fanout) {
            let rounds = if replicas > 1 { 1.0 } else { 0.0 };
            return Self {
                reached: (1.0 + others * (1.0 - loss)) / f64::from(replicas),
                everybody: (1.0 - loss).powf(others),
                messages: others,
                rounds_half: rounds,
                rounds_last: rounds,
            };
        }
        let (reached, everybody) = final_size(replicas as usize, fanout as usize, loss);
        let (rounds_half, rounds_last) = rounds(replicas, fanout, loss);
        Self {
            reached,
            everybody,
            messages: reached * f64::from(replicas) * f64::from(fanout),
            rounds_half,
            rounds_last,
        }
    }
}

/// The mean fraction that hears a rumour, and the probability that all do: exact.
///
/// In which order those who have heard it pass it on does not change who hears it in the end. So
/// they do one after another, and the number who have heard is a Markov chain; it ends when all of
/// them have passed the rumour on.
fn final_size(replicas: usize, fanout: usize, loss: f64) -> (f64, f64) {
    let arrivals = binomial(fanout, 1.0 - loss);
    let mut heard = vec![0.0; replicas + 1];
    heard[1] = 1.0;
    let (mut mean, mut everybody) = (0.0, 0.0);
    for passed_on in 1..=replicas {
        let mut next = vec![0.0; replicas + 1];
        for known in passed_on..=replicas {
            if heard[known] < NEGLIGIBLE {
                continue;
            }
            let fresh = fresh(replicas, known, &arrivals);
            for (new, probability) in fresh.into_iter().enumerate() {
                if probability > 0.0 {
                    next[known + new] += heard[known] * probability;
                }
            }
        }
        // Here everybody who has heard the rumour has passed it on.
        let ended = std::mem::take(&mut next[passed_on]);
        mean += ended * passed_on as f64;
        if passed_on == replicas {
            everybody = ended;
        }
        heard = next;
    }
    (mean / replicas as f64, everybody)
}

/// How many hear a rumour for the first time when one of `known` passes it on: the probability of
/// each number.
fn fresh(replicas: usize, known: usize, arrivals: &[f64]) -> Vec<f64> {
    let unknown = (replicas - known) as f64;
    let mut drawn = vec![0.0; arrivals.len()];
    drawn[0] = 1.0;
    let mut fresh: Vec<f64> = drawn.iter().map(|chance| chance * arrivals[0]).collect();
    for (place, arrival) in arrivals.iter().enumerate().skip(1) {
        let left = (replicas - place) as f64;
        for new in (0..place).rev() {
            let hit = ((unknown - new as f64) / left).clamp(0.0, 1.0);
            drawn[new + 1] += drawn[new] * hit;
            drawn[new] *= 1.0 - hit;
        }
        for (sum, chance) in fresh.iter_mut().zip(&drawn) {
            *sum += chance * arrival;
        }
    }
    fresh
}

/// The probability of each number of successes.
fn binomial(tries: usize, success: f64) -> Vec<f64> {
    let mut chances = vec![0.0; tries + 1];
    chances[0] = 1.0;
    for done in 0..tries {
        for count in (0..=done).rev() {
            chances[count + 1] += chances[count] * success;
            chances[count] *= 1.0 - success;
        }
    }
    chances
}

/// In how many rounds half, and all, of those whom a rumour reaches have heard it: what is expected
/// of each round follows from the round before. It grows by the fanout while few have heard it, and
/// in the end dies out (after Pittel, *On spreading a rumor*, 1987, whose spreaders never stop).
fn rounds(replicas: u32, fanout: u32, loss: f64) -> (f64, f64) {
    let others = f64::from(replicas - 1);
    let missed = 1.0 - f64::from(fanout) * (1.0 - loss) / others;
    let mut heard = vec![1.0];
    let mut fresh = 1.0_f64;
    for _ in 0..ROUNDS_MAX {
        let known = heard[heard.len() - 1];
        fresh = (f64::from(replicas) - known) * (1.0 - missed.powf(fresh));
        if fresh < HALF_A_REPLICA {
            break;
        }
        heard.push(known + fresh);
    }
    let half = heard[heard.len() - 1] / 2.0;
    let rounds_half = heard.partition_point(|known| *known < half);
    (rounds_half as f64, (heard.len() - 1) as f64)
}

/// Anti-entropy in one group: each replica exchanges digests with a random other once an interval,
/// and each sends what the other lacks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Repair {
    /// After how many intervals everybody has an update, more often than not.
    pub intervals: f64,
}

impl Repair {
    /// Of an update that `missing` of `replicas` lack, on average, where each message is lost with
    /// probability `loss`.
    ///
    /// A replica still lacks it after an interval if the one it asked lacks it as well, or if that
    /// exchange failed, and no replica that has it came by: of 1 - x of them, as many as a Poisson
    /// variable says (pull and push of Demers et al. 1987; Karp, Schindelhauer, Shenker and
    /// Vöcking,
    /// *Randomized rumor spreading*, 2000).
    #[must_use]
    pub fn new(replicas: u32, missing: f64, loss: f64) -> Self {
        let replicas = f64::from(replicas);
        let arrives = 1.0 - loss;
        let mut intervals = 0;
        let mut lacks = missing / replicas;
        while lacks * replicas >= HALF_A_REPLICA && intervals < ROUNDS_MAX {
            let asked_in_vain = 1.0 - (1.0 - lacks) * arrives.powi(2);
            let left_alone = (-(1.0 - lacks) * arrives.powi(3)).exp();
            lacks *= asked_in_vain * left_alone;
            intervals += 1;
        }
        Self {
            intervals: f64::from(intervals),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn in_a_large_group_the_exact_fraction_is_the_fixed_point_of_the_theory() {
        for fanout in [3, 5, 10] {
            let mut fixed = 1.0_f64;
            for _ in 0..200 {
                fixed = 1.0 - (-f64::from(fanout) * fixed).exp();
            }
            let exact = Rumour::new(1_000, fanout, 0.0).reached;
            assert!((exact - fixed).abs() < 0.003, "{fanout}: {exact} {fixed}");
        }
    }

    #[test]
    fn three_replicas_that_tell_one_other_each_are_counted_by_hand() {
        // The second tells the third or the first, each with one half; so does nobody else matter.
        let rumour = Rumour::new(3, 1, 0.0);
        assert!((rumour.everybody - 0.5).abs() < 1e-12, "{rumour:?}");
        assert!((rumour.reached - 2.5 / 3.0).abs() < 1e-12, "{rumour:?}");
        // A lossy message reaches nobody with one half: 1, 2 or 3 of 3 with 1/2, 3/8 and 1/8.
        let lossy = Rumour::new(3, 1, 0.5);
        assert!((lossy.everybody - 0.125).abs() < 1e-12, "{lossy:?}");
        assert!((lossy.reached - 1.625 / 3.0).abs() < 1e-12, "{lossy:?}");
    }

    #[test]
    fn everybody_hears_a_rumour_as_often_as_the_logarithm_of_the_group_says() {
        let (replicas, fanout) = (1_000_u32, 10_u32);
        let beyond = f64::from(fanout) - f64::from(replicas).ln();
        let limit = (-(-beyond).exp()).exp();
        let exact = Rumour::new(replicas, fanout, 0.0).everybody;
        assert!((exact - limit).abs() < 0.01, "{exact} {limit}");
    }

    #[test]
    fn a_group_no_larger_than_the_fanout_is_told_at_once() {
        let rumour = Rumour::new(4, 3, 0.1);
        assert_eq!((rumour.messages, rumour.rounds_last), (3.0, 1.0));
        assert!((rumour.everybody - 0.729).abs() < 1e-12);
        assert_eq!(Rumour::new(1, 3, 0.0).reached, 1.0);
    }

    #[test]
    fn anti_entropy_takes_intervals_that_grow_with_the_logarithm_of_the_group() {
        let intervals = |replicas| Repair::new(replicas, f64::from(replicas - 1), 0.0).intervals;
        assert_eq!(Repair::new(1_000, 0.1, 0.0).intervals, 0.0);
        assert!(intervals(10) < intervals(100) && intervals(100) < intervals(1_000));
        assert!(intervals(1_000) <= 10.0, "{}", intervals(1_000));
        let lossy = Repair::new(1_000, 999.0, 0.3).intervals;
        assert!(lossy > intervals(1_000));
    }
}
