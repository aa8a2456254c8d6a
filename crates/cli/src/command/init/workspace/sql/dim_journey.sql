-- One row: a journey definition. From: journey_definitions (the files in pipelines/journeys). Key: journey.
SELECT journey, label, owner, description, starts, ends, abandons, includes, eligible
FROM journey_definitions
ORDER BY journey
