"""Qiskit's coupling maps: every physical qubit and directed edge, in their order."""

# ruff: noqa: ANN401  (an object of any type may come)

from typing import Any, Final

from aerlock.codec.qpy_layout import MAX_QPY_BITS
from aerlock.codec.tagged import TaggedType, require, require_array, require_keys

_MAX_STEPS: Final = 1 << 30
"""What it may take to look for each edge among those of its first qubit."""


def _map_to_plain(coupling: Any) -> dict[str, Any]:
    """Gives the graph; what nodes and edges carry is left out where none carries anything."""
    from numpy import array

    graph = coupling.graph
    edges = graph.weighted_edge_list()
    if len(graph) > MAX_QPY_BITS or list(graph.node_indexes()) != list(range(len(graph))):
        raise ValueError(f"its qubits are not numbered from 0 on, or more than {MAX_QPY_BITS:,}")
    plain = {
        "num_qubits": len(graph),
        "edges": array([(start, end) for start, end, _ in edges], int).reshape(-1, 2),
        "description": coupling.description,
        "multigraph": graph.multigraph,
    }
    notes = {"qubit_notes": graph.nodes(), "edge_notes": [note for _, _, note in edges]}
    return plain | {key: found for key, found in notes.items() if any(note is not None for note in found)}


def _map_from_plain(plain: Any) -> Any:
    from qiskit.transpiler import CouplingMap
    from rustworkx import PyDiGraph

    require_keys(
        plain, "num_qubits", "edges", "description", "multigraph", optional=("qubit_notes", "edge_notes")
    )
    edges = _require_edges(plain)
    coupling = CouplingMap(description=plain["description"])
    coupling.graph = PyDiGraph(multigraph=require(bool, plain["multigraph"]))
    coupling.graph.add_nodes_from(_notes(plain.get("qubit_notes"), plain["num_qubits"]))
    notes = _notes(plain.get("edge_notes"), len(edges))
    coupling.graph.add_edges_from([(*edge, note) for edge, note in zip(edges.tolist(), notes, strict=True)])
    if coupling.graph.num_edges() != len(edges):
        raise ValueError("an edge comes twice")
    return coupling


def _require_edges(plain: dict[str, Any]) -> Any:
    from numpy import bincount

    num_qubits, edges = require(int, plain["num_qubits"]), require_array(plain["edges"], "i", 2)
    if not 0 <= num_qubits <= MAX_QPY_BITS:
        raise ValueError(f"{num_qubits} is not from 0 to {MAX_QPY_BITS:,} qubits")
    if edges.shape[1] != 2 or (edges.size and not 0 <= edges.min() <= edges.max() < num_qubits):
        raise ValueError("its edges are not pairs of its qubits")
    degrees = bincount(edges[:, 0]).astype(float)
    if degrees @ degrees > _MAX_STEPS:
        raise ValueError("too many edges start at the same qubit")
    return edges


def _notes(plain: Any, count: int) -> list[Any]:
    notes = [None] * count if plain is None else require(list, plain)
    if len(notes) != count:
        raise ValueError(f"it has {len(notes):,} notes where there are {count:,}")
    return notes


TYPES: Final = (
    TaggedType(
        "qiskit.CouplingMap", ("qiskit.transpiler.coupling.CouplingMap",), _map_to_plain, _map_from_plain
    ),
)
