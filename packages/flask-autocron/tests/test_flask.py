"""What is special to Flask: configuration, contexts, factories, commands; and Flask without the extension."""

import gc
import json
import os
import signal
import weakref
from contextlib import closing
from pathlib import Path

import httpx
import pytest
from flask import Flask, current_app, render_template_string
from markupsafe import Markup

import autocron
from autocron.cli.arguments import VERBS
from autocron.errors import AppNotFound, SettingsError, StoreError
from autocron.testing import Project, capture, drain, eager, wait_until
from autocron.testing.contract import Site
from flask_autocron import Autocron

DATABASE = "instance/autocron.db"
RUN = "-m flask --app {module} run --port {{port}}"
GUNICORN = "-m gunicorn --bind 127.0.0.1:{{port}} {more} '{app}'"

TASKS = """
import os
import autocron
from flask import current_app

@autocron.delay
def name(text):
    return current_app.config["NAME"]

@autocron.delay
def pid(text):
    return os.getpid()
"""

VIEW = """
@app.get("/call/<task>")
def call(task):
    return getattr(tasks, task)(request.args["text"]).id
"""

HEAD = """
from flask import Flask, request
from flask_autocron import Autocron
import tasks
"""

FACTORY = f"""{HEAD}
def create_app(name):
    app = Flask(__name__)
    app.config["NAME"] = name
    Autocron(app)

    @app.get("/call/<task>")
    def call(task):
        return getattr(tasks, task)(request.args["text"]).id

    return app
"""


@pytest.fixture
def project(tmp_path):
    """A folder with the module `tasks`, and without any process at the end."""
    with closing(Project(tmp_path)) as project:
        project.write("tasks.py", TASKS)
        yield project


@pytest.fixture
def app(tmp_path):
    """An app of this process, which is no server."""
    yield Flask(__name__, instance_path=str(tmp_path / "instance"))
    autocron.stop()


def serve(project, arguments):
    """Serve the application of a project."""
    return Site.of(project, arguments, DATABASE)


# Configuration --------------------------------------------------------------------------------


def test_settings_come_from_the_apps_configuration(app):
    """The core's settings, in capitals and with a prefix; others keep their defaults."""
    app.config.update(AUTOCRON_WORKERS=3, AUTOCRON_TTL="60", AUTOCRON_DURABILITY="normal")
    Autocron(app)
    settings = app.extensions["autocron"].settings
    assert (settings.workers, settings.ttl, settings.durability) == (3, 60, "normal")
    assert settings.check_interval == 30


def test_everything_that_is_wrong_is_told_by_the_names_that_the_app_uses(app):
    """An unknown key gets the nearest known one, a wrong value what it must be; nothing is half done."""
    app.config.update(AUTOCRON_WORKER=2, AUTOCRON_TTL="soon", AUTOCRON_DATABASE="")
    with pytest.raises(SettingsError) as caught:
        Autocron(app)
    text = str(caught.value)
    assert "unknown setting AUTOCRON_WORKER (did you mean AUTOCRON_WORKERS?)" in text
    assert "AUTOCRON_TTL='soon'" in text
    assert "AUTOCRON_DATABASE=''" in text
    assert "autocron" not in app.extensions
    assert not Path(app.instance_path).exists()


@pytest.mark.parametrize("value", [5, "", ["app"]])
def test_a_path_of_the_app_that_is_none_is_refused(app, value):
    """`AUTOCRON_APP` is what `flask --app` takes."""
    app.config["AUTOCRON_APP"] = value
    with pytest.raises(SettingsError, match=r"AUTOCRON_APP=.* such as 'module:app'"):
        Autocron(app)


@pytest.mark.parametrize("database", ["jobs.db", "deep/down/jobs.db"])
def test_a_relative_database_lies_in_the_instance_folder(app, database):
    """The folder is made if it is missing."""
    app.config["AUTOCRON_DATABASE"] = database
    Autocron(app)
    assert app.extensions["autocron"].settings.database == Path(app.instance_path, database)
    assert Path(app.instance_path, database).exists()


def test_an_absolute_database_stays_where_it_is(app, tmp_path):
    """The instance folder has nothing to do with it, and is not made."""
    app.config["AUTOCRON_DATABASE"] = str(tmp_path / "jobs.db")
    Autocron(app)
    assert app.extensions["autocron"].settings.database == tmp_path / "jobs.db"
    assert not Path(app.instance_path).exists()


