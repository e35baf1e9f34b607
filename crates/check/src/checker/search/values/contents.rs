//! What a register may hold, as numbers that tell apart what some operation can tell apart.
//!
//! Without appends a content is a value that some operation expects, or [`OTHER`]. With appends it
//! is a text: the start of one that some operation expects, or [`OTHER`], which stays that whatever
//! is appended. So a text of any length is one number, and what nobody can see is one content.

/// A content.
pub(super) type Content = u64;
/// That of a register that nobody wrote, and the empty text.
pub(super) const NOTHING: Content = 0;
/// Every content that no operation expects, or can after more appends.
pub(super) const OTHER: Content = Content::MAX;

/// What an operation does to a register.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Effect {
    /// Finds a content.
    Get(Content),
    /// Writes one.
    Put(Content),
    /// Finds the first and writes the second.
    Cas(Content, Content),
    /// Finds another content than this.
    Mismatch(Content),
    /// Adds the piece of this number.
    Append(u32),
}

impl Effect {
    /// The content that it has to find.
    pub(super) const fn expects(self) -> Option<Content> {
        match self {
            Self::Get(content) | Self::Cas(content, _) => Some(content),
            Self::Put(_) | Self::Mismatch(_) | Self::Append(_) => None,
        }
    }

    /// The content that it leaves, where it does not depend on what was there.
    pub(super) const fn writes(self) -> Option<Content> {
        match self {
            Self::Put(content) | Self::Cas(_, content) => Some(content),
            Self::Get(_) | Self::Mismatch(_) | Self::Append(_) => None,
        }
    }

    /// Whether its effect is lost when a put follows before anybody looks.
    pub(super) const fn is_blind(self) -> bool {
        matches!(self, Self::Put(_) | Self::Append(_))
    }
}

/// The texts of one key that operations expect, and the pieces that are appended to it.
#[derive(Debug, Default)]
pub(super) struct Contents {
    /// Different and sorted; the empty one is the first.
    texts: Vec<String>,
    pieces: Vec<String>,
}

impl Contents {
    /// Contents of a key on which somebody expects these texts.
    pub(super) fn new(mut texts: Vec<String>) -> Self {
        texts.push(String::new());
        texts.sort_unstable();
        texts.dedup();
        Self {
            texts,
            pieces: Vec::new(),
        }
    }

    /// The number of a piece.
    pub(super) fn piece(&mut self, piece: String) -> u32 {
        self.pieces.push(piece);
        self.pieces.len() as u32 - 1
    }

    /// The content of a text.
    pub(super) fn of(&self, text: &str) -> Content {
        self.at(0, "", text)
    }

    /// The content of `start` with `more`; no expected text before `from` starts with it.
    fn at(&self, from: usize, start: &str, more: &str) -> Content {
        let long = start.len() + more.len();
        let is_less = |text: &String| {
            let text = text.as_bytes();
            let head = &text[..text.len().min(start.len())];
            let tail = &text[head.len()..text.len().min(long)];
            (head, tail) < (start.as_bytes(), more.as_bytes())
        };
        let place = from + self.texts[from..].partition_point(is_less);
        let text = self.texts.get(place).map(String::as_bytes);
        match text {
            Some(text)
                if text.len() >= long
                    && &text[..start.len()] == start.as_bytes()
                    && &text[start.len()..long] == more.as_bytes() =>
            {
                content(if long == 0 { 0 } else { place }, long)
            }
            Some(_) | None => OTHER,
        }
    }

    /// The content after an append.
    fn append(&self, before: Content, piece: u32) -> Content {
        if before == OTHER {
            return OTHER;
        }
        let (place, long) = place(before);
        let start = &self.texts[place][..long];
        self.at(place, start, &self.pieces[piece as usize])
    }

    /// Whether appends may make `after` of `before`.
    pub(super) fn is_start(&self, before: Content, after: Content) -> bool {
        if before == OTHER || after == OTHER {
            return before == after;
        }
        let ((a, short), (b, long)) = (place(before), place(after));
        short <= long && self.texts[a][..short] == self.texts[b][..short]
    }

    /// The content after an operation, `None` where it cannot find what it found.
    pub(super) fn step(&self, held: Content, effect: Effect) -> Option<Content> {
        match effect {
            Effect::Get(found) => (held == found).then_some(held),
            Effect::Put(written) => Some(written),
            Effect::Cas(found, written) => (held == found).then_some(written),
            Effect::Mismatch(expected) => (held != expected).then_some(held),
            Effect::Append(piece) => Some(self.append(held, piece)),
        }
    }
}

/// The first so many bytes of the text at a place.
const fn content(place: usize, long: usize) -> Content {
    (place as u64) << 32 | long as u64
}

const fn place(content: Content) -> (usize, usize) {
    (
        (content >> 32) as usize,
        (content & u32::MAX as u64) as usize,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_a_content_as_long_as_more_may_make_it_an_expected_one() {
        let mut contents = Contents::new(["ab", "abc", "b"].map(str::to_owned).to_vec());
        let [a, b, c, x] = ["a", "b", "c", "x"].map(|piece| contents.piece(piece.to_owned()));
        let append = |held, piece| contents.step(held, Effect::Append(piece)).unwrap();
        assert_eq!(contents.of(""), NOTHING);
        let ab = append(append(NOTHING, a), b);
        assert_eq!(ab, contents.of("ab"));
        assert_eq!(append(ab, c), contents.of("abc"));
        assert_eq!(append(ab, x), OTHER);
        assert_eq!(append(OTHER, a), OTHER);
        assert_eq!(contents.of("a"), append(NOTHING, a));
        assert_eq!(contents.of("abcd"), OTHER);
        assert!(contents.is_start(ab, contents.of("abc")));
        assert!(!contents.is_start(contents.of("b"), contents.of("abc")));
    }
}
