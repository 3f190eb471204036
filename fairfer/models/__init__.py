"""Models: the protocol, the registry, one adapter per library, and the bundled baseline."""
