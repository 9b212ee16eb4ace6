"""What is special to Bottle: configuration, the plugin's interface, and all the ways in which an app is run."""

import gc
import json
import shlex
import weakref
from contextlib import closing
from pathlib import Path

import httpx
import pytest
from bottle import Bottle, PluginError

import autocron
from autocron.errors import NotStarted, SettingsError
from autocron.testing import Project, capture, free_port, wait_until
from autocron.testing.contract import TASKS, UNKNOWN_SERVER, Site
from bottle_autocron import AutocronPlugin

DATABASE = "autocron.db"

CALL = """
@app.get("/call/<task>")
def call(task):
    return getattr(tasks, task)(request.query.text).id
"""

HEAD = """
import sys
from bottle import Bottle, request, run
from bottle_autocron import AutocronPlugin
import tasks

app = Bottle()
"""


@pytest.fixture
def project(tmp_path):
    """A folder with the module `tasks`, and without any process at the end."""
    with closing(Project(tmp_path)) as project:
        project.write("tasks.py", TASKS)
        yield project


@pytest.fixture
def app(tmp_path, monkeypatch):
    """An app of this process, which is no server, in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    app = Bottle()
    yield app
    app.close()
    autocron.stop()


@autocron.delay
def double(number):
    """Return what is easily checked."""
    return 2 * number


def get(app, path):
    """Make a request as tests do; return the text of the answer."""
    with httpx.Client(transport=httpx.WSGITransport(app), base_url="http://testserver") as client:
        answer = client.get(path)
    assert answer.status_code == 200, answer.text
    return answer.text


def install(app, name="autocron"):
    """Install a plugin; return it."""
    return app.install(AutocronPlugin(name))


def serve(project, arguments, database=DATABASE):
    """Serve the application of a project."""
    return Site.of(project, arguments, database)


# Configuration --------------------------------------------------------------------------------


def test_settings_come_from_the_apps_configuration(app):
    """The core's settings, with a prefix; others keep their defaults."""
    plugin = install(app)
    app.config.update({"autocron.workers": 3, "autocron.ttl": "60", "other.workers": "many"})
    settings = plugin.client().settings
    assert (settings.workers, settings.ttl) == (3, 60)
    assert settings.check_interval == 30


def test_settings_come_from_a_file(app, tmp_path):
    """What `load_config` reads are strings; it may be called after the plugin is installed."""
    plugin = install(app)
    tmp_path.joinpath("app.ini").write_text(
        "[autocron]\nworkers = 4\nautostart = no\ndatabase = jobs.db\n[bottle]\ndebug = true\n"
    )
    app.config.load_config("app.ini")
    settings = plugin.client().settings
    assert (settings.workers, settings.autostart) == (4, False)
    assert settings.database == tmp_path / "jobs.db"


def test_what_is_configured_too_late_is_an_error(app):
    """Once they are read, nothing that differs is taken for a setting; what is not ours may change."""
    plugin = install(app)
    app.config["autocron.workers"] = 2
    plugin.client()
    app.config["autocron.workers"] = 2
    app.config["other.workers"] = 3
    with pytest.raises(SettingsError, match=r"autocron\.workers=3: comes too late"):
        app.config.load_dict({"autocron": {"workers": 3}})
    assert plugin.client().settings.workers == app.config["autocron.workers"] == 2


def test_everything_that_is_wrong_is_told_by_the_names_that_the_app_uses(app, tmp_path):
    """An unknown key gets the nearest known one, a wrong value what it must be; nothing is half done."""
    plugin = install(app)
    app.config.load_dict({"autocron": {"worker": "2", "ttl": "soon", "database": ""}})
    with pytest.raises(SettingsError) as caught:
        plugin.start()
    text = str(caught.value)
    assert "unknown setting autocron.worker (did you mean autocron.workers?)" in text
    assert "autocron.ttl='soon'" in text
    assert "autocron.database=''" in text
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("database", ["jobs.db", "{folder}/jobs.db"])
def test_a_relative_database_lies_in_the_current_directory(app, tmp_path, database):
    """An absolute one stays where it is."""
    plugin = install(app)
    app.config["autocron.database"] = database.format(folder=tmp_path)
    assert plugin.client().settings.database == tmp_path / "jobs.db"


