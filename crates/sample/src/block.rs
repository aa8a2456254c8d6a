//! A block of customers: the unit that is simulated, spoiled and written at a time.

use crate::calendar::{DAY, Time};
use crate::catalogue::{JOURNEY_COUNT, Journey, UNKNOWN};
use crate::dice::Dice;
use crate::everyday;
use crate::excess::ExcessTally;
use crate::identity::WebTruth;
use crate::opinions;
use crate::person::Person;
use crate::satisfaction::{OnboardingTally, RatingTally};
use crate::script::Script;
use crate::spell::{self, SpellEnd, Stage};
use crate::tables::{Feedback, Ids, Rows};

/// Customers of a block: few enough that a small sample has several files, many enough that columns compress.
pub(crate) const BLOCK: u64 = 500;

/// Share of the customers who were there before the sample begins.
const EXISTING: f64 = 0.55;
/// Share of those who leave that come back.
const REJOIN: f64 = 0.06;
/// Web visitors that are nobody's customer, for each customer.
const STRANGERS: f64 = 0.15;

/// What a block adds to the truth.
#[derive(Default)]
pub(crate) struct BlockTruth {
    pub(crate) spells: u64,
    pub(crate) left: u64,
    pub(crate) gave_notice: u64,
    pub(crate) lost: u64,
    pub(crate) rejoined: u64,
    pub(crate) null_segments: u64,
    pub(crate) moved_segments: u64,
    pub(crate) stray_answers: u64,
    pub(crate) instances: [u64; JOURNEY_COUNT],
    pub(crate) web: WebTruth,
}

impl BlockTruth {
    pub(crate) fn add(&mut self, other: &BlockTruth) {
        self.spells += other.spells;
        self.left += other.left;
        self.gave_notice += other.gave_notice;
        self.lost += other.lost;
        self.rejoined += other.rejoined;
        self.null_segments += other.null_segments;
        self.moved_segments += other.moved_segments;
        self.stray_answers += other.stray_answers;
        for journey in 0..self.instances.len() {
            self.instances[journey] += other.instances[journey];
        }
        self.web.add(&other.web);
    }
}

/// Simulates customers `first..first + count` (from 0).
pub(crate) fn simulate(
    stage: &Stage<'_>,
    first: u64,
    count: u64,
    dice: &mut Dice,
    ids: &mut Ids,
    tallies: &mut Tallies,
) -> (Rows, BlockTruth) {
    let mut rows = Rows::default();
    let mut truth = BlockTruth::default();
    for number in first + 1..=first + count {
        let person = Person::draw(number, dice);
        let mut joined_at = Some(joining(stage, dice));
        let mut spells = 0;
        while let Some(from) = joined_at.take() {
            spells += 1;
            let churned_at = one_spell(stage, &person, from, (dice, ids), tallies, (&mut rows, &mut truth));
            // Long enough that the one spell has nothing to do with the other.
            joined_at = churned_at
                .filter(|_| dice.chance(REJOIN))
                .map(|at| at + dice.between(120, 300) * DAY)
                .filter(|at| *at < stage.end);
        }
        truth.rejoined += u64::from(spells > 1);
        if dice.chance(STRANGERS) {
            stranger(stage, dice, ids, &mut rows);
        }
    }
    feedback(stage, count, dice, ids, &mut rows);
    truth.web = WebTruth::of(&rows.web_events);
    tallies.ratings.settle(&mut rows);
    (rows, truth)
}

/// What is counted over all blocks.
pub(crate) struct Tallies {
    pub(crate) excess: ExcessTally,
    pub(crate) ratings: RatingTally,
    pub(crate) onboarding: OnboardingTally,
}

fn joining(stage: &Stage<'_>, dice: &mut Dice) -> Time {
    if dice.chance(EXISTING) {
        let years = dice.unit();
        stage.start - (1 + (years * years * 2_900.0) as i64) * DAY
    } else {
        stage.start + dice.between(0, (stage.end - stage.start) / DAY - 1) * DAY
    }
}

fn one_spell(
    stage: &Stage<'_>,
    person: &Person,
    joined_at: Time,
    (dice, ids): (&mut Dice, &mut Ids),
    tallies: &mut Tallies,
    (rows, truth): (&mut Rows, &mut BlockTruth),
) -> Option<Time> {
    let begin = joined_at.max(stage.start);
    let person = &person.living(begin, stage.end, dice);
    let (mut spell_rows, SpellEnd { ending, moved, instances }) =
        spell::live(stage, person, joined_at, dice, ids, &mut tallies.excess);
    let lived_until = ending.lived_until();
    truth.spells += 1;
    truth.left += u64::from(ending.is_leaving());
    if let Some(month) = stage.month_of(lived_until).filter(|_| ending.is_leaving()) {
        tallies.excess.leavers[month][person.segment_at(lived_until)] += 1;
    }
    truth.gave_notice += u64::from(ending.notice_at.is_some());
    truth.lost += u64::from(ending.lost_at.is_some());
    truth.null_segments += u64::from(person.segment == UNKNOWN);
    truth.moved_segments += u64::from(moved);
    for instance in &instances {
        truth.instances[instance.journey as usize] += 1;
        if instance.journey == Journey::Onboarding && instance.last_at() < lived_until {
            tallies.onboarding.count(person.segment_at(instance.started_at()), instance, &spell_rows.surveys);
        }
    }
    let never_moved = instances.iter().all(|instance| instance.journey != Journey::MovingHouse);
    if never_moved && lived_until - begin > 20 * DAY && dice.chance(0.004) {
        let mut script = Script::new(dice, ids, &mut spell_rows, person);
        opinions::on_a_journey_never_made(&mut script, Journey::MovingHouse, begin + 5 * DAY);
        truth.stray_answers += 1;
    }
    rows.absorb(spell_rows, lived_until, ending.billed_until());
    ending.churned_at
}

/// A visitor who looks around and never logs in.
fn stranger(stage: &Stage<'_>, dice: &mut Dice, ids: &mut Ids, rows: &mut Rows) {
    let nobody = Person::draw(0, dice);
    let mut at = stage.start + dice.days(0.0, ((stage.end - stage.start) / DAY - 1) as f64);
    let mut script = Script::new(dice, ids, rows, &nobody);
    script.until = stage.end;
    for _ in 0..script.dice.between(1, 3) {
        everyday::look_around(&mut script, at);
        at += script.dice.days(0.5, 9.0);
    }
}

/// What the departments say about the journeys they work in.
fn feedback(stage: &Stage<'_>, customers: u64, dice: &mut Dice, ids: &mut Ids, rows: &mut Rows) {
    const VOICES: [(&str, &str, f64); 6] = [
        ("sales", "onboarding", 3.9),
        ("field-service", "onboarding", 2.6),
        ("billing", "billing_dispute", 2.4),
        ("technical", "technical_repair", 3.1),
        ("customer-operations", "moving_house", 2.2),
        ("retention", "contract_renewal", 3.8),
    ];
    const THEMES: [&str; 5] = ["hand-over", "tools", "targets", "missing_information", "staffing"];
    for _ in 0..customers.div_ceil(25) {
        let (department, journey, mean) = dice.pick(&VOICES);
        let row = Feedback {
            id: ids.next(),
            department,
            journey,
            submitted_at: stage.start + dice.days(0.0, ((stage.end - stage.start) / DAY) as f64),
            score: (mean + dice.bell() * 0.8).round().clamp(1.0, 5.0),
            theme: dice.pick(&THEMES),
        };
        rows.employee_feedback.push(row);
    }
}
