"""What a run leaves behind, and reading it again. Works on files, never on live objects."""
