"""Where landmarks come from: detectors with a landmark network, or files of another program."""
