"""Data recipes to arrays: find or draw the rows, choose, label and normalize them, write them once."""
