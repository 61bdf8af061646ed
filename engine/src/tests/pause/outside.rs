//! What is done to a key without its lease; batches; and namespaces with limits.

use super::Scenario;
use super::found::{Found, Operation, Sight, body, operation};
use super::gate::Stop;
use super::world::{BODY, KEY, LEASE, RECORDS, RETENTION, World, YEAR, millis};
use crate::{
    Claim, Engine, HaltToken, Key, Lease, NamespaceOptions, OnEnd, Reason, Resolution, Scope,
    Status,
};

use Sight::{Execute, Halted, InFlight, Replay};

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario::new("peek at nothing", &[Execute], |_| peeks()),
    Scenario::new("peek at a flight", &[InFlight], |world| {
        world.keep(Found::Lease(world.own(KEY)));
        peeks()
    }),
    Scenario::new("peek at a response, behind one with its tag", &[Replay], |world| {
        world.store(world.neighbours()[1]);
        world.store(KEY);
        peeks()
    }),
    Scenario::new("forget of a response", &[Replay, Execute], |world| {
        world.store(KEY);
        forgets(false)
    }),
    Scenario::new("forget of a response that is held", &[Replay, Execute], |world| {
        world.store(KEY);
        world.keep(world.ask(KEY).1);
        forgets(false)
    }),
    Scenario::new("forget of a halted record", &[Halted], |world| {
        world.own(KEY).halt(Reason::Owner).expect("ours");
        forgets(false)
    }),
    Scenario::new("forget by force, two wait", &[InFlight, Execute], |world| {
        world.keep(Found::Lease(world.own(KEY)));
        world.keep_all([world.queue(KEY), world.queue(KEY)]);
        forgets(true)
    })
    .taking(),
    Scenario::new("detach, two wait", &[InFlight, Execute], |world| {
        world.keep(Found::Lease(world.own(KEY)));
        world.keep_all([world.queue(KEY), world.queue(KEY)]);
        detaches()
    })
    .taking(),
    Scenario::new("detach of what is vacated", &[InFlight, Execute], |world| {
        let lease = world.own(KEY);
        world.keep_all([world.queue(KEY), world.queue(KEY)]);
        lease.cancel(Reason::Owner).expect("ours");
        detaches()
    })
    .taking(),
    Scenario::new("complete of what was detached", &[Execute], |world| {
        let lease = world.own(KEY);
        world.keep_all([world.queue(KEY)]);
        assert_eq!(world.engine.detach(world.numbered(KEY)), Ok(true));
        completes(lease)
    })
    .taking(),
    Scenario::new("complete, one that detached was stopped", &[Execute], |world| {
        let lease = world.own(KEY);
        world.keep_all([world.queue(KEY)]);
        world.stopped_beside(stop_after_end(), |world| {
            let _ = world.engine.detach(world.numbered(KEY));
            Found::Nothing
        });
        completes(lease)
    })
    .taking(),
    Scenario::new("tick, one that detached was stopped", &[Execute], |world| {
        world.keep(Found::Lease(world.own(KEY)));
        world.stopped_beside(stop_after_end(), |world| {
            let _ = world.engine.detach(world.numbered(KEY));
            Found::Nothing
        });
        ticks()
    })
    .taking(),
    Scenario::new("force, handing over", &[InFlight], |world| forces(world, OnEnd::HandOver))
        .taking(),
    Scenario::new("force, failing waiters", &[InFlight, Execute], |world| {
        forces(world, OnEnd::FailWaiters)
    })
    .taking(),
    Scenario::new("force, halting", &[InFlight, Halted], |world| forces(world, OnEnd::Halt))
        .taking(),
    Scenario::new("resolve, completing", &[Halted, Replay], |world| {
        let token = halted(world);
        operation(move |world| {
            let (key, bytes) = (world.numbered(KEY), body(KEY, BODY));
            let resolution = Resolution::Complete(&bytes, millis(RETENTION));
            let _ = world.engine.resolve(key, token, resolution);
            Found::Nothing
        })
    }),
    Scenario::new("resolve, releasing", &[Halted, Execute], |world| {
        let token = halted(world);
        operation(move |world| {
            let _ = world.engine.resolve(world.numbered(KEY), token, Resolution::Release);
            Found::Nothing
        })
    }),
    Scenario::new("resolve, keeping", &[Halted], |world| {
        let token = halted(world);
        operation(move |world| {
            let _ = world.engine.resolve(world.numbered(KEY), token, Resolution::Keep);
            Found::Nothing
        })
    }),
    Scenario::new("listing", &[InFlight], |world| {
        world.keep(Found::Lease(world.own(KEY)));
        world.keep_all([world.queue(KEY)]);
        world.own(100).halt(Reason::Owner).expect("ours");
        lists()
    })
    .stopped_every(3),
    Scenario::new("a batch of claims", &[Execute, InFlight], |world| {
        world.store(world.neighbours()[1]);
        operation(|world| {
            let claim = |number| Claim::new(world.numbered(number)).wait(false);
            let claims = [KEY, world.neighbours()[1], KEY].map(claim);
            let outcomes = world.engine.claim_batch(&claims).expect("they are in bounds");
            outcomes.into_iter().next().map_or(Found::Nothing, Found::from)
        })
    }),
    Scenario::new("a batch of completions", &[InFlight, Replay], |world| {
        let leases = [world.own(100), world.own(KEY)];
        operation(move |_| {
            let bytes = body(KEY, BODY);
            drop(Lease::complete_batch(leases.map(|lease| (lease, &bytes[..]))));
            Found::Nothing
        })
    }),
    Scenario::new("claim, limits of namespace and scope", &[Execute, InFlight], |_| claims())
        .keyed(limited),
    Scenario::new("complete, limits of namespace and scope", &[InFlight, Replay], |world| {
        completes(world.own(KEY))
    })
    .keyed(limited),
    Scenario::new("cancel, limits of namespace and scope", &[InFlight, Execute], |world| {
        let lease = world.own(KEY);
        operation(move |_| {
            let _ = lease.cancel(Reason::Owner);
            Found::Nothing
        })
    })
    .keyed(limited),
    Scenario::new("tick, limits of namespace and scope", &[Execute], |world| {
        world.store(KEY);
        world.pass_millis(RETENTION);
        ticks()
    })
    .keyed(limited),
    Scenario::new("listing, limits of namespace and scope", &[InFlight], |world| {
        world.keep(Found::Lease(world.own(KEY)));
        lists()
    })
    .keyed(limited)
    .stopped_every(3),
    Scenario::new("a namespace cleared", &[Replay, Execute], |world| {
        world.store(KEY);
        operation(|world| {
            world.engine.clear();
            Found::Nothing
        })
    })
    .taking(),
    Scenario::new("a namespace cleared, two wait", &[InFlight, Execute], |world| {
        world.keep(Found::Lease(world.own(KEY)));
        world.keep_all([world.queue(KEY), world.queue(KEY)]);
        operation(|world| {
            world.engine.clear();
            Found::Nothing
        })
    })
    .taking(),
    Scenario::new("a namespace cleared, with limits", &[Replay, Execute], |world| {
        world.store(KEY);
        operation(|world| {
            clear_limited(world);
            Found::Nothing
        })
    })
    .keyed(limited)
    .taking(),
    Scenario::new("complete, one that clears was stopped", &[InFlight, Replay], |world| {
        let lease = world.own(KEY);
        world.stopped_beside(Stop::After("realms.rs", "self.has_cleared.store"), |world| {
            world.engine.clear();
            Found::Nothing
        });
        completes(lease)
    })
    .taking(),
    Scenario::new("claim, its namespace cleared", &[Execute, InFlight], |world| {
        world.store(KEY);
        world.engine.clear();
        claims()
    }),
    Scenario::new("claim, its namespace cleared, with limits", &[Execute, InFlight], |world| {
        world.store(KEY);
        clear_limited(world);
        claims()
    })
    .keyed(limited),
    Scenario::new("cancel, its namespace cleared, two wait", &[Execute], |world| {
        let lease = world.own_on(KEY, Claim::new(world.numbered(KEY)).lease(YEAR));
        world.keep_all([world.queue(KEY), world.queue(KEY)]);
        world.engine.clear();
        operation(move |_| {
            let _ = lease.cancel(Reason::Owner);
            Found::Nothing
        })
    })
    .taking(),
    Scenario::new("a look at an offer, its namespace cleared", &[Execute], |world| {
        let lease = world.own(KEY);
        let (first, second) = (world.queue(KEY), world.queue(KEY));
        lease.cancel(Reason::Owner).expect("ours");
        world.engine.clear();
        world.keep_all([second]);
        operation(move |_| first.wait_for(millis(0)).into())
    })
    .taking(),
    Scenario::new("tick, its namespace cleared", &[Execute], |world| {
        world.store(KEY);
        world.engine.clear();
        ticks()
    }),
    Scenario::new("complete, its namespace cleared", &[Execute], |world| {
        let lease = world.own_on(KEY, Claim::new(world.numbered(KEY)).lease(YEAR));
        world.engine.clear();
        completes(lease)
    })
    .taking(),
];

