"""Generated messages and stubs of the public contract, ``protos/aerlock/v1``."""
