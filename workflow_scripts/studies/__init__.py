"""Studies: a folder each, with all that belongs to one question. Folders of a user's own join them."""
