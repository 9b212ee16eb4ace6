"""The store on one SQLite file."""

from __future__ import annotations

from autocron.stores.sqlite.admin import SqliteAdminStore
from autocron.stores.sqlite.store import SqliteStore

__all__ = ["SqliteAdminStore", "SqliteStore"]
