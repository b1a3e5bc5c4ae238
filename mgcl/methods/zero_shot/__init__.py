"""Methods of zero-shot tasks that read other sentences than each class's prompt."""
