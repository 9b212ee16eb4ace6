"""Versions, pins, changelog and metadata of all packages agree."""

import re
import sys

import pytest

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ADAPTERS = {
    "bottle-autocron": "bottle",
    "django-autocron": "Django",
    "flask-autocron": "Flask",
    "pyramid-autocron": "pyramid",
}


def metadata_of(folder):
    """Return a package's pyproject.toml."""
    return tomllib.loads((folder / "pyproject.toml").read_text())


def version_of(folder):
    """Return a package's version, read from where the build reads it."""
    path = folder / metadata_of(folder)["tool"]["hatch"]["version"]["path"]
    return re.search(r'^__version__ = "(.+)"$', path.read_text(), re.MULTILINE)[1]


@pytest.fixture
def version(packages):
    """The core's version."""
    return version_of(packages[0])


def test_all_packages_carry_one_version(packages, version):
    """No package is ahead of the core or behind it."""
    assert {version_of(folder) for folder in packages} == {version}


def test_the_changelog_begins_with_this_version(root, version):
    """The newest entry is about the version that the packages carry."""
    heading = r"^## \[(.+)\] - (?:Unreleased|\d{4}-\d\d-\d\d)$"
    versions = re.findall(heading, (root / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert versions[0] == version


def test_the_core_depends_on_nothing(packages):
    """The standard library is enough for the core."""
    assert metadata_of(packages[0])["project"]["dependencies"] == []


def test_adapters_depend_on_their_framework_and_this_core(packages, version):
    """Each adapter pins the core exactly, and needs nothing else but its framework."""
    found = {folder.name: metadata_of(folder)["project"]["dependencies"] for folder in packages[1:]}
    assert found.keys() == ADAPTERS.keys()
    for name, (framework, core) in found.items():
        assert framework.startswith(f"{ADAPTERS[name]}>=")
        assert core == f"autocron=={version}"


def test_all_packages_are_made_alike(root, packages):
    """Each package has the same licence and the same Pythons, and brings types and tests."""
    core = metadata_of(packages[0])["project"]
    pythons = {each for each in core["classifiers"] if "Python :: 3." in each}
    for folder in packages:
        project = metadata_of(folder)["project"]
        assert project["license"] == "MIT"
        assert project["requires-python"] == core["requires-python"]
        assert pythons <= set(project["classifiers"])
        assert (folder / "LICENSE").read_text() == (root / "LICENSE").read_text()
        assert list(folder.glob("src/*/py.typed"))
        assert list(folder.glob("tests/**/test_*.py"))


def test_tox_runs_the_pythons_that_are_promised(root, packages):
    """Each Python that the packages name has its place in the matrix."""
    classifiers = metadata_of(packages[0])["project"]["classifiers"]
    minors = [each.rpartition(".")[2] for each in classifiers if "Python :: 3." in each]
    tox = (root / "tox.ini").read_text()
    for minor in minors:  # either alone, or among others in braces
        assert re.search(rf"py(\{{[\d,]*)?3{minor}([\d,]*\}})?-(core|unit)", tox), minor
