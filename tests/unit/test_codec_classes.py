"""Classes of one's own: registered ones come back as themselves, others as plain values or not at all."""

import dataclasses
import enum
import subprocess
import sys
from collections import namedtuple
from typing import NamedTuple

import numpy as np
import pytest
from exact import assert_same, round_trip

from aerlock.codec import Tagged, from_value, register, to_map, to_value


@dataclasses.dataclass
class Ansatz:
    depth: int
    angles: np.ndarray
    inner: "Ansatz | None" = None


class Point(NamedTuple):
    x: float
    y: object = None


class Optimizer:
    def __init__(self, steps, blocking=False):
        self.steps = steps
        self.blocking = blocking

    @property
    def settings(self):
        return {"steps": self.steps, "blocking": self.blocking}

    def __call__(self):
        """Settings come before being callable."""


class Json:
    def to_json(self):
        return '{"a": 1}'


def test_dataclass_and_named_tuple_travel_as_maps():
    ansatz = Ansatz(2, np.arange(2), Ansatz(1, np.ones(1)))
    copy = round_trip([ansatz, Point(1.5, (1, 2))])
    assert_same(
        [
            {"depth": 2, "angles": np.arange(2), "inner": {"depth": 1, "angles": np.ones(1), "inner": None}},
            {"x": 1.5, "y": (1, 2)},
        ],
        copy,
    )
    assert to_value(Point(1.5)).HasField("map_value")


def test_to_json_and_settings_travel_as_what_they_give():
    assert round_trip(Json()) == '{"a": 1}'
    assert round_trip(Optimizer({1: 100, 2: 50})) == {"steps": {1: 100, 2: 50}, "blocking": False}


def test_path_goes_through_a_dataclass():
    with pytest.raises(TypeError, match=r"inputs\.ansatz\[3\]\.inner\.angles is a builtins\.object"):
        to_map({"ansatz": [0, 1, 2, Ansatz(1, np.ones(1), Ansatz(1, object()))]})


def test_dataclass_that_contains_itself_is_refused():
    ansatz = Ansatz(1, np.ones(1))
    ansatz.inner = ansatz
    with pytest.raises(TypeError, match=r"inputs\.a\.inner contains itself|inputs\.a contains itself"):
        to_map({"a": ansatz})


@pytest.fixture
def registered():
    """Registers classes for one test."""
    from aerlock.codec import encoders, registry, user_classes

    classes = dict(user_classes.REGISTERED)
    tags = dict(registry.BY_TAG)
    yield
    for cls in user_classes.REGISTERED.keys() - classes.keys():
        encoders._ENCODERS.pop(cls, None)
    for table, before in ((user_classes.REGISTERED, classes), (registry.BY_TAG, tags)):
        table.clear()
        table.update(before)


@pytest.mark.usefixtures("registered")
def test_registered_classes_come_back_as_themselves():
    class Mode(enum.Enum):
        FAST = 1
        SLOW = "s"

    class Level(enum.IntEnum):
        LOW = 3

    register(Ansatz, "mylab.Ansatz")
    register(Point, "mylab.Point")
    register(Optimizer, "mylab.Optimizer")
    register(Mode, "mylab.Mode")
    register(Level, "mylab.Level")
    ansatz = Ansatz(2, np.arange(2), Ansatz(1, np.ones(1)))
    copy = round_trip([ansatz, Point(1, Mode.SLOW), Level.LOW, Optimizer(5)])
    assert_same([ansatz, Point(1, Mode.SLOW), Level.LOW], copy[:3])
    assert type(copy[3]) is Optimizer
    assert copy[3].settings == {"steps": 5, "blocking": False}


@pytest.mark.usefixtures("registered")
def test_registered_functions_make_and_read_the_plain_form():
    class Matrix:
        def __init__(self, rows):
            self.rows = rows

    def from_plain(plain):
        if type(plain) is not list:
            raise TypeError("no rows")
        return Matrix(plain)

    with pytest.raises(TypeError, match="which cannot be sent"):
        to_value(Matrix([1]))
    assert register(Matrix, "mylab.Matrix", lambda matrix: matrix.rows, from_plain) is Matrix
    assert round_trip(Matrix([[1, 2j]])).rows == [[1, 2j]]
    with pytest.raises(ValueError, match=r"mylab\.Matrix is malformed: no rows"):
        from_value(to_value(Tagged("mylab.Matrix", 5)))


@pytest.mark.usefixtures("registered")
def test_registration_holds_for_a_class_that_travelled_as_plain_values_before():
    assert type(round_trip(Point(1))) is dict
    register(Point, "mylab.Point")
    assert type(round_trip(Point(1))) is Point


@pytest.mark.usefixtures("registered")
def test_class_that_is_defined_again_takes_the_place_of_the_one_before():
    first = namedtuple("Cell", "a")
    second = namedtuple("Cell", "a")
    register(first, "mylab.Cell")
    register(second, "mylab.Cell")
    assert type(round_trip(second(1))) is second
    assert type(round_trip(first(1))) is dict


@pytest.mark.usefixtures("registered")
def test_registration_that_cannot_work_is_refused():
    register(Point, "mylab.Point")
    for tag in ("python.tuple", "qiskit.Mine", "nodot", ".x", "mylab.Point"):
        with pytest.raises(ValueError, match=r"must be yours|is taken by"):
            register(Ansatz, tag)
    with pytest.raises(TypeError, match="belong together"):
        register(Ansatz, "mylab.Other", to_plain=vars)
    with pytest.raises(TypeError, match="give to_plain and from_plain"):
        register(Json, "mylab.Json")


@pytest.mark.usefixtures("registered")
@pytest.mark.parametrize("plain", [5, {"depth": 1, "evil": 2}, {}])
def test_registered_dataclass_refuses_other_fields(plain):
    register(Ansatz, "mylab.Ansatz")
    with pytest.raises(ValueError, match=r"mylab\.Ansatz is malformed"):
        from_value(to_value(Tagged("mylab.Ansatz", plain)))


OTHER_SIDE = """
from aerlock.codec import Tagged, from_value
from aerlock.v1.values_pb2 import Value
assert from_value(Value.FromString(bytes.fromhex({data!r}))) == Tagged("mylab.Point", {{"x": 1, "y": None}})
"""


@pytest.mark.usefixtures("registered")
def test_other_side_that_registered_nothing_gets_the_plain_value():
    register(Point, "mylab.Point")
    data = to_value(Point(1)).SerializeToString().hex()
    subprocess.run([sys.executable, "-c", OTHER_SIDE.format(data=data)], check=True, timeout=60)
