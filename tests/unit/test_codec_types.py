"""Python's, numpy's and scipy's types: each comes back as it was."""

import enum
from collections import Counter, OrderedDict, defaultdict, deque
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from decimal import Decimal
from fractions import Fraction
from uuid import UUID
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from exact import assert_comes_back, assert_same, round_trip
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from scipy import optimize, sparse

from aerlock.codec import Tagged, from_value, to_map, to_value

BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    "obj",
    [
        {"b": 1, "a": {2: "int", "2": "str", (1, "t"): None, None: 0.5, 1.5: b"", True: []}},
        {3: {4: {5: 6}}},
        (1, (2, [3, (4,)]), ()),
        {1, "a", (2, frozenset({3}))},
        frozenset({frozenset(), 1}),
        b"\x00\xff",
        range(1, 10**20, 7),
        OrderedDict([("b", 1), ("a", 2)]),
        OrderedDict([(2, 1), (1, 2)]),
        Counter("abracadabra"),
        Counter({1: 2, (0, 1): -3}),
        defaultdict(list, {"a": [1]}),
        defaultdict(None, {1: 2}),
        deque([1, 2, 3], maxlen=5),
        deque([(1,)]),
        Decimal("1.10"),
        Decimal("-Infinity"),
        Fraction(-3, 7),
        UUID(int=5),
        timedelta(days=-1, microseconds=1),
        [1.5, float("nan"), -0.0, float("inf"), 2**64, -(2**63), 1 - 0j, complex("nan+infj")],
    ],
    ids=lambda obj: type(obj).__name__,
)
def test_python_object_comes_back_the_same(obj):
    assert_comes_back({"x": [obj]})


class Offset(tzinfo):
    def utcoffset(self, moment):
        return timedelta(hours=3)

    def dst(self, moment):
        return None


@pytest.mark.parametrize(
    "moment",
    [
        datetime(2024, 2, 3, 4, 5, 6, 789),
        datetime(2024, 2, 3, tzinfo=UTC),
        datetime(2024, 2, 3, tzinfo=UTC, fold=1),
        datetime(1, 1, 1, tzinfo=UTC),
        datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
        datetime(2024, 2, 3, tzinfo=timezone(timedelta(hours=5, minutes=30))),
        datetime(2024, 2, 3, tzinfo=timezone(-timedelta(seconds=1, microseconds=5))),
        datetime(2024, 2, 3, tzinfo=timezone(timedelta(hours=1), "CET")),
        datetime(2024, 2, 3, tzinfo=timezone(timedelta(0), "GMT")),
        datetime(2024, 7, 3, tzinfo=BERLIN),
        datetime(2024, 10, 27, 2, 30, tzinfo=BERLIN),
        datetime(2024, 10, 27, 2, 30, tzinfo=BERLIN, fold=1),
        datetime(2024, 3, 31, 2, 30, tzinfo=BERLIN, fold=1),
        datetime(2024, 2, 3, tzinfo=ZoneInfo("UTC")),
        datetime(2024, 2, 3, fold=1),
        date(2024, 2, 29),
        time(1, 2, 3, 4),
        time(1, 2, tzinfo=timezone(timedelta(hours=1))),
    ],
    ids=str,
)
def test_time_comes_back_with_its_zone_and_fold(moment):
    assert_comes_back(moment)


def test_time_zone_of_a_strange_class_comes_back_as_its_offset():
    decoded = round_trip(datetime(2024, 2, 3, tzinfo=Offset()))
    assert decoded == datetime(2024, 2, 3, tzinfo=Offset())
    assert decoded.tzinfo == timezone(timedelta(hours=3))


def test_time_of_another_machines_zone_data_is_refused():
    value = Tagged("python.datetime", {"iso": "2024-07-03T00:00:00+05:00", "zone": "Europe/Berlin"})
    with pytest.raises(ValueError, match="the time zone data differ"):
        round_trip(value)
    with pytest.raises(ValueError, match="knows no time zone 'Mars/Olympus'"):
        round_trip(Tagged("python.datetime", {"iso": "2024-07-03T00:00:00+05:00", "zone": "Mars/Olympus"}))


class Color(enum.Enum):
    RED = 1


class Level(enum.IntEnum):
    LOW = 1


class MyList(list):
    pass


class MyStr(str):
    pass


class MyArray(np.ndarray):
    pass


