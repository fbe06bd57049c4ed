"""Sockets under the user agent: datagrams, streams, names."""
