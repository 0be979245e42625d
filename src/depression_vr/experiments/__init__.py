"""Measures the recipes of experiments/ and writes the table of what was published and what was measured."""
