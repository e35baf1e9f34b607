//! The distributions against their closed forms, each with a wrong form that must be told apart.

use std::collections::{BTreeSet, VecDeque};

use super::alias::AliasTable;
use super::key_sampler::KeySampler;
use super::random::{Purpose, Stream};
use super::scramble::Scramble;
use super::value_size::SizeSampler;
use super::zipf::Zipf;
use super::*;

/// Draws behind each verdict.
const DRAWS: usize = 400_000;
/// A right form stays within this many standard deviations (one test in 30,000 would not, and the
/// seeds are fixed); a wrong one must leave [`FAR`].
const NEAR: f64 = 4.0;
const FAR: f64 = 12.0;
/// Neighbouring outcomes are put together until this many draws are expected of them.
const EXPECTED_MIN: f64 = 20.0;

/// Pearson's chi-squared of the counts against the probabilities, as a standard normal deviate by
/// Wilson and Hilferty's cube root (PNAS 1931).
fn deviation(counts: &[u64], probabilities: &[f64]) -> f64 {
    assert_eq!(counts.len(), probabilities.len());
    let whole: f64 = probabilities.iter().sum();
    assert!((whole - 1.0).abs() < 1e-9, "probabilities sum to {whole}");
    let total = counts.iter().sum::<u64>() as f64;
    let (mut chi_squared, mut bins) = (0.0, 0);
    let (mut observed, mut expected) = (0.0, 0.0);
    for (count, probability) in counts.iter().zip(probabilities) {
        observed += *count as f64;
        expected += probability * total;
        if expected >= EXPECTED_MIN {
            chi_squared += (observed - expected) * (observed - expected) / expected;
            bins += 1;
            (observed, expected) = (0.0, 0.0);
        }
    }
    // What is left in the tail makes a last, smaller bin.
    if expected > 0.0 {
        chi_squared += (observed - expected) * (observed - expected) / expected;
        bins += 1;
    }
    let freedom = f64::from(bins - 1).max(1.0);
    let spread = 2.0 / (9.0 * freedom);
    ((chi_squared / freedom).cbrt() - (1.0 - spread)) / spread.sqrt()
}

fn counts(n: usize, mut draw: impl FnMut() -> u64) -> Vec<u64> {
    let mut counts = vec![0; n];
    for _ in 0..DRAWS {
        counts[draw() as usize] += 1;
    }
    counts
}

#[track_caller]
fn assert_near(counts: &[u64], probabilities: &[f64]) {
    let z = deviation(counts, probabilities);
    assert!(z < NEAR, "{z:.1} standard deviations from the closed form");
}

#[track_caller]
fn assert_far(counts: &[u64], probabilities: &[f64]) {
    let z = deviation(counts, probabilities);
    assert!(z > FAR, "only {z:.1} standard deviations from a wrong form");
}

fn normalise(weights: impl Iterator<Item = f64>) -> Vec<f64> {
    let weights: Vec<_> = weights.collect();
    let sum: f64 = weights.iter().sum();
    weights.iter().map(|weight| weight / sum).collect()
}

fn zipf_law(n: usize, theta: f64) -> Vec<f64> {
    normalise((1..=n).map(|k| (k as f64).powf(-theta)))
}

fn uniform_law(n: usize) -> Vec<f64> {
    vec![1.0 / n as f64; n]
}

fn sampler(distribution: Distribution, n: u64) -> KeySampler {
    KeySampler::new(distribution, n, true, 7)
}

#[test]
fn zipf_draws_follow_the_law_for_every_theta() {
    for theta in [0.01, 0.5, 0.99, 1.0, 1.000_000_01, 1.2, 2.5, 20.0, 100.0] {
        for n in [1, 2, 3, 10, 1000, 10_000] {
            let zipf = Zipf::new(n, theta);
            let mut stream = Stream::new(n, Purpose::Keys);
            let counts = counts(n as usize, || zipf.sample(&mut stream) - 1);
            let z = deviation(&counts, &zipf_law(n as usize, theta));
            assert!(n == 1 || z < NEAR, "{z:.1} at theta {theta}, n {n}");
        }
    }
}

