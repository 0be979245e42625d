"""How fast the project is, and how near to what it replaces: one table of measured rows."""