@pytest.mark.parametrize(
    ("obj", "cure"),
    [
        (MyList([1]), r"a subclass of list: send list\(x\)"),
        (MyStr("a"), r"a subclass of str: send str\(x\)"),
        (Level.LOW, r"a member of an enum: send x\.value"),
        (Color.RED, r"a member of an enum: send x\.value"),
        (bytearray(b"a"), r"send bytes\(x\)"),
        (np.zeros(2).view(MyArray), r"a subclass of ndarray: send numpy\.asarray\(x\)"),
        (np.ma.array([1, 2], mask=[0, 1]), r"a subclass of ndarray"),
        (defaultdict(lambda: 1), r"its factory is none of Python's own types"),
        (time(1, tzinfo=BERLIN), r"send a datetime"),
        (iter([1]), r"send list\(x\)"),
        (np.zeros(1, "longdouble"), r"make it float64"),
        (np.longdouble(1), r"make it float64"),
        (object(), r"register the class"),
    ],
    ids=lambda obj: type(obj).__name__,
)
def test_object_that_would_change_is_refused_with_path_and_cure(obj, cure):
    with pytest.raises(TypeError, match=rf"inputs\.ansatz\[1\]\.params.* {cure}"):
        to_map({"ansatz": [0, {"params": obj}]})


_SCALARS = [
    np.bool_(True),
    *(np.dtype(code).type(3) for code in "bhilqBHILQefdFD"),
    np.float64("nan"),
    np.float32(-0.0),
    np.complex64(complex("inf-nanj")),
    np.uint64(2**64 - 1),
    np.longlong(-5),
    np.ulonglong(2**63),
    np.datetime64("2024-02-03T04:05:06.789", "ms"),
    np.datetime64("NaT", "D"),
    np.datetime64(3, "7D"),
    np.timedelta64(5, "h"),
    np.timedelta64(5),
    np.str_("héllo"),
    np.bytes_(b"\x00a"),
    np.void(b"\x01\x02\x00"),
    np.array([(1, 2.5, "x")], [("a", "i4"), ("b", "f8"), ("c", "U3")])[0],
]


@pytest.mark.parametrize("scalar", _SCALARS, ids=lambda scalar: f"{type(scalar).__name__}-{scalar}")
def test_numpy_scalar_comes_back_with_its_type(scalar):
    assert_comes_back(scalar)


@given(
    npst.arrays(
        npst.scalar_dtypes().filter(lambda dtype: dtype.name not in ("float128", "complex256", "float96")),
        npst.array_shapes(min_dims=0, min_side=0, max_dims=4),
    )
)
@settings(max_examples=200, deadline=None)
def test_array_of_any_type_comes_back_the_same(array):
    assert_comes_back(array)
    assert_comes_back(np.asfortranarray(array))


@given(
    npst.arrays(
        npst.array_dtypes(
            npst.integer_dtypes(endianness="?")
            | npst.floating_dtypes(endianness="?", sizes=(32, 64))
            | npst.datetime64_dtypes(endianness="?")
            | npst.unicode_string_dtypes(endianness="?", max_len=3)
            | npst.byte_string_dtypes(max_len=3),
            max_size=3,
            allow_subarrays=True,
        ),
        npst.array_shapes(min_dims=0, min_side=0, max_dims=2, max_side=3),
    )
)
@settings(max_examples=150, deadline=None)
def test_structured_array_comes_back_the_same(array):
    assert_comes_back(array)


@pytest.mark.parametrize(
    "array",
    [
        np.arange(24.0).reshape(2, 3, 4).T,
        np.arange(24.0).reshape(2, 3, 4)[:, ::2, ::-1],
        np.broadcast_to(np.arange(3), (2, 3)),
        np.array([[1, "a"], [None, (2,)]], dtype=object),
        np.array([[1j, {"k": [1]}]], dtype=object).T,
        np.array(None, dtype=object),
        np.zeros((0, 3), dtype=object),
        np.array(["a", "bcd\0", ""]),
        np.array([b"a\0b", b""]),
        np.array(["\ud800"]),
        np.zeros((2, 0), "U5"),
        np.array([(1, [2.0, 3.0])], dtype=np.dtype([("a", ">i2"), ("b", "f4", (2,))], align=True)),
        np.zeros(2, dtype={"names": ["x", "y"], "formats": ["i1", "f8"], "offsets": [3, 8], "itemsize": 32}),
        np.zeros(1, dtype=[(("a title", "a"), "i4")]),
        np.array([(1, ("a", 2j))], dtype=[("n", "i4"), ("inner", [("s", "U2"), ("c", "c16")])]),
        np.array([(1, {"k": 1})], dtype=[("n", "i4"), ("o", "O")]),
        np.asfortranarray(np.ones((3, 2), ">c16")),
        np.array(["2024-01-01"], "M8[25s]"),
    ],
    ids=lambda array: f"{array.dtype}{array.shape}",
)
def test_unusual_array_comes_back_the_same(array):
    copy = round_trip({"a": [array]})["a"][0]
    assert copy.dtype == array.dtype
    assert copy.dtype.fields == array.dtype.fields
    assert copy.flags.writeable
    assert copy.flags.f_contiguous or not (array.flags.f_contiguous and not array.flags.c_contiguous)
    assert_same(array.tolist(), copy.tolist())


