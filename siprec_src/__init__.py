"""siprec-src: a SIPREC Session Recording Client (RFC 7866) that stands beside any PBX."""

__version__ = "0.1.0"
