"""Where a model looked: attribution maps, relevance per region of the face, and answers to changed pictures."""
