"""The register: regions, apps, sources, their keys, and the installation itself."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from uuid import UUID

from sqlalchemy import ARRAY, CheckConstraint, ForeignKey, ForeignKeyConstraint, Index, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base


class InstallationRow(Base):
    """Facts of this installation, each once: the digest key, whether it is a demo."""

    __tablename__ = "installation"

    name: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[str]


class RegionRow(Base):
    """A region of any level. Codes outlive regions, so rows carry their validity."""

    __tablename__ = "regions"
    __table_args__ = (
        CheckConstraint(
            r"code ~ '^[0-9]{2}(\.[0-9]{2}(\.[0-9]{2}(\.[123][0-9]{3})?)?)?$'",
            name="region_code_is_dotted",
        ),
        CheckConstraint(
            "valid_to IS NULL OR valid_from < valid_to", name="region_is_valid_forward"
        ),
        CheckConstraint("role IN ('host', 'partner')", name="region_role_is_known"),
        Index("regions_parent", "parent"),
    )

    code: Mapped[str] = mapped_column(primary_key=True)
    parent: Mapped[str | None] = mapped_column(ForeignKey("regions.code"))
    name: Mapped[str]
    level: Mapped[str]
    timezone: Mapped[str | None]
    role: Mapped[str | None]
    partner_since: Mapped[int | None]
    population: Mapped[int | None]
    valid_from: Mapped[date | None]
    valid_to: Mapped[date | None]
    decree: Mapped[str | None]


class AppRow(Base):
    """An app that regions adopt; its family gives its events their meaning."""

    __tablename__ = "apps"
    __table_args__ = (
        CheckConstraint("app_group IN ('public_service', 'egov')", name="app_group_is_known"),
        CheckConstraint(
            "family IN ('complaint', 'permit', 'employment', 'generic')", name="app_family_is_known"
        ),
    )

    code: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    app_group: Mapped[str]
    family: Mapped[str]


class AdoptionRow(Base):
    """A region's adoption of an app."""

    __tablename__ = "adoptions"
    __table_args__ = (
        CheckConstraint(
            "stage IN ('interested', 'mou_signed', 'pks_signed', 'training', 'integrating',"
            " 'live', 'idle', 'ended', 'suspended')",
            name="adoption_stage_is_known",
        ),
    )

    region: Mapped[str] = mapped_column(ForeignKey("regions.code"), primary_key=True)
    app: Mapped[str] = mapped_column(ForeignKey("apps.code"), primary_key=True)
    stage: Mapped[str]
    since: Mapped[datetime]


class SourceRow(Base):
    """What posts: a URN of a region and an app."""

    __tablename__ = "sources"
    __table_args__ = (
        CheckConstraint(
            "urn = 'urn:pemda:' || region || ':' || app"
            " || CASE WHEN instance IS NULL THEN '' ELSE ':' || instance END",
            name="source_urn_names_its_region_and_app",
        ),
        CheckConstraint("expected_interval > interval '0'", name="source_interval_is_positive"),
    )

    region: Mapped[str] = mapped_column(ForeignKey("regions.code"), primary_key=True)
    urn: Mapped[str] = mapped_column(primary_key=True)
    app: Mapped[str] = mapped_column(ForeignKey("apps.code"))
    instance: Mapped[str | None]
    expected_interval: Mapped[timedelta] = mapped_column(server_default=text("interval '24 hours'"))
    registered_at: Mapped[datetime]


class KeyRow(Base):
    """A key for programs, kept as a digest alone; the key itself is shown once."""

    __tablename__ = "api_keys"
    __table_args__ = (
        ForeignKeyConstraint(
            ["region", "source"], ["sources.region", "sources.urn"], name="api_keys_source_fk"
        ),
        CheckConstraint("octet_length(digest) = 32", name="key_digest_is_sha256"),
        CheckConstraint("cardinality(scopes) > 0", name="key_has_a_scope"),
        CheckConstraint("expires_at > created_at", name="key_ends_after_it_began"),
        Index("api_keys_digest", "digest"),
        Index("api_keys_number", "id"),
    )

    region: Mapped[str] = mapped_column(primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    source: Mapped[str]
    digest: Mapped[bytes]
    scopes: Mapped[list[str]] = mapped_column(ARRAY(Text))
    created_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]
    label: Mapped[str | None]
    expires_at: Mapped[datetime | None]
    #: To the minute.
    last_used_at: Mapped[datetime | None]
