//! `tallyhook dead-letter list|show|retry`: what could not be translated.

use std::sync::Arc;

use anyhow::{Context as _, bail};
use common::config::{Config, Needs, PseudonymKey};
use common::log::Log;
use common::log::file::FileLog;
use common::shop::ShopDomain;
use ingest::dead_letter::{DEFAULT_LIMIT_BYTES, DeadLetterDir, LetterId};
use serde::de::DeserializeOwned;

use crate::args::Global;
use crate::letters::kafka::KafkaLetters;
use crate::letters::{self, Letter, Letters, Retry};
use crate::node::claim::{Claim, claim_log};
use crate::node::layout::Layout;
use crate::output::{Output, chain};
use crate::remote::Remote;

/// What to do with dead letters.
#[derive(clap::Subcommand, Debug)]
pub enum Command {
    /// List them, the oldest first
    List,
    /// Show one with its body
    Show {
        /// Its id
        #[arg(value_parser = id)]
        id: LetterId,
    },
    /// Translate again, and import what can be translated now
    Retry {
        /// Its id
        #[arg(value_parser = id, required_unless_present = "all", conflicts_with = "all")]
        id: Option<LetterId>,
        /// Every one
        #[arg(long)]
        all: bool,
        /// The shop, where the delivery did not name it
        #[arg(long, value_parser = ShopDomain::parse)]
        shop: Option<ShopDomain>,
    },
}

/// The letters, wherever they are.
enum Place {
    Here { directory: DeadLetterDir, config: Box<Config>, key: PseudonymKey, log: FileLog },
    There(Remote),
    Kafka(Box<KafkaLetters>),
}

/// Lists, shows or retries.
pub fn run(global: &Global, command: &Command) -> anyhow::Result<()> {
    let config = global.configuration(Needs::Nothing)?;
    let output = global.output();
    let place = Place::find(config, output)?;
    match command {
        Command::List => list(output, &place),
        Command::Show { id } => show(output, &place, id),
        Command::Retry { id, shop, .. } => retry(output, &place, id.as_ref(), shop.as_ref()),
    }
}

impl Place {
    fn find(config: Config, output: Output) -> anyhow::Result<Self> {
        // Where events go to Kafka there is no log, and so no `serve` that could have letters.
        if config.kafka.is_some() && !Layout::new(&config.data.dir).has_log() {
            return Ok(Self::Kafka(Box::new(KafkaLetters::open(config)?)));
        }
        match claim_log(&config, output)? {
            Claim::There(remote) => Ok(Self::There(remote)),
            Claim::Here(log) => {
                let key = PseudonymKey::load_or_create(&config)?;
                let path = Layout::new(&config.data.dir).dead_letters();
                let directory = DeadLetterDir::open(&path, key.expose(), DEFAULT_LIMIT_BYTES)?;
                Ok(Self::Here { directory, config: Box::new(config), key, log })
            }
        }
    }

    fn list(&self) -> anyhow::Result<Letters> {
        match self {
            Self::Kafka(letters) => letters.list(),
            Self::Here { directory, .. } => Ok(letters::list(directory)?),
            Self::There(remote) => read(&remote.get("/v1/dead-letters", &[])?),
        }
    }
}

fn list(output: Output, place: &Place) -> anyhow::Result<()> {
    let letters = place.list()?;
    if output.json {
        return output.json(&letters);
    }
    let row = |letter: &Letter| {
        let or_dash = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
        let Letter { id, received_at, source, topic, shop, detail, .. } = letter;
        let [source, topic, shop] = [source, topic, shop].map(or_dash);
        vec![id.clone(), received_at.clone(), source, topic, shop, detail.clone()]
    };
    let rows: Vec<_> = letters.dead_letters.iter().map(row).collect();
    output.table(&["id", "received at", "source", "topic", "shop", "why"], &rows)
}

fn show(output: Output, place: &Place, id: &LetterId) -> anyhow::Result<()> {
    let unknown = || format!("there is no dead letter {id}; `dead-letter list` shows all");
    let letter = match place {
        Place::Here { directory, .. } => letters::show(directory, id)?.with_context(unknown)?,
        Place::Kafka(letters) => letters::shown(id, letters.find(id)?.with_context(unknown)?),
        Place::There(remote) => read(&remote.get(&format!("/v1/dead-letters/{id}"), &[])?)?,
    };
    if output.json {
        return output.json(&letter);
    }
    output.note(format_args!("{} {}: {}", letter.received_at, letter.reason, letter.detail));
    output.line(letter.body.unwrap_or_default())
}

fn retry(
    output: Output,
    place: &Place,
    id: Option<&LetterId>,
    shop: Option<&ShopDomain>,
) -> anyhow::Result<()> {
    let ids: Vec<LetterId> = if let Some(id) = id {
        vec![id.clone()]
    } else {
        let listed = place.list()?.dead_letters;
        listed.iter().filter_map(|letter| LetterId::parse(&letter.id)).collect()
    };
    let results = match place {
        Place::There(remote) => ids.iter().map(|id| retry_there(remote, id, shop)).collect(),
        Place::Kafka(letters) => letters.retry(&ids, shop)?,
        Place::Here { directory, config, key, log } => {
            let log = Arc::new(Log::File(log.clone()));
            let receiver = letters::receiver(config, key, directory, log)?;
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            let retry = |id| runtime.block_on(letters::retry(&receiver, directory, id, shop));
            ids.iter().map(|id| Ok(retry(id)?)).collect::<Vec<anyhow::Result<Retry>>>()
        }
    };
    let mut dead = 0;
    for (id, result) in ids.iter().zip(results) {
        let retried = result.unwrap_or_else(|error| Retry {
            id: id.to_string(),
            done: false,
            events: 0,
            detail: chain(error.as_ref()),
        });
        dead += usize::from(!retried.done);
        if output.json {
            output.json(&retried)?;
        } else {
            let word = if retried.done { "done" } else { "dead" };
            output.line(format_args!("{id} {word}: {}", retried.detail))?;
        }
    }
    if dead > 0 {
        bail!("{dead} of {} dead letters could not be imported and are kept", ids.len());
    }
    Ok(())
}

fn retry_there(remote: &Remote, id: &LetterId, shop: Option<&ShopDomain>) -> anyhow::Result<Retry> {
    let query: Vec<_> = shop.iter().map(|shop| ("shop", shop.as_str())).collect();
    read(&remote.post(&format!("/v1/dead-letters/{id}/retry"), &query, &[])?)
}

fn read<T: DeserializeOwned>(answer: &str) -> anyhow::Result<T> {
    serde_json::from_str(answer).context("the instance's answer is not understood")
}

fn id(text: &str) -> Result<LetterId, String> {
    LetterId::parse(text)
        .ok_or_else(|| "no id of a dead letter; `dead-letter list` shows them".into())
}
