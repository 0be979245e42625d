"""Whether a map of importance says something about the network: randomised weights, deletion, insertion."""
