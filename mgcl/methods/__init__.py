"""Methods on frozen features: ``method`` is their protocol, ``variants`` the rows of tables, a folder each kind."""
