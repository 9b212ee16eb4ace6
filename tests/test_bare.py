"""The built packages, and what the README promises, with nothing else of this tree in reach.

The quickstart and the command that serves the example are taken from the README as they stand.
"""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tarfile
import threading
import zipfile
from contextlib import contextmanager

import httpx
import pytest

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="session")
def dist(packages, tmp_path_factory):
    """A folder with the sdist of each package, and the wheel that was built from that sdist."""
    folder = tmp_path_factory.mktemp("dist")
    for package in packages:
        build = [sys.executable, "-m", "build", "--installer", "uv", "--outdir", folder, package]
        subprocess.run(build, check=True)
    return folder


@pytest.fixture(scope="session")
def bin_folder(dist, tmp_path_factory):
    """The programs of a new environment that has the wheels, and what they ask for."""
    venv = tmp_path_factory.mktemp("bare") / ".venv"
    subprocess.run([sys.executable, "-m", "venv", venv], check=True)
    wheels = sorted(dist.glob("*.whl"))
    subprocess.run([venv / "bin/pip", "install", "--quiet", *wheels], check=True)
    return venv / "bin"


def is_free(port):
    """Whether nobody uses a TCP port."""
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


@pytest.fixture
def serving(tmp_path, until):
    """A function that runs a command line until it serves; yields its address and its output."""

    @contextmanager
    def serve(command, cwd, path=os.environ["PATH"]):
        # Below those of outgoing connections, of which pip makes many before the server runs.
        port = next(filter(is_free, range(31_600, 32_700)))
        # Nothing of this process's environment but what tells pip how to reach its index.
        environ = {name: os.environ[name] for name in os.environ if name.startswith("PIP_")}
        environ |= {"HOME": str(tmp_path), "PATH": path, "PYTHONUNBUFFERED": "1"}
        environ["FLASK_RUN_PORT"] = str(port)
        server = subprocess.Popen(
            ["bash", "-c", f"exec 2>&1; {command}"],
            cwd=cwd,
            env=environ,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        lines = []
        reader = threading.Thread(target=keep_lines, args=(server.stdout, lines), daemon=True)
        reader.start()
        try:
            until(lambda: "Running on" in "".join(lines) or not reader.is_alive(), within=180)
            assert reader.is_alive(), "".join(lines)
            yield f"http://127.0.0.1:{port}", lambda: "".join(lines)
        finally:
            if server.poll() is None:
                os.killpg(server.pid, signal.SIGTERM)
            server.wait()
        # The output ends when the last process ends that inherited it: the workers follow the app.
        reader.join(timeout=20)
        assert not reader.is_alive(), "some process has outlived the server"
        server.stdout.close()

    return serve


def keep_lines(output, lines):
    """Read output to its end."""
    for line in output:
        lines.append(line)


def test_sdists_bring_tests_and_licence(dist, packages):
    """Whoever packages autocron for a distribution can run its tests."""
    sdists = sorted(dist.glob("*.tar.gz"))
    assert len(sdists) == len(packages)
    for sdist in sdists:
        with tarfile.open(sdist) as archive:
            names = [name.partition("/")[2] for name in archive.getnames()]
        assert {"LICENSE", "README.md", "pyproject.toml"} <= set(names)
        assert any(re.match(r"tests/(.+/)?test_", name) for name in names)


def test_wheels_are_typed_and_bring_no_tests(dist, packages):
    """What is installed is the package and nothing beside it."""
    wheels = sorted(dist.glob("*.whl"))
    assert len(wheels) == len(packages)
    for wheel in wheels:
        names = zipfile.ZipFile(wheel).namelist()
        package = wheel.name.partition("-")[0]
        assert f"{package}/py.typed" in names
        assert {name.partition("/")[0].partition("-")[0] for name in names} == {package}


def test_autocron_came_from_the_wheels(bin_folder, packages):
    """No index was asked for autocron: there is another one, of another version, out there."""
    freeze = [bin_folder / "pip", "freeze"]
    lines = subprocess.run(freeze, check=True, capture_output=True, text=True).stdout.splitlines()
    ours = [line for line in lines if "autocron" in line]
    assert len(ours) == len(packages)
    assert all(" @ file://" in line for line in ours)
    subprocess.run([bin_folder / "pip", "check"], check=True)


def test_the_pages_of_djangos_admin_are_in_its_wheel(bin_folder):
    """Templates and styles are not code, and are left out easily."""
    [package] = bin_folder.parent.glob("lib/*/site-packages/django_autocron")
    pages = {file.name for file in package.glob("templates/django_autocron/*.html")}
    assert {"jobs.html", "job.html", "schedules.html", "workers.html"} <= pages
    assert package.joinpath("static/django_autocron/admin.css").exists()


def test_the_command_brings_its_manual_and_its_completion(bin_folder):
    """The page where `man` looks for it, and scripts for both shells."""
    assert (bin_folder.parent / "share/man/man1/autocron.1").read_text().startswith('.\\" Made by')
    for shell in ("bash", "zsh"):
        command = [bin_folder / "autocron", "completion", shell]
        script = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        assert "delete-database" in script


def test_the_quickstart_runs(readme, bin_folder, serving, tmp_path, until):
    """The first thing that a reader tries works: a page, a delayed function, a schedule."""
    (tmp_path / "application.py").write_text(readme.quickstart)
    with serving(readme.run, cwd=tmp_path, path=f"{bin_folder}:/usr/bin:/bin") as (url, output):
        page = httpx.get(f"{url}/join/ann@example.org")
        assert page.text == "Thank you, ann@example.org. A mail is on its way.\n"
        until(lambda: "Welcome, ann@example.org!" in output(), within=10)
        until(lambda: "One more minute has passed." in output(), within=70)


def test_the_serve_command_serves_the_example(readme, root, serving, tmp_path):
    """In a fresh copy of the tree, one line leads to a page in the browser."""
    nothing_built = shutil.ignore_patterns(".*", "__pycache__", "instance", "*.db*")
    for folder in ("packages", "examples"):
        shutil.copytree(root / folder, tmp_path / "tree" / folder, ignore=nothing_built)
    with serving(readme.serve, cwd=tmp_path / "tree") as (url, _):
        assert httpx.get(url).status_code == httpx.codes.OK
