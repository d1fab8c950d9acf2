"""Labelling parts of a text: names, slots, words.

units       text -> units with their places
schemes     spans <-> labels of units, and which labels may follow which
features    units -> columns of numbers and the templates over them
lexicon     what rjieba knows about a text
gazetteer   the spans of the training text as a dictionary
dictionary  the user's entries, which outrank every model
floor       a conditional random field that any other model must beat
inputs      units -> what the network reads; lattice: all dictionary words as columns
network     an encoder with a label chain on top, and what a text wants beside it
blending    floor and network as one chain; confidence of spans
training    floor, network, blend, choice
model       a tagger ready to answer; files, evaluation, task
metric      precision, recall, F1
"""
