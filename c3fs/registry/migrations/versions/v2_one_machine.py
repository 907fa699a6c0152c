"""Version 2: jobs, manifests, sweeps and the ledger of one machine."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "2"
down_revision = None

_Id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    versions = op.create_table("schema_version", sa.Column("version", sa.Integer, primary_key=True))
    op.bulk_insert(versions, [{"version": 2}])
    op.create_table(
        "accounts",
        sa.Column("name", sa.String(64), primary_key=True),
        sa.Column("quota", sa.BigInteger, nullable=False),
        sa.Column("stored", sa.BigInteger, nullable=False),
    )
    _jobs()
    _manifests()
    op.create_table(
        "ledger",
        sa.Column("id", _Id, primary_key=True),
        sa.Column("account", sa.String(64), sa.ForeignKey("accounts.name"), nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("ref", sa.Text, nullable=False),
        sa.Column("delta", sa.BigInteger, nullable=False),
        sa.Column("balance", sa.BigInteger, nullable=False),
    )
    op.create_index("ledger_by_account", "ledger", ["account", "id"])
    _sweeps()


def _jobs() -> None:
    op.create_table(
        "jobs",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("account", sa.String(64), sa.ForeignKey("accounts.name"), nullable=False),
        sa.Column("project", sa.String(64), nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("reason", sa.String(32)),
        sa.Column("exit_code", sa.Integer),
        sa.Column("spec", sa.Text, nullable=False),
        sa.Column("directory", sa.LargeBinary, nullable=False),
        sa.Column("created", sa.BigInteger, nullable=False),
        sa.Column("started", sa.BigInteger),
        sa.Column("finished", sa.BigInteger),
        sa.Column("cancel_requested", sa.BigInteger),
    )
    op.create_index("jobs_by_time", "jobs", ["account", "created", "id"])
    op.create_index("jobs_by_project", "jobs", ["account", "project", "created", "id"])
    op.create_index("jobs_by_state", "jobs", ["account", "state", "created", "id"])
    op.create_table(
        "consumed",
        sa.Column("job", sa.String(32), sa.ForeignKey("jobs.id"), primary_key=True),
        sa.Column("position", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("ref", sa.LargeBinary, nullable=False),
        sa.Column("base", sa.String(256), nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
    )
    op.create_index("consumed_by_base", "consumed", ["base", "version"])


def _manifests() -> None:
    op.create_table(
        "manifests",
        sa.Column("id", _Id, primary_key=True),
        sa.Column("account", sa.String(64), sa.ForeignKey("accounts.name"), nullable=False),
        sa.Column("base", sa.String(256), nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("project", sa.String(64)),
        sa.Column("name", sa.String(128), nullable=False),
        sa.Column("complete", sa.Boolean, nullable=False),
        sa.Column("root", sa.LargeBinary(32), nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("removed", sa.BigInteger),
        sa.UniqueConstraint("account", "base", "version", name="manifests_by_ref"),
    )
    op.create_index("manifests_by_kind", "manifests", ["account", "kind", "project", "name"])
    op.create_table(
        "manifest_blobs",
        sa.Column("manifest", _Id, sa.ForeignKey("manifests.id"), primary_key=True, autoincrement=False),
        sa.Column("digest", sa.LargeBinary(32), primary_key=True),
        sa.Column("size", sa.Integer, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_index("manifest_blobs_by_digest", "manifest_blobs", ["digest", "manifest"])


def _sweeps() -> None:
    op.create_table(
        "sweeps",
        sa.Column("id", _Id, primary_key=True),
        sa.Column("expires", sa.BigInteger, nullable=False),
        sa.Column("settled", sa.Boolean, nullable=False),
    )
    op.create_table(
        "condemned",
        sa.Column("digest", sa.LargeBinary(32), primary_key=True),
        sa.Column("sweep", _Id, sa.ForeignKey("sweeps.id"), primary_key=True, autoincrement=False),
        sqlite_with_rowid=False,
    )
    op.create_index("condemned_by_sweep", "condemned", ["sweep"])
