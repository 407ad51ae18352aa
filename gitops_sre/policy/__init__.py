"""What the bot may do by itself: policy documents, their conditions, and the gate that holds a plan against them."""
