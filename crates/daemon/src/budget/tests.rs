//! The budget: what is counted, refused and given back.

use super::share::MAX_WAITING;
use super::*;
use futures_util::FutureExt as _;
use std::sync::mpsc;

const MIB: usize = 1 << 20;

fn arriving(budget: &Budget, bytes: usize) -> Result<Arriving, Busy> {
    let mut arriving = Arriving::new(Some(budget.clone()));
    arriving.grow_to(bytes).map(|()| arriving)
}

fn in_flight(budget: &Budget) -> (usize, usize) {
    (budget.0.small.in_flight_bytes(), budget.0.large.in_flight_bytes())
}

#[test]
fn large_bodies_leave_small_ones_their_share() {
    let budget = Budget::of(128 * MIB, 2);
    let large: Vec<_> = (0..3).map(|_| arriving(&budget, 32 * MIB).unwrap()).collect();
    assert_eq!(arriving(&budget, SMALL_BYTES + 1).unwrap_err(), Busy);
    let small: Vec<_> = (0..512).map(|_| arriving(&budget, SMALL_BYTES).unwrap()).collect();
    assert_eq!(arriving(&budget, 1).unwrap_err(), Busy);
    assert_eq!(in_flight(&budget), (32 * MIB, 96 * MIB));
    assert_eq!((budget.0.small.refused(), budget.0.large.refused()), ((1, 0), (1, 0)));
    drop((large, small));
    assert_eq!(in_flight(&budget), (0, 0));
}

#[test]
fn a_body_that_grows_moves_to_the_large_ones() {
    let budget = Budget::of(128 * MIB, 2);
    let mut body = arriving(&budget, 1000).unwrap();
    assert_eq!(in_flight(&budget), (1000, 0));
    body.grow_to(SMALL_BYTES).unwrap();
    body.grow_to(1).unwrap();
    assert_eq!(in_flight(&budget), (SMALL_BYTES, 0));
    body.grow_to(MIB).unwrap();
    assert_eq!(in_flight(&budget), (0, MIB));
    let _others = arriving(&budget, 95 * MIB).unwrap();
    assert_eq!(body.grow_to(MIB + 1), Err(Busy));
    assert_eq!(in_flight(&budget), (0, 96 * MIB), "what was refused is not counted");
    let load = body.arrived();
    let clone = load.clone();
    drop(load);
    assert_eq!(in_flight(&budget), (0, 96 * MIB));
    drop(clone);
    assert_eq!(in_flight(&budget), (0, 95 * MIB));
}

#[test]
fn too_small_a_budget_is_raised() {
    let budget = Budget::new(1);
    assert!(arriving(&budget, 32 * MIB).is_ok(), "the largest body of any route fits");
}

#[tokio::test]
async fn quick_work_stays_on_its_thread_and_other_work_leaves_it() {
    let budget = Budget::of(128 * MIB, 2);
    let here = std::thread::current().id();
    for (bytes, leaves) in [(QUICK_BYTES, false), (QUICK_BYTES + 1, true), (MIB, true)] {
        let load = arriving(&budget, bytes).unwrap().arrived();
        let there = load.run(|| std::thread::current().id()).await.unwrap();
        assert_eq!(there != here, leaves, "{bytes}");
    }
    assert_eq!(in_flight(&budget), (0, 0));
    assert_eq!(Arriving::new(None).arrived().run(|| 7).await, Ok(7), "without a budget");
}

#[tokio::test]
async fn one_large_body_at_a_time_is_worked_on_with_two_cores_and_few_wait() {
    let budget = Budget::of(128 * MIB, 2);
    let load = || arriving(&budget, SMALL_BYTES + 1).unwrap().arrived();
    let (go_on, told) = mpsc::channel::<()>();
    let working = tokio::spawn(load().run(move || told.recv().is_ok()));
    // It has the only thread once it counts as begun.
    while budget.0.large.thread(1).now_or_never().is_some() {
        tokio::task::yield_now().await;
    }
    let mut waiting: Vec<_> = (0..MAX_WAITING).map(|_| Box::pin(load().run(|| true))).collect();
    for work in &mut waiting {
        assert_eq!(work.now_or_never(), None);
    }
    assert_eq!(load().run(|| true).await, Err(Busy));
    assert_eq!(budget.0.large.refused(), (0, 1));
    let small = arriving(&budget, SMALL_BYTES).unwrap().arrived();
    assert_eq!(small.run(|| true).await, Ok(true), "small bodies have threads of their own");
    // A client that goes makes room.
    drop(waiting.pop());
    go_on.send(()).unwrap();
    assert_eq!(working.await.unwrap(), Ok(true));
    for work in waiting {
        assert_eq!(work.await, Ok(true));
    }
    assert_eq!(in_flight(&budget), (0, 0));
}

#[tokio::test]
async fn a_panic_reaches_the_caller_and_gives_everything_back() {
    let budget = Budget::of(128 * MIB, 2);
    let load = arriving(&budget, MIB).unwrap().arrived();
    let panicked = tokio::spawn(load.run(|| -> u8 { panic!("on purpose") })).await;
    assert!(panicked.unwrap_err().is_panic());
    assert_eq!(in_flight(&budget), (0, 0));
    let load = arriving(&budget, MIB).unwrap().arrived();
    assert_eq!(load.run(|| 7).await, Ok(7));
}

#[test]
fn it_is_measured() {
    let (budget, metrics) = (Budget::of(128 * MIB, 2), Metrics::default());
    budget.measure(&metrics).unwrap();
    let _large = arriving(&budget, 96 * MIB).unwrap();
    assert!(arriving(&budget, MIB).is_err());
    let text = metrics.text().unwrap();
    for line in [
        "\nchancery_request_bytes_in_flight{size=\"large\"} 100663296\n",
        "\nchancery_request_bytes_in_flight{size=\"small\"} 0\n",
        "\nchancery_requests_refused_busy_total{reason=\"bytes\",size=\"large\"} 1\n",
        "\nchancery_requests_refused_busy_total{reason=\"threads\",size=\"large\"} 0\n",
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
}
