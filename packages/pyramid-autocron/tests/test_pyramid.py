"""What is special to Pyramid: ini files, directives, prepared requests, transactions, and `pautocron`."""

import gc
import json
import os
import threading
import weakref
from contextlib import closing
from pathlib import Path

import httpx
import pytest
import transaction
from pyramid.config import Configurator
from pyramid.exceptions import (
    ConfigurationConflictError,
    ConfigurationError,
    ConfigurationExecutionError,
)
from pyramid.request import Request
from pyramid.response import Response
from pyramid.scripting import prepare

import autocron
from autocron import registry
from autocron.cli.arguments import VERBS
from autocron.errors import AppNotFound, InvalidSchedule, RolledBack, StoreError, TaskNotFound
from autocron.testing import Project, capture, wait_until
from autocron.testing.contract import Site
from autocron.testing.processes import program

DATABASE = "autocron.db"

TASKS = """
import os
import autocron
from pyramid.threadlocal import get_current_registry, get_current_request

@autocron.delay
def echo(text):
    return text

@autocron.delay
def pid(text):
    return os.getpid()

@autocron.delay
def look(text):
    request = get_current_request()
    same = request.registry is get_current_registry()
    return [request.registry.settings["name"], same, request.route_url("call", task="x")]

@autocron.delay
async def look_async(text):
    return get_current_request().registry.settings["name"]

@autocron.delay
def relay(text):
    return get_current_request().autocron.enqueue(echo, text).id
"""

APPLICATION = """
from pyramid.config import Configurator
from pyramid.response import Response


def call(request):
    task = f"tasks.{request.matchdict['task']}"
    return Response(request.autocron.enqueue(task, request.params["text"]).id)


def main(global_config, **settings):
    with Configurator(settings=settings) as config:
        config.include("pyramid_autocron")
        config.scan("tasks")
        config.add_route("call", "/call/{task}")
        config.add_view(call, route_name="call")
    return config.make_wsgi_app()
"""

INI = """
[app:main]
use = call:application:main
name = {name}
{more}

[server:main]
use = egg:waitress#main
listen = 127.0.0.1:%(http_port)s
"""

PSERVE = program("pserve") + " development.ini http_port={port}"


@pytest.fixture
def project(tmp_path):
    """A folder with an app and its tasks, and without any process at the end."""
    environ = {
        "PYTHONPATH": f"{tmp_path.resolve()}:{os.environ.get('PYTHONPATH', '')}",
        "PYTHONWARNINGS": "ignore",  # of what Pyramid imports: what these programs print is read
    }
    with closing(Project(tmp_path, environ)) as project:
        project.write("tasks.py", TASKS)
        project.write("application.py", APPLICATION)
        write_ini(project)
        yield project


def write_ini(project, more="", name="Ada", file="development.ini"):
    """Write an ini file, with more settings."""
    project.write(file, INI.format(more=more, name=name))


def serve(project, arguments=PSERVE, database=DATABASE):
    """Serve the application of a project."""
    return Site.of(project, arguments, database)


@pytest.fixture
def configure(tmp_path, monkeypatch):
    """A function that makes a configuration with the extension, in a folder of its own."""
    monkeypatch.chdir(tmp_path)

    def configure(**settings):
        given = {name.replace("__", "."): value for name, value in settings.items()}
        config = Configurator(settings=given)
        config.include("pyramid_autocron")
        return config

    yield configure
    autocron.stop()


def client_of(config):
    """Commit a configuration, and return the client of its app."""
    config.commit()
    return config.registry["autocron"]


def get(app, path):
    """Make a request as tests do; return the answer."""
    with httpx.Client(transport=httpx.WSGITransport(app), base_url="http://testserver") as client:
        return client.get(path)


@autocron.delay
def double(number):
    """Return what is easily checked."""
    return 2 * number


def plain(text="", more=1):
    """Do something that is configured as a task."""
    return text * more


def report():
    """Do something that is configured as a schedule."""


