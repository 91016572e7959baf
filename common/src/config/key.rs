//! The keys that exist, with their kinds and defaults: the one list that layers, reader, hints and
//! tests go by.

use std::fmt;

/// A dotted key, part by part: a shop's domain is one part although it holds dots.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key(Vec<String>);

impl Key {
    /// A key of bare parts, for example `public.listen`.
    pub(super) fn dotted(text: &str) -> Self {
        Self(text.split('.').map(str::to_owned).collect())
    }

    pub(super) fn of(parts: Vec<String>) -> Self {
        Self(parts)
    }

    /// The key one level deeper.
    pub(super) fn child(&self, name: &str) -> Self {
        let mut parts = self.0.clone();
        parts.push(name.to_owned());
        Self(parts)
    }

    /// Its section; the empty key for a key of one part.
    pub(super) fn section(&self) -> Self {
        Self(self.0[..self.0.len().saturating_sub(1)].to_vec())
    }

    /// The last part.
    pub(super) fn name(&self) -> &str {
        self.0.last().map_or("", String::as_str)
    }

    pub(super) fn parts(&self) -> &[String] {
        &self.0
    }
}

impl fmt::Display for Key {
    /// Parts that TOML would not take bare are quoted.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, part) in self.0.iter().enumerate() {
            if index > 0 {
                write!(f, ".")?;
            }
            let bare = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
            if !part.is_empty() && part.bytes().all(bare) {
                write!(f, "{part}")?;
            } else {
                write!(f, "{part:?}")?;
            }
        }
        Ok(())
    }
}

/// What a value is, for reading and for showing it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Number,
    Boolean,
    Texts,
    Secret,
    Secrets,
    /// A secret that is shown without its user, password and query.
    Address,
}

impl Kind {
    pub(super) fn is_secret(self) -> bool {
        matches!(self, Self::Secret | Self::Secrets | Self::Address)
    }

    pub(super) fn is_list(self) -> bool {
        matches!(self, Self::Texts | Self::Secrets)
    }

    /// What may stand there, for an error about the type.
    pub(super) fn allowed(self) -> &'static str {
        match self {
            Self::Text => "write a text in quotes",
            Self::Number => "write a number",
            Self::Boolean => "write true or false",
            Self::Texts => "write a list of texts, for example [\"a\", \"b\"]",
            Self::Secret => "write \"env:NAME\", \"file:PATH\" or the text itself in quotes",
            Self::Secrets => "write a list, for example [\"env:NAME\"] or [\"file:PATH\"]",
            Self::Address => "write a text in quotes, for example \"redis://127.0.0.1:6379\"",
        }
    }
}

/// One key that exists. `*` stands for a name that the user chooses.
pub(super) struct Known {
    pub(super) pattern: &'static str,
    pub(super) kind: Kind,
    /// In the form that the environment would have; `None`: unset or required.
    pub(super) default: Option<&'static str>,
}

const fn known(pattern: &'static str, kind: Kind, default: Option<&'static str>) -> Known {
    Known { pattern, kind, default }
}

