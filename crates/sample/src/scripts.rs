//! How each of the journeys runs: which systems record what, and when.
//!
//! What the pipeline's definitions count on holds here by construction: a journey's first row is the only one with its
//! start word, its members follow within `within` and `idle`, its last row carries the end word, and no other row has
//! one of its topics. So what a customer lives through is known while the rows are written.

use crate::calendar::{DAY, Time};
use crate::catalogue::{ANONYMOUS_SEARCH, EXPERIENCE_SHARE, Journey};
use crate::dice::daytime;
use crate::script::{Instance, Script};

/// The instances that open when the journey starts at `at` (planned): more than one where it restarts.
pub(crate) fn run(script: &mut Script<'_>, journey: Journey, at: Time, end: Time) -> Vec<Instance> {
    script.until = end;
    script.level = script.dice.weighted(EXPERIENCE_SHARE);
    let mut instances = Vec::new();
    match journey {
        Journey::BillingDispute => billing_dispute(script, at),
        Journey::TechnicalRepair => technical_repair(script, at, &mut instances),
        Journey::MovingHouse => moving_house(script, at),
        Journey::PlanUpgrade => plan_upgrade(script, at),
        Journey::ContractRenewal => contract_renewal(script, at),
        Journey::FindingHelp => finding_help(script, at),
        Journey::ChannelChanges => channel_changes(script, at),
        Journey::EquipmentExchange => equipment_exchange(script, at),
        Journey::ContractQuestions => contract_questions(script, at),
        // Their dates are not chance: see `onboarding` and the bills of `everyday`.
        Journey::Onboarding | Journey::PayingABill => {}
    }
    script.until = end;
    instances.extend(script.close(journey));
    script.level = 2;
    instances
}

/// From the order to the first bill paid, about three months: six to nine calls, one visit, many web and mail
/// exchanges. `first_bill_paid_at` is the planned payment of the first bill.
pub(crate) fn onboarding(
    script: &mut Script<'_>,
    joined_at: Time,
    first_bill_paid_at: Time,
    end: Time,
) -> Option<Instance> {
    script.until = end;
    script.level = script.dice.weighted(EXPERIENCE_SHARE);
    let order = joined_at + script.dice.days(0.05, 0.45);
    let mut calls = script.dice.between(6, 9);
    let device = script.person.device;
    if script.dice.chance(0.7) {
        calls -= 1;
        script.call(order, "sales", "order_placed", Some("activation"));
    } else {
        script.session(order, device, &[("order_placed", "activation")], true);
    }
    let cancelled = script.dice.chance(0.03).then(|| order + script.dice.days(3.0, 12.0));
    script.until = cancelled.unwrap_or(end).min(end);
    let visit = order + script.dice.days(7.0, 20.0);
    let closing = first_bill_paid_at + script.dice.days(0.1, 0.9);
    onboarding_exchanges(script, order, visit, closing, calls);
    script.until = end;
    match cancelled {
        Some(at) => script.call(at, "sales", "order_cancelled", Some("activation")),
        None => script.message(closing, "email", "first_bill_paid", Some("first_bill"), "billing"),
    }
    let instance = script.close(Journey::Onboarding);
    script.level = 2;
    instance
}

