"""What a packet and a call cost on this machine: `make bench`."""
