"""Local recordings: what is written of a call's media on this host."""
