"""What pages and answers say, made of objects and nothing else: no I/O, no clock."""
