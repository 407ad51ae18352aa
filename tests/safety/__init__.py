"""The safety suite: randomised incidents played in a closed loop, and what the bot did to them held against the truth.

python -m tests.safety --cases 600 --seed 1 [--case K] [--jobs 2] [--markdown docs/safety.md]
"""
