//! `tallyhook backfill`: history from a file, through the same log as webhooks.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, bail};
use clap::CommandFactory as _;
use clap::error::ErrorKind;
use common::clock::{Clock as _, SystemClock};
use common::config::{Config, Needs, PseudonymKey};
use common::customer::Pseudonymizer;
use common::log::Log;
use common::shop::ShopDomain;
use indicatif::{ProgressBar, ProgressStyle};

use crate::args::{Cli, Global};
use crate::import::append::Destination;
use crate::import::checkpoint::{Checkpoint, Saved};
use crate::import::chunks::{Chunk, Chunks, Mark};
use crate::import::pipeline::Pipeline;
use crate::import::sink::Sink;
use crate::import::translate::{MAX_LINE_BYTES, Translator, default_source, needs_shop};
use crate::import::{Import, Imported, Kind, Totals};
use crate::node::claim::{Claim, claim};
use crate::node::distributed::safe_kafka_log;
use crate::node::layout::Layout;
use crate::node::open_log;
use crate::node::shared::{is_shared, shared_key};
use crate::output::{Output, message};

/// Chunks under way at a time, of at most 1,000 lines each.
const DEPTH: usize = 8;

/// The formats.
#[derive(clap::Subcommand, Debug)]
pub enum Command {
    /// Shopify orders in the webhooks' own shape, one a line
    ShopifyJsonl(Args),
    /// Event lines, one JSON object a line
    EventsJsonl(Args),
}

/// The arguments.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// The file; `-` reads standard input
    file: PathBuf,
    /// The shop of lines that name none [default: the only one that the source lists]
    #[arg(long, value_parser = ShopDomain::parse)]
    shop: Option<ShopDomain>,
    /// The source's name in the events [default: the first configured of the format, else import]
    #[arg(long)]
    source: Option<String>,
    /// Check every line and write nothing
    #[arg(long)]
    dry_run: bool,
    /// Begin at the start although an interrupted import could go on
    #[arg(long)]
    from_start: bool,
}

/// An import that is under way.
struct Running {
    checkpoint: Option<Checkpoint>,
    bar: ProgressBar,
    saved: Saved,
}

/// Imports the file; fails at the end where lines could not be imported.
pub fn run(global: &Global, command: &Command) -> anyhow::Result<()> {
    let (kind, args) = match command {
        Command::ShopifyJsonl(args) => (Kind::ShopifyJsonl, args),
        Command::EventsJsonl(args) => (Kind::EventsJsonl, args),
    };
    let config = global.configuration(Needs::Nothing)?;
    let source = args.source.clone().unwrap_or_else(|| default_source(&config, kind));
    let listed = config.sources.get(source.as_str()).and_then(|source| source.shops.only());
    let shop = args.shop.as_ref().or(listed).cloned();
    if needs_shop(kind, shop.as_ref()) {
        let text = "the orders do not name their shop: add --shop DOMAIN";
        Cli::command().error(ErrorKind::MissingRequiredArgument, text).exit();
    }
    let imported_at = SystemClock.now();
    let mut import = Import { kind, shop, source, imported_at };
    let checkpoint = checkpoint(&config, args, &import)?;
    let saved = checkpoint.as_ref().and_then(Checkpoint::load).filter(|_| !args.from_start);
    if let Some(Saved { mark, .. }) = saved {
        let text = format_args!("going on behind line {}; --from-start begins anew", mark.lines);
        global.output().note(text);
    }
    let begin = Saved { imported_at, mark: Mark::default(), totals: Totals::default() };
    let saved = saved.unwrap_or(begin);
    import.imported_at = saved.imported_at;

    let (reader, length) = open(&args.file, saved.mark)?;
    let sink = sink(&config, global.output(), args, &import)?;
    let bar = bar(length, saved.mark.offset);
    let chunks = Chunks::new(reader, saved.mark, MAX_LINE_BYTES);
    let totals = Running { checkpoint, bar, saved }.copy(chunks, &sink)?;
    summary(global.output(), &totals, args.dry_run)
}

impl Running {
    /// Moves all lines into the sink.
    fn copy<R: BufRead>(mut self, mut chunks: Chunks<R>, sink: &Sink) -> anyhow::Result<Totals> {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        let mut pipeline = Pipeline::new(runtime.handle().clone(), DEPTH);
        let mut lines = || chunks.next().context("cannot read the file");
        while let Some(chunk) = lines()? {
            let Chunk { first_line, text, errors, end } = chunk;
            let work = sink.take(text, first_line);
            let done = pipeline.push(async move {
                let mut imported = work.await?;
                imported.lines += errors.len() as u64;
                imported.errors.extend(errors);
                Ok((imported, end))
            })?;
            self.done(done)?;
        }
        while let done @ Some(_) = pipeline.pop()? {
            self.done(done)?;
        }
        self.bar.finish_and_clear();
        if let Some(checkpoint) = &self.checkpoint {
            checkpoint.remove();
        }
        Ok(self.saved.totals)
    }

