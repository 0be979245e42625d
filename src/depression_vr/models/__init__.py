"""Networks as plain torch modules, and the reader of their weights."""
