//! The receiver before a real Kafka under load, and beside it a handler that verifies, produces the
//! body and waits, and a bare producer of the same bytes. All acknowledge by every in-sync replica.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use actix_web::web::{self, Bytes, PayloadConfig};
use actix_web::{HttpRequest, HttpResponse};
use common::partition::partition_of;
use common::shop::ShopDomain;
use common::topic;
use ingest::kafka::{KafkaLog, ProducerSettings};
use ingest::spool::{Begin, LogSeries, Spool, SpoolOptions, SpooledLog};
use ingest::verify::Verifier;
use prometheus::Registry;
use rdkafka::producer::{FutureProducer, FutureRecord};

use super::Scale;
use super::bodies::{self, Pool, Size};
use super::doors::{Configure, Door, bare, receiver, verified, verifier};
use super::load::{Round, round};
use super::peers::{produce, producer};
use super::services::Broker;
use super::state::PARTITIONS;
use super::table::{Table, median, ms};

/// The connections that are tried.
const CONNECTIONS: [usize; 2] = [64, 256];
/// A broker that was just started is several times slower.
const WARM_UP_RECORDS: usize = 200_000;
/// The lingers that are tried, of the bare handler and of the receiver.
const LINGERS_MS: [f64; 2] = [0.0, 1.0];
/// The spool before Kafka, and its segments.
const SPOOL_BYTES: u64 = 1 << 30;
const SEGMENT_BYTES: u64 = 64 << 20;
const BODY_LIMIT_BYTES: usize = 8 << 20;

/// The doors that are loaded in turns.
struct Doors {
    bare: Door,
    producing: Vec<Door>,
    durable: Vec<Door>,
}

/// Rounds of each door.
#[derive(Default)]
struct Rounds {
    bare: Vec<Round>,
    producing: Vec<Vec<Round>>,
    durable: Vec<Vec<Round>>,
    open: Vec<f64>,
}

/// Measures all of them at both sizes.
pub fn measure(directory: &Path, scale: Scale, table: &mut Table) -> anyhow::Result<()> {
    let home = directory.join("shared-doors");
    std::fs::create_dir_all(&home)?;
    let broker = Broker::start(&home)?;
    let open = producer(&broker.address, 0.0)?;
    let logs = LINGERS_MS.map(|linger_ms| spooled(&broker, linger_ms, &home));
    let logs = logs.into_iter().collect::<anyhow::Result<Vec<_>>>()?;
    let durable = logs.iter().map(|(kafka, log)| {
        let letters = home.join(format!("letters-{}", kafka.linger_ms));
        std::fs::create_dir_all(&letters)?;
        Door::open(receiver(Arc::new(log.clone()), &letters)?)
    });
    let producing = LINGERS_MS.map(|linger_ms| producing(producer(&broker.address, linger_ms)?));
    let doors = Doors {
        bare: Door::open(bare()?)?,
        producing: producing
            .into_iter()
            .map(|configure| Door::open(configure?))
            .collect::<anyhow::Result<_>>()?,
        durable: durable.collect::<anyhow::Result<_>>()?,
    };
    let warm = bodies::pool(Size::Small, scale.bodies)?;
    produce(&open, records(&warm).cycle().take(WARM_UP_RECORDS))?;
    for size in [Size::Small, Size::Large] {
        let pool = Arc::new(bodies::pool(size, scale.bodies)?);
        for connections in CONNECTIONS {
            table.part(&format!(
                "webhooks before Kafka: orders/create of {} ({} bytes), {connections} connections, \
                 {} rounds in turns",
                size.name(),
                pool.body_bytes,
                scale.rounds
            ));
            report(&doors.rounds(&pool, connections, &open, scale)?, table);
        }
    }
    for (kafka, log) in logs {
        log.close();
        kafka.log.close();
    }
    doors.durable.into_iter().try_for_each(Door::close)?;
    doors.producing.into_iter().try_for_each(Door::close)?;
    doors.bare.close()
}

impl Doors {
    fn rounds(
        &self,
        pool: &Arc<Pool>,
        connections: usize,
        open: &FutureProducer,
        scale: Scale,
    ) -> anyhow::Result<Rounds> {
        let warm_up = Duration::from_millis(scale.warm_up_ms);
        let length = Duration::from_millis(scale.round_ms);
        let load = |door: &Door| round(door.address, pool, connections, warm_up, length);
        let mut rounds = Rounds {
            producing: vec![Vec::new(); self.producing.len()],
            durable: vec![Vec::new(); self.durable.len()],
            ..Rounds::default()
        };
        for number in 0..scale.rounds {
            rounds.bare.push(load(&self.bare)?);
            // Whoever comes later finds the broker busier with what came before: the order changes.
            let mut doors: Vec<(&Door, &mut Vec<Round>)> =
                self.producing.iter().zip(&mut rounds.producing).collect();
            doors.extend(self.durable.iter().zip(&mut rounds.durable));
            if number % 2 == 1 {
                doors.reverse();
            }
            for (door, all) in doors {
                all.push(load(door)?);
            }
            let some = records(pool).cycle().take(scale.bodies * 4);
            rounds.open.push(produce(open, some)?);
        }
        Ok(rounds)
    }
}

