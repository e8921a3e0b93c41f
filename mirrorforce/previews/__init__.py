"""What a change of the code or of an estate file would do, for whoever reviews it."""