fn peeks() -> Operation {
    operation(|world| {
        let mut bytes = Vec::new();
        let status = world.engine.peek_into(world.numbered(KEY), &mut bytes);
        if let Ok(Status::Completed { length, .. }) = status {
            assert_eq!(bytes, body(KEY, length.unwrap_or_default()), "half a response");
        }
        Found::Nothing
    })
}

fn forgets(by_force: bool) -> Operation {
    operation(move |world| {
        let key = world.numbered(KEY);
        let _ = if by_force { world.engine.forget_forced(key) } else { world.engine.forget(key) };
        Found::Nothing
    })
}

fn detaches() -> Operation {
    operation(|world| {
        let _ = world.engine.detach(world.numbered(KEY));
        Found::Nothing
    })
}

fn lists() -> Operation {
    operation(|world| {
        let _ = world.engine.listing().count();
        Found::Nothing
    })
}

fn forces(world: &World, policy: OnEnd) -> Operation {
    world.keep(Found::Lease(world.own(KEY)));
    world.keep_all([world.queue(KEY), world.queue(KEY)]);
    operation(move |world| {
        let _ = world.engine.force_end(world.numbered(KEY), policy);
        Found::Nothing
    })
}

fn claims() -> Operation {
    operation(|world| world.lab().ask(world.numbered(KEY)).into())
}