#[test]
fn a_trillion_keys_follow_the_law_too() {
    let (n, head) = (KEY_COUNT_MAX, 1000_u32);
    for theta in [0.5, 0.99, 1.0, 1.2] {
        // Beyond the head the sum is the integral, to within a part in a million (midpoints).
        let integral = |x: f64| {
            if theta == 1.0 {
                x.ln()
            } else {
                x.powf(1.0 - theta) / (1.0 - theta)
            }
        };
        let tail = integral(n as f64 + 0.5) - integral(f64::from(head) + 0.5);
        let weights = (1..=head).map(|k| f64::from(k).powf(-theta));
        let law = normalise(weights.chain([tail]));
        let zipf = Zipf::new(n, theta);
        let mut stream = Stream::new(9, Purpose::Keys);
        let counts = counts(law.len(), || {
            (zipf.sample(&mut stream) - 1).min(u64::from(head))
        });
        assert_near(&counts, &law);
    }
}

#[test]
fn a_slightly_wrong_theta_is_told_apart() {
    let zipf = Zipf::new(1000, 0.99);
    let mut stream = Stream::new(1, Purpose::Keys);
    let counts = counts(1000, || zipf.sample(&mut stream) - 1);
    assert_near(&counts, &zipf_law(1000, 0.99));
    assert_far(&counts, &zipf_law(1000, 0.95));
    assert_far(&counts, &zipf_law(1000, 1.03));
    assert_far(&counts, &uniform_law(1000));
}

#[test]
fn a_law_that_grew_is_the_law_of_its_new_size() {
    let mut grown = Zipf::new(10, 0.99);
    grown.grow(5000);
    let mut stream = Stream::new(2, Purpose::Keys);
    let counts = counts(5000, || grown.sample(&mut stream) - 1);
    assert_near(&counts, &zipf_law(5000, 0.99));
}

#[test]
fn zipfian_keys_are_the_law_scattered_by_a_bijection() {
    let n = 1000;
    for (theta, grows) in [(0.99, false), (0.99, true), (1.5, false), (1.5, true)] {
        let mut keys = KeySampler::new(Distribution::Zipfian { theta }, n, grows, 7);
        let by_key = counts(n as usize, || keys.sample(n));
        let scramble = Scramble::new(&mut Stream::new(7, Purpose::Scramble));
        let by_rank: Vec<_> = (0..n)
            .map(|rank| by_key[scramble.place(rank, n) as usize])
            .collect();
        assert_near(&by_rank, &zipf_law(n as usize, theta));
        assert_far(&by_rank, &zipf_law(n as usize, theta + 0.04));
        assert_far(&by_key, &zipf_law(n as usize, theta));
    }
}

#[test]
fn a_table_draws_any_law_exactly() {
    for weights in [
        vec![1.0],
        vec![0.0, 1.0],
        vec![5.0; 77],
        vec![1e-9, 1.0, 3.0, 0.0, 1e3],
        (0..500).map(|i| f64::from(i % 7)).collect(),
    ] {
        let table = AliasTable::new(&weights, |outcome| outcome);
        let mut stream = Stream::new(3, Purpose::Keys);
        let counts = counts(weights.len(), || table.sample(&mut stream));
        for (count, weight) in counts.iter().zip(&weights) {
            assert!(*weight > 0.0 || *count == 0, "drew an outcome of weight 0");
        }
        if weights.iter().filter(|weight| **weight > 0.0).count() > 1 {
            assert_near(&counts, &normalise(weights.iter().copied()));
        }
    }
}

#[test]
fn latest_keys_follow_the_law_by_age_as_the_count_grows() {
    let mut keys = sampler(Distribution::Latest { theta: 0.99 }, 10);
    let mut age = 0;
    let by_age = counts(1000, || {
        // The count changes between draws and the ages are of the count at the draw: so the law
        // is drawn at 1,000 keys every time, in between many others.
        for n in [10, 999, 5000] {
            age += keys.sample(n);
        }
        999 - keys.sample(1000)
    });
    assert!(age > 0);
    assert_near(&by_age, &zipf_law(1000, 0.99));
}

#[test]
fn uniform_keys_are_uniform() {
    let mut keys = sampler(Distribution::Uniform, 1000);
    let counts = counts(1000, || keys.sample(1000));
    assert_near(&counts, &uniform_law(1000));
    assert_far(&counts, &zipf_law(1000, 0.1));
}

#[test]
fn hotspot_keys_split_as_asked() {
    let (keys, operations) = (0.2, 0.8);
    let law = |operations: f64| -> Vec<f64> {
        let hot = std::iter::repeat_n(operations / 200.0, 200);
        hot.chain(std::iter::repeat_n((1.0 - operations) / 800.0, 800))
            .collect()
    };
    let mut sampler = sampler(Distribution::Hotspot { keys, operations }, 1000);
    let counts = counts(1000, || sampler.sample(1000));
    assert_near(&counts, &law(0.8));
    assert_far(&counts, &law(0.78));
}

