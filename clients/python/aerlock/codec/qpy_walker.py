"""Follows the sizes that QPY announces, before Qiskit's reader allocates what they say.

The reader trusts them: one wrong byte makes it ask for gigabytes, or abort the
process. Here every size must lie within the data, and what takes memory without
taking bytes (bits, vectors of parameters) is bounded by the size of the data.
"""

import json
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

from aerlock.codec.npy import check_npy
from aerlock.codec.qpy_layout import (
    ANNOTATED,
    ANNOTATION,
    BIT,
    BIT_BYTES,
    CIRCUIT,
    COUNT,
    DEFINITION,
    ELEMENT,
    ELEMENT_18,
    EVOLUTION,
    EXPRESSION,
    FILE,
    IF_EXPRESSION,
    INSTRUCTION,
    ITEM,
    LAYOUT,
    MAX_NESTING,
    MAX_QPY_BITS,
    MODIFIER,
    NAMESPACE,
    OBSERVABLE,
    OFFSET,
    OPERATION,
    PARAMETER,
    RANGE,
    REGISTER,
    REGISTER_18,
    SYMBOL,
    UUID_BYTES,
    VALUE,
    VARIABLE,
    VECTOR,
    WITH_ANNOTATIONS,
    WITH_OBSERVABLES,
    WITH_TABLE,
    WITH_VECTORS,
)
from aerlock.codec.qpy_names import SYNTHESES