fn onboarding_exchanges(script: &mut Script<'_>, order: Time, visit: Time, closing: Time, calls: i64) {
    let device = script.person.device;
    let topic_at = |at: Time| match at {
        at if at > closing - 26 * DAY => "first_bill",
        at if at > visit - 5 * DAY && at < visit + 10 * DAY => "installation",
        _ => "activation",
    };
    let spread = (closing - order) as f64 / DAY as f64 - 1.5;
    script.message(order + DAY, "email", "order_confirmed", Some("activation"), "sales");
    script.message(order + 3 * DAY, "mail", "contract_sent", Some("activation"), "sales");
    script.message(visit - 2 * DAY, "email", "visit_announced", Some("installation"), "field-service");
    script.visit(visit, "installation", "installed");
    for _ in 0..calls {
        let at = order + script.dice.days(1.2, spread);
        let topic = topic_at(at);
        let queue = match topic {
            "first_bill" => "billing",
            "installation" => "technical",
            _ => "general",
        };
        script.call(at, queue, "setup_question", Some(topic));
    }
    for _ in 0..script.dice.between(5, 8) {
        let at = order + script.dice.days(1.2, spread);
        let actions =
            [("setup_viewed", topic_at(at)), ("guide_viewed", topic_at(at)), ("account_viewed", topic_at(at))];
        let many = script.dice.between(1, 3) as usize;
        script.session(at, device, &actions[..many], true);
    }
    for _ in 0..script.dice.between(5, 8) {
        let at = order + script.dice.days(1.2, spread);
        script.message(at, "email", "setup_hint", Some(topic_at(at)), "customer-operations");
    }
    // Whatever the dice say, two members are never `idle` apart.
    let middle = order + script.dice.days(34.0, 42.0);
    script.message(middle, "email", "setup_hint", Some("activation"), "customer-operations");
    script.message(closing - 24 * DAY, "mail", "first_bill_explained", Some("first_bill"), "billing");
}

/// Gives up with probability `p`, `low` to `high` days after `at`: nothing is written from then on.
fn may_give_up(script: &mut Script<'_>, at: Time, p: f64, low: f64, high: f64) {
    if script.dice.chance(p) {
        script.until = script.until.min(at + script.dice.days(low, high));
    }
}

fn billing_dispute(script: &mut Script<'_>, start: Time) {
    const TOPIC: Option<&str> = Some("billing_dispute");
    may_give_up(script, start, 0.12, 3.0, 10.0);
    if script.dice.chance(0.35) {
        let mut at = start;
        script.call(at, "billing", "bill_questioned", TOPIC);
        for _ in 0..script.dice.between(1, 2) {
            at += script.dice.days(1.5, 8.0);
            script.call(at, "billing", "dispute_chased", TOPIC);
        }
        at += script.dice.days(1.0, 9.0);
        return script.call(at, "billing", "dispute_settled", TOPIC);
    }
    if script.dice.chance(0.6) {
        script.call(start, "billing", "bill_questioned", TOPIC);
    } else {
        script.message(start, "chat", "bill_questioned", TOPIC, "billing");
    }
    let opened = start + script.dice.days(0.2, 1.5);
    let settled = opened + script.dice.days(6.0, 18.0);
    let chase = opened + script.dice.days(2.0, 5.5);
    script.ticket(opened, Some(settled), "billing_dispute", "billing", ("dispute_registered", "dispute_settled"));
    let confirmed = opened + script.dice.days(0.3, 1.2);
    script.message(confirmed, "email", "dispute_confirmed", TOPIC, "billing");
    for _ in 0..script.dice.between(0, 2) {
        let at = chase + script.dice.days(-1.5, 0.4);
        script.call(at, "general", "dispute_chased", TOPIC);
    }
}

fn technical_repair(script: &mut Script<'_>, start: Time, instances: &mut Vec<Instance>) {
    let mut at = start;
    script.call(at, "technical", "fault_reported", Some("fault"));
    if script.dice.chance(0.12) {
        // The same fault again: `on_restart: split` makes two instances of it.
        let hint = at + script.dice.days(0.1, 0.6);
        script.message(hint, "email", "fault_hint", Some("fault"), "technical");
        instances.extend(script.close(Journey::TechnicalRepair));
        at += script.dice.days(1.0, 6.0);
        script.call(at, "technical", "fault_reported", Some("fault"));
    }
    may_give_up(script, at, 0.10, 1.0, 5.0);
    if script.dice.chance(0.45) {
        for _ in 0..script.dice.between(0, 2) {
            at += script.dice.days(0.3, 3.0);
            script.call(at, "technical", "fault_chased", Some("fault"));
        }
        at += script.dice.days(0.3, 3.0);
        return script.call(at, "technical", "repair_confirmed", Some("repair"));
    }
    if script.dice.chance(0.4) {
        at += script.dice.days(0.15, 0.6);
        let device = script.person.device;
        script.session(at, device, &[("fault_guide_viewed", "fault"), ("visit_booked", "repair")], true);
    }
    at += script.dice.days(0.2, 0.8);
    script.message(at, "email", "visit_announced", Some("repair"), "field-service");
    if script.dice.chance(0.4) {
        at += script.dice.days(0.3, 2.0);
        script.call(at, "general", "fault_chased", Some("fault"));
    }
    at += script.dice.days(1.5, 7.0);
    script.visit(at, "repair", "repaired");
    at += script.dice.days(0.3, 2.0);
    script.message(at, "email", "repair_confirmed", Some("repair"), "technical");
}

