"""`siprec-src probe`: everything that can be asked of a real SRS, asked by the client that records calls."""
