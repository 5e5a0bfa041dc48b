"""The classes that QPY may name: Qiskit's reader calls whatever class of its library has the name.

Among those are some that build circuits as large as they are told, and some that
read a text. What is not listed here can be sent as the circuit that defines it.
"""

from typing import Final

_LISTED: Final = """
Barrier BoxOp BreakLoopOp ContinueLoopOp Delay ForLoopOp IfElseOp Measure Reset Store SwitchCaseOp WhileLoopOp

C3SXGate C3XGate C4XGate CCXGate CCZGate CHGate CPhaseGate CRXGate CRYGate CRZGate CSGate CSXGate CSdgGate
CSwapGate CU1Gate CU3Gate CUGate CXGate CYGate CZGate DCXGate ECRGate GlobalPhaseGate HGate IGate PhaseGate
RC3XGate RCCXGate RGate RVGate RXGate RXXGate RYGate RYYGate RZGate RZXGate RZZGate SGate SXGate SXdgGate
SdgGate SwapGate TGate TdgGate U1Gate U2Gate U3Gate UGate XGate XXMinusYYGate XXPlusYYGate YGate ZGate
iSwapGate

Clifford DiagonalGate GraphStateGate HamiltonianGate Initialize LinearFunction MCPhaseGate MCU1Gate MCXGate
MCXGrayCode MCXRecursive MCXVChain PauliGate PauliProductMeasurement PauliProductRotationGate PermutationGate
QFTGate StatePreparation UCRXGate UCRYGate UCRZGate UnitaryGate pauli_product_measurement
"""

CLASSES: Final = frozenset(_LISTED.split())
"""Instructions that stand in QPY without their definition."""

SYNTHESES: Final = frozenset({"LieTrotter", "MatrixExponential", "QDrift", "SuzukiTrotter"})
"""Ways to make gates of an evolution in time."""
