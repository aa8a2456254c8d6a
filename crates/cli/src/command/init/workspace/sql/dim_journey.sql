-- One row: a journey definition. From: journey_definitions (the files in pipelines/journeys). Key: journey.
SELECT
    journey,
    label,
    owner,
    description,
    starts,
    ends,
    abandons,
    includes,
    within_s,
    idle_s,
    on_restart,
    eligible,
    eligible_from,
    eligible_until,
    importance,
    rationale
FROM journey_definitions
ORDER BY journey
