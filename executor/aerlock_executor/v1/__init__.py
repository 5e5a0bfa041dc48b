"""Generated messages and stubs of the executor's contract, ``protos/aerlock_executor/v1``."""
