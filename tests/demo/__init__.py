"""The demonstration behind `make demo`: one real call through the daemon, recorded by the bundled SRS."""
