//! What stands in front of an agent's command.

use std::ffi::{OsStr, OsString};
use std::path::Path;

use crate::channel::PLACE_ARGUMENT;

/// The words in front of the command of an agent: a command that runs it somewhere else, or
/// otherwise. Without one the agent is a child of this process.
///
/// Whatever they are, the agent's standard input and output must be this process's pipes in the
/// end, and close when this process is gone. That tells an agent that nobody needs it any more.
/// Nothing else ties the two. The agent's process id, its directory, its files and its table of
/// processes are its own, and a place's paths are read there.
///
/// # What a place on another machine would still lack
///
/// - **The program.** It is run by its path there, and nobody brings it there yet. A node of the
///   zoo is the same program.
/// - **Addresses.** Whoever starts a program there has to have it listen where clients and peers
///   reach it. The zoo's launcher and `targets/store` bind to the loopback interface, or to
///   namespaces of this machine ([`network`](crate::network)), and look for free ports here.
/// - **What is read past the agent.** The run reads what nodes use from this machine's `/proc` by
///   their process ids, and their logs, traces and files where it expects its run directory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Prefix {
    words: Vec<OsString>,
    /// Whether what follows is one word, which a shell takes apart again.
    through_shell: bool,
}

impl Prefix {
    /// Nothing: the agent is run by itself.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// A command that runs the command that follows it word by word, such as `nice`,
    /// `docker exec -i NAME` or `ip netns exec NAME`.
    #[must_use]
    pub fn command(words: impl IntoIterator<Item = impl Into<OsString>>) -> Self {
        Self {
            words: words.into_iter().map(Into::into).collect(),
            through_shell: false,
        }
    }

    /// A command that has a shell read what follows, such as `ssh NAME` or `sh -c`.
    #[must_use]
    pub fn shell(words: impl IntoIterator<Item = impl Into<OsString>>) -> Self {
        Self {
            through_shell: true,
            ..Self::command(words)
        }
    }

    /// The whole command of an agent.
    pub(super) fn agent(&self, program: &Path) -> Vec<OsString> {
        let mut words = self.words.clone();
        if self.through_shell {
            let mut word = OsString::from("exec ");
            word.push(quoted(program.as_os_str()));
            word.push(" ");
            word.push(PLACE_ARGUMENT);
            words.push(word);
        } else {
            words.push(program.into());
            words.push(PLACE_ARGUMENT.into());
        }
        words
    }
}

/// A word that a shell reads as this one.
fn quoted(word: &OsStr) -> OsString {
    // A program's path that is no text can be had without a shell.
    let text = word.to_string_lossy().replace('\'', r"'\''");
    format!("'{text}'").into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_follows_word_by_word_or_quoted_for_a_shell() {
        let program = Path::new("/it's/here now");
        let words = |prefix: &Prefix| -> Vec<String> {
            let words = prefix.agent(program).into_iter();
            words.map(|word| word.into_string().unwrap()).collect()
        };
        assert_eq!(words(&Prefix::none()), ["/it's/here now", "place"]);
        assert_eq!(
            words(&Prefix::command(["nice", "-n5"])),
            ["nice", "-n5", "/it's/here now", "place"]
        );
        assert_eq!(
            words(&Prefix::shell(["ssh", "host"])),
            ["ssh", "host", r"exec '/it'\''s/here now' place"]
        );
    }
}