# Configuration --------------------------------------------------------------------------------


def test_settings_come_from_the_apps_configuration(configure):
    """The core's settings, with a prefix, as strings or not; others keep their defaults."""
    client = client_of(configure(autocron__workers="3", autocron__ttl=60, other="5"))
    assert (client.settings.workers, client.settings.ttl) == (3, 60)
    assert client.settings.check_interval == 30


def test_settings_may_be_added_after_it_is_included(configure, tmp_path):
    """They are read when the configuration is committed."""
    config = configure()
    config.add_settings({"autocron.database": "late.db"})
    assert client_of(config).settings.database == tmp_path / "late.db"


def test_everything_that_is_wrong_is_told_by_the_names_that_the_app_uses(configure, tmp_path):
    """An unknown key gets the nearest known one, a wrong value what it must be; nothing is half done."""
    config = configure(autocron__worker="2", autocron__ttl="soon", autocron__database="")
    with pytest.raises(ConfigurationExecutionError) as caught:
        config.commit()
    text = str(caught.value)
    assert "unknown setting autocron.worker (did you mean autocron.workers?)" in text
    assert "autocron.ttl='soon'" in text
    assert "autocron.database=''" in text
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("value", [5, "", ["app"]])
def test_a_path_of_the_app_that_is_none_is_refused(configure, value):
    """`autocron.app` is a dotted name."""
    with pytest.raises(
        autocron.errors.SettingsError, match=r"autocron\.app=.* such as 'module:app'"
    ):
        configure(autocron__app=value)


@pytest.mark.parametrize("database", ["jobs.db", "{folder}/jobs.db"])
def test_a_relative_database_lies_in_the_current_directory(configure, tmp_path, database):
    """Unless there is an ini file; an absolute one stays where it is."""
    client = client_of(configure(autocron__database=database.format(folder=tmp_path)))
    assert client.settings.database == tmp_path / "jobs.db"


@pytest.mark.parametrize("database", ["jobs.db", "%(here)s/jobs.db", ""])
def test_a_relative_database_lies_beside_the_ini_file(project, database):
    """Wherever the app is started; that folder has the default one, too."""
    more = f"autocron.database = {database}\nautocron.workers = 2" if database else ""
    write_ini(project, more, file="conf/development.ini")
    arguments = PSERVE.replace("development.ini", "conf/development.ini")
    site = serve(project, arguments, f"conf/{Path(database or DATABASE).name}")
    assert site.call("echo", "hi") == "hi"


@pytest.mark.parametrize("names", ["more_tasks other_tasks", "\n    more_tasks\n    .other_tasks"])
def test_modules_of_tasks_can_be_listed(project, names):
    """They are imported with the app, so that workers know their tasks and schedules."""
    for module in ("more_tasks", "other_tasks"):
        project.write(
            f"{module}.py",
            "import autocron\n@autocron.every(seconds=60, start_now=True)\ndef tick(): ...\n",
        )
    write_ini(project, f"autocron.tasks = {names.replace('.other', 'other')}")
    site = serve(project)
    wait_until(lambda: site.has_run("more_tasks.tick") and site.has_run("other_tasks.tick"))


def test_modules_of_tasks_may_be_named_as_seen_from_the_app(project):
    """As everything that is named in Pyramid's settings: relative to the package that makes the app."""
    project.write("shop/__init__.py", APPLICATION)
    project.write("shop/reports.py", RUN_ONCE.format(decorator="autocron.every(seconds=60)"))
    write_ini(project, "autocron.tasks = .reports")
    ini = Path(project.folder, "development.ini").read_text()
    project.write("development.ini", ini.replace("call:application:main", "call:shop:main"))
    site = serve(project)
    assert site.call("echo", "hi") == "hi"
    found = pautocron(project, "development.ini tasks --json").stdout
    assert "shop.reports.run_once" in {each["task"] for each in json.loads(found)}


