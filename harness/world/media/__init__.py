"""Media of the simulated world: RTP ports, the relay between them, one clock, sounds and digits."""
