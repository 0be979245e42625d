"""Corpora and frames on disk, up to normalised clips on the device."""
