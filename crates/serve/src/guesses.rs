//! Guessing of passwords: each wrong one makes the next wait longer, and many lock an address out.
//!
//! Both ports share the count. Attempts of an address that run at the same time are no more than it has left, so that
//! guesses sent side by side gain nothing; those who know the password only wait for each other for a moment.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use crate::failure::{Failure, sqlstate};

/// What the first wrong password waits for; each further one waits twice as long, up to the longest.
const FIRST_WAIT: Duration = Duration::from_millis(250);
const LONGEST_WAIT: Duration = Duration::from_secs(4);
/// Addresses that are remembered. With more, those that guessed longest ago are forgotten.
const MOST_ADDRESSES: usize = 10_000;

/// What is known of those who guess.
pub(crate) struct Guesses {
    most: u32,
    lockout: Duration,
    known: Mutex<HashMap<IpAddr, Known>>,
    ended: Notify,
}

struct Known {
    wrong: u32,
    running: u32,
    /// When the last wrong one has waited.
    since: Instant,
}

/// An attempt of an address. Dropped without a word it was none.
pub(crate) struct Attempt<'a> {
    guesses: &'a Guesses,
    address: IpAddr,
}

impl Guesses {
    /// Locks an address out for so long after so many wrong passwords.
    pub(crate) fn new(most: u32, lockout: Duration) -> Self {
        Self { most, lockout, known: Mutex::default(), ended: Notify::new() }
    }

    fn known(&self) -> MutexGuard<'_, HashMap<IpAddr, Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Refuses an address that is locked out.
    pub(crate) fn check(&self, peer: SocketAddr) -> Result<(), Failure> {
        let address = of_network(peer.ip());
        let mut known = self.known();
        let Some(of_address) = known.get_mut(&address) else { return Ok(()) };
        let now = Instant::now();
        let until = of_address.since + self.lockout;
        if now >= until {
            of_address.wrong = 0;
        }
        if of_address.wrong < self.most {
            return Ok(());
        }
        let left = until.saturating_duration_since(now).as_secs() + 1;
        let message =
            format!("this address gave {} wrong passwords and is locked out for another {left} s", of_address.wrong);
        let hint = "wait, or start the endpoint with other --max-wrong-passwords and --lockout";
        Err(Failure::new(sqlstate::LOGIN_REFUSED, message).hint(hint))
    }

    /// Begins an attempt, once the address has one left.
    pub(crate) async fn attempt(&self, peer: SocketAddr) -> Result<Attempt<'_>, Failure> {
        let address = of_network(peer.ip());
        loop {
            let mut ended = std::pin::pin!(self.ended.notified());
            ended.as_mut().enable();
            self.check(peer)?;
            if self.begin(address) {
                return Ok(Attempt { guesses: self, address });
            }
            ended.await;
        }
    }

    fn begin(&self, address: IpAddr) -> bool {
        let mut known = self.known();
        if known.len() >= MOST_ADDRESSES && !known.contains_key(&address) {
            let oldest = known.iter().filter(|(_, of)| of.running == 0).min_by_key(|(_, of)| of.since);
            if let Some(oldest) = oldest.map(|(address, _)| *address) {
                known.remove(&oldest);
            }
        }
        let of_address = known.entry(address).or_insert(Known { wrong: 0, running: 0, since: Instant::now() });
        let is_free = of_address.wrong + of_address.running < self.most;
        of_address.running += u32::from(is_free);
        is_free
    }
}

impl Attempt<'_> {
    /// The password was right, and what was wrong before is forgotten.
    pub(crate) fn right(self) {
        if let Some(known) = self.guesses.known().get_mut(&self.address) {
            known.wrong = 0;
        }
    }

    /// The password was wrong; for how long the answer has to wait.
    pub(crate) fn wrong(self) -> Duration {
        let mut all = self.guesses.known();
        let Some(known) = all.get_mut(&self.address) else { return LONGEST_WAIT };
        known.wrong += 1;
        let wait = FIRST_WAIT.saturating_mul(1 << (known.wrong - 1).min(16)).min(LONGEST_WAIT);
        known.since = Instant::now() + wait;
        wait
    }
}

impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        let mut known = self.guesses.known();
        if let Some(of_address) = known.get_mut(&self.address) {
            of_address.running = of_address.running.saturating_sub(1);
            if of_address.running == 0 && of_address.wrong == 0 {
                known.remove(&self.address);
            }
        }
        drop(known);
        self.guesses.ended.notify_waiters();
    }
}

/// Whoever has one address of IPv6 has all of its /64.
fn of_network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6((address.to_bits() & !u128::from(u64::MAX)).into()),
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(address: &str) -> SocketAddr {
        SocketAddr::new(address.parse().unwrap(), 1)
    }

    #[tokio::test]
    async fn wrong_passwords_wait_longer_and_lock_out_and_a_right_one_forgives() {
        let guesses = Guesses::new(3, Duration::from_secs(60));
        let ann = peer("192.0.2.1");
        assert_eq!(guesses.attempt(ann).await.unwrap().wrong(), Duration::from_millis(250));
        assert_eq!(guesses.attempt(ann).await.unwrap().wrong(), Duration::from_millis(500));
        guesses.attempt(ann).await.unwrap().right();
        for milliseconds in [250, 500, 1000] {
            assert_eq!(guesses.attempt(ann).await.unwrap().wrong(), Duration::from_millis(milliseconds));
        }
        assert!(guesses.attempt(ann).await.is_err() && guesses.check(ann).is_err());
        assert!(guesses.check(peer("192.0.2.2")).is_ok(), "others are not");
        assert!(guesses.check(peer("::ffff:192.0.2.1")).is_err(), "the same address in other clothes is");
    }

    #[tokio::test]
    async fn attempts_side_by_side_are_no_more_than_are_left() {
        let guesses = Guesses::new(2, Duration::from_secs(60));
        let first = guesses.attempt(peer("2001:db8::1")).await.unwrap();
        let _second = guesses.attempt(peer("2001:db8::2")).await.unwrap();
        let third = tokio::time::timeout(Duration::from_millis(50), guesses.attempt(peer("2001:db8::3"))).await;
        assert!(third.is_err(), "it waits");
        first.right();
        assert!(guesses.attempt(peer("2001:db8::3")).await.is_ok());
    }

    #[tokio::test]
    async fn a_lockout_ends() {
        let guesses = Guesses::new(1, Duration::ZERO);
        let _ = guesses.attempt(peer("192.0.2.1")).await.unwrap().wrong();
        assert!(guesses.check(peer("192.0.2.1")).is_err());
        tokio::time::sleep(Duration::from_millis(300)).await;
        assert!(guesses.check(peer("192.0.2.1")).is_ok());
    }
}
