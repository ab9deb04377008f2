"""What the examples share: their data, their command line, their results. Nothing here knows elman."""
