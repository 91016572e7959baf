//! A partition's stored position, with a mark of the commit that moved it there.
//!
//! The position alone would not do: after Redis lost its last second, another process may have
//! folded to the same position in other batches, and have cut the tree otherwise. Nodes held
//! in memory are worth something only while the very commit that wrote them is the last one.

/// What stands at a partition's position: `POSITION.MARK`, or nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct At {
    text: String,
    position: u64,
}

impl At {
    /// A new one; `mark` is this commit's alone.
    #[must_use]
    pub fn new(position: u64, mark: &str) -> Self {
        Self { text: format!("{position}.{mark}"), position }
    }

    /// What Redis holds; `None` where it is no position.
    #[must_use]
    pub fn parse(stored: Option<&[u8]>) -> Option<Self> {
        let Some(stored) = stored else { return Some(Self::default()) };
        let text = std::str::from_utf8(stored).ok()?;
        if text.is_empty() {
            return Some(Self::default());
        }
        let position = text.split_once('.')?.0.parse().ok()?;
        Some(Self { text: text.to_owned(), position })
    }

    /// The position; 0 where nothing is stored.
    #[must_use]
    pub const fn position(&self) -> u64 {
        self.position
    }

    /// As stored; empty where nothing is.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_wrote() {
        let at = At::new(u64::MAX, "a1.7");
        assert_eq!(At::parse(Some(at.text().as_bytes())), Some(at));
        assert_eq!(At::parse(None).map(|at| at.position()), Some(0));
        assert_eq!(At::parse(Some(b"7")), None);
        assert_eq!(At::parse(Some(b"x.y")), None);
    }
}
