"""AVEC2013 and AVEC2014 as they lie on a user's disk."""

from depression_vr.data.avec.corpora import Avec2013, Avec2014

__all__ = ["Avec2013", "Avec2014"]