class Walker:
    """Goes through the one circuit of a file, part by part in their order."""

    def __init__(self, data: bytes, version: int) -> None:
        self._data = data
        self._version = version
        self._at = FILE.size
        self._depth = 0
        self._allowance = 4 * MAX_QPY_BITS + len(data)
        self._names: set[bytes] = set()
        self.defined: set[bytes] = set()
        """Names of instructions that the circuit defines itself."""
        self.definitions: list[list[int]] = []
        """Where several definitions beside each other begin, and the last one ends; the inner ones first."""
        self.free: list[tuple[int, int]] = []
        """Places of names and numbers, from and to."""
        self._plain_headers: dict[bytes, tuple[int, int, int]] = {}
        self._plain_values: dict[bytes, int] = {}

    def walk(self) -> frozenset[str]:
        """Returns the names of instructions that are not defined; raises ValueError and struct.error."""
        if self._version >= WITH_TABLE and self._take(OFFSET) != (self._at,):
            raise ValueError("the circuit's QPY does not begin where its table says")
        self._circuit()
        self._expect(len(self._data))
        return frozenset(name.decode() for name in self._names - self.defined)

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
            (count,) = self._take(COUNT[count_bytes])
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
        self._definitions()
        self._instructions(count)
        if self._version < WITH_VECTORS and self._take(COUNT[2]) != (0,):
            raise ValueError("the circuit has calibrations of pulses, which Qiskit reads no more")
        self._layout()

    def _front(self, bits: tuple[int, int] | None = None) -> int:
        """Takes what stands before the definitions; returns how many instructions there are.

        ``bits`` are the qubits and classical bits that the circuit must have.
        """
        name, kind, phase, qubits, clbits, metadata, registers, count, variables = self._take(CIRCUIT)
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
        if self._version >= WITH_ANNOTATIONS:
            self._each(self._namespace, 4)
        if self._version >= WITH_VECTORS:
            self._each(self._vector, 2)
        return count  # type: ignore[no-any-return]

    def has_definitions(self) -> bool:
        """Tells whether the circuit defines instructions of its own."""
        if self._version >= WITH_TABLE:
            self._take(OFFSET)
        self._front()
        return self._take(COUNT[8]) != (0,)

    def _register(self) -> None:
        if self._version < WITH_VECTORS:
            _, _, size, name, _ = self._take(REGISTER)
            self._skip(name + 8 * size)
            return
        _, _, size, name, _, is_range = self._take(REGISTER_18)
        self._announce(size)
        self._skip(name + 4 * (1 if is_range else size))

    def _variable(self) -> None:
        _, _, name, kind = self._take(VARIABLE)
        self._skip(name + (4 if kind == b"u" else 0))

    def _namespace(self) -> None:
        name, state = self._take(NAMESPACE)
        self._skip(name + state)

    def _vector(self) -> None:
        name, elements, _ = self._take(VECTOR)
        self.free.append((self._at - UUID_BYTES, self._at))
        self._announce(elements)
        self._skip(name)

    def _definitions(self) -> None:
        places: list[int] = []

        def take() -> None:
            places.append(self._at)
            self._definition()

        self._each(take, 8)
        if len(places) > 1:
            self.definitions.append([*places, self._at])

    def _definition(self) -> None:
        name, kind, qubits, clbits, is_defined, size, controls, _, base = self._take(DEFINITION)
        self._announce(qubits + clbits + controls)
        start = self._at
        self._skip(name)
        self.defined.add(self._data[start : self._at])
        with self._part(size):
            if is_defined and kind == b"p":
                self._evolution()
            elif is_defined:
                self._circuit((qubits, clbits))
        with self._part(base):
            # The gate without its controls stands there without its qubits.
            self._instructions(1 if base else 0, bit_bytes=0)

    def _instructions(self, count: int, bit_bytes: int = BIT_BYTES) -> None:
        # Most of a file is this, so it is written out, and a header that comes again is not unpacked again.
        data, at, add_name, free = self._data, self._at, self._names.add, self.free
        find_header, find_value = self._plain_headers.get, self._plain_values.get
        header_bytes, value_bytes = INSTRUCTION.size, VALUE.size
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
        name, label, values, qargs, cargs, flags, condition, controls = INSTRUCTION.unpack_from(
            self._data, at
        )
        at += INSTRUCTION.size
        self._names.add(self._data[at : at + name])
        at += name + label + condition
        has_expression, is_annotated = flags & 3 == IF_EXPRESSION, bool(flags & ANNOTATED)
        if has_expression:
            at = self._value_at(at)
        at += bit_bytes * (qargs + cargs)
        if controls > qargs or not bit_bytes:
            self._announce(controls)
        elif not (has_expression or is_annotated):
            self._plain_headers[self._data[start : start + INSTRUCTION.size]] = name, at - start, values
        return at, values, is_annotated

    def _annotations(self, at: int) -> int:
        self._at = at
        self._each(self._annotation, 4)
        return self._at

    def _size_of_value(self, at: int) -> int:
        """Takes a value that stands there, or only its size where there is nothing in it."""
        kind, size = VALUE.unpack_from(self._data, at)
        if kind in _FREE_VALUES or (kind == b"v" and self._version >= WITH_VECTORS):
            self._plain_values[self._data[at : at + VALUE.size]] = size = VALUE.size + size
            self.free.append((at + VALUE.size, at + size))
            return size  # type: ignore[no-any-return]
        return self._value_at(at) - at

    def _annotation(self) -> None:
        _, payload = self._take(ANNOTATION)
        self._skip(payload)

    def _value_at(self, at: int) -> int:
        self._at = at
        self._typed_value()
        return self._at

    def _typed_value(self) -> None:
        self._value(*self._take(VALUE))

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
        start, stop, step = self._take(RANGE)
        if step:
            self._announce(len(range(start, stop, step)))

    def _array(self) -> None:
        size = check_npy(self._data, self._at)
        self._skip(size)

    def _modifier(self) -> None:
        _, controls, _, _ = self._take(MODIFIER)
        self._announce(controls)

    def _parameter(self) -> None:
        name, _ = self._take(PARAMETER)
        self._skip(name)

    def _element(self) -> None:
        if self._version >= WITH_VECTORS:
            self._take(ELEMENT_18)
            return
        name, elements, _, _ = self._take(ELEMENT)
        # Every element of a vector names its size; the vector is made once, and only what is used of it.
        if elements > MAX_QPY_BITS:
            raise ValueError(
                f"a vector of {elements:,} parameters is refused: at most {MAX_QPY_BITS:,} are read"
            )
        self._skip(name)

    def _expression(self) -> None:
        symbols, size = self._take(EXPRESSION)
        with self._part(size):
            end = self._at + size
            while self._at < end:
                self._operation()
        self._each(self._symbol, count=symbols)

    def _operation(self) -> None:
        _, kind, size, _, _, _ = self._take(OPERATION)
        if kind == b"u":
            with self._part(size):
                self._each(self._item, 8)

    def _item(self) -> None:
        key, kind, size = self._take(ITEM)
        self._skip(key)
        self._value(kind, size)

    def _symbol(self) -> None:
        symbol, kind, size = self._take(SYMBOL)
        take = _SYMBOLS.get(symbol)
        if take is None:
            raise ValueError(f"an expression of the circuit has a symbol of the unknown kind {symbol!r}")
        take(self)
        self._value(kind, size)

    def _evolution(self) -> None:
        operators, _, kind, time, synthesis = self._take(EVOLUTION)
        self._each(self._operator, count=operators)
        self._value(kind, time)
        start = self._at
        self._skip(synthesis)
        _check_synthesis(self._data[start : self._at])

    def _operator(self) -> None:
        if self._version < WITH_OBSERVABLES or self._take(COUNT[1]) == (False,):
            (size,) = self._take(COUNT[8])
            with self._part(size):
                self._array()
            return
        qubits, *sizes = self._take(OBSERVABLE)
        self._announce(qubits)
        self._skip(sum(sizes))

    def _layout(self) -> None:
        exists, initial, mapping, final, registers, _ = self._take(LAYOUT)
        if exists:
            self._each(self._register, count=registers)
            self._each(self._layout_bit, count=initial)
            # A size of -1 stands for none.
            self._skip(4 * max(mapping, 0) + 4 * max(final, 0))

    def _layout_bit(self) -> None:
        _, name = self._take(BIT)
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
_RICH_VALUES: Final[dict[bytes, Callable[[Walker], None]]] = {
    b"q": Walker._circuit,
    b"t": Walker._tuple,
    b"v": Walker._element,
    b"e": Walker._expression,
    b"m": Walker._modifier,
    b"n": Walker._array,
    b"r": Walker._range,
}
# The values whose bytes matter to nothing else.
_FREE_VALUES: Final = frozenset({b"f", b"i", b"c", b"p"})
_SYMBOLS: Final[dict[bytes, Callable[[Walker], None]]] = {
    b"p": Walker._parameter,
    b"v": Walker._element,
    b"e": Walker._expression,
}