#[test]
fn exponential_keys_follow_the_cut_law_by_age() {
    let (keys, operations) = (0.5, 0.9);
    let law = |operations: f64| {
        let decay = -(1.0 - operations).ln() / keys / 1000.0;
        normalise((0..1000).map(|age| (-decay * f64::from(age)).exp()))
    };
    let mut sampler = sampler(Distribution::Exponential { keys, operations }, 1000);
    let counts = counts(1000, || 999 - sampler.sample(1000));
    assert_near(&counts, &law(0.9));
    assert_far(&counts, &law(0.88));
}

#[test]
fn sequential_keys_go_round() {
    let mut keys = sampler(Distribution::Sequential, 3);
    let drawn: Vec<_> = (0..7).map(|_| keys.sample(3)).collect();
    assert_eq!(drawn, [0, 1, 2, 0, 1, 2, 0]);
}

#[test]
fn every_distribution_draws_the_one_key_there_is() {
    for distribution in [
        Distribution::Uniform,
        Distribution::Zipfian { theta: 0.99 },
        Distribution::Latest { theta: 1.0 },
        Distribution::Hotspot {
            keys: 0.2,
            operations: 0.8,
        },
        Distribution::Exponential {
            keys: 0.5,
            operations: 0.9,
        },
        Distribution::Sequential,
    ] {
        let mut keys = sampler(distribution, 1);
        for _ in 0..1000 {
            assert_eq!(keys.sample(1), 0, "{distribution}");
        }
    }
}

#[test]
fn value_sizes_follow_their_law_within_their_bounds() {
    let mut stream = Stream::new(1, Purpose::ValueSizes);
    let mut draw = |size| {
        let sampler = SizeSampler::new(size);
        counts(101, || u64::from(sampler.sample(&mut stream)) - 100)
    };
    let (min, max) = (100, 200);
    let uniform = draw(ValueSize::Uniform { min, max });
    assert_near(&uniform, &uniform_law(101));
    let zipfian = draw(ValueSize::Zipfian { min, max });
    assert_near(&zipfian, &zipf_law(101, 0.99));
    assert_far(&zipfian, &uniform_law(101));
    assert_eq!(draw(ValueSize::Fixed(150))[50], DRAWS as u64);
}

fn workload(settings: &[&str]) -> Workload {
    let mut workload = Workload::default();
    for setting in settings {
        workload.set(setting).unwrap();
    }
    workload.validate().unwrap();
    workload
}

#[test]
fn kinds_follow_the_mix_and_absent_kinds_never_come() {
    let mix = |settings: &[&str]| {
        let mut generator = Generator::new(&workload(settings), 3);
        counts(5, || {
            let step = generator.next();
            if step.kind == StepKind::Insert {
                generator.insert_acknowledged(step.key);
            }
            step.kind as u64
        })
    };
    let all = mix(&[
        "mix.read=0.4",
        "mix.update=0.3",
        "mix.insert=0.2",
        "mix.read_modify_write=0.06",
        "mix.compare_and_set=0.04",
    ]);
    // In the order of the variants: read, update, insert, read-modify-write, compare-and-set.
    assert_near(&all, &[0.4, 0.3, 0.2, 0.06, 0.04]);
    assert_far(&all, &[0.39, 0.31, 0.2, 0.06, 0.04]);
    let draws = DRAWS as u64;
    assert_eq!(mix(&["mix.read=1", "mix.update=0"]), [draws, 0, 0, 0, 0]);
    assert_eq!(mix(&["mix.update=1", "mix.read=0"]), [0, draws, 0, 0, 0]);
    let inserts = mix(&["mix.update=0", "mix.read=0", "mix.insert=1"]);
    assert_eq!(inserts, [0, 0, draws, 0, 0]);
    let swaps = mix(&["mix.update=0", "mix.read=0", "mix.compare_and_set=1"]);
    assert_eq!(swaps, [0, 0, 0, 0, draws]);
}

#[test]
fn a_seed_is_a_run_and_another_seed_another() {
    let steps = |settings: &[&str], seed| -> Vec<Step> {
        let mut generator = Generator::new(&workload(settings), seed);
        (0..1000).map(|_| generator.next()).collect()
    };
    assert_eq!(steps(&[], 1), steps(&[], 1));
    assert_ne!(steps(&[], 1), steps(&[], 2));
    let keys = |steps: Vec<Step>| -> Vec<_> { steps.iter().map(|s| (s.kind, s.key)).collect() };
    assert_eq!(
        keys(steps(&[], 1)),
        keys(steps(&["value_size.max=500"], 1)),
        "value sizes have a stream of their own"
    );
}

