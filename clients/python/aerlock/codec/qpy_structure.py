"""Follows the sizes that QPY announces, before Qiskit's reader allocates what they say.

The reader trusts them: one wrong byte makes it ask for gigabytes, or abort the
process. Here every size must lie within the data, and what takes memory without
taking bytes (bits, vectors of parameters) is bounded by the size of the data.
The layout is that of the page "QPY format" in Qiskit's documentation.
"""

import itertools
import json
import struct
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

from aerlock.codec.npy import check_npy
from aerlock.codec.qpy_names import SYNTHESES
from aerlock.codec.qpy_shape import LastShape

OLDEST_QPY_VERSION: Final = 13
"""Older versions carry symbols in formats whose readers can be made to run code."""
NEWEST_QPY_VERSION: Final = 18
"""The newest version whose layout is known here; a newer Qiskit writes it as well."""
MAX_QPY_BITS: Final = 100_000
"""Qubits, and classical bits, that one circuit may announce."""
MAX_NESTING: Final = 50
"""Parts in parts: blocks, definitions, tuples, expressions."""

# The fields of each part, without what follows in the length that they say.
_FILE: Final = struct.Struct("!6sBBBBQcc")  # magic, version, Qiskit's version, circuits, symbols, kind
_OFFSET: Final = struct.Struct("!Q")
_CIRCUIT: Final = struct.Struct("!HcHIIQIQI")  # name, phase, qubits, clbits, metadata, three counts
_REGISTER: Final = struct.Struct("!c?IH?")  # kind, standalone, size, name, in the circuit
_REGISTER_18: Final = struct.Struct("!c?IH??")  # and whether its bits follow each other
_VARIABLE: Final = struct.Struct("!16scHc")  # UUID, usage, name, type
_NAMESPACE: Final = struct.Struct("!IQ")  # name, state
_ANNOTATION: Final = struct.Struct("!IQ")  # namespace, payload
_VECTOR: Final = struct.Struct("!HQ16s")  # name, elements, UUID
_DEFINITION: Final = struct.Struct("!HcII?QIIQ")  # name, kind, bits, whether defined, size, control, base
_INSTRUCTION: Final = struct.Struct("!HHHIIBH8xI4x")  # name, label, counts, flags, condition, controls
_VALUE: Final = struct.Struct("!cQ")  # kind, size
_PARAMETER: Final = struct.Struct("!H16s")  # name, UUID
_ELEMENT: Final = struct.Struct("!HQ16sQ")  # vector's name, its elements, UUID, index
_ELEMENT_18: Final = struct.Struct("!HQ")  # vector's position in the table, index
_EXPRESSION: Final = struct.Struct("!QQ")  # symbols, operations
_OPERATION: Final = struct.Struct("!BcQQc16s")  # code, kind and content of the left side and the right one
_SYMBOL: Final = struct.Struct("!ccQ")  # kind, kind and size of its value
_ITEM: Final = struct.Struct("!HcH")  # key, kind and size of the value
_RANGE: Final = struct.Struct("!qqq")
_MODIFIER: Final = struct.Struct("!cIId")  # kind, control qubits and state, power
_EVOLUTION: Final = struct.Struct("!Q?cQQ")  # operators, whether one stands alone, time, synthesis
_OBSERVABLE: Final = struct.Struct("!IQQQQ")  # qubits, bytes of four arrays
_LAYOUT: Final = struct.Struct("!?iiiIi")  # whether there is one, three sizes, registers, qubits
_BIT: Final = struct.Struct("!ii")  # index, register's name
_COUNT: Final = {size: struct.Struct(f"!{code}") for size, code in ((1, "?"), (2, "H"), (4, "I"), (8, "Q"))}

_WITH_TABLE, _WITH_ANNOTATIONS, _WITH_OBSERVABLES, _WITH_VECTORS = 16, 15, 17, 18
_BIT_BYTES: Final = 5
_UUID_BYTES: Final = 16
_IF_EXPRESSION: Final = 2
_ANNOTATED: Final = 0x80


def check_structure(data: bytes) -> frozenset[str]:
    """Refuses QPY that is not exactly one circuit, with sizes that its bytes bear out.

    Returns the names of instructions that it does not define itself: the reader
    looks them up in Qiskit. Raises ValueError.
    """
    if len(data) < _FILE.size or not data.startswith(b"QISKIT"):
        raise ValueError("the circuit is not QPY: write it with qiskit.qpy.dump")
    _, version, _, _, _, count, _, kind = _FILE.unpack_from(data)
    if version < OLDEST_QPY_VERSION:
        raise ValueError(f"QPY version {version} is refused: write version {OLDEST_QPY_VERSION} or newer")
    if version > NEWEST_QPY_VERSION:
        raise ValueError(
            f"the circuit is QPY {version}, and up to {NEWEST_QPY_VERSION} is read here:"
            f" upgrade Aerlock and Qiskit here, or write version {NEWEST_QPY_VERSION} there"
        )
    if count != 1 or kind != b"q":
        raise ValueError("QPY must hold exactly one circuit")
    if (names := _LAST_SHAPE.find(data)) is not None:
        return names
    walker = _Walker(data, version)
    try:
        names = walker.walk()
    except (struct.error, OverflowError, UnicodeDecodeError) as error:
        raise ValueError("the circuit's QPY is cut short, or has a size that is not its own") from error
    _LAST_SHAPE.remember(data, names, lambda _: walker.free)
    return names


