"""Labelling parts of a text: names, slots, words.

units       text -> units with their places
schemes     spans <-> labels of units, and which labels may follow which
features    units -> columns of numbers and the templates over them
lexicon     what rjieba knows about a text
gazetteer   the spans of the training text as a dictionary
dictionary  the user's entries, which outrank every model
floor       a conditional random field that any other model must beat
metric      precision, recall, F1
"""
