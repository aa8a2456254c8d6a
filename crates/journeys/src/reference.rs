//! SEMANTICS 2 once more, slowly and word by word: what the operator is held against.

use std::collections::BTreeMap;

use crate::counts::MatchCounts;

/// An id as the source holds it; a column holds one kind.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Id {
    Number(i64),
    Text(String),
}

impl std::fmt::Display for Id {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Number(number) => number.fmt(f),
            Self::Text(text) => text.fmt(f),
        }
    }
}

#[derive(Debug, Clone)]
pub(crate) struct Touchpoint {
    pub(crate) id: Option<Id>,
    pub(crate) customer: Option<Id>,
    pub(crate) at: Option<i64>,
    pub(crate) event: Option<&'static str>,
    pub(crate) topic: Option<&'static str>,
    pub(crate) score: Option<i64>,
    pub(crate) order_id: Option<i64>,
}

/// A condition as SQL and as plain code; null counts as false in both.
#[derive(Debug, Clone)]
pub(crate) enum Condition {
    EventIs(&'static str),
    EventIn(&'static str, &'static str),
    TopicIsNot(&'static str),
    ScoreAbove(i64),
    Constant(bool),
}

impl Condition {
    pub(crate) fn sql(&self) -> String {
        match self {
            Self::EventIs(event) => format!("event = '{event}'"),
            Self::EventIn(one, other) => format!("event IN ('{one}', '{other}')"),
            Self::TopicIsNot(topic) => format!("topic <> '{topic}'"),
            Self::ScoreAbove(score) => format!("score > {score}"),
            Self::Constant(value) => value.to_string(),
        }
    }

    fn holds(&self, touchpoint: &Touchpoint) -> bool {
        match self {
            Self::EventIs(event) => touchpoint.event == Some(event),
            Self::EventIn(one, other) => touchpoint.event.is_some_and(|event| event == *one || event == *other),
            Self::TopicIsNot(topic) => touchpoint.topic.is_some_and(|other| other != *topic),
            Self::ScoreAbove(score) => touchpoint.score.is_some_and(|other| other > *score),
            Self::Constant(value) => *value,
        }
    }
}

#[derive(Debug, Clone)]
pub(crate) struct Journey {
    pub(crate) name: String,
    pub(crate) starts: Condition,
    pub(crate) ends: Option<Condition>,
    pub(crate) abandons: Option<Condition>,
    pub(crate) includes: Option<Condition>,
    pub(crate) within: Option<i64>,
    pub(crate) idle: Option<i64>,
    pub(crate) split: bool,
    /// Whether the key is `[customer_id, order_id]`.
    pub(crate) by_order: bool,
}

/// A row of the output, as far as the rules make it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Row {
    pub(crate) customer: String,
    pub(crate) journey: String,
    pub(crate) journey_id: String,
    pub(crate) step: i64,
    pub(crate) started_at: i64,
    pub(crate) last_at: i64,
    pub(crate) ended_at: Option<i64>,
    pub(crate) status: String,
    pub(crate) touchpoint: String,
    pub(crate) occurred_at: i64,
}

struct Instance<'a> {
    members: Vec<&'a Touchpoint>,
    status: &'static str,
    ended_at: Option<i64>,
}

/// What a touchpoint holds that measures are made of; derived from its other fields, which vary enough.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Details {
    pub(crate) channel: Option<&'static str>,
    pub(crate) function: Option<&'static str>,
    pub(crate) resolved: Option<bool>,
    pub(crate) satisfaction: Option<f64>,
    pub(crate) cost: Option<i64>,
}

impl Touchpoint {
    pub(crate) fn details(&self) -> Details {
        Details {
            channel: match self.event {
                Some("a") => Some("phone"),
                Some("b") => Some("a channel of many words"),
                Some("c") => Some("chat"),
                Some("d") => Some("web"),
                Some(_) => None,
                None => Some("store"),
            },
            function: [Some("billing"), Some("technical service"), None][self.order_id.unwrap_or(2) as usize % 3],
            resolved: [Some(true), Some(false), None][self.score.unwrap_or(2) as usize % 3],
            satisfaction: self.score.filter(|score| *score != 3).map(|score| score as f64 / 2.0),
            cost: self.at.filter(|at| at % 3 != 0).map(|at| at % 5),
        }
    }
}