def test_the_ini_file_may_include_it(project):
    """As any package that is included, and what is decorated with a schedule is found by a scan."""
    project.write("tasks.py", TASKS + RUN_ONCE.format(decorator="autocron.cron('* * * * *')"))
    included = APPLICATION.replace('        config.include("pyramid_autocron")\n', "")
    project.write("application.py", included)
    write_ini(project, "pyramid.includes = pyramid_autocron")
    site = serve(project)
    assert site.call("look")[0] == "Ada"
    [schedule] = json.loads(pautocron(project, "development.ini schedules --json").stdout)
    assert schedule["schedule"]["name"] == "tasks.run_once"


def test_a_module_of_tasks_that_is_missing_is_told(configure):
    """By its name."""
    with pytest.raises(ModuleNotFoundError, match="no_such_module"):
        configure(autocron__tasks="os\nno_such_module")


RUN_ONCE = """
import autocron

@{decorator}
def run_once():
    pass
"""


# Directives -----------------------------------------------------------------------------------


def test_a_function_can_be_configured_as_a_task(configure):
    """It stays the function that it was; a call is handed over by the request."""
    config = configure()
    config.add_autocron_task(plain, priority=3)
    config.add_route("call", "/")
    config.add_view(
        lambda request: Response(request.autocron.enqueue(plain, "a", more=2).id), route_name="call"
    )
    app = config.make_wsgi_app()
    with capture() as jobs:
        get(app, "/")
    [job] = jobs
    assert (job.args, job.kwargs, job.priority) == (("a",), {"more": 2}, 3)
    assert plain("a") == "a"


CONFIGURED = """
def greet(text):
    return f"Hello {text}"

def run_yearly():
    pass
"""


def test_what_is_configured_runs_in_workers(project):
    """As a task, and on its schedule."""
    project.write("plain.py", CONFIGURED)
    directives = """
        config.add_view(lambda request: Response(request.autocron.enqueue("plain.greet", "Ada").id), name="greet")
        config.add_autocron_task("plain.greet")
        config.add_cron_job("plain.run_yearly", "0 3 1 1 *")
    """
    scan = '        config.scan("tasks")\n'
    assert scan in APPLICATION
    project.write(
        "application.py", APPLICATION.replace(scan, f"        {directives.strip()}\n{scan}")
    )
    site = serve(project)
    assert json.loads(site.ended(site.get("/greet")).result) == "Hello Ada"
    done = pautocron(project, "development.ini run-now plain.run_yearly")
    assert done.returncode == 0, done.stdout
    wait_until(lambda: site.has_run("plain.run_yearly"), or_show=lambda: site.server.output)


def test_nothing_is_a_task_before_the_configuration_is_committed(configure):
    """Directives are deferred; what an app adds itself wins over what it includes."""

    def include(config):
        config.add_autocron_task("string.capwords", retries=1)

    config = configure()
    config.include(include)
    config.add_autocron_task("string.capwords", retries=2)
    assert registry.find_task("string.capwords") is None
    config.commit()
    assert registry.find_task("string.capwords").defaults.retries == 2


def test_a_function_can_be_configured_by_its_name(configure):
    """As everything in Pyramid."""
    config = configure()
    config.add_autocron_task("textwrap.dedent")
    config.commit()
    assert "textwrap.dedent" in {
        each["introspectable"].discriminator
        for each in config.introspector.get_category("autocron tasks")
    }


def test_what_is_added_twice_conflicts(configure):
    """As a task or as a schedule, wherever that was done."""
    for add in ("add_autocron_task", "add_cron_job"):
        config = configure()
        config.add_autocron_task(report)
        getattr(config, add)(report)
        with pytest.raises(ConfigurationConflictError, match=r"test_pyramid\.report"):
            config.commit()


def test_what_is_decorated_cannot_be_added(configure):
    """It has its options already."""
    with pytest.raises(ConfigurationError, match="double is a task already"):
        configure().add_autocron_task(double)


