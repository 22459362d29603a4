"""Append events in one pass, by a plan that is made once.

Revision ID: 0003
Revises: 0002
"""

from collections.abc import Sequence

from alembic import op

revision: str = "0003"
down_revision: str | None = "0002"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

# Planned anew for the length of its arrays, each call took longer to plan than to run. By a
# general plan it needs its lookups by key, and no join of the events with themselves.
TOGETHER = """
CREATE OR REPLACE FUNCTION append_events(
    regions text[], received timestamptz[], times timestamptz[], sources text[], ids text[],
    types text[], apps text[], subjects text[], sequences text[], tests boolean[],
    digests bytea[], envelopes text[]
) RETURNS TABLE (place bigint, at_seq bigint, was_known boolean, kept_digest bytea)
LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
BEGIN
    PERFORM 1 FROM region_logs WHERE region = ANY (regions) ORDER BY region FOR UPDATE;
    RETURN QUERY
    WITH incoming AS MATERIALIZED (
        SELECT i.*, e.seq AS known_seq, e.digest AS known_digest
        FROM unnest(regions, received, times, sources, ids, types, apps, subjects, sequences,
                    tests, digests, envelopes) WITH ORDINALITY
             AS i (region, received_at, time, source, id, type, app, subject, sequence,
                   test, digest, envelope, place)
        LEFT JOIN events e ON e.region = i.region AND e.source = i.source AND e.id = i.id
    ), numbered AS MATERIALIZED (
        SELECT i.*, l.head + count(*) FILTER (WHERE i.known_seq IS NULL)
                             OVER (PARTITION BY i.region ORDER BY i.place) AS seq
        FROM incoming i JOIN region_logs l ON l.region = i.region
    ), inserted AS (
        INSERT INTO events (region, seq, received_at, time, source, id, type, app, subject,
                            sequence, test, digest, envelope)
        SELECT n.region, n.seq, n.received_at, n.time, n.source, n.id, n.type, n.app, n.subject,
               n.sequence, n.test, n.digest, n.envelope
        FROM numbered n WHERE n.known_seq IS NULL ORDER BY n.region, n.seq
    ), moved AS (
        UPDATE region_logs l SET head = top.seq
        FROM (SELECT n.region, max(n.seq) AS seq FROM numbered n
              WHERE n.known_seq IS NULL GROUP BY n.region) top
        WHERE l.region = top.region
    )
    SELECT n.place, coalesce(n.known_seq, n.seq), n.known_seq IS NOT NULL,
           coalesce(n.known_digest, n.digest)
    FROM numbered n ORDER BY n.place;
END
$$
"""

AS_BEFORE = """
CREATE FUNCTION append_events(
    regions text[], received timestamptz[], times timestamptz[], sources text[], ids text[],
    types text[], apps text[], subjects text[], sequences text[], tests boolean[],
    digests bytea[], envelopes text[]
) RETURNS TABLE (place bigint, at_seq bigint, was_known boolean, kept_digest bytea)
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM 1 FROM region_logs WHERE region = ANY (regions) ORDER BY region FOR UPDATE;
    RETURN QUERY
    WITH incoming AS MATERIALIZED (
        SELECT i.*, e.seq AS known_seq, e.digest AS known_digest
        FROM unnest(regions, received, times, sources, ids, types, apps, subjects, sequences,
                    tests, digests, envelopes) WITH ORDINALITY
             AS i (region, received_at, time, source, id, type, app, subject, sequence,
                   test, digest, envelope, place)
        LEFT JOIN events e ON e.region = i.region AND e.source = i.source AND e.id = i.id
    ), numbered AS MATERIALIZED (
        SELECT i.*, l.head + row_number() OVER (PARTITION BY i.region ORDER BY i.place) AS seq
        FROM incoming i JOIN region_logs l ON l.region = i.region
        WHERE i.known_seq IS NULL
    ), inserted AS (
        INSERT INTO events (region, seq, received_at, time, source, id, type, app, subject,
                            sequence, test, digest, envelope)
        SELECT n.region, n.seq, n.received_at, n.time, n.source, n.id, n.type, n.app, n.subject,
               n.sequence, n.test, n.digest, n.envelope
        FROM numbered n ORDER BY n.region, n.seq
    ), moved AS (
        UPDATE region_logs l SET head = top.seq
        FROM (SELECT n.region, max(n.seq) AS seq FROM numbered n GROUP BY n.region) top
        WHERE l.region = top.region
    )
    SELECT i.place, coalesce(i.known_seq, n.seq), i.known_seq IS NOT NULL,
           coalesce(i.known_digest, i.digest)
    FROM incoming i LEFT JOIN numbered n ON n.place = i.place
    ORDER BY i.place;
END
$$
"""


def upgrade() -> None:
    op.execute(TOGETHER)


def downgrade() -> None:
    op.execute("DROP FUNCTION append_events")
    op.execute(AS_BEFORE)
