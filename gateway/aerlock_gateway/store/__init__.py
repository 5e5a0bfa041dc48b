"""The gateway's database: SQL and nothing else."""
