"""Recording sessions towards Session Recording Servers: the SRC of RFC 7866."""