/// A row of the output of instances: SEMANTICS 3, as far as touchpoints make it.
#[derive(Debug, Clone, PartialEq, PartialOrd)]
pub(crate) struct InstanceRow {
    pub(crate) journey_id: String,
    pub(crate) journey: String,
    pub(crate) customer: String,
    pub(crate) order_id: Option<i64>,
    pub(crate) times: (i64, i64, Option<i64>),
    pub(crate) status: String,
    pub(crate) duration_s: f64,
    /// touchpoints, channels, channel_switches, functions, handoffs, contacts, repeat_contacts, unresolved,
    /// touchpoint_responses
    pub(crate) counts: [i64; 9],
    pub(crate) is_multichannel: bool,
    pub(crate) first_channel: Option<String>,
    pub(crate) last_channel: Option<String>,
    pub(crate) cost: Option<f64>,
    pub(crate) satisfaction: Option<f64>,
    pub(crate) worst: Option<f64>,
    pub(crate) all_satisfied: Option<bool>,
}

/// All instances of one journey with their measures, in no particular order. `satisfied` is the score from which a
/// customer counts as satisfied.
pub(crate) fn measure_journey(
    journey: &Journey,
    touchpoints: &[Touchpoint],
    as_of: i64,
    satisfied: f64,
) -> Vec<InstanceRow> {
    let (rows, _) = match_journey(journey, touchpoints, as_of);
    let mut members: BTreeMap<&str, Vec<&Row>> = BTreeMap::new();
    for row in &rows {
        members.entry(&row.journey_id).or_default().push(row);
    }
    let instance = |mut rows: Vec<&Row>| {
        rows.sort_by_key(|row| row.step);
        let touchpoint = |row: &&Row| {
            let is_member =
                |touchpoint: &&Touchpoint| touchpoint.id.as_ref().is_some_and(|id| id.to_string() == row.touchpoint);
            touchpoints.iter().find(is_member)
        };
        let members: Vec<&Touchpoint> = rows.iter().filter_map(touchpoint).collect();
        measured(journey, rows[0], &members, satisfied)
    };
    members.into_values().map(instance).collect()
}

fn measured(journey: &Journey, row: &Row, members: &[&Touchpoint], satisfied: f64) -> InstanceRow {
    let details: Vec<Details> = members.iter().map(|member| member.details()).collect();
    let distinct = |values: Vec<Option<&str>>| {
        values.into_iter().flatten().collect::<std::collections::BTreeSet<&str>>().len() as i64
    };
    let changes = |values: Vec<Option<&str>>| {
        values.windows(2).filter(|pair| pair[0].is_some() && pair[1].is_some() && pair[0] != pair[1]).count() as i64
    };
    let channels: Vec<Option<&str>> = details.iter().map(|one| one.channel).collect();
    let functions: Vec<Option<&str>> = details.iter().map(|one| one.function).collect();
    let handled: Vec<Option<&str>> = functions.iter().copied().filter(Option::is_some).collect();
    let is_contact = |member: &Touchpoint| {
        member.details().channel.is_some_and(|channel| ["phone", "chat", "field", "store"].contains(&channel))
    };
    let contacts: Vec<&Touchpoint> = members.iter().copied().filter(|member| is_contact(member)).collect();
    const WEEK: i64 = 7 * 86_400_000_000;
    let repeats = |index: usize| {
        let contact = contacts[index];
        let before = &contacts[..index];
        contact.topic.is_some()
            && before.iter().any(|other| other.topic == contact.topic && at(contact) - at(other) <= WEEK)
    };
    let scores: Vec<f64> = details.iter().filter_map(|one| one.satisfaction).collect();
    let costs: Vec<i64> = details.iter().filter_map(|one| one.cost).collect();
    let answered = !scores.is_empty();
    let channels_number = distinct(channels.clone());
    InstanceRow {
        journey_id: row.journey_id.clone(),
        journey: row.journey.clone(),
        customer: row.customer.clone(),
        order_id: members[0].order_id.filter(|_| journey.by_order),
        times: (row.started_at, row.last_at, row.ended_at),
        status: row.status.clone(),
        duration_s: (row.last_at - row.started_at) as f64 / 1e6,
        counts: [
            members.len() as i64,
            channels_number,
            changes(channels.clone()),
            distinct(functions),
            changes(handled),
            contacts.len() as i64,
            (0..contacts.len()).filter(|&index| repeats(index)).count() as i64,
            details.iter().filter(|one| one.resolved == Some(false)).count() as i64,
            scores.len() as i64,
        ],
        is_multichannel: channels_number > 1,
        first_channel: channels[0].map(str::to_owned),
        last_channel: channels[channels.len() - 1].map(str::to_owned),
        cost: (!costs.is_empty()).then(|| costs.iter().sum::<i64>() as f64),
        satisfaction: answered.then(|| scores.iter().sum::<f64>() / scores.len() as f64),
        worst: answered.then(|| scores.iter().copied().fold(f64::INFINITY, f64::min)),
        all_satisfied: answered.then(|| scores.iter().all(|score| *score >= satisfied)),
    }
}