#[test]
fn no_key_is_drawn_before_its_insert_and_all_before_it_are_acknowledged() {
    for distribution in ["latest", "uniform", "zipfian", "hotspot", "exponential"] {
        let settings = [
            "records=5",
            "mix.read=0.5",
            "mix.update=0",
            "mix.insert=0.5",
            &format!("distribution={distribution}"),
        ];
        let mut generator = Generator::new(&workload(&settings), 11);
        let mut coin = Stream::new(4, Purpose::Kinds);
        let mut existing: BTreeSet<_> = (0..5).collect();
        let mut under_way = VecDeque::new();
        for _ in 0..20_000 {
            let step = generator.next();
            if step.kind == StepKind::Insert {
                assert!(!existing.contains(&step.key), "{} twice", step.key);
                under_way.push_back(step.key);
            } else {
                assert!(existing.contains(&step.key), "{} does not exist", step.key);
            }
            // Answers come late, out of order, and one in eight is a failure.
            while under_way.len() > 10 {
                let key = under_way.swap_remove_back(coin.below(10) as usize).unwrap();
                if coin.below(8) == 0 {
                    generator.insert_failed(key);
                } else {
                    generator.insert_acknowledged(key);
                    existing.insert(key);
                }
            }
        }
        assert!(generator.records() > 5000, "{}", generator.records());
        assert_eq!(generator.inserts_withheld(), 0);
    }
}

#[test]
fn inserts_past_the_window_become_updates() {
    let settings = ["records=5", "mix.read=0", "mix.update=0", "mix.insert=1"];
    let mut generator = Generator::new(&workload(&settings), 11);
    for _ in 0..UNACKNOWLEDGED_INSERTS_MAX {
        assert_eq!(generator.next().kind, StepKind::Insert);
    }
    let step = generator.next();
    assert!(step.kind == StepKind::Update && step.key < 5);
    assert_eq!(generator.inserts_withheld(), 1);
}

#[test]
fn loading_puts_every_record_once() {
    let workload = workload(&["records=100", "value_size.max=200"]);
    let steps: Vec<_> = LoadSteps::new(&workload, 1).collect();
    assert!(steps.iter().map(|s| s.key).eq(0..100));
    assert!(steps.iter().all(|s| (100..=200).contains(&s.value_bytes)));
}

fn arrivals(settings: &[&str]) -> Vec<u64> {
    let arrivals = Arrivals::new(&workload(settings), 5).expect("an open loop");
    arrivals.take(100_000).collect()
}

/// Kolmogorov and Smirnov's distance of the gaps from the exponential law, times the root of
/// their number: above 1.95 for one right sample in a thousand.
fn distance_from_exponential(arrivals: &[u64], mean_ns: f64) -> f64 {
    let mut gaps: Vec<_> = arrivals.windows(2).map(|w| (w[1] - w[0]) as f64).collect();
    gaps.sort_by(f64::total_cmp);
    let n = gaps.len() as f64;
    let distance = gaps.iter().enumerate().map(|(i, gap)| {
        let law = -(-gap / mean_ns).exp_m1();
        (law - i as f64 / n)
            .abs()
            .max(((i + 1) as f64 / n - law).abs())
    });
    distance.fold(0.0, f64::max) * n.sqrt()
}

#[test]
fn poisson_arrivals_have_exponential_gaps() {
    let poisson = arrivals(&["rate=20k"]);
    assert!(distance_from_exponential(&poisson, 50_000.0) < 1.95);
    assert!(distance_from_exponential(&poisson, 51_000.0) > 1.95);
    let constant = arrivals(&["rate=20k", "arrivals=constant"]);
    assert!(distance_from_exponential(&constant, 50_000.0) > 100.0);
}

#[test]
fn constant_arrivals_do_not_drift() {
    let constant = arrivals(&["rate=3", "arrivals=constant"]);
    for (n, at) in constant.iter().enumerate() {
        let exact = n as u64 * 1_000_000_000 / 3;
        assert!(at.abs_diff(exact) <= 1, "{n}");
    }
}

#[test]
fn a_closed_loop_has_no_arrivals() {
    assert!(Arrivals::new(&workload(&[]), 1).is_none());
}
