"""The rules for each type of entry, and the checks across entries and accounts."""
