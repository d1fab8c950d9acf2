"""Linear-chain conditional random fields: numbers in, labels out.

templates   columns of numbers -> hashes of features
rows        hashes -> rows of emission weights
problem     examples, and the loss of given weights
training    L-BFGS, OWL-QN, AdaGrad
weights     parameters, and the scores they give
lattice     best labels and marginals
constraints what may follow what
compression fewer and smaller weights
"""
