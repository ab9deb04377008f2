"""Models for whole tasks, and the decoders of their outputs."""
