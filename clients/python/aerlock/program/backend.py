"""The backend that a program gets: Qiskit Aer with a Target that is built once."""

from typing import Any

from qiskit.circuit import QuantumCircuit
from qiskit.providers import BackendV2, Options
from qiskit.transpiler import Target
from qiskit_aer import AerSimulator
from qiskit_aer.jobs import AerJob


class ProgramBackend(BackendV2):  # type: ignore[misc]  # Qiskit ships no types
    """Runs circuits on an `AerSimulator`.

    The simulator builds its Target anew at every access, which makes each
    `qiskit.transpile` twenty times slower; this backend keeps it.
    """

    def __init__(self, simulator: AerSimulator, name: str) -> None:
        super().__init__(
            name=name, description=simulator.description, backend_version=simulator.backend_version
        )
        self._simulator = simulator
        self._target: Target | None = None

    @property
    def target(self) -> Target:
        """What circuits must come to: qubits and gates."""
        if self._target is None:
            self._target = self._simulator.target
        return self._target

    @property
    def num_qubits(self) -> int:
        """The most qubits that a circuit may have."""
        return int(self.target.num_qubits)

    @property
    def max_circuits(self) -> None:
        """There is no limit to the circuits of one run."""
        return

    @property
    def options(self) -> Options:
        """The simulator's options, such as shots and seed_simulator."""
        return self._simulator.options

    def set_options(self, **fields: Any) -> None:  # noqa: ANN401
        """Sets options for all runs that follow; raises AttributeError for one that Aer does not know."""
        self._simulator.set_options(**fields)
        self._target = None

    def configuration(self) -> Any:  # noqa: ANN401
        """Aer's description of itself in the old form, for programs that ask for it."""
        return self._simulator.configuration()

    def run(
        self,
        run_input: QuantumCircuit | list[QuantumCircuit],
        timeout: float | None = None,
        **options: Any,  # noqa: ANN401
    ) -> AerJob:
        """Runs circuits and returns Aer's job; ``options`` count for this run only.

        With ``timeout``, in seconds, waits for the end and raises Qiskit's
        JobTimeoutError when it takes longer.
        """
        job = self._simulator.run(run_input, **options)
        if timeout is not None:
            job.result(timeout=timeout)
        return job

    @classmethod
    def _default_options(cls) -> Options:
        return AerSimulator._default_options()
