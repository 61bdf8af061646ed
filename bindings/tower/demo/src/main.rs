//! `make demo`: a storm of clients against a payments service, and what it charged.
//!
//! ```text
//! idem-demo [--purchases N] [--no-idempotency] [--log FILE] [--serve] [--port N] [--profile NAME]
//! ```
//!
//! Exits 1 if anything was charged twice.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use idem::Engine;
use idem_demo::{Shop, Storm, latencies, policy, serve};
use idem_http::Policy;

struct Options {
    purchases: usize,
    is_idempotent: bool,
    log: Option<String>,
    serves: bool,
    port: u16,
    profile: Option<Policy>,
}

fn options() -> Result<Options, String> {
    let mut options = Options {
        purchases: 2000,
        is_idempotent: true,
        log: None,
        serves: false,
        port: 0,
        profile: None,
    };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or_else(|| format!("{word} wants a value"));
        match word.as_str() {
            "--purchases" => options.purchases = number(&value()?)?,
            "--no-idempotency" => options.is_idempotent = false,
            "--log" => options.log = Some(value()?),
            "--serve" => options.serves = true,
            "--port" => options.port = number(&value()?)?,
            "--profile" => {
                options.profile = Some(match value()?.as_str() {
                    "ietf" => Policy::ietf(),
                    "stripe_v1" => Policy::stripe_v1(),
                    "stripe_v2" => Policy::stripe_v2(),
                    "coalesce" => Policy::coalesce(),
                    other => return Err(format!("no profile is called {other}")),
                });
            }
            other => return Err(format!("no option is called {other}")),
        }
    }
    Ok(options)
}

fn number<T: std::str::FromStr>(word: &str) -> Result<T, String> {
    word.parse().map_err(|_| format!("{word} is not such a number"))
}

#[tokio::main]
async fn main() -> ExitCode {
    // Some handlers panic as planned.
    std::panic::set_hook(Box::new(|panic| {
        if !panic.to_string().contains("planned") {
            eprintln!("{panic}");
        }
    }));
    match options() {
        Ok(options) => run(options).await.unwrap_or_else(|error| {
            eprintln!("idem-demo: {error}");
            ExitCode::from(2)
        }),
        Err(error) => {
            eprintln!("idem-demo: {error}");
            eprintln!(
                "idem-demo [--purchases N] [--no-idempotency] [--log FILE] [--serve] [--port N] [--profile NAME]"
            );
            ExitCode::from(2)
        }
    }
}

async fn run(options: Options) -> Result<ExitCode, Box<dyn std::error::Error>> {
    let engine = Engine::new()?;
    let shop = Shop::new(&engine);
    if let Some(profile) = options.profile {
        let address = serve(shop.router(Some(profile)), options.port).await?;
        println!("http://{address}/charge");
        return forever().await;
    }
    let policy = options.is_idempotent.then(policy);
    let address = serve(shop.router(policy), options.port).await?;
    let purchases = purchases(&options)?;
    let storm = Arc::new(Storm::new(address));
    let begun = Instant::now();
    let watched = (storm.clone(), shop.clone());
    let progress = tokio::spawn(async move {
        loop {
            tokio::time::sleep(Duration::from_millis(500)).await;
            let (seen, sums) = (watched.0.seen(), watched.1.ledger().sums());
            eprintln!(
                "{:5.1} s  {} requests, {} purchases charged, {} charged twice",
                begun.elapsed().as_secs_f64(),
                seen.requests,
                sums.purchases,
                sums.double_charges
            );
        }
    });
    storm.buy(purchases, 200).await;
    progress.abort();
    let (seen, sums, stats) = (storm.seen(), shop.ledger().sums(), engine.stats());
    let of = |status: u16| seen.statuses.get(&status).copied().unwrap_or_default();
    println!("storm of {:.1} s", begun.elapsed().as_secs_f64());
    for (name, count) in [
        ("requests", seen.requests),
        ("without an answer", of(0)),
        ("executions", shop.executions()),
        ("replays", seen.replays),
        ("409 outstanding", of(409)),
        ("422 another request", of(422)),
        ("500 unknown outcome", of(500)),
        ("renewed leases", stats.renews),
        ("purchases", sums.purchases as u64),
        ("charges", u64::from(sums.charges)),
        ("double charges", u64::from(sums.double_charges)),
    ] {
        println!("{name:>22}  {count}");
    }
    if options.log.is_none() {
        compare_latencies(&shop, address).await?;
    }
    if options.serves {
        println!("http://{address}/metrics and http://{address}/admin, until interrupted");
        return forever().await;
    }
    Ok(if sums.double_charges == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// What is bought: numbered things, or the lines of an access log, of which the same line of the same client is
/// the same purchase.
fn purchases(options: &Options) -> std::io::Result<Vec<String>> {
    let Some(path) = &options.log else {
        return Ok((0..options.purchases).map(|number| format!("purchase-{number}")).collect());
    };
    let log = String::from_utf8_lossy(&std::fs::read(path)?).into_owned();
    let purchase = |line: &str| {
        let client = line.split(' ').next()?;
        let target = line.split('"').nth(1)?.split(' ').nth(1)?;
        let target: String = target.chars().filter(char::is_ascii_alphanumeric).take(150).collect();
        Some(format!("{client}-{target}"))
    };
    Ok(log.lines().filter_map(purchase).collect())
}

/// Quick charges, with the layer and without.
async fn compare_latencies(
    shop: &Shop,
    with: std::net::SocketAddr,
) -> Result<(), Box<dyn std::error::Error>> {
    let without = serve(shop.router(None), 0).await?;
    for (name, address) in [("with the layer", with), ("without", without)] {
        let micros = latencies(address, name.split(' ').next().unwrap_or(name), 2000).await;
        let at = |part: usize| micros.get(micros.len() * part / 100).copied().unwrap_or_default();
        println!("{name:>22}  p50 {} us, p95 {} us, p99 {} us", at(50), at(95), at(99));
    }
    Ok(())
}

async fn forever() -> Result<ExitCode, Box<dyn std::error::Error>> {
    tokio::signal::ctrl_c().await?;
    Ok(ExitCode::SUCCESS)
}
