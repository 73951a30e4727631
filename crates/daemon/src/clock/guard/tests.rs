//! Tests which times the guard accepts, refuses, and forgets.

use super::super::sources::SourceSettings;
use super::super::{FixedClock, FixedUptime};
use super::*;

const START: u64 = 1_795_244_400;
const MONTH: i64 = 30 * 86_400;

struct World {
    clock: Arc<FixedClock>,
    uptime: Arc<FixedUptime>,
    guard: ClockGuard,
}

fn world(known: u64) -> World {
    let clock = Arc::new(FixedClock::new(Timestamp::from_seconds(START)));
    let uptime = Arc::new(FixedUptime::default());
    let guard = ClockGuard::new(clock.clone(), uptime.clone(), Timestamp::from_seconds(known));
    World { clock, uptime, guard }
}

fn servers() -> Arc<Sources> {
    let settings = SourceSettings {
        servers: vec!["a".to_owned()],
        max_offset: Duration::from_secs(1),
        threshold: 1,
        max_age: Duration::from_hours(1),
        period: Duration::from_mins(1),
    };
    Arc::new(Sources::new(settings))
}

impl World {
    fn set(&self, clock: i64, uptime: u64) {
        self.clock.set(Timestamp::from_seconds(START.saturating_add_signed(clock)));
        self.uptime.set(Duration::from_secs(uptime));
    }

    fn at(&self, clock: i64, uptime: u64) -> Result<u64, ClockFault> {
        self.set(clock, uptime);
        self.guard.signing_time().map(Timestamp::seconds)
    }

    fn looks(&self, clock: i64, uptime: u64) -> Result<(), ClockFault> {
        self.set(clock, uptime);
        self.guard.check().map(|_| ())
    }

    /// Another server has written an entry with a time `dated` seconds after the start, within the last two seconds.
    fn sees(&self, dated: i64) {
        let since = Moment(self.uptime.elapsed().saturating_sub(Duration::from_secs(2)));
        self.guard.other_server(Timestamp::from_seconds(START.saturating_add_signed(dated)), since);
    }
}

#[test]
fn time_that_passes_is_believed() {
    let world = world(0);
    for passed in [0, 1, 60, 86_400, 400 * 86_400] {
        assert_eq!(world.at(passed, passed.unsigned_abs()), Ok(START + passed.unsigned_abs()));
    }
}

#[test]
fn a_clock_set_back_is_refused_until_it_has_caught_up() {
    let world = world(0);
    assert_eq!(world.at(10, 10), Ok(START + 10));
    assert_eq!(world.at(9, 11), Ok(START + 10), "a second back is no fault, and time stands still");
    assert_eq!(world.at(-3590, 12), Err(ClockFault::Behind { seconds: 3600 }));
    assert_eq!(world.at(13, 13), Ok(START + 13));
}

#[test]
fn a_clock_set_forward_is_refused_and_leaves_no_trace() {
    let world = world(0);
    assert_eq!(world.at(10, 1), Ok(START + 10));
    assert_eq!(world.at(365 * 86_400, 12), Err(ClockFault::Ahead { seconds: 365 * 86_400 - 12 }));
    assert_eq!(world.at(13, 13), Ok(START + 13), "right again");
}

#[test]
fn what_was_signed_before_the_start_counts() {
    let world = world(START + 3600);
    assert_eq!(world.at(0, 0), Err(ClockFault::Behind { seconds: 3600 }));
    assert_eq!(world.at(3599, 3599), Ok(START + 3600));
}

#[test]
fn a_time_that_was_looked_at_and_not_given_out_binds_nobody() {
    // The process began with a clock a month ahead. It cannot notice that, and nothing was signed.
    let world = world(0);
    assert_eq!(world.looks(MONTH, 30 * 86_400), Ok(()));
    assert_eq!(world.at(20, 20), Ok(START + 20));
}

#[test]
fn a_clock_that_was_behind_at_the_start_may_be_set_forward() {
    let world = world(START + 3600);
    assert_eq!(world.looks(1, 1), Err(ClockFault::Behind { seconds: 3599 }));
    assert_eq!(world.at(3605, 5), Ok(START + 3605), "the clock was corrected");
    assert_eq!(world.at(3605 + MONTH, 5), Err(ClockFault::Ahead { seconds: MONTH.unsigned_abs() }), "once");
}