def test_fortran_array_is_sent_without_a_copy_of_its_own():
    array = np.asfortranarray(np.ones((300, 200)))
    copy = round_trip(array)
    assert copy.flags.f_contiguous
    assert not copy.flags.c_contiguous
    assert to_value(array).tagged_value.value.array_value.shape == [200, 300]


_CLASSES = [
    getattr(sparse, f"{form}_{kind}")
    for form in ("csr", "csc", "bsr", "coo", "dia", "lil", "dok")
    for kind in ("matrix", "array")
]


@pytest.mark.parametrize("cls", _CLASSES, ids=lambda cls: cls.__name__)
@pytest.mark.parametrize("dtype", ["float64", "complex64", "int8", "bool"])
def test_sparse_matrix_comes_back_the_same(cls, dtype):
    dense = np.array([[0, 1, 0, 0], [2, 0, 0, 3], [0, 0, 0, 0], [0, 4, 0, 0]], dtype)
    for matrix in (cls(dense), cls(np.zeros((4, 2), dtype)), cls(dense[:2])):
        copy = round_trip(matrix)
        assert type(copy) is cls
        assert copy.shape == matrix.shape
        assert copy.dtype == matrix.dtype
        assert (copy.toarray() == matrix.toarray()).all()
        assert copy.nnz == matrix.nnz
        for part in ("data", "indices", "indptr", "offsets"):
            if cls.__name__[:3] not in ("lil", "dok") and hasattr(matrix, part):
                assert_same(getattr(matrix, part), getattr(copy, part))


@pytest.mark.parametrize(
    "matrix",
    [
        sparse.coo_array(([1.0, 2.0, 3.0], ([0, 0, 1], [1, 1, 0])), shape=(2, 2)),
        sparse.csr_matrix((np.ones(3), np.array([2, 0, 1]), np.array([0, 2, 3])), shape=(2, 3)),
        sparse.coo_array(np.array([[[0, 1], [2, 0]]])),
        sparse.coo_array(np.array([0, 1, 2])),
        sparse.csr_array(np.array([0, 1, 2])),
        sparse.dok_array(np.array([0, 1, 2])),
        sparse.csr_array((np.ones(1), np.array([5], "int64"), np.array([0, 1], "int64")), shape=(1, 10**12)),
    ],
    ids=["double entries", "unsorted", "three dimensions", "one", "one csr", "one dok", "long indices"],
)
def test_sparse_matrix_of_an_unusual_form_comes_back_the_same(matrix):
    copy = round_trip(matrix)
    assert type(copy) is type(matrix)
    assert copy.shape == matrix.shape
    for part in ("data", "indices", "indptr", "coords"):
        if hasattr(matrix, part) and type(matrix).__name__[:3] != "dok":
            assert_same(getattr(matrix, part), getattr(copy, part))
    if max(matrix.shape) < 100:
        assert (copy.toarray() == matrix.toarray()).all()


def _csr(data=(1.0,), indices=(0,), indptr=(0, 1, 1), shape=(2, 2), dtype="int32", **more):
    return {
        "class": "csr_matrix",
        "shape": list(shape),
        "data": np.array(data),
        "indices": np.array(indices, dtype),
        "indptr": np.array(indptr, dtype),
        **more,
    }


_HOSTILE_SPARSE = {
    "index too large": _csr(indices=(2,)),
    "index negative": _csr(indices=(-1,)),
    "rows backwards": _csr(data=(1.0, 2.0), indices=(0, 1), indptr=(0, 3, 2)),
    "first row late": _csr(indptr=(1, 1, 1)),
    "last row beyond": _csr(indptr=(0, 1, 99)),
    "too few rows": _csr(indptr=(0, 1)),
    "too many rows": _csr(shape=(10**18, 2)),
    "negative shape": _csr(shape=(-2, 2)),
    "three dimensions": _csr(shape=(2, 2, 2)),
    "indices of bytes": _csr(dtype="int8"),
    "indices missing": {key: part for key, part in _csr().items() if key != "indices"},
    "unknown part": _csr(more=1),
    "unknown class": _csr() | {"class": "csr_evil"},
    "class of another module": _csr() | {"class": "os_system"},
    "data of objects": _csr() | {"data": np.array([None])},
    "coordinates outside": {
        "class": "coo_matrix",
        "shape": [2, 2],
        "data": np.ones(1),
        "coords": [np.array([0]), np.array([7])],
    },
    "blocks of nothing": {
        "class": "bsr_matrix",
        "shape": [2, 2],
        "data": np.ones((1, 0, 2)),
        "indices": np.array([0], "int32"),
        "indptr": np.array([0, 1], "int32"),
    },
    "diagonal outside": {
        "class": "dia_matrix",
        "shape": [2, 2],
        "data": np.ones((1, 2)),
        "offsets": np.array([9]),
    },
    "key outside": {
        "class": "dok_matrix",
        "shape": [2, 2],
        "dtype": np.zeros(0),
        "items": [[(0, 5), np.float64(1)]],
    },
    "slice as a key": {
        "class": "dok_matrix",
        "shape": [2, 2],
        "dtype": np.zeros(0),
        "items": [[range(2), np.float64(1)]],
    },
}


