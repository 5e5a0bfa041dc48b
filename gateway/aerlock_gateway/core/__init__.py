"""The gateway's rules: who may do what, what a job is, and how it gets run."""
