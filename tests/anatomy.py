"""What an object is made of, down to what its own comparison does not look at."""

from enum import Enum
from typing import Any

import numpy as np

_CACHES = {
    "_abc_impl",
    "_dist_matrix",
    "_func",
    "_hash",
    "_id",
    "_is_symmetric",
    "_num_parameters",
    "_qubit_list",
    "_size",
    "_target",
    "has_canonical_format",
    "has_sorted_indices",
    "_has_canonical_format",
    "_has_sorted_indices",
}
"""Attributes that objects keep to be fast, or that say nothing of their value, such as an error's own id."""
_LEAVES = {type(None), bool, int, str, bytes}
_OPAQUE = ("Parameter", "ParameterExpression", "ParameterVectorElement", "QuantumCircuit", "Target")


def anatomy(obj: Any) -> Any:
    """The object as a tree of plain parts, for comparison with ``==``; NaN is itself."""
    cls = type(obj)
    kind = f"{cls.__module__}.{cls.__qualname__}"
    if cls in _LEAVES or isinstance(obj, Enum | np.dtype | type) or cls.__name__ in _OPAQUE:
        return kind, obj
    if isinstance(obj, np.ndarray):
        content = [anatomy(item) for item in obj.flat] if obj.dtype == object else obj.tobytes()
        return kind, str(obj.dtype), obj.shape, content
    if isinstance(obj, float | complex | np.generic):
        return kind, repr(obj)
    if cls.__name__ in _BUILT_IN_RUST:
        return kind, [anatomy(part) for part in _BUILT_IN_RUST[cls.__name__](obj)]
    if cls.__name__.startswith("dok_"):
        # Its keys are of whatever integers someone used.
        return (
            kind,
            obj.shape,
            obj.dtype,
            [(np.array(key).tolist(), anatomy(item)) for key, item in obj.items()],
        )
    parts = {name: getattr(obj, name) for name in _attributes(obj) if name not in _CACHES}
    if isinstance(obj, dict):
        parts["items"] = [(anatomy(key), anatomy(item)) for key, item in obj.items()]
    elif isinstance(obj, set | frozenset):
        parts["items"] = sorted(map(repr, map(anatomy, obj)))
    elif isinstance(obj, list | tuple):
        parts["items"] = [anatomy(item) for item in obj]
    if not parts and not cls.__dictoffset__:
        return kind, repr(obj)
    return kind, {name: part if name == "items" else anatomy(part) for name, part in parts.items()}


def _attributes(obj: Any) -> list[str]:
    slots = [slot for cls in type(obj).__mro__ for slot in getattr(cls, "__slots__", ())]
    return sorted({*getattr(obj, "__dict__", {}), *slots} - {"__dict__", "__weakref__"})


_BUILT_IN_RUST = {
    "SparseObservable": lambda obj: [
        obj.num_qubits,
        *(np.array(getattr(obj, name)) for name in ("coeffs", "bit_terms", "indices", "boundaries")),
    ],
    "PauliLindbladMap": lambda obj: [obj.num_qubits, np.array(obj.rates), obj.to_sparse_list()],
    "PyDiGraph": lambda obj: [obj.multigraph, list(obj.nodes()), list(obj.weighted_edge_list())],
}
