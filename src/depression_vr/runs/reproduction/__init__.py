"""Whether a run comes out the same when it is trained again: what it is made with, and what results."""
