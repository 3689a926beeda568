"""The service: HTTP in front of the operations, and nothing else."""