fn moving_house(script: &mut Script<'_>, start: Time) {
    const TOPIC: Option<&str> = Some("move");
    let mut at = start;
    let device = script.person.device;
    if script.dice.chance(0.6) {
        script.call(at, "general", "move_announced", TOPIC);
    } else {
        script.session(at, device, &[("move_announced", "move")], true);
    }
    at += script.dice.days(0.4, 2.0);
    script.message(at, "email", "move_registered", TOPIC, "customer-operations");
    for _ in 0..script.dice.between(1, 3) {
        at += script.dice.days(2.0, 9.0);
        script.call(at, "general", "move_chased", TOPIC);
    }
    at += script.dice.days(3.0, 15.0);
    if script.dice.chance(0.06) {
        return script.call(at, "general", "move_cancelled", TOPIC);
    }
    script.visit(at, "move", "moved");
    may_give_up(script, at, 0.06, 0.0, 0.2);
    at += script.dice.days(0.5, 6.0);
    script.message(at, "mail", "move_completed", TOPIC, "customer-operations");
}

fn plan_upgrade(script: &mut Script<'_>, start: Time) {
    const TOPIC: Option<&str> = Some("upgrade");
    may_give_up(script, start, 0.10, 0.3, 2.0);
    let device = script.person.device;
    let mut at = start;
    if script.dice.chance(0.55) {
        script.session(at, device, &[("upgrade_requested", "upgrade"), ("plans_compared", "upgrade")], true);
        at += script.dice.days(0.4, 3.0);
        script.upgraded_at = (at < script.until).then(|| daytime(at));
        return script.session(at, device, &[("upgrade_active", "upgrade")], true);
    }
    script.call(at, "sales", "upgrade_requested", TOPIC);
    at += script.dice.days(0.3, 2.0);
    script.message(at, "email", "upgrade_offer_sent", TOPIC, "sales");
    at += script.dice.days(0.5, 6.0);
    script.upgraded_at = (at < script.until).then(|| daytime(at));
    script.message(at, "email", "upgrade_active", TOPIC, "sales");
}

fn contract_renewal(script: &mut Script<'_>, start: Time) {
    const TOPIC: Option<&str> = Some("renewal");
    let device = script.person.device;
    let mut at = start;
    script.message(at, "email", "renewal_offered", TOPIC, "retention");
    may_give_up(script, start, 0.25, 0.5, 6.0);
    if script.dice.chance(0.4) {
        at += script.dice.days(0.5, 6.0);
        script.session(at, device, &[("renewal_viewed", "renewal")], true);
    }
    at += script.dice.days(1.0, 10.0);
    match script.dice.unit() {
        u if u < 0.10 => script.call(at, "retention", "renewal_declined", TOPIC),
        u if u < 0.45 => script.call(at, "retention", "renewed", TOPIC),
        u if u < 0.75 => script.message(at, "email", "renewed", TOPIC, "retention"),
        _ => script.session(at, device, &[("renewed", "renewal")], true),
    }
}