def test_a_wrong_schedule_is_told_where_it_is_written(configure):
    """And not only when the configuration is committed."""
    with pytest.raises(InvalidSchedule, match="hour"):
        configure().add_cron_job(report, "0 25 * * *")


def test_tasks_can_be_looked_at(configure):
    """What is added and what is decorated, with its options."""
    config = configure()
    config.add_autocron_task(plain, retries=3)
    config.add_cron_job(report, "0 8 * * mon", timezone="Europe/Berlin")
    config.commit()
    shown = {
        each["introspectable"].title.rpartition(".")[2]: each["introspectable"]
        for each in config.introspector.get_category("autocron tasks")
    }
    assert (shown["plain"].type_name, shown["plain"]["retries"]) == ("autocron task", 3)
    assert shown["report"].type_name == "autocron cron job"
    assert shown["report"]["expression"] == "0 8 * * mon"
    assert (shown["double"].type_name, shown["double"]["retries"]) == ("decorated task", 0)


def test_an_app_can_be_made_twice(configure):
    """As tests do; nothing that the first has configured is in the way of the second."""
    for _ in range(2):
        config = configure()
        config.add_autocron_task(plain)
        config.add_cron_job(report, "0 8 * * mon")
        config.make_wsgi_app()


# Requests -------------------------------------------------------------------------------------


def test_what_a_request_has(configure):
    """Handles and jobs of its app."""
    config = configure()
    answers = []
    config.add_route("look", "/")

    def look(request):
        job = request.autocron.enqueue(double, 21)
        again = request.autocron.result(job.id)
        [latest] = request.autocron.jobs(limit=5)
        answers.extend([again.status, latest.id == job.id, request.autocron.jobs(status="DONE")])
        with pytest.raises(TaskNotFound):
            request.autocron.enqueue("os.system", "true")
        return Response()

    config.add_view(look, route_name="look")
    assert get(config.make_wsgi_app(), "/").status_code == 200
    assert answers == ["WAITING", True, []]


def test_a_call_goes_to_the_database_of_the_present_app(configure):
    """Two apps in one process do not get into each other's way."""
    apps = {}
    for name in ("first", "second"):
        config = configure(autocron__database=f"{name}.db")
        config.add_route("call", "/")
        config.add_view(lambda _: Response(double(1).id), route_name="call")
        apps[name] = config.make_wsgi_app()
    job_id = get(apps["second"], "/").text
    first, second = (app.registry["autocron"] for app in apps.values())
    assert [job.id for job in second.jobs(9, None)] == [job_id]
    assert first.jobs(9, None) == []


def test_a_request_is_about_its_own_app_wherever_it_is_used(configure):
    """Within a request of another app, or in a thread that has none; unless a test looks on."""
    first, second = (
        configure(autocron__database=f"{name}.db").make_wsgi_app() for name in ("first", "second")
    )
    with prepare(registry=first.registry) as outer, prepare(registry=second.registry):
        job = outer["request"].autocron.enqueue(double, 1)
        assert [each.id for each in outer["request"].autocron.jobs()] == [job.id]
        thread = threading.Thread(target=outer["request"].autocron.enqueue, args=(double, 2))
        thread.start()
        thread.join(30)
        with capture() as captured:
            job = outer["request"].autocron.enqueue(double, 3)
            assert outer["request"].autocron.result(job.id).status == "WAITING"
    assert len(jobs_of(first)) == 2
    assert jobs_of(second) == []
    assert [each.args for each in captured] == [(3,)]


def test_a_disabled_autocron_runs_tasks_in_their_caller(configure):
    """Tests of an app need no workers."""
    config = configure(autocron__enabled="false")
    config.add_route("call", "/")
    config.add_view(lambda _: Response(str(double(21).result)), route_name="call")
    assert get(config.make_wsgi_app(), "/").text == "42"


def test_no_app_is_kept(configure):
    """An app that nobody uses any more is freed."""
    configure().make_wsgi_app()  # takes over what goes to no other
    gone = weakref.ref(configure(autocron__database="other.db").make_wsgi_app())
    configure().make_wsgi_app()  # Pyramid keeps the latest
    gc.collect()
    assert gone() is None


