"""The shipped plugins: the dashboard's endpoints. Each imports ``app.plugin`` and nothing else."""
