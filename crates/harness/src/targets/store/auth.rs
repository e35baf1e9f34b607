//! What clients prove themselves with: held by variables of the environment, and shown nowhere.

use std::fmt;

use super::definition::{Auth, Definition, Wrong};

/// What clients prove themselves with.
#[derive(Clone, Default)]
pub(in crate::targets) struct Credentials {
    pub(in crate::targets) user: Option<String>,
    pub(in crate::targets) password: Option<String>,
    /// The variables that they come from.
    names: Auth,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credentials(…)")
    }
}

impl Credentials {
    /// What the variables hold that the store's file names; nothing when it names none.
    ///
    /// # Errors
    /// When one of them is not set.
    pub(super) fn of(definition: &Definition) -> Result<Self, Wrong> {
        let names = definition.auth.clone().unwrap_or_default();
        let held = |name: &Option<String>| {
            let Some(name) = name else { return Ok(None) };
            std::env::var(name).map(Some).map_err(|_| {
                Wrong(format!(
                    "the environment variable {name} is not set, and the file of {} names it under \
                     [auth]: set it",
                    definition.name
                ))
            })
        };
        Ok(Self {
            user: held(&names.user)?,
            password: held(&names.password)?,
            names,
        })
    }

    /// That a node does not let these in, in its own words, and what to do.
    pub(in crate::targets) fn refused(&self, said: &str) -> String {
        let Auth { user, password } = &self.names;
        let names: Vec<&str> = user.iter().chain(password).map(String::as_str).collect();
        match &names[..] {
            [] => format!(
                "it wants to know who asks ({said}): name the variables that hold user and password \
                 under [auth] in the store's file (docs/guides/your-own-store.md)"
            ),
            [name] => format!(
                "it does not take the password of {name} ({said}): set this variable to the one \
                 that it takes"
            ),
            names => format!(
                "it does not take the user and the password of {} ({said}): set these variables to \
                 those that it takes",
                names.join(" and ")
            ),
        }
    }
}
