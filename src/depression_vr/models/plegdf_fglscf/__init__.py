"""PLEGDF-FGLSCF: two streams of a slim 3D residual network, relations across facial regions, and a fusion.

Source: Sun, Li, He, "Depression Intensity Recognition Based on Perceptually Locally-enhanced Global
Depression Features and Fused Global-local Semantic Correlation Features on Faces", Journal of Electronics &
Information Technology 46(5), 2024, doi 10.11999/JEIT231330. Built after the abstract and the laboratory's
public material; the full paper's details were not available.
"""

from depression_vr.models.plegdf_fglscf.network import PlegdfFglscf

__all__ = ["PlegdfFglscf"]