def test_each_job_has_a_prepared_request(project):
    """With the registry of the app, as `pyramid.scripting.prepare` makes it; also a coroutine has it."""
    site = serve(project)
    assert site.call("look") == ["Ada", True, "http://localhost/call/x"]
    assert site.call("look_async") == "Ada"
    inner = site.ended(site.call("relay", "deep"))
    assert (inner.status, inner.task) == ("DONE", "tasks.echo")


CLOSING = """
@autocron.delay
def leave_open(text):
    from pathlib import Path
    request = get_current_request()
    request.add_finished_callback(lambda request: Path(text).write_text("closed"))
    1 / 0
"""


def test_the_request_of_a_job_is_closed(project):
    """Its finished callbacks are called, also when the job fails."""
    project.write("tasks.py", TASKS + CLOSING)
    site = serve(project)
    mark = project.folder / "mark"
    job = site.ended(site.hand_over("leave_open", str(mark)))
    assert job.error == "ZeroDivisionError: division by zero"
    assert mark.read_text() == "closed"


# Transactions ---------------------------------------------------------------------------------


def view_of_nothing(_):
    """Answer."""
    return Response()


@pytest.fixture(params=["", "pyramid_tm.explicit_manager"], ids=["of the thread", "explicit"])
def serve_in_transactions(request, configure):
    """A function that makes an app with pyramid_tm and one view, with more settings."""

    def serve(view, inner=view_of_nothing, **settings):
        config = configure(tm__manager_hook=request.param or None, **settings)
        config.include("pyramid_tm")
        for name, each in {"call": view, "inner": inner}.items():
            config.add_route(name, "/" if name == "call" else "/inner")
            config.add_view(each, route_name=name)
        return config.make_wsgi_app()

    return serve


def jobs_of(app):
    """Return the jobs that are stored."""
    return app.registry["autocron"].jobs(9, None)


def test_a_call_is_stored_after_the_commit(serve_in_transactions):
    """And not before, whether it is made by the task or by the request."""
    seen, results = [], []

    def view(request):
        results.extend([double(1), request.autocron.enqueue(double, 2)])
        seen.append(len(jobs_of(app)))
        return Response()

    app = serve_in_transactions(view)
    get(app, "/")
    assert seen == [0]
    assert {job.id for job in jobs_of(app)} == {result.id for result in results}
    assert results[0].status == "WAITING"


def fail(request):
    """Raise what no view handles."""
    raise ZeroDivisionError


def doom(request):
    """Have the transaction aborted, though all is well."""
    request.tm.doom()


class Refusing:
    """A data manager that does not commit."""

    transaction_manager = None

    def abort(self, *_):
        """Do nothing, as for each of the others."""

    tpc_begin = commit = tpc_finish = tpc_abort = abort

    def tpc_vote(self, _):
        """Have the commit fail."""
        raise ZeroDivisionError

    def sortKey(self):  # noqa: N802 - so it is called
        """Return nothing of interest."""
        return "refusing"


def refuse(request):
    """Have the commit fail."""
    request.tm.get().join(Refusing())


@pytest.mark.parametrize("end", [fail, doom, refuse])
def test_a_call_is_not_stored_after_an_abort(serve_in_transactions, end):
    """Whatever the reason; its handle says so."""
    results = []

    def view(request):
        results.append(double(1))
        end(request)
        return Response()

    app = serve_in_transactions(view)
    if end is doom:
        get(app, "/")
    else:
        with pytest.raises(ZeroDivisionError):
            get(app, "/")
    gc.collect()
    assert jobs_of(app) == []
    with pytest.raises(RolledBack):
        results[0].wait(1)


