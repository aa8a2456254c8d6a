//! The slow, plain reference of SEMANTICS 2 and 5: every spell, every day, every journey, one after the other.
//!
//! On each day the definitions are matched over what the company knew before that day, and nothing is remembered from
//! the day before. Nothing here is shared with the program.

use std::collections::{BTreeMap, BTreeSet};

use super::company::{Attributes, Company, DAY, Definition, Spell, Touchpoint};

const ASSISTED: [&str; 4] = ["phone", "chat", "field", "store"];

/// How an instance stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Status {
    Open,
    Completed,
    Abandoned,
    Expired,
    Restarted,
}

/// An instance: the places of its members among the touchpoints, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Instance {
    pub(super) members: Vec<usize>,
    pub(super) status: Status,
}

/// The instances of one key, as of `as_of`: the rules of SEMANTICS 2 word by word, over the times at which touchpoints
/// became known. `touchpoints` are those of one customer, in order; only `places` belong to the key.
pub(super) fn instances(
    definition: &Definition,
    touchpoints: &[Touchpoint],
    places: &[usize],
    as_of: i64,
) -> Vec<Instance> {
    let mut closed = Vec::new();
    let mut open: Option<Vec<usize>> = None;
    let is_past_limits = |members: &[usize], t: i64| {
        let (first, last) = (members.first().copied(), members.last().copied());
        let passed = |place: Option<usize>, limit: Option<i64>| match (place, limit) {
            (Some(place), Some(limit)) => t - touchpoints[place].known_at > limit,
            _ => false,
        };
        passed(first, definition.within) || passed(last, definition.idle)
    };
    for &place in places.iter().filter(|place| touchpoints[**place].known_at < as_of) {
        let event = touchpoints[place].event;
        let (starts, ends) = (definition.starts.contains(&event), definition.ends.contains(&event));
        let abandons = definition.abandons.contains(&event);
        // Rule 1.
        if let Some(members) = open.take_if(|members| is_past_limits(members, touchpoints[place].known_at)) {
            closed.push(Instance { members, status: Status::Expired });
        }
        let Some(members) = &mut open else {
            // Rule 2.
            if starts {
                match (ends, abandons) {
                    (true, _) => closed.push(Instance { members: vec![place], status: Status::Completed }),
                    (false, true) => closed.push(Instance { members: vec![place], status: Status::Abandoned }),
                    (false, false) => open = Some(vec![place]),
                }
            }
            continue;
        };
        // Rule 3: the first that holds decides.
        if ends || abandons {
            members.push(place);
            let status = if ends { Status::Completed } else { Status::Abandoned };
            closed.extend(open.take().map(|members| Instance { members, status }));
        } else if starts && definition.splits {
            let status = Status::Restarted;
            closed.extend(open.replace(vec![place]).map(|members| Instance { members, status }));
        } else if starts || definition.includes.as_ref().is_none_or(|includes| includes.contains(&event)) {
            members.push(place);
        }
    }
    if let Some(members) = open {
        let status = if is_past_limits(&members, as_of) { Status::Expired } else { Status::Open };
        closed.push(Instance { members, status });
    }
    closed
}

/// A customer's instances of a definition, each key by itself; without a value of the key a touchpoint is set aside.
fn instances_of_customer(definition: &Definition, touchpoints: &[Touchpoint], as_of: i64) -> Vec<Instance> {
    let mut keys: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (place, touchpoint) in touchpoints.iter().enumerate() {
        match (definition.by_order, &touchpoint.order_id) {
            (false, _) => keys.entry("").or_default().push(place),
            (true, Some(order)) => keys.entry(order).or_default().push(place),
            (true, None) => {}
        }
    }
    keys.values().flat_map(|places| instances(definition, touchpoints, places, as_of)).collect()
}

