"""The parts of QPY and what came when, as the page "QPY format" in Qiskit's documentation has them."""

import struct
from typing import Final

OLDEST_QPY_VERSION: Final = 13
"""Older versions carry symbols in formats whose readers can be made to run code."""
NEWEST_QPY_VERSION: Final = 18
"""The newest version whose layout is known here; a newer Qiskit writes it as well."""
MAX_QPY_BITS: Final = 100_000
"""Qubits, and classical bits, that one circuit may announce."""
MAX_NESTING: Final = 50
"""Parts in parts: blocks, definitions, tuples, expressions."""

# The fields of each part, without what follows in the length that they say.
FILE: Final = struct.Struct("!6sBBBBQcc")  # magic, version, Qiskit's version, circuits, symbols, kind
OFFSET: Final = struct.Struct("!Q")
CIRCUIT: Final = struct.Struct("!HcHIIQIQI")  # name, phase, qubits, clbits, metadata, three counts
REGISTER: Final = struct.Struct("!c?IH?")  # kind, standalone, size, name, in the circuit
REGISTER_18: Final = struct.Struct("!c?IH??")  # and whether its bits follow each other
VARIABLE: Final = struct.Struct("!16scHc")  # UUID, usage, name, type
NAMESPACE: Final = struct.Struct("!IQ")  # name, state
ANNOTATION: Final = struct.Struct("!IQ")  # namespace, payload
VECTOR: Final = struct.Struct("!HQ16s")  # name, elements, UUID
DEFINITION: Final = struct.Struct("!HcII?QIIQ")  # name, kind, bits, whether defined, size, control, base
INSTRUCTION: Final = struct.Struct("!HHHIIBH8xI4x")  # name, label, counts, flags, condition, controls
VALUE: Final = struct.Struct("!cQ")  # kind, size
PARAMETER: Final = struct.Struct("!H16s")  # name, UUID
ELEMENT: Final = struct.Struct("!HQ16sQ")  # vector's name, its elements, UUID, index
ELEMENT_18: Final = struct.Struct("!HQ")  # vector's position in the table, index
EXPRESSION: Final = struct.Struct("!QQ")  # symbols, operations
OPERATION: Final = struct.Struct("!BcQQc16s")  # code, kind and content of the left side and the right one
SYMBOL: Final = struct.Struct("!ccQ")  # kind, kind and size of its value
ITEM: Final = struct.Struct("!HcH")  # key, kind and size of the value
RANGE: Final = struct.Struct("!qqq")
MODIFIER: Final = struct.Struct("!cIId")  # kind, control qubits and state, power
EVOLUTION: Final = struct.Struct("!Q?cQQ")  # operators, whether one stands alone, time, synthesis
OBSERVABLE: Final = struct.Struct("!IQQQQ")  # qubits, bytes of four arrays
LAYOUT: Final = struct.Struct("!?iiiIi")  # whether there is one, three sizes, registers, qubits
BIT: Final = struct.Struct("!ii")  # index, register's name
COUNT: Final = {size: struct.Struct(f"!{code}") for size, code in ((1, "?"), (2, "H"), (4, "I"), (8, "Q"))}

WITH_TABLE, WITH_ANNOTATIONS, WITH_OBSERVABLES, WITH_VECTORS = 16, 15, 17, 18
BIT_BYTES: Final = 5
UUID_BYTES: Final = 16
IF_EXPRESSION: Final = 2
ANNOTATED: Final = 0x80