def test_a_request_within_a_request_has_its_transaction(serve_in_transactions):
    """Unless it has one of its own, as with a manager for each request."""

    def outer(request):
        request.invoke_subrequest(Request.blank("/inner"))
        seen.append(len(jobs_of(app)))
        raise ZeroDivisionError

    def inner(request):
        managers.append(request.tm)
        return Response(double(1).id)

    seen, managers = [], []
    app = serve_in_transactions(outer, inner)
    with pytest.raises(ZeroDivisionError):
        get(app, "/")
    is_shared = managers == [transaction.manager]
    assert (seen, len(jobs_of(app))) == (([0], 0) if is_shared else ([1], 1))


def test_a_call_that_cannot_be_stored_after_the_commit_is_told(serve_in_transactions, caplog):
    """In the log, and by its handle: the visitor gets the answer, since the transaction has been committed."""
    results = []

    def view(request):
        results.append(double(1))
        os.rename(database_of(app), f"{database_of(app)}.away")
        Path(database_of(app)).mkdir()
        return Response()

    app = serve_in_transactions(view)
    assert get(app, "/").status_code == 200
    assert f"calls could not be stored, 1 in all ({double.name})" in caplog.text
    with pytest.raises(StoreError):
        results[0].wait(1)


def database_of(app):
    """Return the path of an app's database."""
    return str(app.registry["autocron"].settings.database)


def test_calls_can_be_stored_at_once(serve_in_transactions):
    """By setting, or for one call."""
    views = {
        "false": lambda _: Response(double(1).id),
        "true": lambda _: Response(double.options(enqueue_on_commit=False)(1).id),
    }
    for setting, view in views.items():
        seen = []

        def look(request, view=view, seen=seen):
            answer = view(request)
            seen.append(len(request.autocron.jobs()))
            return answer

        app = serve_in_transactions(
            look, autocron__enqueue_on_commit=setting, autocron__database=f"{setting}.db"
        )
        get(app, "/")
        assert seen == [1]


def test_without_a_transaction_a_call_is_stored_at_once(configure):
    """In a script, pyramid_tm manages nothing."""
    config = configure()
    config.include("pyramid_tm")
    app = config.make_wsgi_app()
    with prepare(registry=app.registry) as environment:
        double(1)
        assert len(jobs_of(app)) == 1
        transaction.begin()
        environment["request"].autocron.enqueue(double, 2)
        assert len(jobs_of(app)) == 2
        transaction.abort()


IN_TRANSACTION = """
@autocron.delay
def begin(text):
    import transaction
    request = get_current_request()
    if text == "explicit":
        request.tm.begin()
    request.tm.get().setExtendedInfo("left", text)

@autocron.delay
def look_again(text):
    import transaction
    request = get_current_request()
    if text == "explicit":
        with request.tm:
            return dict(request.tm.get().extension)
    return dict(transaction.get().extension)

@autocron.delay
def commit(text):
    request = get_current_request()
    with request.tm:
        job = echo("after")
        return [job.id, len(request.autocron.jobs())]
"""


@pytest.mark.parametrize("manager", ["", "explicit"])
def test_no_job_gets_the_transaction_of_another(project, manager):
    """What a job has left open is aborted."""
    project.write("tasks.py", TASKS + IN_TRANSACTION)
    more = "pyramid.includes = pyramid_tm\n"
    if manager:
        more += "tm.manager_hook = pyramid_tm.explicit_manager\n"
    write_ini(project, more)
    site = serve(project)
    site.ended(site.hand_over("begin", manager))
    assert site.call("look_again", manager) == {}


def test_a_job_may_hand_over_in_a_transaction_of_its_own(project):
    """With an explicit manager, which knows of it, its calls are stored after the commit, too."""
    project.write("tasks.py", TASKS + IN_TRANSACTION)
    write_ini(
        project,
        "pyramid.includes = pyramid_tm\ntm.manager_hook = pyramid_tm.explicit_manager\n",
    )
    site = serve(project)
    inner, count = site.call("commit")
    assert count == 1
    assert site.ended(inner).status == "DONE"


# Where workers find the app -------------------------------------------------------------------


