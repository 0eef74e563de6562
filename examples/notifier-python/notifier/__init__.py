"""A subscriber of telecine: one line for every generation that ended, none missing, none twice."""
