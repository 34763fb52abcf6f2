"""What the other side says of the call: the AI's own API, and the triggers that make a platform call."""
