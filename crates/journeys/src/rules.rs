//! The rules of SEMANTICS 2 for one definition: what a touchpoint does to the open instance.
//!
//! Plain numbers only; where touchpoints come from and which may be skipped is the matcher's business.

/// How an instance stands. The order is that of [`Status::NAMES`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Status {
    Completed,
    Abandoned,
    Expired,
    Restarted,
    Open,
}

impl Status {
    /// The texts of the column `status`.
    pub(crate) const NAMES: [&'static str; 5] = ["completed", "abandoned", "expired", "restarted", "open"];
}

/// One instance of one definition. Times are microseconds since 1970 UTC.
#[derive(Debug, Clone)]
pub(crate) struct Instance {
    /// Which of the customers at hand, in their order.
    pub(crate) customer: u32,
    /// Index of the definition; definitions stand in the order of their names.
    pub(crate) definition: u32,
    /// Row of the first member, which gives the instance its id.
    pub(crate) first: u32,
    pub(crate) started_at: i64,
    pub(crate) last_at: i64,
    /// Meaningless while `status` is open.
    pub(crate) ended_at: i64,
    pub(crate) status: Status,
    /// Number of members.
    pub(crate) members: u32,
}

impl Instance {
    fn close(&mut self, status: Status, ended_at: i64) {
        debug_assert_eq!(self.status, Status::Open, "an instance closes once");
        self.status = status;
        self.ended_at = ended_at;
    }
}

/// A touchpoint as member of an instance, an index into [`Found::instances`].
#[derive(Debug, Clone, Copy)]
pub(crate) struct Member {
    pub(crate) instance: u32,
    pub(crate) row: u32,
}

/// The instances and members of some customers.
#[derive(Debug, Default)]
pub(crate) struct Found {
    pub(crate) instances: Vec<Instance>,
    /// In the order of time within an instance.
    pub(crate) members: Vec<Member>,
}

impl Found {
    fn open(&mut self, customer: u32, definition: u32, touchpoint: &Touchpoint) -> u32 {
        let instance = self.instances.len() as u32;
        self.instances.push(Instance {
            customer,
            definition,
            first: touchpoint.row,
            started_at: touchpoint.at,
            last_at: touchpoint.at,
            ended_at: touchpoint.at,
            status: Status::Open,
            members: 1,
        });
        self.members.push(Member { instance, row: touchpoint.row });
        instance
    }

    fn join(&mut self, instance: u32, touchpoint: &Touchpoint) {
        let joined = &mut self.instances[instance as usize];
        joined.last_at = touchpoint.at;
        joined.members += 1;
        self.members.push(Member { instance, row: touchpoint.row });
    }

    /// Bytes held.
    pub(crate) fn size(&self) -> usize {
        self.instances.capacity() * size_of::<Instance>() + self.members.capacity() * size_of::<Member>()
    }
}

/// What the rules need to know of a touchpoint.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Touchpoint {
    pub(crate) row: u32,
    /// Microseconds since 1970 UTC.
    pub(crate) at: i64,
    pub(crate) starts: bool,
    pub(crate) ends: bool,
    pub(crate) abandons: bool,
}

/// The limits of one definition; a limit that is not set is `i64::MAX`, which no difference exceeds.
#[derive(Debug, Clone)]
pub(crate) struct Rules {
    pub(crate) definition: u32,
    pub(crate) within: i64,
    pub(crate) idle: i64,
    pub(crate) split: bool,
}

impl Rules {
    /// Rule 1: whether `at` comes too late for the instance. Both limits are strict: a touchpoint exactly `within`
    /// after the start, or exactly `idle` after the last member, still belongs.
    fn is_over(&self, instance: &Instance, at: i64) -> bool {
        // Saturating: the times are data, and their difference may exceed 64 bits.
        at.saturating_sub(instance.started_at) > self.within || at.saturating_sub(instance.last_at) > self.idle
    }

    /// Rules 1 to 3 for the next touchpoint of a key that starts, ends, abandons or is included.
    ///
    /// One that does none of these is no member and need not be shown: the limits it would break are broken as well
    /// for whatever comes later, and the instance ends at its last member either way.
    pub(crate) fn advance(
        &self,
        open: Option<u32>,
        customer: u32,
        touchpoint: &Touchpoint,
        found: &mut Found,
    ) -> Option<u32> {
        let open = open.filter(|&instance| {
            let instance = &mut found.instances[instance as usize];
            let over = self.is_over(instance, touchpoint.at);
            if over {
                instance.close(Status::Expired, instance.last_at);
            }
            !over
        });
        let closes = if touchpoint.ends {
            Some(Status::Completed)
        } else if touchpoint.abandons {
            Some(Status::Abandoned)
        } else {
            None
        };
        let instance = match open {
            None if touchpoint.starts => found.open(customer, self.definition, touchpoint),
            None => return None,
            Some(instance) if closes.is_none() && touchpoint.starts && self.split => {
                let restarted = &mut found.instances[instance as usize];
                restarted.close(Status::Restarted, restarted.last_at);
                found.open(customer, self.definition, touchpoint)
            }
            Some(instance) => {
                found.join(instance, touchpoint);
                instance
            }
        };
        if let Some(status) = closes {
            found.instances[instance as usize].close(status, touchpoint.at);
            return None;
        }
        Some(instance)
    }

    /// After the last touchpoint of a key: the open instance is expired when its limits have passed by `as_of`.
    pub(crate) fn settle(&self, open: u32, as_of: i64, found: &mut Found) {
        let instance = &mut found.instances[open as usize];
        if self.is_over(instance, as_of) {
            instance.close(Status::Expired, instance.last_at);
        }
    }
}