/// Whether a contact's topic had another contact in the instance within 7 days before it.
fn has_repeat_contact(instance: &Instance, touchpoints: &[Touchpoint]) -> bool {
    let members: Vec<&Touchpoint> = instance.members.iter().map(|place| &touchpoints[*place]).collect();
    let is_contact = |touchpoint: &&&Touchpoint| ASSISTED.contains(&touchpoint.channel) && touchpoint.topic.is_some();
    members.iter().enumerate().any(|(place, later)| {
        let earlier = members[..place].iter().filter(is_contact);
        let same =
            |earlier: &&&Touchpoint| earlier.topic == later.topic && later.known_at - earlier.known_at <= 7 * DAY;
        is_contact(&later) && earlier.clone().any(|touchpoint| same(&touchpoint))
    })
}

/// How a spell's customer stands to a journey when day `t` begins: the band of days since the latest touchpoint and how
/// its instance goes by then; `None` when unexposed.
fn exposure(
    definition: &Definition,
    touchpoints: &[Touchpoint],
    t: i64,
    horizon_days: i64,
) -> Option<(String, &'static str)> {
    let instances = instances_of_customer(definition, touchpoints, t);
    // The places follow the order by known_at, occurred_at, touchpoint_id.
    let latest = |instance: &Instance| instance.members.last().copied();
    let instance = instances.iter().max_by_key(|instance| latest(instance))?;
    let known_at = touchpoints[latest(instance)?].known_at;
    if known_at < t - horizon_days * DAY {
        return None;
    }
    let edges = [0, 7, 30, horizon_days];
    let band = edges.windows(2).find(|edge| known_at >= t - edge[1].min(horizon_days) * DAY)?;
    let is_unclean = has_repeat_contact(instance, touchpoints)
        || instance.members.iter().any(|place| touchpoints[*place].resolved == Some(false));
    let run = match (instance.status, is_unclean) {
        (Status::Completed, false) => "good",
        (Status::Open, false) => "under_way",
        _ => "other",
    };
    Some((format!("{}-{}", band[0], band[1].min(horizon_days)), run))
}

/// The attributes as of day `t`: those of the latest version that holds then.
fn attributes(spell: &Spell, t: i64) -> Attributes {
    let held = spell.versions.iter().filter(|version| version.valid_from <= t);
    held.max_by_key(|version| version.valid_from).map(|version| version.attributes.clone()).unwrap_or_default()
}

fn is_eligible(definition: &Definition, attributes: &Attributes, joined_at: i64, t: i64) -> bool {
    let holds = definition.eligible.is_none_or(|eligible| (eligible.holds)(attributes, joined_at));
    let from = definition.eligible_from.is_none_or(|from| (from.at)(attributes, joined_at).is_some_and(|at| at <= t));
    let until = definition.eligible_until.is_none_or(|until| (until.at)(attributes, joined_at).is_none_or(|at| t < at));
    holds && from && until
}

fn tenure_band(tenure: i64) -> &'static str {
    match tenure / DAY {
        ..30 => "[0, 30)",
        30..90 => "[30, 90)",
        90..180 => "[90, 180)",
        180..365 => "[180, 365)",
        365..1095 => "[365, 1095)",
        _ => "[1095, inf)",
    }
}

/// A row of `fct_journey_risk` without its counts.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct RiskRow {
    pub(super) journey: String,
    pub(super) segment: String,
    pub(super) tenure_band: String,
    pub(super) month: String,
    pub(super) exposure: String,
    pub(super) since_touchpoint: Option<String>,
    pub(super) run: Option<String>,
}

/// A row of `journey_joint_risk` without its counts.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct JointRow {
    pub(super) segment: String,
    pub(super) tenure_band: String,
    pub(super) month: String,
    pub(super) exposed: String,
    pub(super) not_eligible: String,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct RiskCounts {
    pub(super) person_days: i64,
    pub(super) churned: i64,
    pub(super) lost: i64,
}