def test_an_instance_folder_that_cannot_be_made_is_told(app, tmp_path):
    """The error names the database and says what to do."""
    tmp_path.joinpath("instance").write_text("in the way")
    with pytest.raises(StoreError, match=r"autocron\.db.* folder that you may write to"):
        Autocron(app)


# The extension --------------------------------------------------------------------------------


def test_no_app_is_kept(app, tmp_path):
    """The extension holds nothing, and an app that nobody uses any more is freed."""
    extension = Autocron()
    temporary = Flask("temporary", instance_path=str(tmp_path))
    extension.init_app(temporary)
    gone = weakref.ref(temporary)
    del temporary
    gc.collect()
    assert gone() is None
    assert vars(extension) == {}


def test_twice_does_no_harm(app):
    """A second `init_app` changes nothing."""
    extension = Autocron(app)
    client = app.extensions["autocron"]
    extension.init_app(app)
    assert app.extensions["autocron"] is client


@autocron.delay
def name_of_app():
    """Return something that needs a context."""
    return current_app.name


def test_a_disabled_autocron_runs_tasks_in_the_callers_context(app):
    """Tests of an app need no workers."""
    app.config["AUTOCRON_ENABLED"] = False
    Autocron(app)
    with app.app_context():
        assert name_of_app().result == app.name


def test_a_call_goes_to_the_database_of_the_present_app(app, tmp_path):
    """Two apps in one process do not get into each other's way."""
    other = Flask("other", instance_path=str(tmp_path / "other"))
    extension = Autocron()
    extension.init_app(app)
    extension.init_app(other)
    with other.app_context():
        job_id = name_of_app().id
        assert [job.id for job in autocron.jobs()] == [job_id]
    with app.app_context():
        assert autocron.jobs() == []


# Contexts ------------------------------------------------------------------------------------

TWO_APPS = f"""{HEAD}
from werkzeug.middleware.dispatcher import DispatcherMiddleware

extension = Autocron()

def create_app(name):
    app = Flask(name, instance_path=f"{{__file__}}.{{name}}")
    app.config["NAME"] = name
    extension.init_app(app)

    @app.get("/call/<task>")
    def call(task):
        return getattr(tasks, task)(request.args["text"]).id

    return app

first = create_app("first")
second = create_app("second")
application = DispatcherMiddleware(first, {{"/second": second}})
"""


def test_several_apps_are_served_by_one_process(project):
    """Each has its own workers, which run its jobs in its own context."""
    project.write("two_apps.py", TWO_APPS)
    arguments = GUNICORN.format(app="two_apps:application", more="")
    first = Site.of(project, arguments, "two_apps.py.first/autocron.db")
    second = Site(project, first.server, "two_apps.py.second/autocron.db", first.port)
    assert first.call("name") == "first"
    job = second.ended(second.get("/second/call/name", text=""))
    assert job.result == '"second"'
    assert len(project.autocron_processes("supervisor")) == 2


ALCHEMY = f"""{HEAD}
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import text as sql

import autocron

app = Flask(__name__)
app.config["SQLALCHEMY_DATABASE_URI"] = "sqlite:///app.db"
db = SQLAlchemy(app)
Autocron(app)

class Entry(db.Model):
    name = db.mapped_column(db.String, primary_key=True)

with app.app_context():
    db.create_all()

ended = []

@app.teardown_appcontext
def note(error):
    ended.append(repr(error))

@autocron.delay
def add(name):
    db.session.add(Entry(name=name))
    if name == "bad":
        db.session.flush()
        raise ValueError("after the flush")
    db.session.commit()
    return len(ended)

@autocron.delay
def names(text):
    return [entry.name for entry in db.session.scalars(db.select(Entry))]

@autocron.delay
def seen_by_teardown(text):
    return ended[-1]

@autocron.delay
def new_in_session(text):
    return [len(db.session.new), db.session().in_transaction()]

@app.get("/call/<task>")
def call(task):
    return globals()[task](request.args["text"]).id
"""


