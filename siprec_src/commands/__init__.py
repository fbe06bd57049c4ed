"""Commands of the command line that have several of their own, apart from those that run processes."""
