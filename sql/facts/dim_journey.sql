-- One row: a journey definition, with what experts say of it. From: journey_definitions, expert_judgement (seed).
-- Key: journey. The definition's own importance overrides the seed's (SEMANTICS 5).
SELECT
    definition.journey,
    definition.label,
    definition.owner,
    definition.description,
    definition.starts,
    definition.ends,
    definition.abandons,
    definition.includes,
    definition.within_s,
    definition.idle_s,
    definition.on_restart,
    definition.eligible,
    definition.eligible_from,
    definition.eligible_until,
    coalesce(definition.importance, judgement.importance) AS importance,
    CASE WHEN definition.importance IS NOT NULL THEN definition.rationale ELSE judgement.rationale END AS rationale
FROM journey_definitions AS definition
LEFT JOIN expert_judgement AS judgement ON judgement.journey = definition.journey
ORDER BY definition.journey