    /// Everything up to the end of a chunk is durable.
    fn done(&mut self, done: Option<(Imported, Mark)>) -> anyhow::Result<()> {
        let Some((mut imported, end)) = done else { return Ok(()) };
        let totals = &mut self.saved.totals;
        totals.lines += imported.lines;
        totals.imported += imported.imported;
        totals.errors += imported.errors.len() as u64;
        self.saved.mark = end;
        imported.errors.sort_by_key(|error| error.line);
        self.bar.suspend(|| imported.errors.iter().for_each(message));
        self.bar.set_position(end.offset);
        if let Some(checkpoint) = &self.checkpoint {
            let saved = checkpoint.save(&self.saved);
            saved.context("cannot note how far the import is; check the data directory")?;
        }
        Ok(())
    }
}

fn summary(output: Output, totals: &Totals, dry_run: bool) -> anyhow::Result<()> {
    let Totals { lines, imported, errors } = totals;
    if output.json {
        output.json(&serde_json::json!({
            "lines": lines, "imported": imported, "errors": errors, "dry_run": dry_run,
        }))?;
    } else {
        let verb = if dry_run { "could be imported" } else { "imported" };
        output.line(format_args!("{lines} lines: {imported} {verb}, {errors} with errors"))?;
    }
    if *errors > 0 {
        bail!("{errors} of {lines} lines cannot be imported; correct them and import them again");
    }
    Ok(())
}

/// The checkpoint's place; none for what cannot be read again.
fn checkpoint(config: &Config, args: &Args, import: &Import) -> anyhow::Result<Option<Checkpoint>> {
    if args.dry_run || !args.file.is_file() {
        return Ok(None);
    }
    let imports = Layout::new(&config.data.dir).imports();
    let checkpoint = Checkpoint::of(&imports, &args.file, import);
    Ok(Some(checkpoint.with_context(|| cannot_read(&args.file))?))
}

/// The file from `start` on, and its length where that is known.
fn open(path: &Path, start: Mark) -> anyhow::Result<(Box<dyn BufRead>, Option<u64>)> {
    if path == Path::new("-") {
        return Ok((Box::new(BufReader::new(io::stdin())), None));
    }
    let open = || -> io::Result<(File, Option<u64>)> {
        let mut file = File::open(path)?;
        let metadata = file.metadata()?;
        if start.offset > 0 {
            file.seek(SeekFrom::Start(start.offset))?;
        }
        Ok((file, metadata.is_file().then_some(metadata.len())))
    };
    let (file, length) = open().with_context(|| cannot_read(path))?;
    Ok((Box::new(BufReader::with_capacity(1 << 20, file)), length))
}

fn cannot_read(path: &Path) -> String {
    format!("cannot read {}", path.display())
}

/// Where the lines go: nowhere, into the log, or to the instance that holds it.
fn sink(config: &Config, output: Output, args: &Args, import: &Import) -> anyhow::Result<Sink> {
    if args.dry_run {
        // A check makes no key: what it computes is thrown away.
        let pseudonyms = Pseudonymizer::new(&[0; 32]);
        return Ok(Sink::Nowhere(Arc::new(Translator::new(config, import.clone(), pseudonyms))));
    }
    let here = |key: &PseudonymKey, log: Destination| {
        let pseudonyms = Pseudonymizer::new(key.expose());
        let translator = Arc::new(Translator::new(config, import.clone(), pseudonyms));
        Sink::Log(translator, log)
    };
    if is_shared(config) {
        let key = shared_key(config)?;
        let log = safe_kafka_log(config)?;
        let brokers = config.kafka.as_ref().map(|kafka| kafka.brokers.join(", "));
        output.note(format_args!("using Kafka at {}", brokers.unwrap_or_default()));
        return Ok(here(&key, Arc::new(log)));
    }
    match claim(config, output, |layout| open_log(config, layout, None))? {
        Claim::Here(log) => {
            let key = PseudonymKey::load_or_create(config)?;
            Ok(here(&key, Arc::new(Log::File(log))))
        }
        Claim::There(remote) => Ok(Sink::Instance(Arc::new(remote), import.clone())),
    }
}

fn bar(length: Option<u64>, position: u64) -> ProgressBar {
    let bar = match length {
        Some(length) => {
            let form = "{wide_bar} {bytes}/{total_bytes} {bytes_per_sec} {eta}";
            let style = ProgressStyle::with_template(form);
            ProgressBar::new(length)
                .with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
        }
        None => ProgressBar::new_spinner(),
    };
    bar.with_position(position)
}