#[test]
fn a_clock_that_goes_back_for_a_while_is_where_it_was_afterwards() {
    let world = world(0);
    for second in 0..600 {
        assert_eq!(world.looks(i64::try_from(second).unwrap() - 7200, second), Ok(()));
    }
    assert_eq!(world.at(600, 600), Ok(START + 600));
    // If the clock stays back, the new time is accepted.
    let world = self::world(0);
    for second in (0..=2 * 3600).step_by(10) {
        assert_eq!(world.looks(i64::try_from(second).unwrap() - 7200, second), Ok(()));
    }
    assert_eq!(world.at(7200, 7200), Err(ClockFault::Ahead { seconds: 7200 }));
}

#[test]
fn small_corrections_do_not_add_up_to_a_jump() {
    let world = world(0);
    // One second forward every half hour, for a week.
    for half_hour in 0..336_i64 {
        let uptime = half_hour * 1800;
        assert!(world.at(uptime + half_hour, uptime.unsigned_abs()).is_ok(), "{half_hour}");
    }
    assert_eq!(world.at(336 * 1800 + 336 + MONTH, 336 * 1800), Err(ClockFault::Ahead { seconds: 30 * 86_400 + 2 }));
}

#[test]
fn another_server_that_dates_its_entries_earlier_stops_a_clock_that_began_ahead() {
    // Its own clock began a month ahead. The process cannot notice that.
    let world = world(0);
    assert!(world.looks(0, 0).is_ok());
    world.set(10, 10);
    world.sees(10 - MONTH);
    assert_eq!(world.looks(10, 10), Ok(()), "a single entry may be an old one");
    world.sees(10 - MONTH);
    assert_eq!(world.at(11, 11), Err(ClockFault::Disputed { seconds: 30 * 86_400 - 2 }));
    assert_eq!(world.looks(1000, 1000), Err(ClockFault::Disputed { seconds: 30 * 86_400 - 2 }), "it does not pass");
    assert_eq!(world.at(1001 - MONTH, 1001), Ok(START + 1001 - 30 * 86_400), "corrected");
}

#[test]
fn another_server_whose_clock_was_wrong_is_believed_again() {
    let world = world(0);
    world.set(10, 10);
    world.sees(-600);
    world.sees(-600);
    assert!(matches!(world.looks(10, 10), Err(ClockFault::Disputed { .. })));
    world.set(20, 20);
    world.sees(20);
    assert_eq!(world.at(20, 20), Ok(START + 20));
    // Within the delay of a slow transaction, and ahead of this clock, which the log itself checks.
    for dated in [-38, -38, 5000, 5000, -600, 30, -600, 30] {
        world.sees(dated);
        assert_eq!(world.looks(20, 20), Ok(()), "{dated}");
    }
}

#[test]
fn time_servers_confirm_a_jump_and_outrank_what_logs_say() {
    let sources = servers();
    let world = world(START + 2 * 3600);
    let guard = ClockGuard::new(world.clock.clone(), world.uptime.clone(), Timestamp::from_seconds(START + 7200));
    let world = World { guard: guard.confirmed_by(Arc::clone(&sources)), ..world };
    assert_eq!(world.at(0, 0), Err(ClockFault::Unconfirmed));
    sources.agree(Duration::from_secs(0), Duration::from_secs(1));
    assert_eq!(world.at(1, 1), Ok(START + 1), "a log was written by a clock that was ahead");
    // A jump that the time servers have not seen yet.
    assert_eq!(world.at(MONTH, 10), Err(ClockFault::Ahead { seconds: 30 * 86_400 - 10 }));
    sources.agree(Duration::from_secs(9), Duration::from_secs(12));
    let ahead = Err(ClockFault::Ahead { seconds: 30 * 86_400 - 10 });
    assert_eq!(world.at(MONTH + 2, 12), ahead, "this round had begun before the jump");
    sources.agree(Duration::from_secs(13), Duration::from_secs(14));
    assert_eq!(world.at(MONTH + 4, 14), Ok(START + 30 * 86_400 + 4));
    for _ in 0..2 {
        world.sees(14);
    }
    assert!(world.looks(MONTH + 5, 15).is_ok(), "time servers override another server");
}

#[test]
fn every_code_is_listed() {
    let faults = [
        ClockFault::Behind { seconds: 1 },
        ClockFault::Ahead { seconds: 1 },
        ClockFault::Disputed { seconds: 1 },
        ClockFault::Wrong { offset_ms: 1 },
        ClockFault::Unconfirmed,
        ClockFault::Stale { seconds: 1 },
    ];
    assert_eq!(faults.map(|fault| fault.code()), ClockFault::CODES);
}
