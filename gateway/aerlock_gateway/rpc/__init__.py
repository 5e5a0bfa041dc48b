"""The gateway's gRPC services: thin, they translate between messages and the rules."""
