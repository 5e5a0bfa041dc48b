"""The gateway: accounts, catalog, job log and scheduling behind gRPC."""