def join_files(files: Sequence[bytes]) -> bytes | None:
    """Makes one file of several that `check_structure` has passed; None where they differ in their fronts.

    Those of versions without a table are not joined: only their reader could tell where each ends.
    """
    front = files[0][: _FILE.size]
    magic, version, *release, _, symbols, kind = _FILE.unpack(front)
    if version < _WITH_TABLE or any(data[: _FILE.size] != front for data in files):
        return None
    bodies = [data[_FILE.size + _OFFSET.size :] for data in files]
    begin = _FILE.size + _OFFSET.size * len(files)
    places = itertools.accumulate(map(len, bodies[:-1]), initial=begin)
    table = b"".join(map(_OFFSET.pack, places))
    return _FILE.pack(magic, version, *release, len(files), symbols, kind) + table + b"".join(bodies)


def has_definitions(written: bytes) -> bool:
    """Tells whether a circuit that Qiskit wrote defines instructions of its own."""
    return _Walker(written, written[len(b"QISKIT")]).has_definitions()


def free_places(written: bytes) -> list[tuple[int, int]]:
    """The places of names and numbers in a circuit that Qiskit wrote, from and to; for `LastShape`."""
    walker = _Walker(written, written[len(b"QISKIT")])
    walker.walk()
    return walker.free


_LAST_SHAPE: Final = LastShape()


