"""The log, the register and the numbers.

Revision ID: 0001
Revises:
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0001"
down_revision: str | None = None
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


#: Appends a group of events in one round trip. Lock and insert are separate
#: statements on purpose: a statement that also takes the lock would read from a
#: snapshot older than the lock, and could give one seq twice. Regions are locked
#: in code order, so that two groups cannot wait for each other.
APPEND_EVENTS = """
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
    # A migration that waits for a lock makes every writer behind it wait too.
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.create_table(
        "apps",
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("app_group", sa.Text(), nullable=False),
        sa.Column("family", sa.Text(), nullable=False),
        sa.CheckConstraint(
            "app_group IN ('public_service', 'egov')", name=op.f("app_group_is_known")
        ),
        sa.CheckConstraint(
            "family IN ('complaint', 'permit', 'employment', 'generic')",
            name=op.f("app_family_is_known"),
        ),
        sa.PrimaryKeyConstraint("code", name=op.f("apps_pk")),
    )
    op.create_table(
        "cases",
        sa.Column("region", sa.Text(), nullable=False),
        sa.Column("generation", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("app", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("case_id", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=True),
        sa.Column("open", sa.Boolean(), nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("first_response_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reopen_count", sa.BigInteger(), nullable=False),
        sa.Column("service", sa.Text(), nullable=True),
        sa.Column("area", sa.Text(), nullable=True),
        sa.Column("agency", sa.Text(), nullable=True),
        sa.Column("channel", sa.Text(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("fee_idr", sa.BigInteger(), nullable=True),
        sa.Column("tariff_idr", sa.BigInteger(), nullable=True),
        sa.Column("rating", sa.BigInteger(), nullable=True),
        sa.Column("duplicate_of", sa.Text(), nullable=True),
        sa.Column("last_time", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_sequence", sa.Numeric(precision=400, scale=0), nullable=False),
        sa.Column("last_id", sa.Text(), nullable=False),
        sa.Column("last_source", sa.Text(), nullable=False),
        sa.CheckConstraint("(state IS NULL) = (opened_at IS NULL)", name=op.f("case_was_opened")),
        sa.CheckConstraint("state IS NOT NULL OR NOT open", name=op.f("open_case_has_a_state")),
        sa.CheckConstraint(
            "state IS NULL OR open = (closed_at IS NULL)", name=op.f("closed_case_has_a_closing")
        ),
        sa.PrimaryKeyConstraint(
            "region", "generation", "app", "kind", "case_id", name=op.f("cases_pk")
        ),
    )
    op.create_index(
        "cases_due",
        "cases",
        ["region", "generation", "due_at"],
        unique=False,
        postgresql_where=sa.text("open AND due_at IS NOT NULL"),
    )
    op.create_index(
        "cases_newest",
        "cases",
        ["region", "generation", "opened_at", "app", "kind", "case_id"],
        unique=False,
    )
    op.create_table(
        "events",
        sa.Column("region", sa.Text(), nullable=False),
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("time", sa.DateTime(timezone=True), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("app", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=True),
        sa.Column("sequence", sa.Text(), nullable=True),
        sa.Column("test", sa.Boolean(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("envelope", sa.Text(), nullable=False),
        sa.CheckConstraint("seq > 0", name=op.f("seq_starts_at_one")),
        sa.PrimaryKeyConstraint("region", "seq", name=op.f("events_pk")),
        sa.UniqueConstraint("region", "source", "id", name=op.f("one_effect_per_event")),
    )
    op.create_index(
        "events_of_case",
        "events",
        ["region", "app", "subject"],
        unique=False,
        postgresql_where=sa.text("subject IS NOT NULL"),
    )
    op.create_table(
        "flows",
        sa.Column("region", sa.Text(), nullable=False),
        sa.Column("generation", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("app", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("metric", sa.Text(), nullable=False),
        sa.Column("hour", sa.DateTime(timezone=True), nullable=False),
        sa.Column("n", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint(
            "region", "generation", "app", "kind", "metric", "hour", name=op.f("flows_pk")
        ),
    )
    op.create_index("flows_recent", "flows", ["region", "generation", "hour"], unique=False)
    op.create_table(
        "frames",
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("epoch", sa.Text(), nullable=False),
        sa.Column("rev", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("head", sa.BigInteger(), nullable=False),
        sa.Column("current_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("watermark", sa.DateTime(timezone=True), nullable=True),
        sa.Column("patch", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("rev > 0", name=op.f("frame_rev_starts_at_one")),
        sa.CheckConstraint("rev > 1 OR state IS NOT NULL", name=op.f("first_frame_is_a_keyframe")),
        sa.PrimaryKeyConstraint("channel", "epoch", "rev", name=op.f("frames_pk")),
    )
    op.create_index("frames_age", "frames", ["created_at"], unique=False)
    op.create_index(
        "frames_key",
        "frames",
        ["channel", "epoch", "rev"],
        unique=False,
        postgresql_where=sa.text("state IS NOT NULL"),
    )
    op.create_table(
        "gauges",
        sa.Column("region", sa.Text(), nullable=False),
        sa.Column("generation", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("app", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("metric", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("n", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint(
            "region", "generation", "app", "kind", "metric", "key", name=op.f("gauges_pk")
        ),
    )
    op.create_table(
        "installation",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("installation_pk")),
    )
    op.create_table(
        "live_tickets",
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("reader", sa.Text(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("octet_length(digest) = 32", name=op.f("ticket_digest_is_sha256")),
        sa.PrimaryKeyConstraint("digest", name=op.f("live_tickets_pk")),
        prefixes=["UNLOGGED"],
    )
    op.create_table(
        "projections",
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("region", sa.Text(), nullable=True),
        sa.Column("epoch", sa.Text(), nullable=False),
        sa.Column("generation", sa.BigInteger(), nullable=False),
        sa.Column("rev", sa.BigInteger(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("current_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("watermark", sa.DateTime(timezone=True), nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("state_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("halted", sa.Text(), nullable=True),
        sa.Column("halted_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("rev > 0", name=op.f("rev_starts_at_one")),
        sa.CheckConstraint("seq >= 0", name=op.f("projection_seq_is_not_negative")),
        sa.PrimaryKeyConstraint("channel", name=op.f("projections_pk")),
        sa.UniqueConstraint("region", name=op.f("one_projection_per_region")),
    )
    op.create_table(
        "quarantine",
        sa.Column("region", sa.Text(), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("first_refused_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_refused_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("times", sa.BigInteger(), server_default="1", nullable=False),
        sa.Column("problem", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("field", sa.Text(), nullable=True),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("event", sa.Text(), nullable=False),
        sa.Column("replayed_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("times > 0", name=op.f("refused_at_least_once")),
        sa.PrimaryKeyConstraint("region", "id", name=op.f("quarantine_pk")),
        sa.UniqueConstraint("region", "source", "digest", name=op.f("refused_once_per_content")),
    )
    op.create_index("quarantine_newest", "quarantine", ["region", "source", "id"], unique=False)
    op.create_index("quarantine_number", "quarantine", ["id"], unique=False)
    op.create_table(
        "regions",
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("parent", sa.Text(), nullable=True),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("level", sa.Text(), nullable=False),
        sa.Column("timezone", sa.Text(), nullable=True),
        sa.Column("role", sa.Text(), nullable=True),
        sa.Column("partner_since", sa.BigInteger(), nullable=True),
        sa.Column("population", sa.BigInteger(), nullable=True),
        sa.Column("valid_from", sa.Date(), nullable=True),
        sa.Column("valid_to", sa.Date(), nullable=True),
        sa.Column("decree", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "code ~ '^[0-9]{2}(\\.[0-9]{2}(\\.[0-9]{2}(\\.[123][0-9]{3})?)?)?$'",
            name=op.f("region_code_is_dotted"),
        ),
        sa.CheckConstraint("role IN ('host', 'partner')", name=op.f("region_role_is_known")),
        sa.CheckConstraint(
            "valid_to IS NULL OR valid_from < valid_to", name=op.f("region_is_valid_forward")
        ),
        sa.ForeignKeyConstraint(["parent"], ["regions.code"], name=op.f("regions_parent_fk")),
        sa.PrimaryKeyConstraint("code", name=op.f("regions_pk")),
    )
    op.create_index("regions_parent", "regions", ["parent"], unique=False)
    op.create_table(
        "source_activity",
        sa.Column("region", sa.Text(), nullable=False),
        sa.Column("generation", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("last_event_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("today", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("region", "generation", "source", name=op.f("source_activity_pk")),
    )
    op.create_table(
        "adoptions",
        sa.Column("region", sa.Text(), nullable=False),
        sa.Column("app", sa.Text(), nullable=False),
        sa.Column("stage", sa.Text(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "stage IN ('interested', 'mou_signed', 'pks_signed', 'training', 'integrating', 'live', 'idle', 'ended', 'suspended')",
            name=op.f("adoption_stage_is_known"),
        ),
        sa.ForeignKeyConstraint(["app"], ["apps.code"], name=op.f("adoptions_app_fk")),
        sa.ForeignKeyConstraint(["region"], ["regions.code"], name=op.f("adoptions_region_fk")),
        sa.PrimaryKeyConstraint("region", "app", name=op.f("adoptions_pk")),
    )
    op.create_table(
        "region_logs",
        sa.Column("region", sa.Text(), nullable=False),
        sa.Column("head", sa.BigInteger(), server_default="0", nullable=False),
        sa.CheckConstraint("head >= 0", name=op.f("head_starts_at_zero")),
        sa.ForeignKeyConstraint(["region"], ["regions.code"], name=op.f("region_logs_region_fk")),
        sa.PrimaryKeyConstraint("region", name=op.f("region_logs_pk")),
    )
    op.create_table(
        "sources",
        sa.Column("region", sa.Text(), nullable=False),
        sa.Column("urn", sa.Text(), nullable=False),
        sa.Column("app", sa.Text(), nullable=False),
        sa.Column("instance", sa.Text(), nullable=True),
        sa.Column(
            "expected_interval",
            sa.Interval(),
            server_default=sa.text("interval '24 hours'"),
            nullable=False,
        ),
        sa.Column("registered_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "expected_interval > interval '0'", name=op.f("source_interval_is_positive")
        ),
        sa.CheckConstraint(
            "urn = 'urn:pemda:' || region || ':' || app || CASE WHEN instance IS NULL THEN '' ELSE ':' || instance END",
            name=op.f("source_urn_names_its_region_and_app"),
        ),
        sa.ForeignKeyConstraint(["app"], ["apps.code"], name=op.f("sources_app_fk")),
        sa.ForeignKeyConstraint(["region"], ["regions.code"], name=op.f("sources_region_fk")),
        sa.PrimaryKeyConstraint("region", "urn", name=op.f("sources_pk")),
    )
    op.create_table(
        "api_keys",
        sa.Column("region", sa.Text(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("scopes", sa.ARRAY(sa.Text()), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("cardinality(scopes) > 0", name=op.f("key_has_a_scope")),
        sa.CheckConstraint("octet_length(digest) = 32", name=op.f("key_digest_is_sha256")),
        sa.ForeignKeyConstraint(
            ["region", "source"], ["sources.region", "sources.urn"], name="api_keys_source_fk"
        ),
        sa.PrimaryKeyConstraint("region", "id", name=op.f("api_keys_pk")),
    )
    op.create_index("api_keys_digest", "api_keys", ["digest"], unique=False)
    op.execute(APPEND_EVENTS)


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute("DROP FUNCTION append_events")
    op.drop_index("api_keys_digest", table_name="api_keys")
    op.drop_table("api_keys")
    op.drop_table("sources")
    op.drop_table("region_logs")
    op.drop_table("adoptions")
    op.drop_table("source_activity")
    op.drop_index("regions_parent", table_name="regions")
    op.drop_table("regions")
    op.drop_index("quarantine_number", table_name="quarantine")
    op.drop_index("quarantine_newest", table_name="quarantine")
    op.drop_table("quarantine")
    op.drop_table("projections")
    op.drop_table("live_tickets")
    op.drop_table("installation")
    op.drop_table("gauges")
    op.drop_index("frames_key", table_name="frames", postgresql_where=sa.text("state IS NOT NULL"))
    op.drop_index("frames_age", table_name="frames")
    op.drop_table("frames")
    op.drop_index("flows_recent", table_name="flows")
    op.drop_table("flows")
    op.drop_index(
        "events_of_case", table_name="events", postgresql_where=sa.text("subject IS NOT NULL")
    )
    op.drop_table("events")
    op.drop_index("cases_newest", table_name="cases")
    op.drop_index(
        "cases_due", table_name="cases", postgresql_where=sa.text("open AND due_at IS NOT NULL")
    )
    op.drop_table("cases")
    op.drop_table("apps")
