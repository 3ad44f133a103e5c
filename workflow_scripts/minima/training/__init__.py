"""How cells are trained: engine and theory, put together as a cell's fields say. Opens no file."""
