//! The second engine's answer, whether or not that engine is part of this build.

use serde::{Deserialize, Serialize};

use super::model::Model;

/// What the search found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "found", rename_all = "kebab-case")]
pub enum Found {
    /// An order that explains every operation.
    Order,
    /// That there is none.
    NoOrder {
        /// The row of the first operation to return that no order explains.
        row: u64,
        /// What that operation is called.
        #[serde(default)]
        operation: String,
    },
    /// Nothing: the budget ran out.
    Budget,
    /// The model does not apply to this history.
    NotApplicable {
        /// Why.
        reason: String,
    },
}

/// The search's answer, and what it covered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Search {
    /// What it found.
    pub found: Found,
    /// Operations in the prefix that it was given.
    pub operations: u64,
    /// Operations in the whole history.
    pub of: u64,
    /// Steps along the longest order that it found.
    pub steps: u64,
    /// States that it generated.
    pub states: u64,
    /// Why it was not given the whole history.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<String>,
}

impl Search {
    /// Found before anything was searched.
    pub(super) const fn of(found: Found) -> Self {
        Self {
            found,
            operations: 0,
            of: 0,
            steps: 0,
            states: 0,
            limit: None,
        }
    }
}

/// A model that stateright has a specification of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Searchable {
    Linearizable,
    Causal,
    Lww,
}

impl Searchable {
    /// That of a model.
    ///
    /// # Errors
    /// When stateright has none of it.
    pub(super) fn of(model: Model) -> Result<Self, String> {
        let known = [Self::Linearizable, Self::Causal, Self::Lww];
        let own = known.into_iter().find(|known| known.model() == model);
        own.ok_or_else(|| format!("stateright has no specification of {model}"))
    }

    const fn model(self) -> Model {
        match self {
            Self::Linearizable => Model::Linearizable,
            Self::Causal => Model::Causal,
            Self::Lww => Model::Lww,
        }
    }
}
