"""The polyphony experiment: the number of events in a scene is all that changes.

scorers  what is asked of a probe at every number of events, by class, by level, and where it looked
recipe   the tables of `protoviz polyphony`
strong   the same question to recordings that people labelled
"""