fn report(rounds: &Rounds, table: &mut Table) {
    let of = |rounds: &[Round], get: fn(&Round) -> f64| median(rounds.iter().map(get).collect());
    let mut rows = |name: &str, rounds: &[Round]| {
        table.number(&format!("{name}: a second"), of(rounds, |r| r.per_second), 0, "webhooks/s");
        table.number(&format!("{name}: p99"), of(rounds, |r| ms(r.p99)), 2, "ms");
        let processor = of(rounds, |r| r.processor_us);
        table.number(&format!("{name}: processor, load included"), processor, 1, "us/webhook");
    };
    rows("bare, verifies only", &rounds.bare);
    for (linger_ms, producing) in LINGERS_MS.iter().zip(&rounds.producing) {
        rows(&format!("bare, verifies and produces, linger {linger_ms}"), producing);
    }
    for (linger_ms, durable) in LINGERS_MS.iter().zip(&rounds.durable) {
        rows(&format!("durable acknowledgement, linger {linger_ms}"), durable);
    }
    let lingers = LINGERS_MS.iter().zip(rounds.producing.iter().zip(&rounds.durable));
    for (linger_ms, (producing, durable)) in lingers {
        let pairs = producing.iter().zip(durable);
        let ratios = pairs.map(|(bare, durable)| durable.per_second / bare.per_second.max(1.0));
        let name = format!("ratio of durable to bare, linger {linger_ms}");
        table.number(&name, median(ratios.collect()), 2, "");
    }
    table.number("bare producer, many on their way", median(rounds.open.clone()), 0, "records/s");
}

/// A producer and how long it waits for company.
struct Lingering {
    linger_ms: f64,
    log: KafkaLog,
}

/// What the program's receiver appends to: Kafka, with a spool before it.
fn spooled(
    broker: &Broker,
    linger_ms: f64,
    home: &Path,
) -> anyhow::Result<(Lingering, SpooledLog)> {
    let series = LogSeries::register(&Registry::new())?;
    let mut settings = ProducerSettings::new(&broker.config()?, PARTITIONS);
    settings.linger = Duration::from_secs_f64(linger_ms / 1_000.0);
    let log = KafkaLog::open(settings, series.of("kafka"))?;
    let options = SpoolOptions::new(SPOOL_BYTES, SEGMENT_BYTES, series.of("spool"));
    let spool = Spool::open(&home.join(format!("spool-{linger_ms}")), options)?;
    let kafka = Arc::new(log.clone());
    let spooled = SpooledLog::start(kafka, PARTITIONS, Arc::new(spool), Begin::Open)?;
    Ok((Lingering { linger_ms, log }, spooled))
}

/// The bodies with the partitions of their shops.
fn records(pool: &Pool) -> impl Iterator<Item = (i32, &[u8])> + Clone {
    pool.bodies.iter().map(|(shop, body)| (partition(shop), &**body))
}

fn partition(shop: &str) -> i32 {
    ShopDomain::parse(shop).map_or(0, |shop| i32::from(partition_of(&shop, PARTITIONS)))
}

/// The least that a receiver before Kafka can do: signature, produce, wait, 200.
fn producing(producer: FutureProducer) -> anyhow::Result<Configure> {
    let (verifier, producer) = (web::Data::new(verifier()?), web::Data::new(producer));
    Ok(Arc::new(move |config| {
        config
            .app_data(verifier.clone())
            .app_data(producer.clone())
            .app_data(PayloadConfig::new(BODY_LIMIT_BYTES))
            .route("/webhooks/shopify", web::post().to(produce_and_wait));
    }))
}

async fn produce_and_wait(
    verifier: web::Data<Verifier>,
    producer: web::Data<FutureProducer>,
    request: HttpRequest,
    body: Bytes,
) -> HttpResponse {
    if !verified(&verifier, &request, &body) {
        return HttpResponse::Unauthorized().finish();
    }
    let shop = request.headers().get("X-Shopify-Shop-Domain");
    let shop = shop.and_then(|shop| shop.to_str().ok()).unwrap_or_default();
    let record =
        FutureRecord::to(topic::EVENTS).key(shop).partition(partition(shop)).payload(body.as_ref());
    match producer.send_result(record) {
        Ok(delivery) => match delivery.await {
            Ok(Ok(_)) => HttpResponse::Ok().finish(),
            Ok(Err(_)) | Err(_) => HttpResponse::ServiceUnavailable().finish(),
        },
        Err(_) => HttpResponse::ServiceUnavailable().finish(),
    }
}
