"""Depression recognition from facial video: networks, corpora, training and evaluation."""

import os

# Threads that wait spin by default: beside a single other busy process, such as one that reads frames, a
# training step on two cores then takes ten times as long. OpenMP reads this when torch is imported.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
