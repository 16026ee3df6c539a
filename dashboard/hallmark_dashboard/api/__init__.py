"""The REST backend: each write is the object or annotation that kubectl would write."""
