//! The clock of a node is wrong: it jumps, strobes or drifts.

use rand::RngExt;
use rand_pcg::Pcg64;
use serde::{Deserialize, Serialize};

use super::{Draws, FaultKind, FaultRow, Part, Written, on_one, on_written};
use crate::nemesis::fault::Fault;
use crate::nemesis::plan::PlanError;
use crate::nemesis::reach::Harm;
use crate::nemesis::simulated::{SimDraws, SimFault, SimRow};
use kvs_core::protocol::NodeId;

pub(super) static ROW: FaultRow = FaultRow {
    name: "clock",
    help: "the clock of a node is wrong: it jumps, strobes or drifts",
    noun: "clock fault",
    colour: "#A0E9E3",
    ways: &WAYS,
    acts_on: &[Part::Clock],
    hits_targets: true,
    ends_processes: false,
    simulated: &[&SIMULATED],
    draw,
    parse,
    aim: on_one,
};

impl FaultKind {
    /// The clock of a node is wrong: it jumps, strobes or drifts.
    pub const CLOCK: Self = Self::of(&ROW);
}

static SIMULATED: SimRow = SimRow {
    number: 11,
    name: "clock",
    ways: &[WAYS[0], WAYS[2]],
    meaning: "A node's wall clock is wrong, drifts and jumps.",
    needs: &[],
    stands: Some(skewed),
    strikes: Some(|draws, node| {
        let offset_ns = draws.jump_ns();
        fault(ClockFault::Bump { offset_ns }, &[node]).into()
    }),
};

impl SimFault {
    /// A node's wall clock is wrong, drifts and jumps.
    pub const CLOCK: Self = Self::of(&SIMULATED);
}

const WAYS: [&str; 3] = ["bump", "strobe", "drift"];

/// How far a clock jumps, at most, in ns, either way: Jepsen's 288 s.
const BUMP_NS_MAX: i64 = 288_000_000_000;
/// The least that it jumps, in ns.
const BUMP_NS_MIN: i64 = 4_000_000;
/// How long a strobing clock stays on each side, in ns. Jepsen begins at 1 ms; 10 ms is how often
/// the launcher can tell a node.
const STROBE_NS: std::ops::Range<u64> = 10_000_000..1_000_000_000;
/// How much too fast or too slow a drifting clock goes at most, in millionths.
const DRIFT_PPM_MAX: i64 = 500_000;

/// How the clock of a node is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "clock")]
pub enum ClockFault {
    /// It is off by so much.
    Bump {
        /// In ns, either way.
        offset_ns: i64,
    },
    /// It jumps to and fro.
    Strobe {
        /// How far, in ns.
        offset_ns: i64,
        /// How long it stays on each side, in ns.
        period_ns: u64,
    },
    /// It goes too fast or too slow.
    Drift {
        /// By so many millionths.
        ppm: i64,
    },
}

impl ClockFault {
    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Bump { .. } => WAYS[0],
            Self::Strobe { .. } => WAYS[1],
            Self::Drift { .. } => WAYS[2],
        }
    }

    /// How much more than the machine's the clock reads, in ns, when it has been wrong for
    /// `since_ns`.
    #[must_use]
    pub fn offset_ns(self, since_ns: u64) -> i64 {
        match self {
            Self::Bump { offset_ns } => offset_ns,
            Self::Strobe {
                offset_ns,
                period_ns,
            } => {
                if (since_ns / period_ns).is_multiple_of(2) {
                    offset_ns
                } else {
                    0
                }
            }
            Self::Drift { ppm } => {
                let drift = i128::from(since_ns) * i128::from(ppm) / 1_000_000;
                i64::try_from(drift).unwrap_or(i64::MAX)
            }
        }
    }

    /// Whether the offset changes while the fault lasts.
    #[must_use]
    pub const fn moves(self) -> bool {
        match self {
            Self::Bump { .. } => false,
            Self::Strobe { .. } | Self::Drift { .. } => true,
        }
    }

    /// One of this name.
    fn draw(name: &str, random: &mut Pcg64) -> Self {
        let far = random.random_range(BUMP_NS_MIN..=BUMP_NS_MAX);
        let offset_ns = if random.random_bool(0.5) { far } else { -far };
        match name {
            "strobe" => Self::Strobe {
                offset_ns,
                period_ns: random.random_range(STROBE_NS),
            },
            "drift" => Self::Drift {
                ppm: random.random_range(-DRIFT_PPM_MAX..=DRIFT_PPM_MAX),
            },
            _ => Self::Bump { offset_ns },
        }
    }
}

fn draw(draws: &mut Draws<'_>) -> Fault {
    let name = WAYS[draws.random.random_range(0..WAYS.len())];
    fault(ClockFault::draw(name, draws.random), &draws.nodes)
}

fn parse(draws: &mut Draws<'_>, drawn: Fault, written: &Written<'_>) -> Result<Fault, PlanError> {
    let fault = match written.way {
        Some(name) => fault(ClockFault::draw(name, draws.random), &drawn.nodes()),
        None => drawn,
    };
    Ok(on_written(fault, written))
}

fn fault(clock: ClockFault, nodes: &[NodeId]) -> Fault {
    let harms = nodes.iter().map(|node| Harm::Clock(clock, *node));
    Fault::new(FaultKind::CLOCK, Some(clock.name()), harms.collect())
}

/// No clock of a simulated world is right, and none goes as fast as another.
fn skewed(draws: &mut dyn SimDraws) -> Fault {
    let harms = draws.every_node().flat_map(|node| {
        let offset_ns = draws.skew_ns();
        let ppm = draws.drift_ppm();
        let wrong = [ClockFault::Bump { offset_ns }, ClockFault::Drift { ppm }];
        wrong.map(|clock| Harm::Clock(clock, node))
    });
    Fault::new(FaultKind::CLOCK, None, harms.collect())
}