fn completes(lease: Lease) -> Operation {
    operation(move |_| {
        let _ = lease.complete(&body(KEY, BODY));
        Found::Nothing
    })
}

fn ticks() -> Operation {
    operation(|world| {
        world.lab().settle();
        Found::Nothing
    })
}

/// Right after the step that changes the fate.
fn stop_after_end() -> Stop {
    Stop::After("record/flight.rs", "self.fate.compare_exchange")
}

fn halted(world: &World) -> HaltToken {
    world.own(KEY).halt(Reason::Owner).expect("ours");
    match world.engine.peek(world.numbered(KEY)) {
        Ok(Status::Halted(_, _, token)) => token,
        other => panic!("not halted, but {other:?}"),
    }
}

fn clear_limited(world: &World) {
    world.engine.namespace("limited").expect("it was defined").clear();
}

/// Keys of one scope, in a namespace; both have limits, which are no less than the engine's.
fn limited(engine: &Engine, number: u128) -> Key {
    let options = NamespaceOptions::default()
        .records(RECORDS as u64)
        .records_per_scope(RECORDS as u64)
        .lease(millis(LEASE));
    let namespace = engine.define_namespace("limited", options).expect("in bounds");
    namespace.key(Scope::Of(b"scope"), &number.to_le_bytes()).expect("not empty")
}