def test_each_job_has_a_session_of_its_own(project):
    """A session is usable in a task, and gone afterwards, also if the task failed in its midst."""
    project.write("alchemy.py", ALCHEMY)
    site = serve(project, RUN.format(module="alchemy"))
    before = site.call("add", "one")
    assert site.ended(site.hand_over("add", "bad")).error == "ValueError: after the flush"
    assert site.call("seen_by_teardown") == "ValueError('after the flush')"
    assert site.call("seen_by_teardown") == "None"
    assert site.call("new_in_session") == [0, False]
    assert site.call("names") == ["one"]
    # Of seven jobs in one worker, the six before this one have been torn down.
    assert site.call("add", "two") == before + 6


def test_a_coroutine_has_the_context_too(project):
    """It makes no difference whether a task is `def` or `async def`."""
    coroutine = TASKS.replace("def name(text)", "async def name(text)")
    project.write("tasks.py", coroutine)
    project.write("application.py", MAIN)
    assert serve(project, RUN.format(module="application")).call("name") == "main"


# Servers that come and go ---------------------------------------------------------------------


def test_calls_of_processes_that_are_recycled_run(project):
    """It does not matter which web process started the workers, nor whether it is still there."""
    project.write("application.py", MAIN)
    site = serve(project, GUNICORN.format(app="application:app", more="--max-requests 1"))
    assert [site.call("name") for _ in range(8)] == ["main"] * 8


def test_a_server_that_is_asked_to_reload_brings_new_code(project):
    """On SIGHUP gunicorn makes new web processes, and the workers follow them."""
    project.write("application.py", MAIN)
    site = serve(project, GUNICORN.format(app="application:app", more=""))
    assert site.call("name") == "main"
    project.write("tasks.py", TASKS.replace('config["NAME"]', 'config["NAME"].upper()'))
    os.kill(site.server.pid, signal.SIGHUP)
    wait_until(lambda: site.call("name") == "MAIN", or_show=lambda: site.server.output)


# Finding the app ------------------------------------------------------------------------------


def test_a_factory_with_arguments_is_called_as_the_flask_command_calls_it(project):
    """Workers get the same app as the server."""
    project.write("factory.py", FACTORY)
    site = serve(project, "-m flask --app \"factory:create_app('ho')\" run --port {port}")
    assert site.call("name") == "ho"


def test_what_the_flask_command_finds_by_itself_is_found_by_workers(project):
    """Without `--app` it is `wsgi.py` or `app.py`."""
    project.write("factory.py", FACTORY)
    project.write("wsgi.py", "from factory import create_app\napp = create_app('wsgi')\n")
    assert serve(project, "-m flask run --port {port}").call("name") == "wsgi"


def test_the_module_that_a_server_imports_is_imported_by_workers(project):
    """It may call the factory with whatever arguments it likes."""
    project.write("factory.py", FACTORY)
    project.write("entry.py", "from factory import create_app\nmine = create_app('entry')\n")
    assert serve(project, GUNICORN.format(app="entry:mine", more="")).call("name") == "entry"


def test_workers_that_cannot_find_the_app_say_what_to_do(project):
    """A server called a factory with arguments that nobody else knows; jobs wait meanwhile."""
    project.write("factory.py", FACTORY)
    site = serve(project, GUNICORN.format(app='factory:create_app("ho")', more=""))
    job_id = site.hand_over("name")
    wait_until(lambda: AppNotFound.__name__ in site.server.output)
    assert "Set AUTOCRON_APP to" in site.server.output
    with project.store(DATABASE) as store:
        assert store.get(job_id).status == "WAITING"


def test_the_configuration_can_say_where_the_app_is(project):
    """`AUTOCRON_APP` is for factories that only the server knows how to call."""
    configured = FACTORY.replace(
        "    Autocron(app)", "    app.config.from_prefixed_env()\n    Autocron(app)"
    )
    project.write("factory.py", configured)
    project.environ["FLASK_AUTOCRON_APP"] = "factory:create_app('named')"
    site = serve(project, GUNICORN.format(app='factory:create_app("ho")', more=""))
    assert site.call("name") == "named"


MAIN = f"""{HEAD}
app = Flask(__name__)
app.config["NAME"] = "main"
Autocron(app)
{VIEW}
"""


@pytest.mark.parametrize("guard", ["if __name__ == '__main__': ", ""])
def test_a_main_module_may_serve_with_or_without_a_guard(project, guard):
    """`app.run()` does nothing in a worker, as it does nothing under the flask command."""
    project.write("application.py", f"{MAIN}\n{guard}app.run(port=int(__import__('sys').argv[1]))")
    assert serve(project, "application.py {port}").call("name") == "main"


