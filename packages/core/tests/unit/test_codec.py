import enum
import json
import math
import sys
from collections import OrderedDict, namedtuple
from contextlib import suppress
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from pathlib import Path, PurePosixPath, PureWindowsPath
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autocron.codec import decode, decode_arguments, encode, encode_arguments
from autocron.errors import UnreadableValue, UnsupportedValue

BERLIN = ZoneInfo("Europe/Berlin")

zones = st.none() | st.just(timezone.utc) | st.just(BERLIN) | st.timezones()
offsets = st.timedeltas(timedelta(hours=-23), timedelta(hours=23)).map(timezone)
hashable = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False),
    st.text(st.characters()),  # surrogates, too
    st.binary(),
    st.dates(),
    st.times(timezones=st.none() | offsets),
    st.datetimes(timezones=zones | offsets),
    st.timedeltas(),
    st.decimals(allow_nan=False),
    st.uuids(),
    st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])).map(Path),
    st.text(st.characters(exclude_categories=["Cs"])).map(PurePosixPath),
    st.text(st.characters(exclude_categories=["Cs"])).map(PureWindowsPath),
)
values = st.recursive(
    hashable,
    lambda inner: st.one_of(
        st.lists(inner),
        st.lists(inner).map(tuple),
        st.dictionaries(hashable, inner),
        st.dictionaries(st.just("$") | st.just("v") | st.text(), inner),
        st.sets(hashable),
        st.frozensets(hashable),
    ),
    max_leaves=20,
)


def same(one, other):
    """Whether two values are equal in value and in type, all the way down."""
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return len(one) == len(other) and all(map(same, one.items(), other.items()))
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, datetime | time):
        return one == other and (one.fold, one.tzinfo) == (other.fold, other.tzinfo)
    return bool(one == other)


# Round trips ----------------------------------------------------------------------------------


@given(values)
def test_what_is_written_is_read_as_it_was(value):
    """All types that can be stored, in any nesting, come back equal and of the same type."""
    text = encode(value)
    assert same(decode(text), value)
    json.loads(text)
    text.encode("utf-8")  # the database takes nothing else


@given(st.lists(values), st.dictionaries(st.text(), values))
def test_arguments_are_read_as_they_were(args, kwargs):
    """Positional and keyword arguments come back as they were."""
    read_args, read_kwargs = decode_arguments(encode_arguments((), tuple(args), kwargs))
    assert same(read_args, args)
    assert same(read_kwargs, kwargs)


def test_keyword_arguments_may_have_our_mark():
    """A function with `**rest` may be given a `$`."""
    for kwargs in ({"$": "tuple", "v": [1]}, {"$": "UUID", "v": "x"}, {"$": 1}):
        assert decode_arguments(encode_arguments((), (1,), kwargs)) == ([1], kwargs)


@pytest.mark.parametrize("value", [math.inf, -math.inf, -0.0, 5e-324, sys.float_info.max])
def test_floats_are_exact(value):
    """Infinities and the sign of zero survive, too."""
    assert math.copysign(1, decode(encode(value))) == math.copysign(1, value)
    assert decode(encode(value)) == value


def test_nan_stays_nan():
    """What is not a number is none afterwards; the text is JSON that strict readers take."""
    assert math.isnan(decode(encode(math.nan)))
    assert "NaN" not in encode(math.nan)
    assert decode(encode(Decimal("NaN"))).is_nan()


def test_the_repeated_hour_is_not_lost():
    """A datetime in the hour that the clock shows twice remembers which of the two it is."""
    first = datetime(2026, 10, 25, 2, 30, tzinfo=BERLIN)
    second = first.replace(fold=1)
    assert decode(encode(first)).timestamp() != decode(encode(second)).timestamp()
    assert decode(encode(second)).fold == 1
    assert decode(encode(second)).tzinfo is BERLIN


def test_objects_with_our_own_mark_are_data():
    """A dict that looks like one of our tagged values comes back as that dict."""
    for value in ({"$": "datetime", "v": "x"}, {"$": {"$": 1}}, {"$": "dict", "v": []}):
        assert decode(encode(value)) == value


