"""The newsletter in Flask."""

from pathlib import Path
from typing import ClassVar

from walkthrough import Walkthrough

FOLDER = "examples/flask"


class TestNewsletter(Walkthrough):
    framework = "flask"
    data = "instance"
    servers: ClassVar = {
        "flask": f"-m flask --app {FOLDER}/newsletter.py run --port {{port}}",
        "gunicorn": f"-m gunicorn --workers 4 --bind 127.0.0.1:{{port}} --chdir {FOLDER} newsletter:app",
    }


def test_the_example_can_be_read_at_once():
    """The app has fewer than 150 lines."""
    lines = Path(__file__).with_name("newsletter.py").read_text().splitlines()
    assert len(lines) < 150