fn finding_help(script: &mut Script<'_>, start: Time) {
    const TOPIC: Option<&str> = Some("help");
    const SEARCHES: [(&str, &str); 4] =
        [("help_searched", "help"), ("article_read", "help"), ("article_read", "help"), ("article_rated", "help")];
    let device = script.person.device;
    let mut at = start;
    let many = script.dice.between(2, 4) as usize;
    let several_channels = script.dice.chance(0.4);
    // The help pages are open to all. Who goes on to ask somebody has logged in before.
    let anonymous = !several_channels && script.dice.chance(ANONYMOUS_SEARCH);
    script.session(at, device, &SEARCHES[..many], !anonymous);
    if several_channels {
        at += script.dice.days(0.2, 1.5);
        match script.dice.between(0, 2) {
            0 => script.message(at, "chat", "help_asked", TOPIC, "customer-service"),
            _ => script.call(at, "general", "help_asked", TOPIC),
        }
        may_give_up(script, at, 0.15, 0.0, 0.2);
    } else {
        may_give_up(script, at, 0.15, 0.1, 0.15);
    }
    at += script.dice.days(0.2, 2.5);
    if several_channels && script.dice.chance(0.5) {
        script.call(at, "general", "help_found", TOPIC);
    } else {
        let login = !anonymous || script.dice.chance(0.35);
        script.session(at, device, &[("article_read", "help"), ("help_found", "help")], login);
    }
}

fn channel_changes(script: &mut Script<'_>, start: Time) {
    const TOPIC: Option<&str> = Some("lineup");
    let medium = script.dice.pick(&["mail", "email"]);
    script.message(start, medium, "lineup_announced", TOPIC, "marketing");
    if script.dice.chance(0.25) {
        let at = start + script.dice.days(0.5, 8.0);
        let device = script.person.device;
        script.session(at, device, &[("lineup_viewed", "lineup")], true);
    }
    let changed = start + script.dice.days(9.0, 16.0);
    script.message(changed, "email", "lineup_changed", TOPIC, "marketing");
}

fn equipment_exchange(script: &mut Script<'_>, start: Time) {
    const TOPIC: Option<&str> = Some("exchange");
    let mut at = start;
    if script.dice.chance(0.6) {
        script.call(at, "technical", "exchange_ordered", TOPIC);
    } else {
        let device = script.person.device;
        script.session(at, device, &[("exchange_ordered", "exchange")], true);
    }
    may_give_up(script, at, 0.06, 0.1, 0.3);
    at += script.dice.days(0.3, 1.5);
    script.message(at, "email", "box_sent", TOPIC, "technical");
    at += script.dice.days(2.0, 6.0);
    script.message(at, "email", "box_returned", TOPIC, "technical");
}

fn contract_questions(script: &mut Script<'_>, start: Time) {
    let mut at = start;
    ask_about_the_contract(script, at);
    if script.dice.chance(0.5) {
        at += script.dice.days(0.2, 1.0);
        script.message(at, "email", "terms_sent", CONTRACT, "retention");
    }
    if script.dice.chance(0.08) {
        at += script.dice.days(0.2, 0.9);
        script.message(at, "email", "cancellation_form_sent", CONTRACT, "retention");
    }
    may_give_up(script, start, 0.08, 0.5, 1.0);
    at += script.dice.days(0.5, 5.0);
    script.call(at, "retention", "contract_explained", CONTRACT);
}

const CONTRACT: Option<&str> = Some("contract");

fn ask_about_the_contract(script: &mut Script<'_>, at: Time) {
    if script.dice.chance(0.6) {
        script.call(at, "retention", "contract_asked", CONTRACT);
    } else {
        let device = script.person.device;
        script.session(at, device, &[("contract_asked", "contract")], true);
    }
}

/// What those do who have decided to leave and ask first: the journey begins, and the form for cancelling ends it.
pub(crate) fn cancellation(script: &mut Script<'_>, start: Time, end: Time) -> Option<Instance> {
    script.until = end;
    ask_about_the_contract(script, start);
    let sent = start + script.dice.days(0.15, 0.9);
    script.message(sent, "email", "cancellation_form_sent", CONTRACT, "retention");
    script.close(Journey::ContractQuestions)
}