def test_keys_keep_their_types():
    """1 and "1" are two keys, and tuples may be keys."""
    value = {1: "a", "1": "b", (2, 3): "c", None: "d", date(2026, 1, 1): "e"}
    assert decode(encode(value)) == value


def test_deep_nesting_works_up_to_a_point():
    """A hundred levels are fine."""
    value = []
    for _ in range(100):
        value = [value]
    assert decode(encode(value)) == value


# What is refused ------------------------------------------------------------------------------


class Colour(enum.Enum):
    RED = 1


class Text(str):
    """A string of somebody's own."""

    __slots__ = ()


class Level(enum.IntEnum):
    HIGH = 1


Point = namedtuple("Point", "x y")  # noqa: PYI024


@pytest.mark.parametrize(
    ("value", "name"),
    [
        (object(), "object"),
        (Colour.RED, "Colour"),
        (Level.HIGH, "Level"),
        (Text("a"), "Text"),
        (Point(1, 2), "Point"),
        (OrderedDict(a=1), "collections.OrderedDict"),
        (bytearray(b"a"), "bytearray"),
        (1j, "complex"),
        (range(3), "range"),
        (len, "builtin_function_or_method"),
    ],
)
def test_other_types_are_refused_by_name(value, name):
    """What would not come back as it was is refused, subclasses of known types included."""
    with pytest.raises(UnsupportedValue, match=name):
        encode([{"deep": (value,)}])


def test_the_argument_is_named():
    """The error names the argument, positional, beyond the named ones, or by keyword."""
    with pytest.raises(UnsupportedValue, match="argument text holds an instance of object"):
        encode_arguments(["to", "text"], ("a", object()), {})
    with pytest.raises(UnsupportedValue, match="argument 3 holds"):
        encode_arguments(["to", "text"], ("a", "b", object()), {})
    with pytest.raises(UnsupportedValue, match="argument copies holds"):
        encode_arguments(["to"], ("a",), {"copies": object()})


def test_circles_and_bottomless_pits_are_refused():
    """A list that contains itself, or is nested thousands deep, is an error and no crash."""
    circle = []
    circle.append(circle)
    pit = []
    for _ in range(100_000):
        pit = [pit]
    for value in (circle, pit):
        with pytest.raises(UnsupportedValue, match="nested too deeply"):
            encode(value, "it")


def test_integers_that_python_does_not_write_are_refused():
    """Beyond the limit for text (4300 digits), the argument is named."""
    with pytest.raises(UnsupportedValue, match="argument n holds"):
        encode_arguments(["n"], (10**100_000,), {})
    assert decode(encode(10**4000)) == 10**4000


def test_a_time_zone_of_somebodys_own_is_refused():
    """Only zoneinfo and fixed offsets can be written down."""

    class Odd(timezone.__base__):
        def utcoffset(self, _moment):
            return timedelta(0)

    with pytest.raises(UnsupportedValue, match="time zone"):
        encode(datetime(2026, 1, 1, tzinfo=Odd()))