def test_the_ini_file_is_read_as_the_server_has_read_it(project):
    """With its variables and the name of the app, whose logging workers have as well."""
    project.write(
        "development.ini",
        INI.format(name="%(who)s", more="").replace("app:main", "app:shop")
        + """
[loggers]
keys = root
[handlers]
keys = file
[formatters]
keys = plain
[logger_root]
level = INFO
handlers = file
[handler_file]
class = FileHandler
args = ('%(here)s/log.txt',)
level = INFO
formatter = plain
[formatter_plain]
format = %(levelname)s %(name)s %(message)s
""",
    )
    project.write(
        "tasks.py",
        TASKS + "\nimport logging\n@autocron.delay\ndef log(text):\n"
        "    logging.getLogger('tasks').info('logged %s', os.getpid())\n    return os.getpid()\n",
    )
    site = serve(project, f"{PSERVE} who=Bob -n shop")
    assert site.call("look")[0] == "Bob"
    pid = site.call("log")
    assert f"INFO tasks logged {pid}" in Path(project.folder, "log.txt").read_text()


def test_an_app_behind_a_pipeline_is_found(project):
    """The workers build all of it."""
    write_ini(project)
    ini = Path(project.folder, "development.ini").read_text()
    ini = ini.replace("app:main", "app:shop") + "\n[composite:main]\nuse = egg:Paste#urlmap\n"
    project.write(
        "wrapping.py", "def factory(global_config, **settings):\n    return lambda app: app\n"
    )
    ini = ini.replace("use = egg:Paste#urlmap", "").replace(
        "[composite:main]",
        "[pipeline:main]\npipeline = wrap shop\n[filter:wrap]\nuse = call:wrapping:factory",
    )
    project.write("development.ini", ini)
    assert serve(project).call("look")[0] == "Ada"


WSGI = """
from application import main

def make_app():
    return main({}, name="made")
"""


def test_the_module_that_a_server_imports_is_imported_by_workers(project):
    """And brings the app."""
    project.write("wsgi.py", f"{WSGI}\napp = make_app()\n")
    site = serve(project, "-m gunicorn --bind 127.0.0.1:{port} wsgi:app")
    assert site.call("look")[0] == "made"


def test_workers_that_cannot_find_the_app_say_what_to_do(project):
    """A factory that the server calls is nothing that they could know."""
    project.write("wsgi.py", WSGI)
    site = serve(project, "-m gunicorn --bind 127.0.0.1:{port} 'wsgi:make_app()'")
    site.hand_over("look")
    wait_until(lambda: AppNotFound.__name__ in site.server.output)
    assert "Set autocron.app to where the workers find it" in site.server.output


@pytest.mark.parametrize("path", ["wsgi.make_app", "wsgi:make_app", "wsgi:app"])
def test_the_configuration_can_say_where_the_app_is(project, path):
    """As the app, or as what makes it."""
    code = WSGI.replace('name="made"', f'**{{"name": "made", "autocron.app": "{path}"}}')
    project.write("wsgi.py", code + ("app = make_app()\n" if path.endswith("app") else ""))
    site = serve(project, "-m gunicorn --bind 127.0.0.1:{port} 'wsgi:make_app()'")
    assert site.call("look")[0] == "made"


def test_a_main_module_may_be_a_server_itself(project):
    """In the main module, too; nothing else tells that wsgiref serves."""
    project.write(
        "serving.py",
        """
        import sys
        from wsgiref.simple_server import make_server
        from application import main

        app = main({}, name="main")
        if __name__ == "__main__":
            make_server("127.0.0.1", int(sys.argv[1]), app).serve_forever()
        """,
    )
    site = serve(project, "serving.py {port}")
    assert not project.has_started(DATABASE)
    assert site.call("look")[0] == "main"