@pytest.mark.parametrize("name", _HOSTILE_SPARSE)
def test_hostile_sparse_matrix_is_refused_before_scipy_gets_it(name):
    value = to_value(Tagged("scipy.sparse", _HOSTILE_SPARSE[name]))
    with pytest.raises(ValueError, match=r"scipy\.sparse is malformed"):
        from_value(value)


def test_result_of_an_optimizer_comes_back_with_its_class():
    result = optimize.minimize(lambda x: (x[0] - 1) ** 2, [0.0], method="L-BFGS-B")
    copy = round_trip(result)
    assert type(copy) is optimize.OptimizeResult
    assert list(copy) == list(result)
    assert_same(result.x, copy.x)
    assert copy.success is result.success
    assert (copy.hess_inv.todense() == result.hess_inv.todense()).all()


@pytest.mark.parametrize(
    ("tag", "plain"),
    [
        ("python.range", [0, 1]),
        ("python.range", [0, 1.5, 1]),
        ("python.deque", {"maxlen": 1, "items": [1, 2]}),
        ("python.defaultdict", {"factory": "eval", "items": {}}),
        ("python.Fraction", [1, 0]),
        ("python.Decimal", "one"),
        ("python.set", [hash((1, 2)), [1]]),
        ("python.timedelta", [10**12, 0, 0]),
        ("numpy.fortran", [1]),
        ("numpy.bigendian", None),
        ("numpy.datetime64", {"unit": "evil", "count": 1, "array": np.zeros(1, int)}),
        ("numpy.datetime64", {"unit": "s", "count": 0, "array": np.zeros(1, int)}),
        ("numpy.datetime64", {"unit": "s", "count": 1, "array": np.zeros(1)}),
        ("numpy.datetime64", {"unit": "s", "count": 1, "array": np.zeros(1, "int32")}),
        ("numpy.str", np.array([[0x110000]], "u4")),
        ("numpy.str", np.zeros((1, 0), "u4")),
        ("numpy.str", np.zeros(2, "u1")),
        ("numpy.bytes", np.array(1, "u1")),
        ("numpy.void", np.zeros(2, "i1")),
        ("numpy.object", {"shape": [3], "items": [1]}),
        ("numpy.object", {"shape": [-1, -1], "items": [1]}),
        ("numpy.object", {"shape": [0, 2**62, 2**62], "items": []}),
        ("numpy.object", {"shape": [1] * 65, "items": [1]}),
        (
            "numpy.structured",
            {
                "shape": [1],
                "item_bytes": 1 << 20,
                "aligned": False,
                "fields": [{"name": "a", "offset": 0, "array": np.zeros(1)}],
            },
        ),
        (
            "numpy.structured",
            {
                "shape": [1],
                "item_bytes": 8,
                "aligned": False,
                "fields": [{"name": "a", "offset": 4, "array": np.zeros(1)}],
            },
        ),
        ("numpy.structured", {"shape": [2**62, 2**62], "item_bytes": 8, "aligned": False, "fields": []}),
    ],
)
def test_tagged_value_of_the_wrong_form_is_refused(tag, plain):
    with pytest.raises(ValueError, match="malformed"):
        from_value(to_value(Tagged(tag, plain)))


def test_set_of_elements_that_share_a_hash_is_refused_in_time():
    modulus = 2**61 - 1
    with pytest.raises(ValueError, match="share one hash"):
        from_value(to_value(Tagged("python.set", [str(0), *(n * modulus for n in range(20_000))])))


plain = st.none() | st.integers() | st.text(st.characters(exclude_categories=["Cs"]))
hashable = st.recursive(
    plain, lambda inner: st.tuples(inner, inner) | st.frozensets(inner, max_size=3), max_leaves=4
)
small = st.sets(hashable, max_size=3) | st.dictionaries(hashable, hashable, max_size=3)


@given(st.dictionaries(hashable, small, max_size=3))
@settings(max_examples=100, deadline=None)
def test_nested_keys_and_elements_come_back_the_same(obj):
    copy = round_trip(obj)
    assert copy == obj
    assert_same(list(obj), list(copy))
