"""What is done with models and catalogues: the work behind each command."""
