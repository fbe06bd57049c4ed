"""``python -m siprec_src``: the same as the command ``siprec-src``."""

from siprec_src.cli import main

main()
