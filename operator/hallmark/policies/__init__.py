"""Pure decisions: frozen inputs go in, a decision comes out. No I/O, no clock."""