def test_workers_that_miss_what_the_main_module_makes_say_so(project):
    """What stands under the usual guard is not made in a worker."""
    project.write(
        "serving.py",
        """
        import sys
        from wsgiref.simple_server import make_server
        from application import main

        if __name__ == "__main__":
            app = main({}, name="main")
            make_server("127.0.0.1", int(sys.argv[1]), app).serve_forever()
        """,
    )
    site = serve(project, "serving.py {port}")
    site.hand_over("look")
    wait_until(lambda: AppNotFound.__name__ in site.server.output)
    assert 'only under `if __name__ == "__main__":`' in site.server.output


def test_what_a_script_hands_over_runs_with_the_next_start(project):
    """Nothing is lost, though nothing was started."""
    project.write(
        "script.py",
        """
        from pyramid.paster import bootstrap

        with bootstrap("development.ini") as environment:
            print(environment["request"].autocron.enqueue("tasks.echo", "kept").id)
        """,
    )
    done = project.run("script.py")
    assert done.returncode == 0, done.stdout
    assert not project.has_started(DATABASE)
    assert json.loads(serve(project).ended(done.stdout.strip()).result) == "kept"


# pautocron ------------------------------------------------------------------------------------


def pautocron(project, arguments):
    """Run the command; return how it ended."""
    return project.run("-c", PAUTOCRON, *arguments.split())


PAUTOCRON = "import sys\nfrom pyramid_autocron.commands import main\nsys.exit(main(['pautocron', *sys.argv[1:]]))"


def test_the_command_needs_no_path_of_the_database(project):
    """The ini file says which it is."""
    write_ini(project, "autocron.database = jobs.db\nautocron.workers = 3")
    done = pautocron(project, "development.ini settings --json")
    assert json.loads(done.stdout)["workers"] == {"value": 3, "default": 1, "source": "app"}
    assert str(project.folder / "jobs.db") in pautocron(project, "development.ini status").stdout


def test_workers_run_without_a_server(project):
    """`pautocron development.ini run` keeps them, with all that belongs to the app."""
    done = pautocron(project, "development.ini settings")
    assert done.returncode == 0, done.stdout
    write_ini(project, "autocron.autostart = false")
    project.start("-c", PAUTOCRON, "development.ini", "run")
    site = serve(project)
    assert site.call("look")[0] == "Ada"


def test_the_ini_file_may_have_variables(project):
    """They are given as for `pserve`."""
    write_ini(project, "autocron.database = %(place)s.db")
    assert pautocron(project, "development.ini status").returncode != 0
    done = pautocron(project, "development.ini place=here other=x status")
    assert done.returncode == 0, done.stdout
    assert str(project.folder / "here.db") in done.stdout


def test_an_error_of_the_app_is_no_wrong_usage(project):
    """Its own missing file, say: it is shown as it is."""
    project.write("application.py", "def main(*_, **settings):\n    open('its-own-file')\n")
    done = pautocron(project, "development.ini status")
    assert "FileNotFoundError" in done.stdout
    assert "its-own-file" in done.stdout


def test_its_help_has_all_verbs(project):
    """Without any ini file."""
    done = pautocron(project, "--help")
    assert done.returncode == 0
    assert all(f"\n  {verb.name} " in done.stdout for verb in VERBS)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("", "required: config_uri"),
        ("development.ini", "name a verb"),
        ("missing.ini status", "missing.ini: there is no such file"),
        ("wrong.ini status", "did you mean autocron.workers?"),
        ("development.ini stauts", "stauts"),
        ("other.ini status", 'config.include("pyramid_autocron") is missing'),
    ],
)
def test_what_is_wrong_is_told(project, arguments, message):
    """With the status of a wrong usage."""
    project.write(
        "other.py",
        "from pyramid.config import Configurator\n"
        "def main(global_config, **settings):\n    return Configurator().make_wsgi_app()\n",
    )
    project.write("other.ini", "[app:main]\nuse = call:other:main\n")
    write_ini(project, "autocron.worker = 2", file="wrong.ini")
    done = pautocron(project, arguments)
    assert done.returncode == 2
    assert message in done.stdout
    assert "Traceback" not in done.stdout