# The plugin -----------------------------------------------------------------------------------


def test_installing_it_opens_nothing(app, tmp_path):
    """The settings may not be complete."""
    install(app)
    assert list(tmp_path.iterdir()) == []


def test_a_second_plugin_is_refused(app):
    """Whether it has the same name or another; and so is one that is named as another plugin is."""
    install(app)
    for name in ("autocron", "second"):
        with pytest.raises(PluginError, match="has the plugin 'autocron' already"):
            install(app, name)
    with pytest.raises(PluginError, match="has the plugin 'json' already"):
        Bottle().install(AutocronPlugin("json"))


def test_a_name_of_its_own_is_what_the_plugin_is_known_by(app):
    """To a route that does without it, and to whoever uninstalls it."""
    plugin = install(app, "background")
    assert (plugin.name, plugin.api) == ("background", 2)
    app.get("/", callback=lambda: "here", skip=["background"])
    [route] = app.routes
    assert plugin not in route.all_plugins()
    assert app.uninstall("background") == [plugin]


def test_a_plugin_is_for_one_app(app):
    """Each app has a configuration of its own."""
    plugin = install(app)
    with pytest.raises(PluginError, match="make an AutocronPlugin for each"):
        Bottle().install(plugin)


def test_closing_twice_does_no_harm(app, tmp_path):
    """Also before anything was opened; an app that was closed can have another plugin."""
    plugin = install(app)
    plugin.close()
    plugin.close()
    assert app.uninstall("autocron") == [plugin]
    second = install(app)
    assert second.client().settings.database == tmp_path / DATABASE
    app.close()
    app.close()
    assert second.client() is None


def test_a_closed_plugin_leaves_no_trace(app):
    """Neither a hook nor a call that goes to its database."""
    plugin = install(app)
    plugin.client()
    app.uninstall(plugin)
    assert app._hooks == {name: [] for name in app._hooks}
    app.config["autocron.workers"] = 5
    app.get("/", callback=lambda: "here")
    assert get(app, "/") == "here"
    with pytest.raises(NotStarted):
        autocron.jobs()


def test_no_app_is_kept():
    """An app that nobody uses any more is freed, with its plugin."""
    temporary = Bottle()
    gone = weakref.ref(install(temporary))
    del temporary
    gc.collect()
    assert gone() is None


def test_a_call_goes_to_the_database_of_the_present_app(app):
    """Two apps in one process do not get into each other's way; a route may do without the plugin."""
    other = Bottle()
    for name, each in {"first": app, "other": other}.items():
        install(each)
        each.config["autocron.database"] = f"{name}.db"
        each.get("/", callback=lambda: double(1).id)
        each.get("/skip", callback=lambda: double(2).id, skip=["autocron"])
    job_id = get(other, "/")
    assert [job.id for job in other.plugins[-1].client().jobs(9, None)] == [job_id]
    assert app.plugins[-1].client().jobs(9, None) == []
    skipped = get(other, "/skip")  # and so goes to the first app
    assert [job.id for job in app.plugins[-1].client().jobs(9, None)] == [skipped]
    other.close()


def test_a_disabled_autocron_runs_tasks_in_their_caller(app):
    """Tests of an app need no workers."""
    install(app)
    app.config["autocron.enabled"] = "no"
    app.get("/", callback=lambda: str(double(21).result))
    assert get(app, "/") == "42"


def test_calls_of_routes_can_be_captured(app):
    """As in all frameworks."""
    install(app)
    app.get("/", callback=lambda: double(21).id)
    with capture() as jobs:
        get(app, "/")
    assert [job.args for job in jobs] == [(21,)]


# Ways of serving ------------------------------------------------------------------------------


