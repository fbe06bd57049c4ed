"""SDP without I/O: model, parser, writer (RFC 8866), offer/answer (RFC 3264), a=crypto (RFC 4568)."""
