"""What an operator asks of the providers: how their feeds are doing, a range read again, an entity told once more."""
