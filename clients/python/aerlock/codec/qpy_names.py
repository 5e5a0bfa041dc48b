"""The classes that QPY may name: a name selects a line here, or nothing."""

from typing import Final

SIZED_BY_INTEGERS: Final = frozenset(
    name.encode()
    for name in (
        "Clifford DiagonalGate GraphStateGate HamiltonianGate Initialize LinearFunction MCMTGate MCPhaseGate MCU1Gate MCXGate"
        " MCXGrayCode MCXRecursive MCXVChain PauliGate PauliProductMeasurement PauliProductRotationGate"
        " PermutationGate QFTGate StatePreparation UCRXGate UCRYGate UCRZGate UnitaryGate"
        " pauli_product_measurement"
    ).split()
)
"""Instructions whose numbers are not only angles."""

CLASSES: Final = SIZED_BY_INTEGERS | frozenset(
    name.encode()
    for name in (
        "Barrier BoxOp BreakLoopOp ContinueLoopOp Delay ForLoopOp IfElseOp Measure Reset Store SwitchCaseOp"
        " WhileLoopOp"
        # The gates that Qiskit calls standard.
        " C3SXGate C3XGate C4XGate CCXGate CCZGate CHGate CPhaseGate CRXGate CRYGate CRZGate CSGate CSXGate"
        " CSdgGate CSwapGate CU1Gate CU3Gate CUGate CXGate CYGate CZGate DCXGate ECRGate GlobalPhaseGate HGate"
        " IGate PhaseGate RC3XGate RCCXGate RGate RVGate RXGate RXXGate RYGate RYYGate RZGate RZXGate RZZGate SGate"
        " SXGate SXdgGate SdgGate SwapGate TGate TdgGate U1Gate U2Gate U3Gate UGate XGate XXMinusYYGate"
        " XXPlusYYGate YGate ZGate iSwapGate"
    ).split()
)
"""Instructions that are not written with their definition."""

SYNTHESES: Final = frozenset({"LieTrotter", "SuzukiTrotter", "QDrift", "MatrixExponential"})
"""Ways to make gates of an evolution in time."""
