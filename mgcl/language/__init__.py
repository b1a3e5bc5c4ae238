"""Language: prompts and explanations of classes, captions of clips."""
