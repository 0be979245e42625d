"""Intervals around estimates, by split conformal prediction."""