/// What the two tables should hold.
#[derive(Debug, Default)]
pub(super) struct Expected {
    pub(super) risk: BTreeMap<RiskRow, RiskCounts>,
    pub(super) joint: BTreeMap<JointRow, (i64, i64)>,
}

/// The first instant after which a spell no longer belongs to the company, and whether its customer left by then;
/// leaving goes before loss at one instant.
fn end_of(spell: &Spell, as_of: i64) -> Option<(i64, bool)> {
    let known = |at: Option<i64>| at.filter(|at| *at < as_of);
    let left = known(spell.notice_at).into_iter().chain(known(spell.churned_at)).min();
    match (left, known(spell.lost_at)) {
        (Some(left), Some(lost)) if lost < left => Some((lost, false)),
        (Some(left), _) => Some((left, true)),
        (None, lost) => lost.map(|lost| (lost, false)),
    }
}

/// Counts every day of every spell.
pub(super) fn expected(company: &Company, as_of: i64) -> Expected {
    let mut expected = Expected::default();
    for spell in &company.spells {
        let touchpoints = company.known_touchpoints(&spell.customer_id, as_of);
        let end = end_of(spell, as_of);
        // Nothing is known yet of a spell whose first attributes come later: its rows are cut by their time.
        let is_known = spell.versions.iter().any(|version| version.valid_from < as_of);
        if !is_known || end.is_some_and(|(left_at, _)| left_at < spell.joined_at) {
            continue;
        }
        let first = company.start + company.horizon_days * DAY;
        let mut t = first.div_euclid(DAY) * DAY;
        while t + DAY <= as_of - company.delay_days * DAY {
            let is_at_risk = t >= first && spell.joined_at <= t && end.is_none_or(|(left_at, _)| left_at >= t);
            if is_at_risk {
                count_day(company, spell, &touchpoints, end.filter(|(at, _)| *at < t + DAY), t, &mut expected);
            }
            t += DAY;
        }
    }
    expected
}

/// Counts one day of a spell, which `ends` on it by leaving or by loss.
fn count_day(
    company: &Company,
    spell: &Spell,
    touchpoints: &[Touchpoint],
    ends: Option<(i64, bool)>,
    t: i64,
    expected: &mut Expected,
) {
    let attributes = attributes(spell, t);
    let segment = attributes.segment.unwrap_or("unknown").to_owned();
    let tenure_band = tenure_band(t - spell.joined_at).to_owned();
    let day = chrono::DateTime::from_timestamp_micros(t).expect("a day of our time");
    let month = day.format("%Y-%m-01").to_string();
    let (mut exposed, mut not_eligible) = (BTreeSet::new(), BTreeSet::new());
    for definition in &company.definitions {
        if !is_eligible(definition, &attributes, spell.joined_at, t) {
            not_eligible.insert(definition.name.clone());
            continue;
        }
        let state = exposure(definition, touchpoints, t, company.horizon_days);
        if state.is_some() {
            exposed.insert(definition.name.clone());
        }
        let row = RiskRow {
            journey: definition.name.clone(),
            segment: segment.clone(),
            tenure_band: tenure_band.clone(),
            month: month.clone(),
            exposure: if state.is_some() { "exposed" } else { "unexposed" }.to_owned(),
            since_touchpoint: state.as_ref().map(|(band, _)| band.clone()),
            run: state.as_ref().map(|(_, run)| (*run).to_owned()),
        };
        let counts = expected.risk.entry(row).or_default();
        counts.person_days += 1;
        counts.churned += i64::from(matches!(ends, Some((_, true))));
        counts.lost += i64::from(matches!(ends, Some((_, false))));
    }
    let names = |names: BTreeSet<String>| names.into_iter().collect::<Vec<_>>().join(",");
    let row = JointRow { segment, tenure_band, month, exposed: names(exposed), not_eligible: names(not_eligible) };
    let (days, churned) = expected.joint.entry(row).or_default();
    *days += 1;
    *churned += i64::from(matches!(ends, Some((_, true))));
}
