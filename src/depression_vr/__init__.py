"""Depression recognition from facial video: networks, corpora, training and evaluation."""
