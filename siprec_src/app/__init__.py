"""What drives the machines: driver, supervisor, and the two processes it watches."""
