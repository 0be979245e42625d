"""Plotly figures of a comparison; each is made of measured groups and of nothing else."""
