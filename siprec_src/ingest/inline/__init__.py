"""The inline ingest: a back-to-back user agent between a PBX and its peers (RFC 3261 6, RFC 7092 3.2)."""
