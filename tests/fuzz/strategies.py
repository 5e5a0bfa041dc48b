"""Objects and Values for hypothesis: all that the codec carries by itself, and every form of a Value."""

from datetime import UTC

from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from aerlock.codec import Tagged, to_value
from aerlock.v1 import values_pb2
from aerlock.v1.values_pb2 import ListValue, MapEntry, MapValue, TaggedValue, Value

text = st.text(st.characters(exclude_categories=["Cs"]))
numbers = st.booleans() | st.integers() | st.integers(-(2**70), 2**70) | st.floats() | st.complex_numbers()
scalars = (
    st.none()
    | numbers
    | text
    | st.binary()
    | st.datetimes(timezones=st.just(UTC) | st.none(), allow_imaginary=False)
    | st.dates()
    | st.timedeltas()
    | st.fractions()
    | st.uuids()
)
dtypes = (
    npst.boolean_dtypes()
    | npst.integer_dtypes(endianness="?")
    | npst.unsigned_integer_dtypes(endianness="?")
    | npst.floating_dtypes(endianness="?", sizes=(16, 32, 64))
    | npst.complex_number_dtypes(endianness="?", sizes=(64, 128))
)
arrays = npst.arrays(dtypes, npst.array_shapes(min_dims=0, min_side=0, max_dims=3, max_side=4))
keys = st.integers() | text | st.booleans() | st.binary() | st.tuples(st.integers(), text) | st.none()


def containers(inner: st.SearchStrategy) -> st.SearchStrategy:
    """Containers of what ``inner`` gives, which keep its order."""
    return (
        st.lists(inner)
        | st.lists(inner).map(tuple)
        | st.dictionaries(text, inner)
        | st.dictionaries(keys, inner)
        | st.builds(Tagged, st.sampled_from(["org.example.A", "θ"]), inner)
    )


ordered_objects = st.recursive(scalars | arrays, containers, max_leaves=8)
objects = st.recursive(
    scalars | arrays | st.sets(keys) | st.frozensets(keys),
    containers,
    max_leaves=8,
)

plain_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | text,
    lambda inner: st.lists(inner) | st.dictionaries(text, inner),
    max_leaves=20,
)


def _wrapped(inner: st.SearchStrategy[Value]) -> st.SearchStrategy[Value]:
    lists = st.lists(inner, max_size=5).map(lambda items: Value(list_value=ListValue(values=items)))
    maps = st.lists(st.builds(MapEntry, key=text, value=inner), max_size=5).map(
        lambda entries: Value(map_value=MapValue(entries=entries))
    )
    tags = st.sampled_from(["python.tuple", "python.set", "python.dict", "numpy.scalar", "org.example", ""])
    tagged = st.builds(
        lambda tag, value: Value(tagged_value=TaggedValue(type=tag, value=value)), tags | text, inner
    )
    return lists | maps | tagged


values = st.recursive(
    (scalars | arrays).map(to_value)
    | st.just(Value())
    | st.builds(Value, big_int_value=st.from_regex(r"-?[0-9]{0,30}", fullmatch=True))
    | st.builds(
        lambda kind, shape, data: Value(
            array_value=values_pb2.Array(element_type=kind, shape=shape, data=data)
        ),
        st.integers(0, 15),
        st.lists(st.integers(-1, 3) | st.sampled_from([2**32, 2**62]), max_size=4),
        st.binary(max_size=40),
    ),
    _wrapped,
    max_leaves=15,
)
"""Values that are sound, and some that are not."""
