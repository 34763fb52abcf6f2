"""The command line; ``app`` lists its commands."""