impl Instance<'_> {
    fn started_at(&self) -> i64 {
        at(self.members[0])
    }

    fn last_at(&self) -> i64 {
        at(self.members[self.members.len() - 1])
    }

    fn is_over(&self, journey: &Journey, t: i64) -> bool {
        journey.within.is_some_and(|within| t - self.started_at() > within)
            || journey.idle.is_some_and(|idle| t - self.last_at() > idle)
    }
}

fn at(touchpoint: &Touchpoint) -> i64 {
    touchpoint.at.expect("touchpoints without a time were set aside")
}

/// All rows of one journey, in no particular order, and what became of every touchpoint.
pub(crate) fn match_journey(journey: &Journey, touchpoints: &[Touchpoint], as_of: i64) -> (Vec<Row>, MatchCounts) {
    let mut counts = MatchCounts { read: touchpoints.len() as u64, ..MatchCounts::default() };
    let mut by_key: BTreeMap<(&Id, Option<i64>), Vec<&Touchpoint>> = BTreeMap::new();
    for touchpoint in touchpoints {
        let key = match (&touchpoint.customer, journey.by_order, touchpoint.order_id) {
            (Some(customer), false, _) => (customer, None),
            (Some(customer), true, Some(order)) => (customer, Some(order)),
            _ => {
                counts.set_aside.null_key += 1;
                continue;
            }
        };
        if touchpoint.id.is_none() {
            counts.set_aside.null_id += 1;
        } else if touchpoint.at.is_none() {
            counts.set_aside.null_time += 1;
        } else if at(touchpoint) >= as_of {
            counts.after_as_of += 1;
        } else {
            by_key.entry(key).or_default().push(touchpoint);
        }
    }
    let mut rows = Vec::new();
    for ((customer, _), mut touchpoints) in by_key {
        touchpoints.sort_by(|a, b| (a.at, &a.id).cmp(&(b.at, &b.id)));
        let read = touchpoints.len() as u64;
        let instances = match_key(journey, &touchpoints, as_of);
        let members: u64 = instances.iter().map(|instance| instance.members.len() as u64).sum();
        counts.members += members;
        counts.non_members += read - members;
        for instance in &instances {
            *match instance.status {
                "completed" => &mut counts.instances.completed,
                "abandoned" => &mut counts.instances.abandoned,
                "expired" => &mut counts.instances.expired,
                "restarted" => &mut counts.instances.restarted,
                _ => &mut counts.instances.open,
            } += 1;
            rows.extend(instance.members.iter().enumerate().map(|(index, member)| Row {
                customer: customer.to_string(),
                journey: journey.name.clone(),
                journey_id: format!("{}/{}", journey.name, id(instance.members[0])),
                step: index as i64 + 1,
                started_at: instance.started_at(),
                last_at: instance.last_at(),
                ended_at: instance.ended_at,
                status: instance.status.to_owned(),
                touchpoint: id(member),
                occurred_at: at(member),
            }));
        }
    }
    (rows, counts)
}

