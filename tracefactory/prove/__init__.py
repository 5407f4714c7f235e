"""Does a dataset teach? Small models trained on what was published, and asked what they never saw.

arms.py        what each model is trained on, read from the published dataset
tokens.py      text to numbers, without loss
model.py       a small Llama; muon.py, train.py: its training; generate.py: its answers
evaluate.py    held-out problems, judged by the factory's own checkers
faithful.py    one step of the model's own reasoning altered
experiment.py  all models of a proof, in processes, each result kept
save.py        models on disk, as transformers and vLLM read them

Needs the extra `prove` (torch). Nothing here is imported by the rest of the factory but on command.
"""
