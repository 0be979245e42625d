"""What a network looks at over a whole partition: parts of the face, severity bands, sanity checks."""