/// The same where touchpoints are matched as they became known; `known` has the time of each. One without was known when
/// it happened, and none before.
///
/// Which comes first is plain to see once each has its time of becoming known as its time and its place as its id.
pub(crate) fn match_known(
    journey: &Journey,
    touchpoints: &[Touchpoint],
    known: &[Option<i64>],
    as_of: i64,
) -> (Vec<Row>, MatchCounts) {
    let known: Vec<Option<i64>> = touchpoints.iter().zip(known).map(|(one, known)| one.at.max(*known)).collect();
    let mut places: Vec<usize> = (0..touchpoints.len()).collect();
    places.sort_by(|&a, &b| {
        let order = |row: usize| (known[row], touchpoints[row].at, &touchpoints[row].id);
        order(a).cmp(&order(b))
    });
    let placed: Vec<Touchpoint> = places
        .iter()
        .zip(0..)
        .map(|(&row, place)| Touchpoint {
            id: touchpoints[row].id.as_ref().map(|_| Id::Number(place)),
            at: touchpoints[row].at.and(known[row]),
            ..touchpoints[row].clone()
        })
        .collect();
    let (mut rows, counts) = match_journey(journey, &placed, as_of);
    let of_place = |place: &str| &touchpoints[places[place.parse::<usize>().expect("a place")]];
    for row in &mut rows {
        let first = row.journey_id.rsplit('/').next().unwrap_or_default();
        row.journey_id = format!("{}/{}", journey.name, id(of_place(first)));
        row.occurred_at = at(of_place(&row.touchpoint));
        row.touchpoint = id(of_place(&row.touchpoint));
    }
    (rows, counts)
}

fn id(touchpoint: &Touchpoint) -> String {
    touchpoint.id.as_ref().expect("touchpoints without an id were set aside").to_string()
}

fn match_key<'a>(journey: &Journey, touchpoints: &[&'a Touchpoint], as_of: i64) -> Vec<Instance<'a>> {
    let holds =
        |condition: &Option<Condition>, e: &Touchpoint| condition.as_ref().is_some_and(|condition| condition.holds(e));
    let mut closed = Vec::new();
    let mut open: Option<Instance<'a>> = None;
    let close = |mut instance: Instance<'a>, status, ended_at, closed: &mut Vec<Instance<'a>>| {
        instance.status = status;
        instance.ended_at = Some(ended_at);
        closed.push(instance);
    };
    for &e in touchpoints {
        let t = at(e);
        // 1
        if let Some(instance) = open.take_if(|instance| instance.is_over(journey, t)) {
            let ended_at = instance.last_at();
            close(instance, "expired", ended_at, &mut closed);
        }
        let Some(mut instance) = open.take() else {
            // 2
            if journey.starts.holds(e) {
                let instance = Instance { members: vec![e], status: "open", ended_at: None };
                if holds(&journey.ends, e) {
                    close(instance, "completed", t, &mut closed);
                } else if holds(&journey.abandons, e) {
                    close(instance, "abandoned", t, &mut closed);
                } else {
                    open = Some(instance);
                }
            }
            continue;
        };
        // 3
        if holds(&journey.ends, e) {
            instance.members.push(e);
            close(instance, "completed", t, &mut closed);
        } else if holds(&journey.abandons, e) {
            instance.members.push(e);
            close(instance, "abandoned", t, &mut closed);
        } else if journey.starts.holds(e) {
            if journey.split {
                let ended_at = instance.last_at();
                close(instance, "restarted", ended_at, &mut closed);
                open = Some(Instance { members: vec![e], status: "open", ended_at: None });
            } else {
                instance.members.push(e);
                open = Some(instance);
            }
        } else {
            if journey.includes.as_ref().is_none_or(|includes| includes.holds(e)) {
                instance.members.push(e);
            }
            open = Some(instance);
        }
    }
    if let Some(instance) = open {
        if instance.is_over(journey, as_of) {
            let ended_at = instance.last_at();
            close(instance, "expired", ended_at, &mut closed);
        } else {
            closed.push(instance);
        }
    }
    closed
}