def test_a_module_of_a_package_can_be_the_main_module(project):
    """`python -m package.module` works as `python module.py` does."""
    project.write("package/__init__.py", "")
    project.write("package/site.py", f"{MAIN}\napp.run(port=int(__import__('sys').argv[1]))")
    site = Site.of(project, "-m package.site {port}", f"package/{DATABASE}")
    assert site.call("name") == "main"


def test_a_main_module_may_call_a_factory(project):
    """The app need not exist before it runs."""
    factory = FACTORY.replace("create_app(name)", "create_app(name='default')")
    project.write("factory.py", factory)
    project.write(
        "run.py",
        """
        import sys
        from factory import create_app

        if __name__ == "__main__":
            create_app().run(port=int(sys.argv[1]), debug=True)
        """,
    )
    assert serve(project, "run.py {port}").call("name") == "default"


LOADING_SERVER = """
import importlib.util
import sys
from wsgiref.simple_server import make_server

spec = importlib.util.spec_from_file_location("_own_name", "application.py")
module = sys.modules["_own_name"] = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
make_server("127.0.0.1", int(sys.argv[1]), module.app).serve_forever()
"""


def test_a_server_may_load_a_file_under_a_name_of_its_own(project):
    """As uWSGI and mod_wsgi do; the tasks in such a file go by that name, in workers as well."""
    tasks_too = MAIN.replace("import tasks", f"{TASKS}\ntasks = sys.modules[__name__]")
    project.write("application.py", f"import sys\n{tasks_too}")
    project.write("serve.py", LOADING_SERVER)
    assert serve(project, "serve.py {port}").call("name") == "main"


def test_what_a_shell_hands_over_runs_with_the_next_start(project):
    """A command starts no workers, but its calls are stored."""
    project.write("application.py", MAIN)
    done = project.run(
        "-m", "flask", "--app", "application", "shell", text="import tasks; tasks.name('')\n"
    )
    assert done.returncode == 0, done.stdout
    site = serve(project, RUN.format(module="application"))
    wait_until(lambda: site.has_run("tasks.name"))


# Commands -------------------------------------------------------------------------------------


def flask(project, *arguments):
    """Run the flask command to its end; return its output."""
    done = project.run("-m", "flask", *arguments)
    assert done.returncode == 0, done.stdout
    return done.stdout


def test_the_commands_need_no_path_of_the_database(project):
    """`flask autocron` has the verbs of the admin tool, for the database of the app."""
    project.write("application.py", MAIN)
    command = ("--app", "application", "autocron")
    assert "WORKERS" in flask(project, *command, "settings").upper()
    flask(project, *command, "set", "workers", "3")
    with project.store(DATABASE) as store:
        assert store.settings() == {"workers": 3}
    assert flask(project, *command, "jobs", "--json").strip() == "[]"


def test_the_commands_explain_themselves_without_an_app(project):
    """Help is there before anything works."""
    assert "settings" in flask(project, "autocron", "--help")


def test_its_help_has_all_verbs(project):
    """Each with what it does."""
    text = flask(project, "autocron", "--help")
    assert all(f"\n  {verb.name} " in text and verb.words in text for verb in VERBS)


def test_settings_of_the_app_are_told_from_what_was_set(project):
    """`enable` leaves to the app again what `disable` has set, as the app has it enabled."""
    project.write(
        "application.py",
        MAIN.replace("Autocron(app)", "app.config['AUTOCRON_WORKERS'] = 2\nAutocron(app)"),
    )
    command = ("--app", "application", "autocron")
    flask(project, *command, "disable")
    found = json.loads(flask(project, *command, "settings", "--json"))
    assert (found["workers"]["source"], found["enabled"]["source"]) == ("app", "admin")
    flask(project, *command, "enable")
    with project.store(DATABASE) as store:
        assert store.settings() == {}


