"""The extension: an app's settings, when its workers start, and how they get at the app."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from contextlib import AbstractContextManager, suppress
from functools import wraps
from pathlib import Path
from typing import Any, cast
from weakref import WeakSet

from autocron.app import add_finder, connect, current_client, in_worker
from autocron.client import Client
from autocron.errors import AutocronError, SettingsError
from autocron.integration import Integration, describe_main, load_main
from autocron.model import ClaimedJob
from autocron.settings import load_settings
from flask import Flask, current_app, has_app_context, request, request_started
from flask.helpers import get_debug_flag
from werkzeug.serving import is_running_from_reloader

from flask_autocron.sources import Source, find_app, flask_command, source_of

EXTENSION = "autocron"
PREFIX = "AUTOCRON_"
APP = f"{PREFIX}APP"

SERVERS = ("gunicorn.arbiter", "mod_wsgi", "uwsgi", "waitress.runner")
"""Modules that a process only has if it is, or belongs to, a server that was told of the app."""

