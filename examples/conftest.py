"""The newsletter being served, and somebody who looks at it. Tests say which one: `newsletter` and `server`."""

import pytest
from browser import open_browser

pytest.register_assert_rewrite("newsletters")


@pytest.fixture
def project(newsletter, tmp_path):
    """The example, as it comes from the repository."""
    with newsletter.project(tmp_path) as project:
        yield project


@pytest.fixture
def site(newsletter, server, project):
    """The newsletter, being served."""
    return newsletter.serve(project, server)


@pytest.fixture
def browser(site):
    """Somebody who looks at the site."""
    with open_browser(site) as browser:
        yield browser
    assert "Traceback" not in site.server.output