def test_a_main_module_may_be_a_server_itself(project):
    """Nothing else tells that wsgiref serves."""
    serving = """
    from wsgiref.simple_server import make_server
    app.install(AutocronPlugin())
    make_server("127.0.0.1", int(sys.argv[1]), app).serve_forever()
    """
    guarded = "if __name__ == '__main__':" + serving
    project.write("application.py", HEAD + CALL + guarded)
    site = serve(project, "application.py {port}")
    assert not project.has_started(DATABASE)
    assert site.call("echo", "hi") == "hi"


def test_calls_before_the_first_request_do_not_count_for_a_start(project):
    """Workers start with the request all the same, under a server that nothing is known of."""
    two = "app.config['autocron.workers'] = 2\n"
    project.write("application.py", f"{HEAD}app.install(AutocronPlugin())\n{two}{CALL}")
    early = "import application, tasks\ntasks.echo('early')\n"
    project.write("unknown_server.py", early + UNKNOWN_SERVER)
    site = serve(project, "unknown_server.py {port} application:app")
    assert site.call("echo", "hi") == "hi"
    assert len(wait_until(site.workers)) == 2


def test_a_first_request_that_could_not_start_them_leaves_it_to_the_next(project):
    """The database had no place, say: that is told, and once there is one, workers start."""
    later = "app.config['autocron.database'] = 'later/autocron.db'\n"
    project.write("application.py", f"{HEAD}app.install(AutocronPlugin())\n{later}{CALL}")
    project.write("unknown_server.py", UNKNOWN_SERVER)
    arguments = "unknown_server.py {port} application:app"
    site = serve(project, arguments, "later/autocron.db")
    assert httpx.get(f"http://127.0.0.1:{site.port}/call/echo").status_code == 500
    (project.folder / "later").mkdir()
    assert site.call("echo", "hi") == "hi"


AGAIN = """
@app.route("/again")
def again():
    [plugin] = app.uninstall("autocron")
    app.install(plugin)
    return "so it is"
"""


def test_a_plugin_that_is_installed_again_starts_again(project):
    """With the first request that comes then."""
    project.write("application.py", f"{HEAD}app.install(AutocronPlugin())\n{CALL}{AGAIN}")
    project.write("unknown_server.py", UNKNOWN_SERVER)
    site = serve(project, "unknown_server.py {port} application:app")
    assert site.call("echo", "one") == "one"
    site.get("/again")
    wait_until(lambda: not project.autocron_processes())
    assert site.call("echo", "two") == "two"


def test_a_mounted_app_may_have_the_plugin(project):
    """Bottle runs no hooks of such an app."""
    mounted = f"app.install(AutocronPlugin())\n{CALL}\nchild, app = app, Bottle()\n"
    project.write("application.py", HEAD + mounted + "app.mount('/call/', child)\n")
    project.write("unknown_server.py", UNKNOWN_SERVER)
    site = serve(project, "unknown_server.py {port} application:app")
    assert site.ended(site.get("/call/call/echo", text="hi")).status == "DONE"


OWN_SERVER = """
from bottle import ServerAdapter

class Own(ServerAdapter):
    def run(self, handler):
        from wsgiref.simple_server import make_server
        make_server(self.host, self.port, handler).serve_forever()

run(app, server=Own, port=int(sys.argv[1]))
"""


def test_the_application_may_have_a_server_of_its_own(project):
    """Bottle's `run()` takes any adapter, whenever that was defined."""
    project.write("application.py", HEAD + "app.install(AutocronPlugin())\n" + OWN_SERVER)
    site = serve(project, "application.py {port}")
    wait_until(lambda: site.has_run("tasks.tick"), or_show=lambda: site.server.output)


FACTORY = """
def make_app():
    app.config["autocron.database"] = "early.db"
    app.install(AutocronPlugin())
    if "TOO_LATE" in os.environ:
        app.config["autocron.workers"] = 3
    return app
"""