def test_workers_run_without_a_server(project):
    """`flask autocron run` keeps them until it is told to end."""
    project.write("application.py", MAIN)
    kept = project.start("-m", "flask", "--app", "application", "autocron", "run")
    wait_until(lambda: "autocron runs for " in kept.output, or_show=lambda: kept.output)
    project.run(
        "-m", "flask", "--app", "application", "shell", text="import tasks; tasks.name('')\n"
    )
    with project.store(DATABASE) as store:
        wait_until(lambda: store.counts()["DONE"] == 1, or_show=lambda: kept.output)
    kept.end()
    assert "autocron has ended." in kept.output


def test_options_of_a_verb_are_left_to_it(project):
    """What stands behind a verb is not the flask command's."""
    project.write("application.py", MAIN)
    assert "--limit" in flask(project, "--app", "application", "autocron", "jobs", "--help")


def test_an_error_of_a_command_is_its_status(project):
    """Scripts can rely on it."""
    project.write("application.py", MAIN)
    command = ("-m", "flask", "--app", "application", "autocron", "set", "worker", "3")
    done = project.run(*command)
    assert done.returncode == 1
    assert "workers" in done.stdout


def test_an_app_without_the_extension_has_no_commands(project):
    """It says so, in one line."""
    project.write("application.py", "from flask import Flask\napp = Flask(__name__)\n")
    done = project.run("-m", "flask", "--app", "application", "autocron", "status")
    assert done.returncode == 1
    assert "Autocron(app)" in done.stdout
    assert "Traceback" not in done.stdout


# Without the extension ------------------------------------------------------------------------

QUICKSTART = """
import os

import autocron
from flask import Flask, request

app = Flask(__name__)
autocron.start("project.db")

@autocron.delay
def echo(text):
    return text

@autocron.every(seconds=1, start_now=True)
def tick():
    pass

@app.get("/call/<task>")
def call(task):
    return globals()[task](request.args["text"]).id
"""


@pytest.mark.parametrize(
    "arguments",
    [
        RUN.format(module="application"),
        RUN.format(module="application --debug"),
        GUNICORN.format(app="application:app", more="--workers 4"),
        GUNICORN.format(app="application:app", more="--workers 4 --preload"),
    ],
    ids=["run", "run-debug", "gunicorn", "gunicorn-preload"],
)
def test_the_core_alone_serves_flask_as_well(project, arguments):
    """A file that only calls `autocron.start()` has one worker, under each server."""
    project.write("application.py", QUICKSTART)
    site = Site.of(project, arguments, "project.db")
    wait_until(lambda: site.has_run("application.tick"))
    for number in range(20):
        assert site.call("echo", str(number)) == str(number)
    roles = sorted(process.role for process in project.autocron_processes())
    assert roles == ["supervisor", "worker"]
    site.server.end()
    wait_until(lambda: not project.autocron_processes())


def test_the_core_alone_follows_an_edit(project):
    """With the reloader of `flask --debug run`, whose parent is one more process of the app."""
    project.write("application.py", QUICKSTART)
    site = Site.of(project, RUN.format(module="application --debug"), "project.db")
    assert site.call("echo", "new") == "new"
    project.write("application.py", QUICKSTART.replace("return text", "return text.upper()"))

    def is_new():
        try:
            return site.call("echo", "new") == "NEW"
        except httpx.TransportError:
            return False  # just between the old server and the new one

    wait_until(is_new, or_show=lambda: site.server.output)


# Tests of users -------------------------------------------------------------------------------


def test_what_is_captured_is_drained_in_the_context_of_the_app(app):
    """As a worker would run it; the app's own database is not touched."""
    Autocron(app)
    with app.app_context(), capture() as calls:
        result = name_of_app()
        assert len(calls.of(name_of_app)) == 1
        assert drain() == 1
        assert result.result == app.name
    with app.app_context():
        assert autocron.jobs() == []


def test_calls_run_in_the_context_of_their_caller(app):
    """With `eager`, as when autocron is disabled."""
    Autocron(app)
    with app.app_context(), eager():
        assert name_of_app().result == app.name


@autocron.delay
def in_a_page(body):
    """Put a text into a template."""
    return render_template_string("<p>{{ body }}</p>", body=body)


def test_markup_is_not_escaped_again(app):
    """What a template has returned stays marked as safe in a task that puts it into another."""
    Autocron(app)
    text = Markup("<b>now</b>")
    with app.app_context(), capture() as calls:
        result = in_a_page(text)
        assert type(calls[0].args[0]) is Markup
        drain()
        assert result.result == "<p><b>now</b></p>"
