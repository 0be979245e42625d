"""The synthetic corpus: one real face, animated by behaviour that a known score drives."""

from depression_vr.data.synthetic.avec_layout import write_avec2014
from depression_vr.data.synthetic.corpus import SyntheticCorpus

__all__ = ["SyntheticCorpus", "write_avec2014"]
