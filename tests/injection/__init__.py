"""Attack strings that others have collected, in every untrusted place of a case, with a model that obeys them."""
