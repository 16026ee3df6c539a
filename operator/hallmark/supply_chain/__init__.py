"""What is in a model and who vouches for it: manifest, signature, bill of materials."""
