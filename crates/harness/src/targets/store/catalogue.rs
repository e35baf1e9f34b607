//! The stores that come with the program, and loading one by name or path.

use std::path::Path;

use kvs_load::workload::Catalogued;

use super::definition::{Definition, Wrong};

macro_rules! embed {
    ($($name:literal),+ $(,)?) => {
        &[$(Catalogued {
            name: $name,
            text: include_str!(concat!("../../../../../stores/", $name, ".toml")),
        }),+]
    };
}

/// Every store that comes with the program.
pub const CATALOGUE: &[Catalogued] = embed!["redis", "redis-replicated", "redis-sentinel", "etcd"];

impl Definition {
    /// Loads the store of this name from the catalogue, or else from the TOML file at this path.
    ///
    /// # Errors
    /// When there is neither, or the file is wrong.
    pub fn load(name_or_path: &str) -> Result<Self, Wrong> {
        if let Some(known) = CATALOGUE.iter().find(|known| known.name == name_or_path) {
            return Self::parse(known.text);
        }
        let path = Path::new(name_or_path);
        let is_path = path.extension().is_some_and(|it| it == "toml") || path.exists();
        if !is_path {
            let names: Vec<&str> = CATALOGUE.iter().map(|known| known.name).collect();
            return Err(Wrong(format!(
                "there is no store {name_or_path:?}: name one of {}, or a TOML file",
                names.join(", ")
            )));
        }
        let text = std::fs::read_to_string(path)
            .map_err(|error| Wrong(format!("cannot read {}: {error}", path.display())))?;
        Self::parse(&text).map_err(|Wrong(problem)| Wrong(format!("{}: {problem}", path.display())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_store_of_the_catalogue_is_one_under_its_own_name() {
        for known in CATALOGUE {
            let definition = Definition::load(known.name).expect(known.name);
            assert_eq!(definition.name, known.name);
            assert!(definition.is_started(), "{}", known.name);
            assert!(definition.says.is_some(), "{}", known.name);
            assert!(known.about().len() > 10, "{}", known.name);
        }
    }

    #[test]
    fn an_unknown_name_is_told_with_what_there_is() {
        let wrong = Definition::load("reddis").expect_err("no such store");
        assert!(wrong.0.contains("redis-sentinel"), "{wrong}");
        let wrong = Definition::load("no/such.toml").expect_err("no such file");
        assert!(wrong.0.contains("cannot read"), "{wrong}");
    }
}
