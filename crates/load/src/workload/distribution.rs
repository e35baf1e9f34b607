//! Which keys are popular: the distributions of YCSB, with their parameters.

use std::fmt;

use serde::de::value::MapAccessDeserializer;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// The law that keys are drawn from.
///
/// In a workload file it is a name (`distribution = "uniform"`) or a table with parameters
/// (`distribution = { kind = "zipfian", theta = 0.99 }`).
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Distribution {
    /// Every key alike.
    Uniform,
    /// P(rank k) proportional to k^-theta; ranks are scattered over the keys.
    Zipfian {
        /// The skew, above 0; YCSB's is 0.99.
        theta: f64,
    },
    /// Zipf's law over age: the newest key is the most popular.
    Latest {
        /// The skew, above 0.
        theta: f64,
    },
    /// The first `keys` of the records take `operations` of the operations; uniform within each.
    Hotspot {
        /// The fraction of the keys that is hot, between 0 and 1.
        keys: f64,
        /// The fraction of the operations that go to hot keys, 0 to 1.
        operations: f64,
    },
    /// Popularity falls exponentially with age: the newest `keys` of the records take
    /// `operations` of the operations (before what lies beyond the oldest key is cut off).
    Exponential {
        /// A fraction of the keys, between 0 and 1.
        keys: f64,
        /// The fraction of the operations that fall on it, between 0 and 1.
        operations: f64,
    },
    /// One key after the other, from the first again after the last.
    Sequential,
}

/// YCSB's skew.
const THETA: f64 = 0.99;
/// The largest skew: the first key then takes all but 10^-30 of the operations.
const THETA_MAX: f64 = 100.0;
/// The names, in the order of the variants.
const KINDS: [&str; 6] = [
    "uniform",
    "zipfian",
    "latest",
    "hotspot",
    "exponential",
    "sequential",
];

impl Distribution {
    /// Its name in a workload file.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Uniform => KINDS[0],
            Self::Zipfian { .. } => KINDS[1],
            Self::Latest { .. } => KINDS[2],
            Self::Hotspot { .. } => KINDS[3],
            Self::Exponential { .. } => KINDS[4],
            Self::Sequential => KINDS[5],
        }
    }

    /// One line that says what is wrong with the parameters, if anything is.
    pub(super) fn problem(&self) -> Option<String> {
        let fraction = |name: &str, value: f64, closed: bool| {
            let inside = (value > 0.0 && value < 1.0) || (closed && (value == 0.0 || value == 1.0));
            let ends = if closed {
                "from 0 to 1"
            } else {
                "between 0 and 1"
            };
            (!inside).then(|| format!("distribution.{name} is {value}: it must lie {ends}"))
        };
        match *self {
            Self::Uniform | Self::Sequential => None,
            Self::Zipfian { theta } | Self::Latest { theta } => {
                (!(theta > 0.0 && theta <= THETA_MAX)).then(|| {
                    format!(
                        "distribution.theta is {theta}: it must lie above 0 and at most \
                         {THETA_MAX} (for 0, use the uniform distribution)"
                    )
                })
            }
            Self::Hotspot { keys, operations } => {
                fraction("keys", keys, false).or_else(|| fraction("operations", operations, true))
            }
            Self::Exponential { keys, operations } => {
                fraction("keys", keys, false).or_else(|| fraction("operations", operations, false))
            }
        }
    }

    /// The distribution with this name and the default of every parameter not given.
    fn from_table(table: &Table) -> Result<Self, String> {
        let theta = table.theta.unwrap_or(THETA);
        let fractions = |keys, operations| {
            (
                table.keys.unwrap_or(keys),
                table.operations.unwrap_or(operations),
            )
        };
        let distribution = match table.kind.as_str() {
            "uniform" => Self::Uniform,
            "zipfian" => Self::Zipfian { theta },
            "latest" => Self::Latest { theta },
            "hotspot" => {
                let (keys, operations) = fractions(0.2, 0.8);
                Self::Hotspot { keys, operations }
            }
            "exponential" => {
                let (keys, operations) = fractions(0.857_142_857_1, 0.95);
                Self::Exponential { keys, operations }
            }
            "sequential" => Self::Sequential,
            other => {
                let meant = super::setting::nearest(other, KINDS).map_or_else(
                    || format!("it is one of {}", KINDS.join(", ")),
                    |nearest| format!("did you mean `{nearest}`?"),
                );
                return Err(format!("unknown distribution `{other}`: {meant}"));
            }
        };
        table.refuse_foreign_parameters(&distribution)?;
        Ok(distribution)
    }

    fn table(&self) -> Table {
        let mut table = Table {
            kind: self.kind().to_owned(),
            ..Table::default()
        };
        match *self {
            Self::Uniform | Self::Sequential => {}
            Self::Zipfian { theta } | Self::Latest { theta } => table.theta = Some(theta),
            Self::Hotspot { keys, operations } | Self::Exponential { keys, operations } => {
                table.keys = Some(keys);
                table.operations = Some(operations);
            }
        }
        table
    }
}

impl Default for Distribution {
    fn default() -> Self {
        Self::Zipfian { theta: THETA }
    }
}

impl fmt::Display for Distribution {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind())?;
        match self {
            Self::Uniform | Self::Sequential => Ok(()),
            Self::Zipfian { theta } | Self::Latest { theta } => write!(f, " {theta}"),
            Self::Hotspot { keys, operations } | Self::Exponential { keys, operations } => {
                write!(f, " {operations} on {keys}")
            }
        }
    }
}

/// The form in the file.
#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    kind: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    theta: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    keys: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    operations: Option<f64>,
}

impl Table {
    /// A parameter that the distribution does not have is a mistake, not a wish to be ignored.
    fn refuse_foreign_parameters(&self, distribution: &Distribution) -> Result<(), String> {
        let own = distribution.table();
        let given = [
            ("theta", self.theta, own.theta, "zipfian and latest"),
            ("keys", self.keys, own.keys, "hotspot and exponential"),
            (
                "operations",
                self.operations,
                own.operations,
                "hotspot and exponential",
            ),
        ];
        for (name, given, own, owners) in given {
            if given.is_some() && own.is_none() {
                return Err(format!(
                    "distribution.{name} belongs to {owners}, not to {}: leave it out",
                    self.kind
                ));
            }
        }
        Ok(())
    }
}

impl Serialize for Distribution {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.table().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Distribution {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NameOrTable;
        impl<'de> de::Visitor<'de> for NameOrTable {
            type Value = Table;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the name of a distribution, or a table with its kind and parameters")
            }

            fn visit_str<E: de::Error>(self, name: &str) -> Result<Table, E> {
                Ok(Table {
                    kind: name.to_owned(),
                    ..Table::default()
                })
            }

            fn visit_map<A: de::MapAccess<'de>>(self, map: A) -> Result<Table, A::Error> {
                Table::deserialize(MapAccessDeserializer::new(map))
            }
        }
        let table = deserializer.deserialize_any(NameOrTable)?;
        Self::from_table(&table).map_err(de::Error::custom)
    }
}
