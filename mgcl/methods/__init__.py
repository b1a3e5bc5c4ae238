"""Methods on frozen features: ``method`` is the protocol, ``variants`` the rows of tables; one folder per kind."""
