"""Running models without torch: engines in NumPy, sampling, decoding, scoring, loading.

loading    a model directory, every file checked  ──►  codec and engine
engines    ids in, logits out, one cache per text (or several rows of one)
sampling   logits ──► one id
decoding   ids ──► text as it comes, whole characters, nothing of a stop string
scoring    how surprised a model is by a text
"""
