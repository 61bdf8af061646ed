//! The demo server under the conformance kit, in all profiles; and the kit, which sees broken servers.

use idem::Engine;
use idem_conformance::{Report, Scenario, run, scenarios};
use idem_demo::{Shop, Storm, policy, serve};
use idem_http::{Fate, Policy, WhileInFlight};

async fn report(policy: Option<Policy>, profile: &str, only: &str) -> Report {
    let shop = Shop::new(&Engine::new().unwrap());
    let address = serve(shop.router(policy), 0).await.unwrap();
    let chosen: Vec<Scenario> =
        scenarios().unwrap().into_iter().filter(|scenario| scenario.name.contains(only)).collect();
    run(&format!("http://{address}/charge"), profile, &chosen, |_| ()).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_profiles_conform() {
    for policy in [Policy::ietf(), Policy::stripe_v1(), Policy::stripe_v2(), Policy::coalesce()] {
        let name = policy.name;
        let report = report(Some(policy), name, "").await;
        assert!(report.is_good(), "{name}:\n{report}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broken_server_is_seen() {
    // No layer at all.
    assert!(!report(None, "ietf", "retry gets the first").await.is_good());
    assert!(!report(None, "ietf", "hundred at once").await.is_good());
    // Rules broken one by one.
    let keeps_failures = {
        let mut policy = Policy::ietf();
        policy.fates.iter_mut().for_each(|rule| rule.fate = Fate::Keep);
        policy
    };
    assert!(!report(Some(keeps_failures), "ietf", "runs again").await.is_good());
    let mut deaf = Policy::ietf();
    deaf.says.body = idem_http::Body::Ignored;
    assert!(!report(Some(deaf), "ietf", "another body").await.is_good());
    let waits = WhileInFlight::Wait(std::time::Duration::from_secs(5));
    let waiting = Policy { while_in_flight: waits, ..Policy::ietf() };
    assert!(!report(Some(waiting), "ietf", "a conflict says").await.is_good());
    let lenient = Policy { syntax: idem_http::Syntax::Lenient, ..Policy::ietf() };
    assert!(!report(Some(lenient), "ietf", "strict syntax").await.is_good());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_storm_charges_nothing_twice() {
    std::panic::set_hook(Box::new(|_| ()));
    for (policy, is_safe) in [(Some(policy()), true), (None, false)] {
        let shop = Shop::new(&Engine::new().unwrap());
        let address = serve(shop.router(policy), 0).await.unwrap();
        let storm = Storm::new(address);
        storm.buy((0..100).map(|number| format!("purchase-{number}")), 50).await;
        let sums = shop.ledger().sums();
        assert_eq!(sums.double_charges == 0, is_safe, "{sums:?}");
        // All but those whose handler panics before the charge; the mistaken ones only without the layer.
        assert!(sums.purchases >= 90, "{sums:?}");
    }
}