def test_a_server_that_calls_a_factory_starts_with_the_plugin(project):
    """Nothing tells when the factory has ended; so what it configures later is an error."""
    project.write("application.py", f"import os\n{HEAD}{FACTORY}")
    arguments = "-m gunicorn --bind 127.0.0.1:{port} application:make_app()"
    site = serve(project, shlex.join(arguments.split()), "early.db")
    wait_until(lambda: site.has_run("tasks.tick"), or_show=lambda: site.server.output)
    done = project.run(*arguments.format(port=free_port()).split(), TOO_LATE="yes")
    assert done.returncode != 0
    assert "autocron.workers=3: comes too late" in done.stdout


def test_configuration_that_follows_the_plugin_counts_under_a_server(project):
    """A server program imports the module; workers start at its end, with what is configured by then."""
    ini = project.write("app.ini", "[autocron]\nworkers = 3\ndatabase = late.db\n")
    project.write(
        "application.py",
        f"{HEAD}app.install(AutocronPlugin())\n{CALL}app.config.load_config({str(ini)!r})\n",
    )
    site = serve(project, "-m gunicorn --bind 127.0.0.1:{port} application:app", "late.db")
    assert site.call("echo", "hi") == "hi"
    wait_until(lambda: len(project.autocron_processes("worker")) == 3)
    assert not Path(project.folder, DATABASE).exists()


def test_wrong_settings_end_the_server(project):
    """The error names what is wrong."""
    project.write(
        "application.py",
        f"{HEAD}app.install(AutocronPlugin())\napp.config['autocron.worker'] = 1\n",
    )
    for arguments in ("-m gunicorn -b 127.0.0.1:0 application:app", "-m bottle application:app"):
        done = project.run(*arguments.split())
        assert done.returncode != 0
        assert "did you mean autocron.workers?" in done.stdout


MAIN = """
import os
import autocron

@autocron.delay
def where(text):
    return [__name__, app.config["greeting"]]

tasks.where = where
app.config["greeting"] = "Hi"
app.install(AutocronPlugin())
"""


@pytest.mark.parametrize("guard", ["", "if __name__ == '__main__': "])
def test_a_main_module_may_serve_with_or_without_a_guard(project, guard):
    """Its tasks run in workers, which know it by another name and serve nothing."""
    run = f"{guard}run(app, port=int(sys.argv[1]))\n"
    project.write("application.py", HEAD + MAIN + CALL + run)
    site = serve(project, "application.py {port}")
    assert site.call("where") == ["__mp_main__", "Hi"]
    job = site.ended(site.hand_over("where"))
    assert job.task == "application.where"


def test_the_workers_load_the_module_that_installs_the_plugin(project):
    """Not only those with tasks: what it configures, tasks may need."""
    project.write("settings.py", "loaded = []\n")
    project.write(
        "tasks.py",
        TASKS
        + "\n@autocron.delay\ndef look(text):\n    import settings\n    return settings.loaded\n",
    )
    project.write(
        "application.py",
        f"{HEAD}import settings\nsettings.loaded.append(__name__)\napp.install(AutocronPlugin())\n{CALL}",
    )
    site = serve(project, "-m bottle --bind 127.0.0.1:{port} application:app")
    assert site.call("look") == ["application"]


def test_what_a_script_hands_over_runs_with_the_next_start(project):
    """Nothing is lost, though nothing was started."""
    project.write("application.py", f"{HEAD}app.install(AutocronPlugin())\n{CALL}")
    done = project.run("-c", "import application, tasks; print(tasks.echo('kept').id)")
    assert done.returncode == 0, done.stdout
    site = serve(project, "-m bottle --bind 127.0.0.1:{port} application:app")
    job = site.ended(done.stdout.strip())
    assert json.loads(job.result) == "kept"


def test_calls_that_are_made_while_the_app_is_imported_are_stored(project):
    """They wait until it is known which database is meant."""
    project.write(
        "application.py",
        f"{HEAD}app.install(AutocronPlugin())\ntasks.echo('early')\n{CALL}\n"
        "app.config['autocron.database'] = 'late.db'\n",
    )
    site = serve(project, "-m gunicorn -b 127.0.0.1:{port} application:app", "late.db")
    wait_until(lambda: site.has_run("tasks.echo"))
    assert not Path(project.folder, DATABASE).exists()
