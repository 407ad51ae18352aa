"""Per signal: what to ask, and how the answer is read as evidence. Pure: asking itself is an adapter's."""
