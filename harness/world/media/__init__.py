"""Media of the simulated world: RTP ports, the relay between them, one clock, and what is said and heard."""