class _Walker:
    """Goes through the one circuit of a file, part by part in their order."""

    def __init__(self, data: bytes, version: int) -> None:
        self._data = data
        self._version = version
        self._at = _FILE.size
        self._depth = 0
        self._allowance = 4 * MAX_QPY_BITS + len(data)
        self._names: set[bytes] = set()
        self._defined: set[bytes] = set()
        self.free: list[tuple[int, int]] = []
        """Places of names and numbers, from and to."""
        self._plain_headers: dict[bytes, tuple[int, int, int]] = {}
        self._plain_values: dict[bytes, int] = {}

    def walk(self) -> frozenset[str]:
        if self._version >= _WITH_TABLE and self._take(_OFFSET) != (self._at,):
            raise ValueError("the circuit's QPY does not begin where its table says")
        self._circuit()
        self._expect(len(self._data))
        return frozenset(name.decode() for name in self._names - self._defined)

    def _take(self, layout: struct.Struct) -> tuple[Any, ...]:
        fields = layout.unpack_from(self._data, self._at)
        self._at += layout.size
        return fields

    def _skip(self, count: int) -> None:
        if not 0 <= count <= len(self._data) - self._at:
            raise struct.error
        self._at += count

    def _skip_free(self, count: int) -> None:
        """Skips what may be anything in another file of the same shape."""
        start = self._at
        self._skip(count)
        self.free.append((start, self._at))

    def _expect(self, end: int) -> None:
        if self._at != end:
            raise struct.error

    def _announce(self, count: int) -> None:
        """Counts what the reader allocates without reading a byte for each."""
        self._allowance -= count
        if self._allowance < 0:
            raise ValueError("the circuit announces more bits, or parameters, than its size bears out")

    def _each(self, take: Callable[[], object], count_bytes: int = 0, count: int = 0) -> None:
        """Takes as many parts as ``count`` says, or a number of ``count_bytes`` bytes in front of them."""
        if count_bytes:
            (count,) = self._take(_COUNT[count_bytes])
        for _ in range(count):
            take()

    @contextmanager
    def _part(self, size: int) -> Iterator[None]:
        """What is taken within must be ``size`` bytes."""
        end = self._at + size
        self._depth += 1
        if self._depth > MAX_NESTING:
            raise ValueError(
                f"the circuit nests deeper than {MAX_NESTING} blocks, definitions or expressions"
            )
        yield
        self._depth -= 1
        self._expect(end)

    def _circuit(self, bits: tuple[int, int] | None = None) -> None:
        count = self._front(bits)
        self._each(self._definition, 8)
        self._instructions(count)
        if self._version < _WITH_VECTORS and self._take(_COUNT[2]) != (0,):
            raise ValueError("the circuit has calibrations of pulses, which Qiskit reads no more")
        self._layout()

    def _front(self, bits: tuple[int, int] | None = None) -> int:
        """Takes what stands before the definitions; returns how many instructions there are.

        ``bits`` are the qubits and classical bits that the circuit must have.
        """
        name, kind, phase, qubits, clbits, metadata, registers, count, variables = self._take(_CIRCUIT)
        if max(qubits, clbits) > MAX_QPY_BITS:
            raise ValueError(
                f"a circuit of {max(qubits, clbits):,} bits is refused: at most {MAX_QPY_BITS:,} are read"
            )
        # The reader copies a definition for each instruction that names it.
        if bits not in (None, (qubits, clbits)):
            raise ValueError("the circuit has an instruction whose definition has other bits than itself")
        self._announce(qubits + clbits)
        self._skip_free(name)
        self._value(kind, phase)
        self._skip_free(metadata)
        self._each(self._register, count=registers)
        self._each(self._variable, count=variables)
        if self._version >= _WITH_ANNOTATIONS:
            self._each(self._namespace, 4)
        if self._version >= _WITH_VECTORS:
            self._each(self._vector, 2)
        return count  # type: ignore[no-any-return]

    def has_definitions(self) -> bool:
        """Tells whether the circuit defines instructions of its own."""
        if self._version >= _WITH_TABLE:
            self._take(_OFFSET)
        self._front()
        return self._take(_COUNT[8]) != (0,)

    def _register(self) -> None:
        if self._version < _WITH_VECTORS:
            _, _, size, name, _ = self._take(_REGISTER)
            self._skip(name + 8 * size)
            return
        _, _, size, name, _, is_range = self._take(_REGISTER_18)
        self._announce(size)
        self._skip(name + 4 * (1 if is_range else size))

    def _variable(self) -> None:
        _, _, name, kind = self._take(_VARIABLE)
        self._skip(name + (4 if kind == b"u" else 0))

    def _namespace(self) -> None:
        name, state = self._take(_NAMESPACE)
        self._skip(name + state)

    def _vector(self) -> None:
        name, elements, _ = self._take(_VECTOR)
        self.free.append((self._at - _UUID_BYTES, self._at))
        self._announce(elements)
        self._skip(name)

    def _definition(self) -> None:
        name, kind, qubits, clbits, is_defined, size, controls, _, base = self._take(_DEFINITION)
        self._announce(qubits + clbits + controls)
        start = self._at
        self._skip(name)
        self._defined.add(self._data[start : self._at])
        with self._part(size):
            if is_defined and kind == b"p":
                self._evolution()
            elif is_defined:
                self._circuit((qubits, clbits))
        with self._part(base):
            # The gate without its controls stands there without its qubits.
            self._instructions(1 if base else 0, bit_bytes=0)

    def _instructions(self, count: int, bit_bytes: int = _BIT_BYTES) -> None:
        # Most of a file is this, so it is written out, and a header that comes again is not unpacked again.
        data, at, add_name, free = self._data, self._at, self._names.add, self.free
        find_header, find_value = self._plain_headers.get, self._plain_values.get
        header_bytes, value_bytes = _INSTRUCTION.size, _VALUE.size
        for _ in range(count):
            known = find_header(data[at : at + header_bytes]) if bit_bytes else None
            if known is None:
                at, values, is_annotated = self._header(at, bit_bytes)
            else:
                name, size, values = known
                add_name(data[at + header_bytes : at + header_bytes + name])
                at += size
                is_annotated = False
            while values:
                if known_size := find_value(data[at : at + value_bytes]):
                    free.append((at + value_bytes, at + known_size))
                    at += known_size
                else:
                    at += self._size_of_value(at)
                values -= 1
            if is_annotated:
                at = self._annotations(at)
        self._at = at

    def _header(self, at: int, bit_bytes: int) -> tuple[int, int, bool]:
        """Takes an instruction up to its values; returns their place and number, and whether more follows."""
        start = at
        name, label, values, qargs, cargs, flags, condition, controls = _INSTRUCTION.unpack_from(
            self._data, at
        )
        at += _INSTRUCTION.size
        self._names.add(self._data[at : at + name])
        at += name + label + condition
        has_expression, is_annotated = flags & 3 == _IF_EXPRESSION, bool(flags & _ANNOTATED)
        if has_expression:
            at = self._value_at(at)
        at += bit_bytes * (qargs + cargs)
        if controls > qargs or not bit_bytes:
            self._announce(controls)
        elif not (has_expression or is_annotated):
            self._plain_headers[self._data[start : start + _INSTRUCTION.size]] = name, at - start, values
        return at, values, is_annotated

    def _annotations(self, at: int) -> int:
        self._at = at
        self._each(self._annotation, 4)
        return self._at

    def _size_of_value(self, at: int) -> int:
        """Takes a value that stands there, or only its size where there is nothing in it."""
        kind, size = _VALUE.unpack_from(self._data, at)
        if kind in _FREE_VALUES or (kind == b"v" and self._version >= _WITH_VECTORS):
            self._plain_values[self._data[at : at + _VALUE.size]] = size = _VALUE.size + size
            self.free.append((at + _VALUE.size, at + size))
            return size  # type: ignore[no-any-return]
        return self._value_at(at) - at

    def _annotation(self) -> None:
        _, payload = self._take(_ANNOTATION)
        self._skip(payload)

    def _value_at(self, at: int) -> int:
        self._at = at
        self._typed_value()
        return self._at

    def _typed_value(self) -> None:
        self._value(*self._take(_VALUE))

    def _value(self, kind: bytes, size: int) -> None:
        take = _RICH_VALUES.get(kind) if size else None
        if take is None:
            self._skip(size)
            return
        with self._part(size):
            take(self)

    def _tuple(self) -> None:
        self._each(self._typed_value, 8)

    def _range(self) -> None:
        start, stop, step = self._take(_RANGE)
        if step:
            self._announce(len(range(start, stop, step)))

    def _array(self) -> None:
        size = check_npy(self._data, self._at)
        self._skip(size)

    def _modifier(self) -> None:
        _, controls, _, _ = self._take(_MODIFIER)
        self._announce(controls)

    def _parameter(self) -> None:
        name, _ = self._take(_PARAMETER)
        self._skip(name)

    def _element(self) -> None:
        if self._version >= _WITH_VECTORS:
            self._take(_ELEMENT_18)
            return
        name, elements, _, _ = self._take(_ELEMENT)
        # Every element of a vector names its size; the vector is made once, and only what is used of it.
        if elements > MAX_QPY_BITS:
            raise ValueError(
                f"a vector of {elements:,} parameters is refused: at most {MAX_QPY_BITS:,} are read"
            )
        self._skip(name)

    def _expression(self) -> None:
        symbols, size = self._take(_EXPRESSION)
        with self._part(size):
            end = self._at + size
            while self._at < end:
                self._operation()
        self._each(self._symbol, count=symbols)

    def _operation(self) -> None:
        _, kind, size, _, _, _ = self._take(_OPERATION)
        if kind == b"u":
            with self._part(size):
                self._each(self._item, 8)

    def _item(self) -> None:
        key, kind, size = self._take(_ITEM)
        self._skip(key)
        self._value(kind, size)

    def _symbol(self) -> None:
        symbol, kind, size = self._take(_SYMBOL)
        take = _SYMBOLS.get(symbol)
        if take is None:
            raise ValueError(f"an expression of the circuit has a symbol of the unknown kind {symbol!r}")
        take(self)
        self._value(kind, size)

    def _evolution(self) -> None:
        operators, _, kind, time, synthesis = self._take(_EVOLUTION)
        self._each(self._operator, count=operators)
        self._value(kind, time)
        start = self._at
        self._skip(synthesis)
        _check_synthesis(self._data[start : self._at])

    def _operator(self) -> None:
        if self._version < _WITH_OBSERVABLES or self._take(_COUNT[1]) == (False,):
            (size,) = self._take(_COUNT[8])
            with self._part(size):
                self._array()
            return
        qubits, *sizes = self._take(_OBSERVABLE)
        self._announce(qubits)
        self._skip(sum(sizes))

    def _layout(self) -> None:
        exists, initial, mapping, final, registers, _ = self._take(_LAYOUT)
        if exists:
            self._each(self._register, count=registers)
            self._each(self._layout_bit, count=initial)
            # A size of -1 stands for none.
            self._skip(4 * max(mapping, 0) + 4 * max(final, 0))

    def _layout_bit(self) -> None:
        _, name = self._take(_BIT)
        self._skip(max(name, 0))


def _check_synthesis(described: bytes) -> None:
    """Refuses a synthesis of an evolution that is none of Qiskit's; the reader calls what it names."""
    try:
        name = json.loads(described)["class"]
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise ValueError("the circuit has an evolution without a synthesis") from error
    if name not in SYNTHESES:
        raise ValueError(f"the circuit names the synthesis {str(name)[:40]!r}, which is not known")


# The values that announce something, or hold other parts, by kind; all others are as many bytes as they say.
_RICH_VALUES: Final[dict[bytes, Callable[[_Walker], None]]] = {
    b"q": _Walker._circuit,
    b"t": _Walker._tuple,
    b"v": _Walker._element,
    b"e": _Walker._expression,
    b"m": _Walker._modifier,
    b"n": _Walker._array,
    b"r": _Walker._range,
}
# The values whose bytes matter to nothing else.
_FREE_VALUES: Final = frozenset({b"f", b"i", b"c", b"p"})
_SYMBOLS: Final[dict[bytes, Callable[[_Walker], None]]] = {
    b"p": _Walker._parameter,
    b"v": _Walker._element,
    b"e": _Walker._expression,
}
