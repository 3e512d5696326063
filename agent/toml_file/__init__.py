"""Files that a person writes: read as far as they can be read, every mistake with its line. For the machine file and the checklists."""
