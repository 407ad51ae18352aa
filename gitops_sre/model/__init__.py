"""The nouns of the program: frozen dataclasses, standard library only.

Data flows one way, and the files follow it: outcome, image, signal, target, evidence, change_feed, diagnosis, plan,
change, verdict, pull, live, verification, record, incident.
"""
