"""Loggers that go on in the middle of a run."""