# What others wrote ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "nonsense",
        '{"$":"os.system","v":"true"}',
        '{"$":"object","v":1}',
        '{"$":["list"],"v":1}',
        '{"$":{"$":"tuple","v":[]},"v":1}',
        '{"$":null}',
        '{"$":"tuple"}',
        '{"$":"tuple","v":5}',
        '{"$":"datetime","v":"2026-01-01T00:00:00"}',
        '{"$":"datetime","v":"2026-01-01T00:00:00","zone":"../../etc/passwd","fold":0}',
        '{"$":"datetime","v":"2026-01-01T00:00:00","zone":"No/Where","fold":0}',
        '{"$":"datetime","v":"2026-01-01T00:00:00","zone":1e9,"fold":0}',
        '{"$":"datetime","v":"2026-01-01T00:00:00","zone":[],"fold":0}',
        '{"$":"datetime","v":"2026-01-01T00:00:00","zone":null,"fold":7}',
        '{"$":"timedelta","v":[1e300,0,0]}',
        '{"$":"timedelta","v":[1]}',
        '{"$":"bytes","v":"a"}',
        '{"$":"Decimal","v":"x"}',
        '{"$":"Decimal","v":[]}',
        '{"$":"UUID","v":"x"}',
        '{"$":"UUID","v":5}',
        '{"$":"set","v":[[]]}',
        '{"$":"dict","v":[1]}',
        '{"$":"float","v":{}}',
        '{"$":"Path","v":5}',
        "[" * 100_000,
        "1" * 100_000,
    ],
    ids=lambda text: text[:40],
)
def test_unreadable_text_is_one_kind_of_error(text):
    """Whatever stands in the database, reading it gives a value or `UnreadableValue`."""
    with pytest.raises(UnreadableValue):
        decode(text)


@given(st.text() | st.recursive(st.none() | st.text() | st.integers(), st.lists).map(json.dumps))
def test_any_text_is_read_or_unreadable(text):
    """There is no third possibility."""
    with suppress(UnreadableValue):
        decode(text)


@given(
    st.sampled_from(["dict", "float", "tuple", "set", "bytes", "datetime", "date", "time"])
    | st.sampled_from(["timedelta", "Decimal", "UUID", "Path", "frozenset", "PureWindowsPath"]),
    st.recursive(
        st.none() | st.text() | st.integers() | st.floats(allow_nan=False), st.lists, max_leaves=5
    ),
    st.text() | st.integers() | st.none(),
    st.integers() | st.text(),
)
def test_any_content_of_a_known_type_is_read_or_unreadable(kind, content, zone, fold):
    """Wrong content of our own types is no way to any other error."""
    with suppress(UnreadableValue):
        decode(json.dumps({"$": kind, "v": content, "zone": zone, "fold": fold}))


def test_arguments_must_have_their_shape():
    """A stored value that is no list of arguments is not taken for one."""
    for text in ("[]", "{}", "[[],[]]", "[{},{}]", "[[],{},1]", "null"):
        with pytest.raises(UnreadableValue):
            decode_arguments(text)


def test_other_types_are_not_read_without_their_module(run_program):
    """They would not be what they were."""
    program = """
        import sys
        sys.modules["decimal"] = None
        from autocron.codec import decode
        from autocron.errors import UnreadableValue
        try:
            decode('{"$":"Decimal","v":"1"}')
        except UnreadableValue:
            print("refused")
        """
    assert run_program(program).stdout == "refused\n"


@pytest.mark.parametrize("kind", ["Markup", "SafeString"])
def test_strings_of_templates_can_be_read_without_their_package(run_program, kind):
    """By the tool, which only shows them; adapters test what becomes of them in an application."""
    program = f"""
        import sys
        sys.modules["django"] = sys.modules["markupsafe"] = None
        from autocron.codec import decode
        print(decode('{{"$":"{kind}","v":"<b>"}}'))
        """
    ended = run_program(program)
    assert ended.stdout == "<b>\n", ended.stderr


def test_reading_imports_and_executes_nothing(run_program):
    """No stored text makes the reader import a module or run anything."""
    ended = run_program(
        """
        import sys
        from autocron.codec import decode
        from autocron.errors import UnreadableValue

        texts = ['{"$":"%s","v":%s}' % (name, content)
                 for name in ("os.system", "subprocess", "antigravity", "builtins.eval", "this")
                 for content in ('"print(1)"', '["print(1)"]', 'null')]
        before = set(sys.modules)
        sys.addaudithook(lambda event, args: event in ("import", "exec", "compile") and happened.append(args))
        happened = []
        for text in texts:
            try:
                decode(text)
            except UnreadableValue:
                continue
            raise SystemExit(text)
        assert not happened, happened
        assert set(sys.modules) == before
        """
    )
    assert ended.returncode == 0, ended.stderr
