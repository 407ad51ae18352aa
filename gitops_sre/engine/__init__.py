"""The engine joins the stages: what is seen becomes an event, an event becomes the next incident and its intents."""