/// Every key. A special pattern stands before the general one that it is part of.
pub(super) const KEYS: &[Known] = &[
    known("public.listen", Kind::Text, Some("127.0.0.1:8080")),
    known("public.body_limit_bytes", Kind::Number, Some("8388608")),
    known("public.body_timeout_ms", Kind::Number, Some("4000")),
    known("public.workers", Kind::Number, None),
    known("admin.listen", Kind::Text, Some("127.0.0.1:8081")),
    known("admin.token", Kind::Secret, None),
    known("data.dir", Kind::Text, Some("./tallyhook-data")),
    known("privacy.pseudonym_key", Kind::Secret, None),
    known("sources.*.platform", Kind::Text, None),
    known("sources.*.secrets", Kind::Secrets, None),
    known("sources.*.shops", Kind::Texts, Some("*")),
    known("sources.*.attributes.line_properties", Kind::Texts, Some("")),
    known("sources.*.attributes.note_attributes", Kind::Texts, Some("")),
    known("sources.*.attributes.tags", Kind::Texts, Some("")),
    known("shops.default.currency", Kind::Text, Some("USD")),
    known("shops.default.time_zone", Kind::Text, Some("UTC")),
    known("shops.default.clv_lifespan_years", Kind::Number, None),
    known("shops.*.currency", Kind::Text, None),
    known("shops.*.time_zone", Kind::Text, None),
    known("shops.*.clv_lifespan_years", Kind::Number, None),
    known("reasons.*", Kind::Texts, None),
    known("log.partitions", Kind::Number, Some("32")),
    known("log.segment_bytes", Kind::Number, Some("67108864")),
    known("spool.max_bytes", Kind::Number, Some("10737418240")),
    known("kafka.brokers", Kind::Texts, Some("127.0.0.1:9092")),
    known("kafka.replication", Kind::Number, Some("3")),
    known("kafka.allow_unsafe", Kind::Boolean, Some("false")),
    known("kafka.session_timeout_ms", Kind::Number, Some("10000")),
    known("kafka.tls", Kind::Boolean, Some("false")),
    known("kafka.tls_ca", Kind::Text, None),
    known("kafka.tls_cert", Kind::Text, None),
    known("kafka.tls_key", Kind::Text, None),
    known("kafka.sasl_mechanism", Kind::Text, None),
    known("kafka.sasl_username", Kind::Secret, None),
    known("kafka.sasl_password", Kind::Secret, None),
    known("kafka.retention_days", Kind::Number, None),
    known("redis.url", Kind::Address, Some("redis://127.0.0.1:6379")),
    known("redis.tls_ca", Kind::Text, None),
    known("redis.tls_cert", Kind::Text, None),
    known("redis.tls_key", Kind::Text, None),
    known("snapshots.dir", Kind::Text, None),
    known("snapshots.keep", Kind::Number, Some("7")),
    known("alarms.months_between_false", Kind::Number, Some("132")),
];

impl Known {
    pub(super) fn parts(&self) -> impl DoubleEndedIterator<Item = &'static str> + Clone + use<> {
        self.pattern.split('.')
    }
}

/// The entry of a key, if it exists.
pub(super) fn find(key: &Key) -> Option<&'static Known> {
    KEYS.iter()
        .find(|known| known.parts().count() == key.parts().len() && starts_with(known, key.parts()))
}

/// Whether keys may stand below this one.
pub(super) fn is_section(key: &Key) -> bool {
    KEYS.iter()
        .any(|known| known.parts().count() > key.parts().len() && starts_with(known, key.parts()))
}

/// What to write instead of an unknown key: the nearest one, or all that exist at its level.
pub(super) fn hint(key: &Key) -> String {
    let parts = key.parts();
    let domain = parts.get(1).is_some_and(|name| name != "default");
    if parts.first().is_some_and(|first| first == "shops") && domain && parts.len() > 3 {
        return "a shop's domain stands in quotes: [shops.\"a.myshopify.com\"]".to_owned();
    }
    let depth = (0..parts.len())
        .rev()
        .find(|depth| KEYS.iter().any(|known| deeper(known, &parts[..*depth])))
        .unwrap_or(0);
    let mut names: Vec<&str> = KEYS
        .iter()
        .filter(|known| deeper(known, &parts[..depth]))
        .filter_map(|known| known.parts().nth(depth))
        .filter(|name| *name != "*")
        .collect();
    names.dedup();
    match names.iter().min_by_key(|name| distance(name, &parts[depth])) {
        Some(name) if distance(name, &parts[depth]) <= 2 => format!("did you mean {name}?"),
        _ => format!("the keys here are {}", names.join(", ")),
    }
}

fn deeper(known: &Known, parts: &[String]) -> bool {
    known.parts().count() > parts.len() && starts_with(known, parts)
}

fn starts_with(known: &Known, parts: &[String]) -> bool {
    known.parts().zip(parts).all(|(pattern, part)| pattern == "*" || pattern == part)
}

/// Levenshtein's distance, on bytes: keys are ASCII.
fn distance(left: &str, right: &str) -> usize {
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (i, a) in left.bytes().enumerate() {
        let mut diagonal = i;
        row[0] = i + 1;
        for (j, b) in right.bytes().enumerate() {
            let substituted = diagonal + usize::from(a != b);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[right.len()]
}
