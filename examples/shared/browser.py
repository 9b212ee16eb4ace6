"""What somebody does who looks at the newsletter."""

import re
from html import unescape

import httpx

from autocron.testing import wait_until


def open_browser(site):
    """Return a client that looks at a site, with its cookies."""
    url = f"http://127.0.0.1:{site.port}"
    return httpx.Client(base_url=url, follow_redirects=True, timeout=30)


def see(browser, path, text):
    """Look at a page until it shows a text; return the page."""

    def page():
        shown = browser.get(path).text
        return shown if text in shown else None

    return wait_until(page, or_show=lambda: browser.get(path).text)


def sign_up(browser, address):
    """Ask for the newsletter."""
    action, hidden = form_with(browser, "address")
    return browser.post(action, data={**hidden, "address": address})


def upload(browser, text):
    """Import a file of addresses."""
    action, hidden = form_with(browser, "addresses")
    files = {"addresses": ("readers.csv", text)}
    answer = browser.post(action, data=hidden, files=files, follow_redirects=False)
    # Followed by httpx, it would announce a form without sending one, as no browser does, and Tornado refuses that.
    return browser.get(answer.headers["location"]) if answer.has_redirect_location else answer


def form_with(browser, field):
    """Find the form of the first page that has a field; return where it goes, and what is hidden in it."""
    for action, form in re.findall(
        r'<form action="(.*?)"(.*?)</form>', browser.get("/").text, re.DOTALL
    ):
        if f'name="{field}"' in form:
            hidden = re.findall(r'<input type="hidden" name="(.*?)" value="(.*?)"', form)
            return action, {name: unescape(value) for name, value in hidden}
    raise AssertionError(f"no form has the field {field}")
