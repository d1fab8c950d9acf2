"""Everything that leaves the house: model directories, cards, reports."""
