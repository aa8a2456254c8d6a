//! Block by block: simulate, spoil, write; then the truths.

use std::collections::BTreeMap;
use std::path::Path;

use chrono::Datelike;

use crate::block::{self, BLOCK, BlockTruth, Tallies};
use crate::calendar::{Delivery, Month, Span, day_text};
use crate::catalogue::UPGRADE_PRICE;
use crate::defects::{TableTruth, deliver};
use crate::dice::Dice;
use crate::excess::ExcessTally;
use crate::lake::{Staging, TableWriter};
use crate::satisfaction::{OnboardingTally, RatingTally};
use crate::spell::Stage;
use crate::tables::{
    Call, Customer, Feedback, Ids, Invoice, Message, RawRow, Rows, Subscription, Survey, Ticket, Visit, WebEvent,
};
use crate::truth::{LeavingTruth, Truth, journey_truths, leavers};
use crate::{Progress, SampleError, SampleOptions};

pub(crate) fn generate(options: &SampleOptions, progress: &mut dyn FnMut(Progress)) -> Result<Truth, SampleError> {
    let within_reason = (1900..=2100).contains(&options.end.year()) && options.months <= 1_200;
    let span = Span::before(options.end, options.months).filter(|span| within_reason && span.start < span.end);
    let span = span.filter(|_| options.customers > 0).ok_or(SampleError::NothingToWrite)?;
    let staging = Staging::open(&options.out)?;
    let truth = write_blocks(options, span, &span.months(), staging.folder(), progress)?;
    staging.finish(&serde_json::to_vec_pretty(&truth)?)?;
    Ok(truth)
}

fn write_blocks(
    options: &SampleOptions,
    span: Span,
    months: &[Month],
    lake: &Path,
    progress: &mut dyn FnMut(Progress),
) -> Result<Truth, SampleError> {
    let stage = Stage { months, start: span.start, end: span.end, effects: options.effects };
    let blocks = options.customers.div_ceil(BLOCK);
    let mut lake = Lake::create(lake, span)?;
    let mut tallies = Tallies {
        excess: ExcessTally::new(months.len()),
        ratings: RatingTally::default(),
        onboarding: OnboardingTally::default(),
    };
    let mut total = BlockTruth::default();
    let mut touchpoints = 0;
    let mut written = Progress { customers: 0, of: options.customers, rows: 0 };
    for block in 0..blocks {
        let first = block * BLOCK;
        let count = BLOCK.min(options.customers - first);
        let (mut dice, mut ids) = (Dice::new(options.seed, block), Ids::of_block(block));
        let (rows, truth) = block::simulate(&stage, first, count, &mut dice, &mut ids, &mut tallies);
        touchpoints += rows.touchpoints() + truth.web.linked;
        total.add(&truth);
        lake.write(rows, count, &mut dice, &mut ids)?;
        written.customers += count;
        written.rows = lake.truths.values().map(|table| table.rows).sum();
        progress(written);
    }
    Ok(Truth {
        format: 3,
        seed: options.seed,
        customers: options.customers,
        months: options.months,
        start: day_text(span.start),
        end: day_text(span.end),
        spells: total.spells,
        left_spells: total.left,
        notices: total.gave_notice,
        lost_spells: total.lost,
        rejoined_customers: total.rejoined,
        null_segments: total.null_segments,
        moved_segments: total.moved_segments,
        touchpoints,
        stray_journey_answers: total.stray_answers,
        tables: lake.close()?,
        web: total.web,
        touchpoint_satisfaction: tallies.ratings.truth(),
        onboarding_relationship: tallies.onboarding.truth(),
        effects: options.effects,
        leaving: LeavingTruth::planted(),
        leavers: leavers(months, &tallies.excess),
        upgrade_price: UPGRADE_PRICE,
        journeys: journey_truths(months, &tallies.excess, &total.instances, options.effects),
    })
}

/// The open files of all tables and what was written to each.
struct Lake {
    span: Span,
    writers: BTreeMap<&'static str, TableWriter>,
    truths: BTreeMap<String, TableTruth>,
}

impl Lake {
    fn create(folder: &Path, span: Span) -> Result<Self, SampleError> {
        let tables = [
            Customer::TABLE,
            Subscription::TABLE,
            Invoice::TABLE,
            Call::TABLE,
            Visit::TABLE,
            WebEvent::TABLE,
            Message::TABLE,
            Ticket::TABLE,
            Survey::TABLE,
            Feedback::TABLE,
        ];
        let writer = |table| Ok((table, TableWriter::create(folder, table)?));
        let writers = tables.into_iter().map(writer).collect::<Result<_, SampleError>>()?;
        Ok(Lake { span, writers, truths: BTreeMap::new() })
    }

    fn write(&mut self, rows: Rows, customers: u64, dice: &mut Dice, ids: &mut Ids) -> Result<(), SampleError> {
        self.table(rows.customers, customers, dice, ids)?;
        self.table(rows.subscriptions, customers, dice, ids)?;
        self.table(rows.invoices, customers, dice, ids)?;
        self.table(rows.calls, customers, dice, ids)?;
        self.table(rows.visits, customers, dice, ids)?;
        self.table(rows.web_events, customers, dice, ids)?;
        self.table(rows.messages, customers, dice, ids)?;
        self.table(rows.tickets, customers, dice, ids)?;
        self.table(rows.surveys, customers, dice, ids)?;
        self.table(rows.employee_feedback, customers, dice, ids)
    }

    fn table<R: RawRow>(
        &mut self,
        rows: Vec<R>,
        customers: u64,
        dice: &mut Dice,
        ids: &mut Ids,
    ) -> Result<(), SampleError> {
        let delivered = deliver(rows, customers, dice, ids);
        if let Some(writer) = self.writers.get_mut(R::TABLE) {
            let delivery = |row: &R| R::EVENTS.then(|| self.span.delivery(row.time()));
            // Rows come in the order of their times, so those of a delivery stand together.
            for rows in delivered.on_time.chunk_by(|one, next| delivery(one) == delivery(next)) {
                let name = rows.first().and_then(delivery).map_or_else(|| "all".to_owned(), Delivery::name);
                writer.write(&name, &R::batch(rows)?)?;
            }
            writer.write("late-00000", &R::batch(&delivered.late)?)?;
        }
        self.truths.entry(R::TABLE.to_owned()).or_default().add(&delivered.truth);
        Ok(())
    }

    fn close(self) -> Result<BTreeMap<String, TableTruth>, SampleError> {
        for writer in self.writers.into_values() {
            writer.close()?;
        }
        Ok(self.truths)
    }
}
