"""A trained network as one file that needs nothing of this project, with a model card beside it."""
