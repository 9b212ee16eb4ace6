"""Links in the documentation lead somewhere, and its examples are Python that runs."""

import ast
import doctest
import re
import textwrap
from dataclasses import MISSING, fields
from itertools import chain
from pathlib import Path
from urllib.parse import unquote

import pytest
from markdown_it import MarkdownIt
from mdit_py_plugins.anchors import anchors_plugin

from autocron import errors
from autocron.cli.arguments import VERBS
from autocron.settings import Settings

ROOT = Path(__file__).parent.parent
DOCS = sorted(ROOT.glob("docs/**/*.md"))
PAGES = [ROOT / "README.md", *sorted(ROOT.glob("packages/*/README.md")), *DOCS]
LINKED = [*PAGES, ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", ROOT / "SECURITY.md"]

# A fence may be indented, as within a tab or a note.
FENCE = re.compile(r"^([ \t]*)```python\b[^\n]*\n(.*?)^\1```", re.MULTILINE | re.DOTALL)


def name(path):
    """Return what a page is called within the repository."""
    return str(path.relative_to(ROOT))


def tokens(path):
    """Return all parts of a page, those within paragraphs included."""
    markdown = MarkdownIt("gfm-like", {"linkify": False}).use(anchors_plugin, max_level=6)
    parsed = markdown.parse(path.read_text())
    return chain.from_iterable([token, *(token.children or [])] for token in parsed)


def links(path):
    """Yield what a page links to within this repository, as path and anchor."""
    for token in tokens(path):
        target = token.attrGet("href") or token.attrGet("src")
        if target and not re.match(r"[a-z]+:", target):
            yield unquote(target).partition("#")[::2]


def anchors(path):
    """Return the anchors of a page: of headings, and those that its text sets itself."""
    text = path.read_text()
    own = re.findall(r'(?:\bid="|\{ ?#)([\w.-]+)', text)
    return {token.attrGet("id") for token in tokens(path)} | set(own)


def documented(path):
    """Return the Python names that are described on a page, whose members are anchors, too."""
    return re.findall(r"^::: ([\w.]+)", path.read_text(), re.MULTILINE)


def is_anchor(anchor, path):
    """Whether a page has such a place."""
    members = (f"{each}." for each in documented(path))
    return anchor in {*anchors(path), *documented(path)} or anchor.startswith(tuple(members))


def snippets():
    """Yield the Python examples of all pages, each with the line where it begins."""
    for path in PAGES:
        text = path.read_text()
        for match in FENCE.finditer(text):
            line = text.count("\n", 0, match.start()) + 2
            code = textwrap.dedent(match[2])
            yield pytest.param(code, path, line, id=f"{name(path)}:{line}")


@pytest.mark.parametrize("page", LINKED, ids=name)
def test_links_lead_somewhere(page):
    """Each relative link names a file of this repository, and each anchor a place in it."""
    broken = []
    for path, anchor in links(page):
        target = page.parent / path if path else page
        if not target.exists() or (anchor and not is_anchor(anchor, target)):
            broken.append(f"{path}#{anchor}")
    assert broken == []


@pytest.mark.parametrize(("code", "path", "line"), list(snippets()))
def test_snippets_are_python(code, path, line, tmp_path, monkeypatch):
    """Each example compiles; one that shows a session at the prompt gives what it shows."""
    if ">>>" not in code:
        padded = "\n" * (line - 1) + code
        compile(padded, path, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        return
    monkeypatch.chdir(tmp_path)
    session = doctest.DocTestParser().get_doctest(code, {}, name(path), str(path), line - 1)
    assert doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(session).failed == 0


def test_the_guide_lists_all_settings():
    """The table has each setting in its order, with its default and with who may set it."""
    table = (ROOT / "docs/guide/settings.md").read_text()
    rows = re.findall(r"^\| `(\w+)` \| [^|]+ \| (?:`(.+?)`)? ?\| ([\w, ]+) \|", table, re.MULTILINE)
    assert rows == [
        (
            field.name,
            "" if field.default is MISSING else repr(field.default).replace("'", '"'),
            "app, tool" if field.metadata["admin"] else "app",
        )
        for field in fields(Settings)
    ]


def test_the_guide_for_django_lists_all_checks():
    """The table has the id of each, and of no other."""
    table = (ROOT / "docs/frameworks/django.md").read_text()
    shown = re.findall(r"^\| `(autocron\.[EW]\d+)` \|", table, re.MULTILINE)
    code = (ROOT / "packages/django-autocron/src/django_autocron").glob("*.py")
    ids = {each for file in code for each in re.findall(r'"(autocron\.[EW]\d+)"', file.read_text())}
    assert shown == sorted(ids)


@pytest.mark.parametrize("page", ["docs/guide/admin-tool.md", "docs/reference/command.md"])
def test_no_verb_of_the_admin_tool_is_missing(page):
    """Each has a line in the guide, and a section in the reference."""
    text = (ROOT / page).read_text()
    missing = [
        verb.name
        for verb in VERBS
        if not re.search(rf"^### {verb.name}$|^\|.*`{verb.name}[ `]", text, re.MULTILINE)
    ]
    assert missing == []


def test_the_guide_shows_the_tree_of_errors():
    """Each error of the code is in the tree, below the one that it derives from."""
    text = (ROOT / "docs/guide/errors.md").read_text()
    tree = re.search(r"^AutocronError\n(?:[│├└─ ]+\w+.*\n)+", text, re.MULTILINE)[0]
    shown = [(re.search(r"\w", line).start() // 4, line.split()) for line in tree.splitlines()]
    names = [(depth, re.findall(r"\w+", " ".join(words))) for depth, words in shown]
    assert names == list(below(errors.AutocronError))


def below(error, depth=0):
    """Yield an error and all that derive from it, each with its built-in bases."""
    yield depth, [error.__name__, *(base.__name__ for base in error.__bases__[1:])]
    for each in error.__subclasses__():
        if each.__module__ == errors.__name__:
            yield from below(each, depth + 1)


def test_the_guarantees_name_tests_that_there_are():
    """Each test that is said to show a promise is in the file that is named."""
    text = (ROOT / "docs/concepts/guarantees.md").read_text()
    named = re.findall(r"`([\w/]+\.py)::(test_\w+)`", text)
    assert len(named) > 20
    for file, test in named:
        path = next(
            path for path in (ROOT / file, ROOT / "packages/core/tests" / file) if path.exists()
        )
        assert f"def {test}(" in path.read_text(), f"{file}::{test}"


def test_the_plan_of_the_core_names_all_its_modules():
    """Those of the command and of one engine aside, which their folders stand for."""
    text = (ROOT / "docs/contributing/architecture.md").read_text()
    (plan,) = re.findall(r"^```text\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    named = set(re.findall(r"\w+", plan))
    core = ROOT / "packages/core/src/autocron"
    names = "scheduling", "stores", "running", "processes", "integration", "administration"
    rooms = [core / name for name in names]
    modules = {path.stem for room in [core, *rooms] for path in room.glob("*.py")}
    folders = {path.parent.name for room in [core, *rooms] for path in room.glob("*/__init__.py")}
    assert {name for name in modules if not name.startswith("__")} | folders <= named
