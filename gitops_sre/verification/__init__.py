"""Is *this* commit running, and did it help? Pure: what was seen goes in, a verdict comes out."""
