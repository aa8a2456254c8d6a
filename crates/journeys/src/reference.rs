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
